"""Benchmarks: one question per module, this project and its peers in one run."""
