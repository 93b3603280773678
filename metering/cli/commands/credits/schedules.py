"""``metering schedules``: credits that customers are granted each period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
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
    OnlyForPricesOption,
    argument,
    given_metadata,
    given_scope,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.credits import money_of
from metering.cli.screens.money import money_text, option_credits
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import second
from metering.credits.requests import CategoryName
from metering.prices.requests import IntervalName
from metering.schedules.requests import (
    CreditScheduleCreate,
    CreditScheduleUpdate,
    RolloverName,
    RolloverParams,
)

_ScheduleArgument = Annotated[str, argument("SCHEDULE", "Its id.")]
_RolloverOption = Annotated[
    RolloverName | None,
    option(
        "RULE",
        "What becomes of what is left at a period's end: none, max_amount or percent"
        " of it rolls over. It stays in its grant if left out.",
    ),
]
_UpToOption = Annotated[
    str | None, option("AMOUNT", "How much rolls over at most, for max_amount.")
]
_PercentOption = Annotated[
    int | None, option("PERCENT", "How much of what is left rolls over, for percent.")
]


def _details(
    _: metering.Metering, schedule: metering.CreditSchedule
) -> list[tuple[str, Cell]]:
    following = schedule.next_grant_at
    return [
        ("id", schedule.id),
        ("customer", schedule.customer),
        ("grants", f"{money_of(schedule.amount)} {_every(schedule)}"),
        ("next", None if following is None else f"{second(following)} UTC"),
        ("rolls over", _rolls_over(schedule)),
        ("expires after", _life(schedule)),
        ("name", schedule.name),
        ("category", schedule.category),
        ("priority", str(schedule.priority)),
        ("anchor", f"{second(schedule.anchor)} UTC"),
        ("status", schedule.status),
        ("created", f"{second(schedule.created)} UTC"),
    ]


SCHEDULES = Resource(
    details=_details,
    argument=_ScheduleArgument,
    calls=lambda m: m.credit_schedules,
)


@SCHEDULES.lists
def schedules(
    m: metering.Metering, *, customer: OnlyCustomerOption
) -> Listing[metering.CreditSchedule]:
    """List credit schedules, newest first; or create, change or end one."""
    found = m.credit_schedules.list(customer, limit=LIMIT_MAX)
    none = "No schedules; make one with schedules create."
    return Listing(found.auto_paging_iter(), _columns, none=none)


@SCHEDULES.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    customer: Annotated[str, FieldOption(CreditScheduleCreate)],
    amount: AmountOption,
    currency: AmountCurrencyOption,
    interval: Annotated[IntervalName, FieldOption(CreditScheduleCreate)] = "month",
    interval_count: Annotated[int, FieldOption(CreditScheduleCreate, metavar="N")],
    anchor: Annotated[datetime | None, FieldOption(CreditScheduleCreate)],
    rollover: _RolloverOption = None,
    rollover_up_to: _UpToOption = None,
    rollover_percent: _PercentOption = None,
    expires_after: Annotated[
        int | None, FieldOption(CreditScheduleCreate, metavar="N")
    ],
    price: OnlyForPricesOption = None,
    category: Annotated[CategoryName, FieldOption(CreditScheduleCreate)],
    priority: Annotated[int, FieldOption(CreditScheduleCreate, metavar="N")],
    name: Annotated[str | None, FieldOption(CreditScheduleCreate)],
    id: Annotated[str | None, FieldOption(CreditScheduleCreate)],  # noqa: A002  # what all resources call it
    metadata: MetadataOption,
) -> metering.CreditSchedule:
    """Grant a customer credits each period, at its instant."""
    return m.credit_schedules.create(
        customer=customer,
        amount=option_credits(amount, currency, "--amount"),
        applicability_config={"scope": given_scope(price)},
        interval=interval,
        interval_count=interval_count,
        anchor=anchor,
        rollover=_rollover(rollover, rollover_up_to, rollover_percent, currency),
        expires_after=expires_after,
        category=category,
        priority=priority,
        name=name,
        id=id,
        metadata=given_metadata(metadata),
    )


@SCHEDULES.command()
def update(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    schedule: _ScheduleArgument,
    *,
    amount: Annotated[str | None, option("AMOUNT", AMOUNT)] = None,
    rollover: _RolloverOption = None,
    rollover_up_to: _UpToOption = None,
    rollover_percent: _PercentOption = None,
    no_rollover: Annotated[
        bool,
        typer.Option("--no-rollover", help="Leave what is left in its grant."),
    ] = False,
    expires_after: Annotated[
        int | None, FieldOption(CreditScheduleUpdate, metavar="N")
    ],
    no_expiry: Annotated[
        bool, typer.Option("--no-expiry", help="Let grants never expire.")
    ] = False,
    priority: Annotated[int | None, FieldOption(CreditScheduleUpdate, metavar="N")],
    name: Annotated[str | None, FieldOption(CreditScheduleUpdate)],
    metadata: MetadataOption,
) -> metering.CreditSchedule:
    """Change what a schedule grants, from the next period on; the rest stays."""
    currency = m.credit_schedules.retrieve(schedule).amount.monetary.currency
    rule = _rollover(rollover, rollover_up_to, rollover_percent, currency)
    if no_rollover and rule is not None:
        raise _exclusive("--rollover", "--no-rollover")
    if no_expiry and expires_after is not None:
        raise _exclusive("--expires-after", "--no-expiry")
    return m.credit_schedules.update(
        schedule,
        amount=None if amount is None else option_credits(amount, currency, "--amount"),
        rollover=UNSET if rule is None and not no_rollover else rule,
        expires_after=UNSET
        if expires_after is None and not no_expiry
        else expires_after,
        priority=priority,
        name=UNSET if name is None else name,
        metadata=given_metadata(metadata) or UNSET,
    )


SCHEDULES.actions(
    retrieve="Show a schedule, and when it grants next.",
    pause="Grant nothing until the schedule is resumed.",
    resume="Grant again, from the period that begins next.",
)


@SCHEDULES.command()
def cancel(m: metering.Metering, schedule: _ScheduleArgument) -> Done:
    """Grant nothing any more; what was granted stays."""
    ended = m.credit_schedules.cancel(schedule)
    of = f"{money_of(ended.amount)} {_every(ended)} for {ended.customer}"
    return Done(ended, f"Canceled {ended.id}: {of}")


def _columns(
    _: Sequence[metering.CreditSchedule],
) -> list[Column[metering.CreditSchedule]]:
    return [
        Column("customer", lambda each: each.customer),
        Column("grants", lambda each: money_of(each.amount), is_number=True),
        Column("", _every),
        Column("rolls over", _rolls_over),
        Column("status", lambda each: each.status),
        Column("next (UTC)", lambda each: each.next_grant_at),
        Column("id", lambda each: each.id, is_whole=True),
    ]


def _exclusive(*options: str) -> typer.BadParameter:
    return typer.BadParameter(f"give only one of {' and '.join(options)}")


def _every(schedule: metering.CreditSchedule) -> str:
    if schedule.interval_count == 1:
        return f"a {schedule.interval}"
    return f"every {schedule.interval_count} {schedule.interval}s"


def _rolls_over(schedule: metering.CreditSchedule) -> str:
    rule = schedule.rollover
    if rule is None:
        return "it stays"
    if rule.percent is not None:
        return f"{rule.percent} %"
    if rule.max_amount is not None:
        currency = schedule.amount.monetary.currency
        return f"up to {money_text(rule.max_amount, currency)}"
    return "nothing"


def _life(schedule: metering.CreditSchedule) -> str | None:
    count = schedule.expires_after
    if count is None:
        return None
    return f"{count} {schedule.interval}{'' if count == 1 else 's'}"


def _rollover(
    rule: RolloverName | None, up_to: str | None, percent: int | None, currency: str
) -> RolloverParams | None:
    """Return what the three options say; the kind follows from a value alone."""
    if rule is None and up_to is not None:
        rule = "max_amount"
    elif rule is None and percent is not None:
        rule = "percent"
    if rule is None:
        return None
    given: RolloverParams = {"type": rule, "percent": percent}
    if up_to is not None:
        amount = option_credits(up_to, currency, "--rollover-up-to")
        given["max_amount"] = amount["monetary"]["value"]
    return given


group = SCHEDULES.group
