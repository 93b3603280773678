"""The vocabulary of facts: usage, credits, prices, subscriptions, statements, alerts, time."""
