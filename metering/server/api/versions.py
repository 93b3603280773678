"""Versions of Stripe's API, by which clients say what they know of it.

Almost nothing depends on one. What the API lost with a version is served to clients that
name one before it in ``Stripe-Version``, and to nobody else.
"""

import re

BASIL = "2025-03-31.basil"
"""From this version on, metered prices have meters, and there are no usage records."""

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", re.ASCII)


def is_before(version: str, later: str) -> bool:
    """Whether a client's version is known to be one before another; none is not."""
    return _VERSION.fullmatch(version) is not None and version[:10] < later[:10]
