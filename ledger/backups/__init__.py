"""Backups: all that makes a store, copied while it is written to, and put together again."""
