"""Products and prices as people see them: what a unit costs, tiers, how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import metering
from metering.cli.screens.money import (
    amount_text,
    money_text,
    unit_amount_text,
)
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import moment, number


def product_details(
    _: metering.Metering, product: metering.Product
) -> list[tuple[str, Cell]]:
    """Return all that is known of a product but its metadata."""
    return [
        ("id", product.id),
        ("name", product.name),
        ("description", product.description),
        ("unit", product.unit_label),
        ("active", "yes" if product.active else "no"),
        ("default price", product.default_price),
        ("created", f"{moment(product.created)} UTC"),
    ]


def price_details(
    m: metering.Metering, price: metering.Price
) -> list[tuple[str, Cell]]:
    """Return all that is known of a price but its metadata."""
    return [
        ("id", price.id),
        ("product", f"{m.products.retrieve(price.product).name} ({price.product})"),
        *_costs(price),
        ("billed", _billed(price, _event_names(m, [price]))),
        ("nickname", price.nickname),
        ("lookup key", price.lookup_key),
        ("active", "yes" if price.active else "no"),
        ("created", f"{moment(price.created)} UTC"),
    ]


def price_columns(
    m: metering.Metering, shown: Sequence[metering.Price]
) -> list[Column[metering.Price]]:
    """Return the columns of prices; the last one is the id."""
    names = product_names(m, shown)
    event_names = _event_names(m, shown)
    columns: list[Column[metering.Price]] = [
        Column("product", lambda price: names[price.product]),
        Column("costs", _cost),
        Column("billed", lambda price: _billed(price, event_names)),
        Column("price", lambda price: price.id, is_whole=True),
    ]
    if any(each.lookup_key for each in shown):
        columns.insert(-1, Column("lookup key", lambda price: price.lookup_key))
    return columns


def product_names(
    m: metering.Metering, prices: Iterable[metering.Price]
) -> dict[str, str]:
    """Return the names of the products of some prices, by id."""
    products = {price.product for price in prices}
    return {each: m.products.retrieve(each).name for each in products}


def tier_columns(currency: str) -> list[Column[Mapping[str, Any]]]:
    """Return the columns of the tiers of a line, which ends below their amounts."""
    return [
        Column("up to", lambda tier: _end(tier["up_to"]), is_number=True),
        Column(
            "quantity",
            lambda tier: f"{tier['quantity'].normalize():,f}",
            is_number=True,
        ),
        Column(
            "amount", lambda tier: amount_text(tier["amount"], currency), is_number=True
        ),
        Column("", lambda _: currency.upper()),
    ]


def _costs(price: metering.Price) -> list[tuple[str, Cell]]:
    """Return what a price costs: in a line, or in one for each tier and currency."""
    lines: list[tuple[str, Cell]] = []
    for currency, each in price.currency_options.items():
        if each.tiers is None:
            lines.append(("costs", _unit(price, currency)))
            continue
        lines += [
            (f"up to {_end(tier.up_to)}", _tier(tier, currency)) for tier in each.tiers
        ]
    return [*lines, *([("tiers", price.tiers_mode)] if price.tiers_mode else [])]


def _cost(price: metering.Price) -> str:
    if price.tiers is None:
        return _unit(price, price.currency)
    return f"{len(price.tiers)} tiers, {price.tiers_mode}, {price.currency.upper()}"


def _unit(price: metering.Price, currency: str) -> str:
    amount = price.currency_options[currency].unit_amount_decimal
    assert amount is not None, "without tiers a unit costs something"
    written = f"{unit_amount_text(amount, currency)} {currency.upper()}"
    package = price.transform_quantity
    return written if package is None else f"{written} / {number(package.divide_by)}"


def _tier(tier: metering.Tier, currency: str) -> str:
    costs = []
    if tier.unit_amount_decimal is not None:
        unit = unit_amount_text(tier.unit_amount_decimal, currency)
        costs.append(f"{unit} {currency.upper()} each")
    if tier.flat_amount is not None:
        costs.append(f"{money_text(tier.flat_amount, currency)} once")
    return " and ".join(costs)


def _event_names(
    m: metering.Metering, shown: Sequence[metering.Price]
) -> dict[str, str]:
    """Return the event names of the prices' meters, by id."""
    terms = [price.recurring for price in shown]
    meters = {each.meter for each in terms if each and each.meter}
    return {each: m.meters.retrieve(each).event_name for each in meters}


def _billed(price: metering.Price, event_names: Mapping[str, str]) -> str:
    terms = price.recurring
    if terms is None:
        return "once"
    every: str = terms.interval
    if terms.interval_count > 1:
        every = f"{terms.interval_count} {every}s"
    if terms.aggregate_usage is not None:
        return f"every {every}, {terms.aggregate_usage} of usage records"
    if terms.meter is None:
        return f"every {every}"
    return f"every {every}, {event_names[terms.meter]}"


def _end(up_to: int | None) -> str:
    return "inf" if up_to is None else number(up_to)
