"""Webhook endpoints, and resources as they were when something happened to them."""
