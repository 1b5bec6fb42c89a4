"""The terminal: what it can do, how text reaches it, and how it is left as it was found."""
