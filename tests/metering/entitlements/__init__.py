"""Entitlements: features, and which customers have them."""
