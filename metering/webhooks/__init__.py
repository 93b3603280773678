"""Webhooks: events of what is recorded, and their delivery to endpoints."""
