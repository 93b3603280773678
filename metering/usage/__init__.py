"""Usage: meter events, their adjustments, and their bulk ingestion."""
