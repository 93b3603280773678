"""Proofs: an explanation as files that a customer checks without this library."""
