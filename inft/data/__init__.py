"""The corpus, and how its rows become batches."""
