"""Which process reads which page, and when: one lane per engine, one page per process at a time.

No decoding and no model runs in the process this package serves; both live behind `worker`.
"""
