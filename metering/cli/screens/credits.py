"""Credits as people see them: grants, balances, and the transactions that explain both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import metering
from metering.cli.screens.money import amount_text, money_text
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import moment, second

_EVERY_PRICE = "metered prices"
_CHANGES = {
    "credits_granted": "granted",
    "credits_application_invoice_voided": "reinstated",
    "credits_applied": "applied",
    "credits_expired": "expired",
    "credits_voided": "voided",
}


def money_of(amount: metering.CreditAmount) -> str:
    """Write an amount of credits."""
    return money_text(amount.monetary.value, amount.monetary.currency)


def owner_of(grant: metering.CreditGrant) -> str:
    """Name the customer or the pool that a grant belongs to."""
    return grant.customer or f"pool {grant.pool}"


def grant_details(
    _: metering.Metering, grant: metering.CreditGrant
) -> list[tuple[str, Cell]]:
    """Return all that is known of a grant but its metadata."""
    prices = grant.applicability_config.scope.prices
    expires = _time(grant.expires_at)
    return [
        ("id", grant.id),
        ("customer", grant.customer),
        ("pool", grant.pool),
        ("name", grant.name),
        ("amount", money_of(grant.amount)),
        ("category", grant.category),
        ("priority", grant.priority),
        (
            "usable for",
            ", ".join(each.id for each in prices) if prices else _EVERY_PRICE,
        ),
        ("schedule", grant.schedule),
        ("effective", f"{_time(grant.effective_at)} UTC"),
        ("expires", f"{expires} UTC" if expires else "never"),
        ("created", f"{moment(grant.created)} UTC"),
    ]


def grant_columns(
    m: metering.Metering, customer: str | None, shown: Sequence[metering.CreditGrant]
) -> list[Column[metering.CreditGrant]]:
    """Return the columns of grants, of one customer or of all.

    The last column is the id.
    """
    now = m.now()

    def left(grant: metering.CreditGrant) -> int:
        balances = (
            m.credit_pools.balance(grant.pool, credit_grant=grant.id).balances
            if grant.pool is not None
            else m.credit_balance_summary.retrieve(
                customer=grant.customer or "",
                filter={"type": "credit_grant", "credit_grant": grant.id},
            ).balances
        )
        return sum(each.ledger_balance.monetary.value for each in balances)

    def amount(grant: metering.CreditGrant) -> str:
        return amount_text(grant.amount.monetary.value, _currency(grant))

    columns: list[Column[metering.CreditGrant]] = [
        Column("amount", amount, is_number=True),
        Column("left", lambda g: amount_text(left(g), _currency(g)), is_number=True),
        Column("", lambda grant: _currency(grant).upper()),
        Column("status", lambda grant: _status(grant, left(grant), now)),
        Column("expires (UTC)", lambda grant: _time(grant.expires_at)),
        Column("grant", lambda grant: grant.id, is_whole=True),
    ]
    if any(grant.name for grant in shown):
        columns.insert(0, Column("name", lambda grant: grant.name))
    if customer is None:
        if any(grant.pool for grant in shown):
            columns.insert(0, Column("pool", lambda grant: grant.pool))
        columns.insert(0, Column("customer", lambda grant: grant.customer))
    return columns


def balance_columns(
    shown: Sequence[metering.CreditBalance],
) -> list[Column[metering.CreditBalance]]:
    """Return the columns of what is left in each currency, and held where any is."""

    def written(amount: metering.CreditAmount) -> str:
        return amount_text(amount.monetary.value, amount.monetary.currency)

    columns: list[Column[metering.CreditBalance]] = [
        Column("currency", lambda each: each.ledger_balance.monetary.currency.upper()),
        Column(
            "available", lambda each: written(each.available_balance), is_number=True
        ),
        Column("ledger", lambda each: written(each.ledger_balance), is_number=True),
    ]
    if any(each.held_balance.monetary.value for each in shown):
        held: Column[metering.CreditBalance] = Column(
            "held", lambda each: written(each.held_balance), is_number=True
        )
        columns.insert(2, held)
    for title in ("unbilled", "uncovered"):
        amounts = [getattr(each, f"{title}_usage") for each in shown]
        if all(amounts):
            columns.insert(-1, _usage_column(title))
    return columns


def _usage_column(title: str) -> Column[metering.CreditBalance]:
    def written(balance: metering.CreditBalance) -> str:
        amount: metering.CreditAmount = getattr(balance, f"{title}_usage")
        return amount_text(amount.monetary.value, amount.monetary.currency)

    return Column(title, written, is_number=True)


def transaction_columns(
    shown: Sequence[metering.CreditBalanceTransaction], of: str
) -> list[Column[metering.CreditBalanceTransaction]]:
    """Return the columns of changes, each with what caused it.

    Args:
        shown: the transactions.
        of: the grant or the customer that was asked for.
    """
    columns: list[Column[metering.CreditBalanceTransaction]] = [
        Column("time (UTC)", lambda each: each.created),
        Column("what", lambda each: _change(each)[0]),
        Column("amount", lambda each: _change(each)[1], is_number=True),
        Column("invoice", lambda each: _change(each)[2]),
        Column("line", lambda each: _change(each)[3]),
    ]
    if any(each.member for each in shown):
        columns.append(Column("member", lambda each: each.member))
    if {each.credit_grant for each in shown} != {of}:
        columns.append(Column("grant", lambda each: each.credit_grant, is_whole=True))
    return columns


def _status(grant: metering.CreditGrant, left: int, now: datetime) -> str:
    """Name what follows from a grant, what is left of it, and the instant."""
    if grant.voided_at is not None:
        return "voided"
    if grant.expires_at is not None and grant.expires_at <= now:
        return "expired"
    if grant.effective_at is not None and grant.effective_at > now:
        return "pending"
    return "granted" if left else "depleted"


def _change(
    transaction: metering.CreditBalanceTransaction,
) -> tuple[str, str, str, str]:
    """Write what happened, by how much, and on which line of which invoice."""
    credit, debit = transaction.credit, transaction.debit
    if credit is not None:
        what, amount = _CHANGES[credit.type], f"+{money_of(credit.amount)}"
        item = credit.credits_application_invoice_voided
    else:
        assert debit is not None, "a transaction is one of the two"
        what, amount = _CHANGES[debit.type], f"-{money_of(debit.amount)}"
        item = debit.credits_applied
    if item is None:
        return what, amount, "", ""
    return what, amount, item.invoice, item.invoice_line_item


def _time(time: datetime | None) -> str:
    """Write a time, without its clock if it is midnight in UTC; nothing if there is none."""
    return "" if time is None else second(time).removesuffix(" 00:00:00")


def _currency(grant: metering.CreditGrant) -> str:
    return grant.amount.monetary.currency
