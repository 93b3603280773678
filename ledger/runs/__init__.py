"""Runs: sorted files derived from segments, mapped into memory, made again when lost."""
