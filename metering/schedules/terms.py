"""The terms of a credit schedule: what a request says of them, checked."""

from typing import TypeVar

from msgspec import UnsetType

from ledger.facts.credits.grants import GrantCategory
from ledger.facts.credits.schedules import Rollover, RolloverKind, ScheduleTerms
from ledger.facts.prices import BillingInterval
from metering.arguments.clock import at_microseconds
from metering.arguments.currencies import amount_step, check_amount
from metering.arguments.metadata import merge_metadata
from metering.arguments.refusals import check_only, invalid
from metering.credits.amounts import money_of
from metering.credits.scopes import prices_of
from metering.schedules.requests import (
    CreditScheduleCreate,
    CreditScheduleUpdate,
    RolloverParams,
)
from projections.kernels.periods import INTERVALS_MAX

ANCHOR_YEARS_MAX = 5
TermT = TypeVar("TermT")
_YEAR = 366 * 24 * 60 * 60 * 1_000_000
_SCOPE = "applicability_config[scope]"


def terms_of(asked: CreditScheduleCreate) -> ScheduleTerms:
    """Return the terms of a new schedule.

    Raises:
        InvalidRequestError: they contradict each other.
    """
    amount, currency = money_of(asked.amount, "amount")
    _check_interval(BillingInterval(asked.interval), asked.interval_count)
    return ScheduleTerms(
        amount=amount,
        currency=currency,
        prices=prices_of(asked.applicability_config["scope"], _SCOPE),
        category=GrantCategory(asked.category),
        name=asked.name,
        priority=asked.priority,
        rollover=_rollover(asked.rollover, currency),
        expires_after=asked.expires_after,
        metadata=merge_metadata({}, asked.metadata or None),
    )


def terms_changed(known: ScheduleTerms, asked: CreditScheduleUpdate) -> ScheduleTerms:
    """Return terms with what a request changes of them.

    Raises:
        InvalidRequestError: they contradict each other.
    """
    amount, scope, category = known.amount, asked.applicability_config, asked.category
    if asked.amount is not None:
        amount, currency = money_of(asked.amount, "amount")
        if currency != known.currency:
            at = "amount[monetary][currency]"
            raise invalid(at, currency, f"that of the schedule, {known.currency}")
    rollover, metadata = known.rollover, known.metadata
    if not isinstance(asked.rollover, UnsetType):
        rollover = _rollover(asked.rollover, known.currency)
    if not isinstance(asked.metadata, UnsetType):
        metadata = merge_metadata(known.metadata, asked.metadata)
    return ScheduleTerms(
        amount=amount,
        currency=known.currency,
        prices=known.prices if scope is None else prices_of(scope["scope"], _SCOPE),
        category=known.category if category is None else GrantCategory(category),
        name=_or_known(asked.name, known.name),
        priority=known.priority if asked.priority is None else asked.priority,
        rollover=rollover,
        expires_after=_or_known(asked.expires_after, known.expires_after),
        metadata=metadata,
    )


def check_anchor(anchor: int, now: int) -> None:
    """Check that an anchor is not too far away.

    Raises:
        InvalidRequestError: it is.
    """
    if abs(anchor - now) > ANCHOR_YEARS_MAX * _YEAR:
        at = at_microseconds(now).isoformat()
        allowed = f"at most {ANCHOR_YEARS_MAX} years from now, {at}"
        raise invalid("anchor", at_microseconds(anchor).isoformat(), allowed)


def _check_interval(interval: BillingInterval, count: int) -> None:
    most = INTERVALS_MAX[interval]
    if count > most:
        raise invalid("interval_count", count, f"at most {most} {interval.value}s")


def _rollover(given: RolloverParams | None, currency: str) -> Rollover | None:
    if given is None:
        return None
    kind = RolloverKind(given["type"])
    amount, percent = given.get("max_amount"), given.get("percent")
    values = {"max_amount": amount, "percent": percent}
    if kind is RolloverKind.NONE:
        values["none"] = 0
    check_only(kind.value, values, "rollover[{}]")
    if amount is not None:
        check_amount(amount, currency, "rollover[max_amount]")
    return Rollover(kind, amount or percent or 0, amount_step(currency))


def _or_known(given: TermT | UnsetType | None, known: TermT | None) -> TermT | None:
    """Return what was given, or what is known where nothing was."""
    return known if isinstance(given, UnsetType) else given
