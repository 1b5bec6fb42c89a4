"""Several runs beside each other: their curves, and in what they differ; nothing here knows a screen."""
