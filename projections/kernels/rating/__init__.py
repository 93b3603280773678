"""Rating: what quantities cost by prices, exactly, many lines at once."""
