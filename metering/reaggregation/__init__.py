"""Re-aggregation as callers ask for it, and differences between two answers."""
