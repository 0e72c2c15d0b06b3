"""Bringing a checkpoint to a folder, and making sure that it is what it should be: a program of its own."""
