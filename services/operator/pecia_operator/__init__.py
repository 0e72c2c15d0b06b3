"""The operator: watches OCRModels and makes the cluster what they say.

Begin with `reconcile`, which shows the whole way once: observe, decide, apply, report. What is decided is in
`rollout`, `desired` and `status`, which know no cluster.
"""
