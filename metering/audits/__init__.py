"""What the audit has found: how much of a store was compared with its log, and when."""
