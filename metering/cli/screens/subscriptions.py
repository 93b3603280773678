"""Subscriptions as people see them: who pays which prices, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import metering
from metering.cli.screens.prices import product_names
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import moment, number


def customer_details(
    _: metering.Metering, customer: metering.Customer | metering.DeletedCustomer
) -> list[tuple[str, Cell]]:
    """Return all that is known of a customer but its metadata."""
    if isinstance(customer, metering.DeletedCustomer):
        return [("id", customer.id), ("deleted", "yes")]
    address = customer.address
    parts = () if address is None else address.to_dict().values()
    return [
        ("id", customer.id),
        ("name", customer.name),
        ("email", customer.email),
        ("phone", customer.phone),
        ("address", ", ".join(filter(None, parts)) or None),
        ("description", customer.description),
        ("created", f"{moment(customer.created)} UTC"),
        ("test clock", customer.test_clock),
    ]


def subscription_details(
    m: metering.Metering, subscription: metering.Subscription
) -> list[tuple[str, Cell]]:
    """Return all that is known of a subscription but its metadata."""
    names = _product_names(m, [subscription])
    items: list[tuple[str, Cell]] = [
        (each.id, f"{_item(each, names)} ({each.price.id}), {_period(each)}")
        for each in subscription.items.data
    ]
    return [
        ("id", subscription.id),
        ("customer", subscription.customer),
        ("status", subscription.status),
        ("currency", subscription.currency.upper()),
        ("since", _at(subscription.start_date)),
        ("trial until", _at(subscription.trial_end)),
        ("ends", _at(subscription.ended_at or subscription.cancel_at)),
        ("description", subscription.description),
        *items,
    ]


def subscription_columns(
    m: metering.Metering, shown: Sequence[metering.Subscription]
) -> list[Column[metering.Subscription]]:
    """Return the columns of subscriptions; the last one is the id."""
    names = _product_names(m, shown)
    return [
        Column("customer", lambda each: each.customer),
        Column("status", lambda each: each.status),
        Column(
            "items",
            lambda each: ", ".join(_item(item, names) for item in each.items.data),
        ),
        Column("period until", lambda each: moment(_period_end(each))),
        Column("subscription", lambda each: each.id, is_whole=True),
    ]


RECORDED_COLUMNS: list[Column[metering.UsageRecordSummary]] = [
    Column("from (UTC)", lambda each: each.period.start),
    Column("until (UTC)", lambda each: each.period.end),
    Column("usage", lambda each: each.total_usage, is_number=True),
    Column("statement", lambda each: each.invoice, is_whole=True),
]


def _product_names(
    m: metering.Metering, shown: Sequence[metering.Subscription]
) -> dict[str, str]:
    return product_names(m, (item.price for each in shown for item in each.items.data))


def _item(item: metering.SubscriptionItem, names: Mapping[str, str]) -> str:
    name = names[item.price.product]
    return name if item.quantity is None else f"{number(item.quantity)} \u00d7 {name}"


def _period(item: metering.SubscriptionItem) -> str:
    start, end = item.current_period_start, item.current_period_end
    return f"{moment(start)} to {moment(end)} UTC"


def _period_end(subscription: metering.Subscription) -> datetime:
    return min(each.current_period_end for each in subscription.items.data)


def _at(time: datetime | None) -> str | None:
    return None if time is None else f"{moment(time)} UTC"
