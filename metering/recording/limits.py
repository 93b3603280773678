"""How much a recorder holds where its caller does not say."""

from datetime import timedelta

MAX_EVENTS = 10_000
MAX_AGE = timedelta(seconds=1)
