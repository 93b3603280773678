"""Rating: what usage costs by the prices of a store."""
