"""Segments: sealed stretches of the log, as Parquet in a store of their own."""
