"""Products and prices: what is sold, what it costs, and what is refused."""
