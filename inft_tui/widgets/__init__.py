"""Parts that the console's screens share."""
