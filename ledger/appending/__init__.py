"""How an append becomes a commit: drafts, deduplication, group commit."""
