"""Jobs over REST: long documents, read page by page while the caller does something else."""
