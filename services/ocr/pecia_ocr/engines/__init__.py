"""What reads pages. Each engine lives in a worker process of its own and knows no other engine.

An engine introduces no parallelism of its own beyond the threads its settings give it: the
scheduler decides how many run.
"""
