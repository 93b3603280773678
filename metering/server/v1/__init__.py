"""Routes of v1, as Stripe has them: forms in, JSON out."""
