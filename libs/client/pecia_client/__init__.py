"""Typed REST and gRPC clients of pecia, and the `pecia` command."""
