"""Runs of reports, as of the last fact of the log."""
