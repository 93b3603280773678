"""The vocabulary of facts: meters, adjustments, credits, prices, alerts, webhooks, time."""
