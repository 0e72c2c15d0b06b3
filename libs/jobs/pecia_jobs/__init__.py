"""Jobs: long documents page by page, each page under a lease, all truth in SQL.

For the gateway, which takes jobs in and shows them, and for the worker, which does them. The same code runs
on PostgreSQL and on SQLite, on S3 and on a folder.
"""
