"""Reports: what they hold, how they are made, and what is refused."""
