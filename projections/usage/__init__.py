"""Usage: hourly cells of the sealed log and of the tail, and summaries of them."""
