"""Commands of customers, and of the time that they live by."""
