"""When a failed attempt is repeated: after seconds, then hours, for three days.

Days are judged by a clock, which may have been wrong when the delivery was enqueued or is
tried. So it also counts attempts: none gives up before the quick ones are made, and none
goes on beyond the number that three days can take.
"""

import hashlib

_SECOND = 1_000_000
FIRST_DELAY = 5 * _SECOND
LONGEST_DELAY = 4 * 3600 * _SECOND
GIVE_UP_AFTER = 3 * 24 * 3600 * _SECOND
ATTEMPTS_LEAST = 6
ATTEMPTS_MOST = 40
# https://docs.stripe.com/api/events
KEPT = 30 * 24 * 3600 * _SECOND
"""For how long what was sent is kept, in microseconds."""
_FACTOR = 4
_JITTER = 0.25


def next_attempt(*, attempts: int, now: int, enqueued_at: int, key: str) -> int | None:
    """Return when to try again, in microseconds since 1970 UTC; None is never.

    Args:
        attempts: how many have failed, at least one.
        now: when the last one did.
        enqueued_at: when the delivery was enqueued.
        key: spreads the attempts of deliveries that failed at the same time, by up to a
            quarter of the delay to either side.
    """
    assert attempts > 0, "something failed"
    # Beyond a dozen the delay is the longest, and the power would grow for nothing.
    delay = min(FIRST_DELAY * _FACTOR ** min(attempts - 1, 12), LONGEST_DELAY)
    at = now + int(delay * (1 + _JITTER * _spread(f"{key} {attempts}")))
    is_late = at > enqueued_at + GIVE_UP_AFTER and attempts >= ATTEMPTS_LEAST
    return None if is_late or attempts >= ATTEMPTS_MOST else at


def _spread(text: str) -> float:
    """Map a string to a number from -1 to 1, evenly distributed."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:7]) / 2**55 - 1
