"""What every part of pecia agrees on: the document model, its words, its errors, its formats.

No I/O belongs here, with two exceptions that every process needs: `pdf` (the only place that
opens a PDF, in a bounded process pool) and `telemetry` (logs and metrics).
"""
