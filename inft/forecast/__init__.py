"""What a run will need of a GPU, computed from its parameters alone; no torch."""
