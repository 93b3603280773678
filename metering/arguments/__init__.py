"""Arguments of callers: the checks and readings that every resource shares."""
