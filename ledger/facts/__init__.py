"""The vocabulary of facts: meters, adjustments, credits, alerts, webhooks, time."""
