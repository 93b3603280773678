"""Entitlements: which features products have, and which customers have them."""
