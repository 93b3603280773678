"""Usage: hourly cells of the sealed log and of the tail, and summaries from them."""
