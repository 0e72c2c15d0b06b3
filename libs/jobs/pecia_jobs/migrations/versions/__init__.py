"""One module a step; they are found by their `revision`, not by their name."""
