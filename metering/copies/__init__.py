"""Copies of a store: backups, and stores made of them."""
