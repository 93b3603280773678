"""Processes of their own: servers, loads, and work that is measured whole."""
