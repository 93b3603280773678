"""Rating: what usage costs, and which usage is refused."""
