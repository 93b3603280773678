"""Reports at the command line."""
