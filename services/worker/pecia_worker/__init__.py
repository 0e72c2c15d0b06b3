"""The worker: claim -> render -> have read -> store -> record; the last page assembles; deliver."""
