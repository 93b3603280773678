"""Reports: what the store holds as files, made by the worker, kept for some time."""
