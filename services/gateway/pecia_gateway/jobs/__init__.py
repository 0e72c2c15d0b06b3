"""Jobs over HTTP: a form becomes a job, a job becomes JSON, events, and files."""
