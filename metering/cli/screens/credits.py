"""Credits as people see them: grants, balances, and the transactions that explain both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import metering
from metering.cli.screens.money import amount_text, money_text
from metering.cli.screens.screen import Column, show, show_pairs, show_table
from metering.cli.screens.text import moment, second

_EVERY_PRICE = "metered prices"
_CHANGES = {
    "credits_granted": "granted",
    "credits_application_invoice_voided": "reinstated",
    "credits_applied": "applied",
    "credits_expired": "expired",
    "credits_voided": "voided",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGrant:
    """A grant, and what is left of it in minor units."""

    grant: metering.CreditGrant
    left: int


def money_of(amount: metering.CreditAmount) -> str:
    """Write an amount of credits."""
    return money_text(amount.monetary.value, amount.monetary.currency)


def scope_text(grant: metering.CreditGrant) -> str:
    """Name the prices that a grant is usable for."""
    prices = grant.applicability_config.scope.prices
    if prices is None:
        return _EVERY_PRICE
    return ", ".join(price.id for price in prices)


def show_grant(grant: metering.CreditGrant) -> None:
    """Show all that is known of a grant."""
    pairs = [
        ("id", grant.id),
        ("customer", grant.customer),
        ("amount", money_of(grant.amount)),
        ("category", grant.category),
        ("priority", str(grant.priority)),
        ("usable for", scope_text(grant)),
        ("effective", f"{_time(grant.effective_at)} UTC"),
        (
            "expires",
            "never" if grant.expires_at is None else f"{_time(grant.expires_at)} UTC",
        ),
        ("created", f"{moment(grant.created)} UTC"),
    ]
    if grant.name is not None:
        pairs.insert(2, ("name", grant.name))
    pairs += [(key, text) for key, text in grant.metadata.items()]
    show_pairs(pairs)


def show_grants(
    listed: Sequence[ListedGrant], customer: str | None, now: datetime
) -> None:
    """Show grants below each other, with what they are at an instant."""
    if not listed:
        of = "" if customer is None else f" of {customer}"
        show(f"No credit grants{of}; make one with credits grant.")
        return
    if customer is not None:
        show(f"Credit grants of {customer}", style="bold")
    titles = ("amount", "left")
    show_table(
        [
            *([Column(title="customer")] if customer is None else []),
            *(Column(title=title, is_number=True) for title in titles),
            Column(title=""),
            Column(title="status"),
            Column(title="expires (UTC)"),
            Column(title="grant", is_whole=True),
        ],
        [
            (
                *([each.grant.customer] if customer is None else []),
                amount_text(_value(each), _currency(each)),
                amount_text(each.left, _currency(each)),
                _currency(each).upper(),
                grant_status(each, now),
                _time(each.grant.expires_at),
                each.grant.id,
            )
            for each in listed
        ],
    )


def grant_status(listed: ListedGrant, now: datetime) -> str:
    """Name what follows from a grant, what is left of it, and the instant."""
    grant = listed.grant
    if grant.voided_at is not None:
        return "voided"
    if grant.expires_at is not None and grant.expires_at <= now:
        return "expired"
    if grant.effective_at is not None and grant.effective_at > now:
        return "pending"
    return "granted" if listed.left else "depleted"


def show_balance(summary: metering.CreditBalanceSummary, at: datetime) -> None:
    """Show what is left in each currency at an instant."""
    show(f"Credits of {summary.customer}", style="bold")
    show(f"{second(at)} UTC", style="dim")
    if not summary.balances:
        show("None were granted.")
        return
    show_table(
        [
            Column(title="currency"),
            Column(title="available", is_number=True),
            Column(title="ledger", is_number=True),
        ],
        list(_balances(summary)),
    )


def show_transactions(
    transactions: Sequence[metering.CreditBalanceTransaction], of: str
) -> None:
    """Show what happened to credits, each change with what caused it."""
    if not transactions:
        show(f"No credit transactions of {of}.")
        return
    show(f"Credit transactions of {of}", style="bold")
    grants = {each.credit_grant for each in transactions}
    has_grant = len(grants) > 1 or of not in grants
    show_table(
        [
            Column(title="time (UTC)"),
            Column(title="what"),
            Column(title="amount", is_number=True),
            Column(title="invoice"),
            Column(title="line"),
            *([Column(title="grant", is_whole=True)] if has_grant else []),
        ],
        [
            (
                second(each.created),
                *_change(each),
                *([each.credit_grant] if has_grant else []),
            )
            for each in transactions
        ],
    )


def _balances(summary: metering.CreditBalanceSummary) -> Iterator[tuple[str, str, str]]:
    for each in summary.balances:
        available, ledger = (
            each.available_balance.monetary,
            each.ledger_balance.monetary,
        )
        currency = ledger.currency
        yield (
            currency.upper(),
            amount_text(available.value, currency),
            amount_text(ledger.value, currency),
        )


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


def _value(listed: ListedGrant) -> int:
    return listed.grant.amount.monetary.value


def _currency(listed: ListedGrant) -> str:
    return listed.grant.amount.monetary.currency
