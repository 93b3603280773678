"""Bulk ingestion: sources read in pieces, pieces checked as columns, rows reported."""
