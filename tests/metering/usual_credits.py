"""Own the ordinary grants and invoices that these tests vary."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa

import metering
from tests.metering.usual_usage import NOW

DAY = timedelta(days=1)
METERED: Any = {"scope": {"price_type": "metered"}}


def money(value: object = 1_000, currency: object = "usd") -> Any:
    """An amount of credits, as a request has it."""
    return {"type": "monetary", "monetary": {"currency": currency, "value": value}}


def usd(value: int) -> metering.CreditAmount:
    """An amount of credits in US dollars, as an answer has it."""
    monetary = metering.Monetary(currency="usd", value=value)
    return metering.CreditAmount(monetary=monetary)


def for_prices(*prices: str) -> Any:
    """What a grant for some prices is applicable to."""
    return {"scope": {"prices": [{"id": price} for price in prices]}}


def grant(
    store: metering.Metering, value: int = 1_000, **keywords: Any
) -> metering.CreditGrant:
    usual: dict[str, Any] = {
        "customer": "cus_1",
        "amount": money(value, keywords.pop("currency", "usd")),
        "applicability_config": METERED,
    }
    return store.credit_grants.create(**{**usual, **keywords})


def line(amount: object = 100, **others: object) -> Any:
    """A line of an invoice, as a request has it."""
    usual = {"id": "il_1", "amount": amount, "currency": "usd", "price": "price_1"}
    return {**usual, **others}


def apply(
    store: metering.Metering, invoice: str = "in_1", *lines: object, **keywords: Any
) -> list[metering.CreditBalanceTransaction]:
    usual: dict[str, Any] = {
        "customer": "cus_1",
        "period_end": NOW,
        "lines": [*lines] or [line()],
    }
    return store.credits.apply(**{**usual, **keywords}, invoice=invoice)


def balance(
    store: metering.Metering, customer: str = "cus_1", **keywords: Any
) -> dict[str, tuple[int, int]]:
    """Ledger and available balance, by currency."""
    summary = store.credit_balance_summary.retrieve(customer=customer, **keywords)
    return {
        each.ledger_balance.monetary.currency: (
            each.ledger_balance.monetary.value,
            each.available_balance.monetary.value,
        )
        for each in summary.balances
    }


def told(
    transactions: Sequence[metering.CreditBalanceTransaction],
) -> list[tuple[str, int]]:
    """Type and signed amount of each transaction."""
    found: list[tuple[str, int]] = []
    for each in transactions:
        change = each.credit or each.debit
        assert change is not None
        value = change.amount.monetary.value
        found.append((change.type, value if each.type == "credit" else -value))
    return found


RUN = {
    "invoice": pa.string(),
    "customer": pa.string(),
    "period_end": pa.timestamp("us", "UTC"),
    "line": pa.string(),
    "amount": pa.int64(),
    "currency": pa.string(),
    "price": pa.string(),
}


def run(*rows: Mapping[str, object], **types: pa.DataType) -> pa.Table:
    """A billing run, a dict a line."""
    usual: dict[str, object] = {
        "invoice": "in_1",
        "customer": "cus_1",
        "period_end": NOW,
        "line": "il_1",
        "amount": 100,
        "currency": "usd",
        "price": "price_1",
    }
    given = [{**usual, **row} for row in rows]
    return pa.table(
        {
            name: pa.array([row[name] for row in given], types.get(name, kind))
            for name, kind in RUN.items()
        }
    )
