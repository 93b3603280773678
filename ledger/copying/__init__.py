"""Copying a log up to a position into a database that has none."""
