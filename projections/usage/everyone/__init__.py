"""Usage of all customers at once, from hourly cells and the events that they do not say."""
