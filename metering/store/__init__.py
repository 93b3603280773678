"""One open store: its log with its projections, evaluation and sealing."""
