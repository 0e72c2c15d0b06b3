"""Files that mean harm, made here, and what becomes of them: `python -m benchmarks.hostile`."""
