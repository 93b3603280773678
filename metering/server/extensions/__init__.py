"""Routes beyond Stripe's: what else the library can do, under ``/metering/v1/``."""
