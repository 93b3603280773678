"""Passes of the audit: how far each is, and what it found."""
