"""The everyday path: events that come one at a time, and questions asked meanwhile."""
