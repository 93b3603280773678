"""``metering limits``: how much customers may spend in a window of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import (
    AMOUNT,
    AmountCurrencyOption,
    AmountOption,
    FieldOption,
    MetadataOption,
    OnlyCustomerOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.credits import money_of
from metering.cli.screens.money import option_credits
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import second
from metering.credits.requests import CreditAmountParams
from metering.limits.requests import WARN_AT, LimitWindowName, SpendLimitCreate

_LimitArgument = Annotated[str, argument("LIMIT", "Its id.")]
_WarnAtOption = Annotated[
    list[int] | None, FieldOption(SpendLimitCreate, metavar="PERCENT")
]


def _details(
    _: metering.Metering, limit: metering.SpendLimit
) -> list[tuple[str, Cell]]:
    return [
        ("id", limit.id),
        ("customer", limit.customer),
        ("limit", f"{money_of(limit.amount)} {_window(limit)}"),
        ("spent", money_of(limit.amount_spent)),
        ("held", money_of(limit.amount_held)),
        ("left", money_of(limit.amount_left)),
        ("until", None if limit.window_end is None else _utc(limit)),
        ("warns at", _percentages(limit)),
        ("prices", ", ".join(limit.prices) or "none: holds alone count"),
        ("subscription", limit.subscription),
        ("status", limit.status),
        ("created", f"{second(limit.created)} UTC"),
    ]


LIMITS = Resource(
    details=_details,
    argument=_LimitArgument,
    calls=lambda m: m.spend_limits,
)


@LIMITS.lists
def limits(
    m: metering.Metering, *, customer: OnlyCustomerOption
) -> Listing[metering.SpendLimit]:
    """List spend limits, newest first; or create, change or end one."""
    found = m.spend_limits.list(customer, limit=LIMIT_MAX)
    none = "No limits; make one with limits create."
    return Listing(found.auto_paging_iter(), _columns, none=none)


@LIMITS.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    customer: Annotated[str, FieldOption(SpendLimitCreate)],
    amount: AmountOption,
    currency: AmountCurrencyOption,
    window: Annotated[LimitWindowName, FieldOption(SpendLimitCreate)] = "month",
    warn_at: _WarnAtOption = None,
    price: Annotated[list[str] | None, FieldOption(SpendLimitCreate, "prices")],
    subscription: Annotated[str | None, FieldOption(SpendLimitCreate)],
    timezone: Annotated[str | None, FieldOption(SpendLimitCreate, metavar="ZONE")],
    id: Annotated[str | None, FieldOption(SpendLimitCreate)],  # noqa: A002  # what all resources call it
    metadata: MetadataOption,
) -> metering.SpendLimit:
    """Limit how much a customer may spend in a window of time."""
    return m.spend_limits.create(
        customer=customer,
        amount=option_credits(amount, currency, "--amount"),
        window=window,
        warn_at=WARN_AT if warn_at is None else warn_at,
        prices=price or None,
        subscription=subscription,
        timezone=timezone,
        id=id,
        metadata=given_metadata(metadata),
    )


@LIMITS.command()
def update(
    m: metering.Metering,
    limit: _LimitArgument,
    *,
    amount: Annotated[str | None, option("AMOUNT", AMOUNT)] = None,
    warn_at: _WarnAtOption = None,
    metadata: MetadataOption,
) -> metering.SpendLimit:
    """Change a limit, from this window on; what is left out stays."""
    known: CreditAmountParams | None = None
    if amount is not None:
        currency = m.spend_limits.retrieve(limit).amount.monetary.currency
        known = option_credits(amount, currency, "--amount")
    pairs = given_metadata(metadata) or UNSET
    return m.spend_limits.update(limit, amount=known, warn_at=warn_at, metadata=pairs)


LIMITS.actions(retrieve="Show a limit, and what of it is spent.")


@LIMITS.command()
def cancel(m: metering.Metering, limit: _LimitArgument) -> Done:
    """End a limit: it refuses nothing any more, and warns of nothing."""
    ended = m.spend_limits.cancel(limit)
    of = f"{money_of(ended.amount)} {_window(ended)} of {ended.customer}"
    return Done(ended, f"Canceled {ended.id}: {of}")


def _columns(_: Sequence[metering.SpendLimit]) -> list[Column[metering.SpendLimit]]:
    return [
        Column("customer", lambda each: each.customer),
        Column("limit", lambda each: money_of(each.amount), is_number=True),
        Column("", _window),
        Column("spent", lambda each: money_of(each.amount_spent), is_number=True),
        Column("held", lambda each: money_of(each.amount_held), is_number=True),
        Column("left", lambda each: money_of(each.amount_left), is_number=True),
        Column("warns at", _percentages),
        Column("id", lambda each: each.id, is_whole=True),
    ]


def _window(limit: metering.SpendLimit) -> str:
    return {
        "day": "a day",
        "month": "a month",
        "all_time": "in all",
        "billing_period": "a billing period",
    }[limit.window]


def _percentages(limit: metering.SpendLimit) -> str:
    return ", ".join(f"{each} %" for each in limit.warn_at) or "none"


def _utc(limit: metering.SpendLimit) -> str:
    assert limit.window_end is not None, "the window ends"
    return f"{second(limit.window_end)} UTC"


group = LIMITS.group
