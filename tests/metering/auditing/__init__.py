"""Own what a store says of how much of it was audited."""
