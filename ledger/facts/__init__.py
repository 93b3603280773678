"""The vocabulary of facts: meters, adjustments, credits, prices, statements, alerts, webhooks, time."""
