"""The Stripe-compatible server: `create_app` makes an ASGI application of a store."""

from metering.server.http.app import create_app

__all__ = ["create_app"]
