"""The vocabulary of facts: meters, adjustments, credits, alerts, webhook endpoints."""
