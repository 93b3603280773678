"""Upkeep of a store: its worker, its status, and the proof of what it holds."""
