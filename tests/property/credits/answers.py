"""Own how credits are asked for, and what of an answer can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

import metering
from tests.oracles.credits import Balance, Invoice, Kind, NewGrant, Wanted

RUN = pa.schema(
    [
        ("invoice", pa.string()),
        ("customer", pa.string()),
        ("period_end", pa.timestamp("us", tz="UTC")),
        ("line", pa.string()),
        ("amount", pa.int64()),
        ("currency", pa.string()),
        ("price", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a credit transaction says, without its name."""

    kind: Kind
    created: datetime
    grant: str
    currency: str
    amount: int
    invoice: str | None
    line: str | None

    @property
    def signed(self) -> int:
        return self.amount if self.kind in {"granted", "reinstated"} else -self.amount


def told(transaction: metering.CreditBalanceTransaction) -> Told:
    """Read a transaction, and check that it says one thing only."""
    assert transaction.object == "billing.credit_balance_transaction"
    assert (transaction.credit is None) != (transaction.debit is None)
    assert transaction.type == ("debit" if transaction.credit is None else "credit")
    kinds: dict[str, Kind] = {
        "credits_granted": "granted",
        "credits_application_invoice_voided": "reinstated",
        "credits_applied": "applied",
        "credits_expired": "expired",
        "credits_voided": "voided",
    }
    side = transaction.credit or transaction.debit
    assert side is not None
    cause = None
    if transaction.credit is not None:
        cause = transaction.credit.credits_application_invoice_voided
    if transaction.debit is not None:
        cause = transaction.debit.credits_applied
    kind = kinds[side.type]
    assert (cause is not None) == (kind in {"applied", "reinstated"})
    monetary = side.amount.monetary
    assert type(monetary.value) is int
    assert monetary.value > 0
    return Told(
        kind=kind,
        created=transaction.created,
        grant=transaction.credit_grant,
        currency=monetary.currency,
        amount=monetary.value,
        invoice=None if cause is None else cause.invoice,
        line=None if cause is None else cause.invoice_line_item,
    )


def balances_of(summary: metering.CreditBalanceSummary) -> list[Balance]:
    found: list[Balance] = []
    for balance in summary.balances:
        ledger, available = (
            balance.ledger_balance.monetary,
            balance.available_balance.monetary,
        )
        assert ledger.currency == available.currency
        assert type(ledger.value) is type(available.value) is int
        found.append((ledger.currency, ledger.value, available.value))
    return found


def scope_of(prices: Sequence[str] | None) -> Any:
    if prices is None:
        return {"price_type": "metered"}
    return {"prices": [{"id": price} for price in prices]}


def filter_of(wanted: Wanted) -> Any:
    if wanted.kind == "all":
        return None
    if wanted.kind == "grant":
        return {"type": "credit_grant", "credit_grant": wanted.names[0]}
    scope = scope_of(wanted.names if wanted.kind == "prices" else None)
    return {"type": "applicability_scope", "applicability_scope": scope}


def grant_fields(asked: NewGrant) -> dict[str, Any]:
    """Spell a grant as `credit_grants.create` takes it."""
    return {
        "customer": asked.customer,
        "amount": {
            "type": "monetary",
            "monetary": {"currency": asked.currency, "value": asked.amount},
        },
        "applicability_config": {"scope": scope_of(asked.prices)},
        "category": asked.category,
        "priority": asked.priority,
        "effective_at": asked.effective_at,
        "expires_at": asked.expires_at,
    }


def invoice_fields(invoice: Invoice) -> dict[str, Any]:
    """Spell an invoice as `credits.apply` and `credits.preview` take it."""
    lines = [
        {
            "id": line.id,
            "amount": line.amount,
            "currency": line.currency,
            "price": line.price,
        }
        for line in invoice.lines
    ]
    return {
        "invoice": invoice.id,
        "customer": invoice.customer,
        "period_end": invoice.period_end,
        "lines": lines,
    }


def run_of(invoices: Sequence[Invoice]) -> pa.Table:
    """Write invoices as a billing run: a row a line."""
    rows = [
        {
            "invoice": invoice.id,
            "customer": invoice.customer,
            "period_end": invoice.period_end,
            "line": line.id,
            "amount": line.amount,
            "currency": line.currency,
            "price": line.price,
        }
        for invoice in invoices
        for line in invoice.lines
    ]
    return pa.Table.from_pylist(rows, RUN)


def every_transaction(
    store: metering.Metering,
    *,
    customer: str | None = None,
    grant: str | None = None,
    limit: int = 100,
) -> list[metering.CreditBalanceTransaction]:
    """Go through all pages, newest first, and back again."""

    def page_of(**bounds: str) -> list[metering.CreditBalanceTransaction]:
        page = store.credit_balance_transactions.list(
            customer=customer, credit_grant=grant, limit=limit, **bounds
        )
        return list(page)

    found = list[metering.CreditBalanceTransaction]()
    page = page_of()
    while page:
        assert len(page) <= limit
        found += page
        page = page_of(starting_after=found[-1].id)
    if len(found) > limit:
        assert page_of(ending_before=found[-1].id) == found[-1 - limit : -1]
    return found
