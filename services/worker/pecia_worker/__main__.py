"""`python -m pecia_worker`: claims pages of jobs and has them read, until told to stop."""
