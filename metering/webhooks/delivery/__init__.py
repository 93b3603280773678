"""Delivering what an endpoint is sent, and when a failed attempt is repeated."""
