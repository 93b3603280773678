"""Meters: their definitions, as of the last fact of the log."""
