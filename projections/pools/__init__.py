"""Pools of credits and their members, as of the last fact of the log."""
