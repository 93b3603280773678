"""The library over HTTP: Stripe's billing API, for Stripe's own clients."""
