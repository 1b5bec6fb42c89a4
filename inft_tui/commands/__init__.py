"""One module per command; each has a function that does its work and returns the exit code."""
