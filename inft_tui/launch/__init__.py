"""Preparing a run: which profiles there are, what is changed in one, whether it can run here, and its command."""
