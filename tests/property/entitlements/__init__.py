"""Entitlements, compared with an oracle that shares no code."""
