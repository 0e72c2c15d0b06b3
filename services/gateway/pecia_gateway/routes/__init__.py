"""Addresses: each route says what it takes and gives, and leaves the work to others."""
