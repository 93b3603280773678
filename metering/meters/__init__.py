"""Meters: definitions and their summaries."""
