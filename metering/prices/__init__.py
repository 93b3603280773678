"""Products and prices: what is sold, and what a quantity of it costs."""
