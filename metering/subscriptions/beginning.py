"""When a subscription begins: its start, its trial and its anchor.

The instants of a request count to the second, as Stripe's do; a subscription begins with
the second in which it is created.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.facts.subscriptions import ItemTerms
from metering.arguments.clock import at_microseconds
from metering.arguments.refusals import exclusive
from metering.arguments.times import Time, instant
from metering.errors import InvalidRequestError
from metering.subscriptions.requests import SubscriptionCreate
from projections.kernels.periods import Repetition

SECOND = 1_000_000
_DAY = 86_400 * SECOND
_FAR = 5 * 366 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Microseconds since 1970 UTC, whole seconds."""

    start: int
    anchor: int
    trial_end: int | None


def beginning_of(
    asked: SubscriptionCreate,
    items: Sequence[ItemTerms],
    price_trial_days: int | None,
    now: int,
) -> Beginning:
    """Return when a subscription begins that is asked for.

    Args:
        asked: the request.
        items: its items.
        price_trial_days: the longest trial that its prices have.
        now: the present instant.

    Raises:
        InvalidRequestError: a time is malformed, on the wrong side of now, or too far
            from it, or two exclude each other.
    """
    current = now - now % SECOND
    start = current
    if asked.backdate_start_date is not None:
        start = seconds(asked.backdate_start_date, "backdate_start_date")
        if start > current:
            raise wrong_time("backdate_start_date", start, "in the past")
    trial_end = _trial_end(asked, price_trial_days, now)
    anchor = current if trial_end is None else trial_end
    if asked.billing_cycle_anchor is not None:
        first, anchor = anchor, future(asked.billing_cycle_anchor, _ANCHOR, now)
        if trial_end is not None and anchor < trial_end:
            raise wrong_time(_ANCHOR, anchor, "at the end of the trial or after it")
        natural = min(
            Repetition(first, each.interval, each.interval_count).at(1)
            for each in items
        )
        if anchor > natural:
            raise InvalidRequestError(
                "billing_cycle_anchor cannot be later than next natural billing date"
                f" ({natural // SECOND}) for plan.",
                param=_ANCHOR,
            )
    return Beginning(start=start, anchor=anchor, trial_end=trial_end)


def seconds(time: Time, param: str) -> int:
    """Return a time of a request, in whole seconds.

    Raises:
        InvalidRequestError: it is malformed.
    """
    found = instant(time, param)
    return found - found % SECOND


def future(time: Time, param: str, now: int) -> int:
    """Return a time that is to come, in whole seconds.

    Raises:
        InvalidRequestError: it is malformed, has come, or is more than five years away.
    """
    found = seconds(time, param)
    if found <= now:
        raise wrong_time(param, found, "in the future")
    if found > now + _FAR:
        raise wrong_time(param, found, "within five years from now")
    return found


def wrong_time(param: str, found: int, allowed: str) -> InvalidRequestError:
    """Return the refusal of a time that is well formed."""
    shown = at_microseconds(found).isoformat()
    return InvalidRequestError(
        f"Invalid {param}: {shown}; must be {allowed}", param=param
    )


_ANCHOR = "billing_cycle_anchor"


def _trial_end(
    asked: SubscriptionCreate, price_trial_days: int | None, now: int
) -> int | None:
    days = asked.trial_period_days
    for name in ("trial_period_days", "trial_from_plan"):
        if asked.trial_end is not None and getattr(asked, name):
            raise exclusive(name, "trial_end", name)
    if days is not None and asked.trial_from_plan:
        raise exclusive("trial_from_plan", "trial_period_days", "trial_from_plan")
    if asked.trial_end is not None:
        is_now = asked.trial_end == "now"
        return None if is_now else future(asked.trial_end, "trial_end", now)
    if asked.trial_from_plan:
        days = price_trial_days
    return None if days is None else now - now % SECOND + days * _DAY
