"""Webhook endpoints and changed resources, as one database transaction sees them."""
