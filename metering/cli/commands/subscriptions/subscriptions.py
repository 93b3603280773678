"""``metering subscriptions``: list who pays what, create, change and end subscriptions."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from msgspec import UNSET

import metering
from metering.arguments.kinds import IntegerKind
from metering.arguments.pages import LIMIT_MAX
from metering.cli.commands.prices.prices import find_price
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    OnlyCustomerOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.subscriptions import (
    RECORDED_COLUMNS,
    subscription_columns,
    subscription_details,
)
from metering.cli.screens.text import number, second
from metering.subscriptions.requests import (
    QUANTITY_MAX,
    CancellationDetailsParams,
    FeedbackName,
    ListedStatusName,
    SubscriptionCreate,
    SubscriptionList,
)
from metering.usage_records.requests import ActionName, NamedUsageRecord

_SubscriptionArgument = Annotated[str, argument("SUBSCRIPTION", "Its id.")]
_ItemArgument = Annotated[str, argument("ITEM", "The id of a subscription's item.")]
_TimeOption = Annotated[Any, FieldOption(SubscriptionCreate, metavar="TIME")]
_AtPeriodEndOption = Annotated[
    bool,
    typer.Option(
        "--at-period-end", help="End it with the first of its current periods."
    ),
]
_PRICE = "PRICE, its id or lookup key, or PRICE=QUANTITY"

SUBSCRIPTIONS = Resource(
    details=subscription_details,
    argument=_SubscriptionArgument,
    calls=lambda m: m.subscriptions,
)


@SUBSCRIPTIONS.lists
def subscriptions(
    m: metering.Metering,
    *,
    customer: OnlyCustomerOption = None,
    price: Annotated[
        str | None, option("PRICE", "Only those with an item of this price.", "--price")
    ] = None,
    status: Annotated[ListedStatusName | None, FieldOption(SubscriptionList)] = None,
    test_clock: Annotated[str | None, FieldOption(SubscriptionList, metavar="CLOCK")],
) -> Listing[metering.Subscription]:
    """List subscriptions that have not ended, newest first; or create one and change it."""
    found = m.subscriptions.list(
        customer,
        price=None if price is None else find_price(m, price),
        status=status,
        test_clock=test_clock,
        limit=LIMIT_MAX,
    )
    return Listing(
        found.auto_paging_iter(),
        lambda shown: subscription_columns(m, shown),
        none="No subscriptions; make one with subscriptions create.",
    )


@SUBSCRIPTIONS.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    customer: Annotated[str, FieldOption(SubscriptionCreate)],
    price: Annotated[
        list[str], option("PRICE", f"What is paid: {_PRICE}. May be repeated.")
    ],
    trial_period_days: Annotated[
        int | None, FieldOption(SubscriptionCreate, metavar="DAYS", name="--trial-days")
    ],
    backdate_start_date: Annotated[
        Any, FieldOption(SubscriptionCreate, metavar="TIME", name="--start")
    ],
    billing_cycle_anchor: Annotated[
        Any, FieldOption(SubscriptionCreate, metavar="TIME", name="--anchor")
    ],
    cancel_at: _TimeOption,
    at_period_end: _AtPeriodEndOption = False,
    description: Annotated[str | None, FieldOption(SubscriptionCreate, metavar="TEXT")],
    metadata: MetadataOption,
) -> metering.Subscription:
    """Create a subscription, which is active at once or on trial."""
    return m.subscriptions.create(
        customer=customer,
        items=[_item(m, each, "--price") for each in price],
        trial_period_days=trial_period_days,
        backdate_start_date=backdate_start_date,
        billing_cycle_anchor=billing_cycle_anchor,
        cancel_at=cancel_at,
        cancel_at_period_end=at_period_end,
        description=description,
        metadata=given_metadata(metadata),
    )


SUBSCRIPTIONS.actions(retrieve="Show a subscription and its items.")


@SUBSCRIPTIONS.command()
def update(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    subscription: _SubscriptionArgument,
    *,
    add: Annotated[
        list[str] | None, option("PRICE", f"Add an item: {_PRICE}. May be repeated.")
    ] = None,
    item: Annotated[
        list[str] | None,
        option(
            "ITEM=PRICE",
            "Replace the price of an item from now on, and its quantity with"
            " ITEM=PRICE=QUANTITY. May be repeated.",
        ),
    ] = None,
    remove: Annotated[
        list[str] | None, option("ITEM", "End an item now. May be repeated.")
    ] = None,
    end_trial: Annotated[
        bool, typer.Option("--end-trial", help="End its trial now.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Take back that it is to end.")
    ] = False,
    metadata: MetadataOption,
) -> metering.Subscription:
    """Change a subscription from now on; what is left out stays as it is."""
    changes: list[Any] = [{"id": each, "deleted": True} for each in remove or ()]
    for each in item or ():
        item_id, sign, price = each.partition("=")
        if not sign:
            raise typer.BadParameter(
                f"{each[:60]!r} is not ITEM=PRICE", param_hint="--item"
            )
        changes.append({"id": item_id, **_item(m, price, "--item")})
    changes += [_item(m, each, "--add") for each in add or ()]
    return m.subscriptions.update(
        subscription,
        items=changes,
        trial_end="now" if end_trial else None,
        cancel_at=None if keep else UNSET,
        metadata=given_metadata(metadata) if metadata else UNSET,
    )


@SUBSCRIPTIONS.command()
def cancel(
    m: metering.Metering,
    subscription: _SubscriptionArgument,
    *,
    at_period_end: _AtPeriodEndOption = False,
    comment: Annotated[
        str | None, FieldOption(CancellationDetailsParams, metavar="TEXT")
    ] = None,
    feedback: Annotated[
        FeedbackName | None, FieldOption(CancellationDetailsParams)
    ] = None,
) -> metering.Subscription:
    """End a subscription now, or with its period."""
    details: metering.CancellationDetailsParams = {
        "comment": comment,
        "feedback": feedback,
    }
    if at_period_end:
        return m.subscriptions.update(
            subscription, cancel_at_period_end=True, cancellation_details=details
        )
    return m.subscriptions.cancel(subscription, cancellation_details=details)


@SUBSCRIPTIONS.command()
def record_usage(
    m: metering.Metering,
    item: _ItemArgument,
    *,
    quantity: Annotated[int, FieldOption(NamedUsageRecord, metavar="N")],
    action: Annotated[ActionName, FieldOption(NamedUsageRecord)] = "increment",
    timestamp: Annotated[Any, FieldOption(NamedUsageRecord, metavar="TIME")],
    identifier: Annotated[str | None, FieldOption(NamedUsageRecord)],
) -> Done:
    """Record usage of an item whose price has no meter."""
    record = m.subscription_items.create_usage_record(
        item,
        quantity=quantity,
        action=action,
        timestamp=timestamp,
        identifier=identifier,
    )
    change = "Set to" if record.action == "set" else "Added"
    at = f"{second(record.timestamp)} UTC"
    return Done(record, f"{change} {number(record.quantity)} at {at}: {record.id}")


@SUBSCRIPTIONS.command(lists=True)
def recorded_usage(
    m: metering.Metering, item: _ItemArgument
) -> Listing[metering.UsageRecordSummary]:
    """List what the usage records of an item come to in each period, newest first."""
    found = m.subscription_items.list_usage_record_summaries(item, limit=LIMIT_MAX)
    return Listing(
        found.auto_paging_iter(),
        lambda _: RECORDED_COLUMNS,
        none=f"No period of {item} has begun.",
    )


SUBSCRIPTIONS.actions(
    pause="Bill nothing of a subscription until it is resumed.",
    resume="Bill a paused subscription from now on.",
)


def _item(
    m: metering.Metering, named: str, name: str
) -> metering.SubscriptionItemParams:
    """Read ``PRICE`` or ``PRICE=QUANTITY``."""
    price, sign, quantity = named.rpartition("=")
    if not sign:
        return {"price": find_price(m, named)}
    units = IntegerKind(least=0, most=QUANTITY_MAX).read(quantity, name)
    return {"price": find_price(m, price), "quantity": units}


group = SUBSCRIPTIONS.group
