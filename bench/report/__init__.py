"""The report of a run: tables, targets that are met or missed, and a plot."""
