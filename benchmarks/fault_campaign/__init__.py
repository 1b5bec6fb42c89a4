"""The parts of `benchmarks.faults`: what can go wrong, a run that it goes wrong with, and what must hold afterwards."""
