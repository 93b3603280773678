"""Ancestors: the logs that a branch goes on from, and what it reads of them in place."""
