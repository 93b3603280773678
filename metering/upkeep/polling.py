"""How often a worker looks for new records and due work."""

from datetime import timedelta

POLL = timedelta(milliseconds=50)
LONGEST_POLL = timedelta(seconds=1)
