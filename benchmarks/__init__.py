"""One script per figure in the README; each prints JSON lines."""
