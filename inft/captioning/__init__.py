"""Captions by a model: batched generation, a whole split into a file, and which model a person means."""
