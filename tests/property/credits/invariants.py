"""Own what must be true of credits whatever happened: a store is asked, no oracle."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import metering
from tests.oracles.credits import Invoice, Line, Wanted
from tests.property.credits.answers import (
    Told,
    balances_of,
    every_transaction,
    filter_of,
    told,
)

NEVER = datetime.max.replace(tzinfo=UTC)


def assert_conserved(
    store: metering.Metering,
    customer: str,
    present: datetime,
    instants: Iterable[datetime],
) -> None:
    """Granted = applied + expired + voided + remaining, and nothing is negative.

    For each grant and each currency, at the present and at any instants; what was
    given back counts as not applied. Transactions to come are not listed, so at a
    future instant only bounds can be told.
    """
    grants = grants_of(store, customer)
    history = [told(each) for each in every_transaction(store, customer=customer)]
    history.reverse()
    assert history == sorted(history, key=lambda each: each.created)
    for grant in grants:
        assert_lawful(grant, [each for each in history if each.grant == grant.id])
    for instant in (present, *instants):
        summary = store.credit_balance_summary.retrieve(customer=customer, at=instant)
        moved = [each for each in history if each.created <= instant]
        for currency, ledger, available in balances_of(summary):
            assert 0 <= available <= ledger
            of_currency = [each.signed for each in moved if each.currency == currency]
            if instant <= present:
                assert sum(of_currency) == ledger
            else:
                assert sum(of_currency) >= ledger
        for grant in grants[-3:]:
            left = remaining(store, grant, instant)
            total = sum(each.signed for each in moved if each.grant == grant.id)
            is_over = grant.expires_at is not None and grant.expires_at <= instant
            assert left == (0 if is_over and instant > present else total)


def assert_lawful(grant: metering.CreditGrant, history: Sequence[Told]) -> None:
    """A grant pays within its life, and neither goes below nothing nor above itself."""
    amount, left, voided = grant.amount.monetary.value, 0, False
    assert grant.effective_at is not None
    for number, each in enumerate(history):
        left += each.signed
        assert 0 <= left <= amount
        assert (each.kind == "granted") == (number == 0)
        if each.kind == "granted":
            assert (each.created, each.amount) == (grant.created, amount)
        if each.kind == "applied":
            # Expiry comes first at its instant, unless a call brought it about.
            assert grant.effective_at <= each.created <= (grant.expires_at or NEVER)
        assert not voided
        voided = each.kind == "voided"
    assert voided == (grant.voided_at is not None)


def assert_drawn_in_order(
    store: metering.Metering,
    invoice: Invoice,
    now: datetime,
    answer: Sequence[metering.CreditBalanceTransaction],
) -> None:
    """No later grant is drawn while an earlier eligible one has credit left.

    To be asked right after the invoice was applied for the first time. Nor does a line
    stay unpaid while any eligible grant has.
    """
    drawn = [told(each) for each in answer]
    grants = sorted(grants_of(store, invoice.customer), key=_precedence)
    left = {grant.id: remaining(store, grant, now) for grant in grants}
    for each in drawn:
        left[each.grant] += each.amount
    for line in invoice.lines:
        eligible = [g for g in grants if _may_pay(g, line, invoice.period_end, now)]
        due = line.amount
        for each in [each for each in drawn if each.line == line.id]:
            places = [grant.id for grant in eligible]
            assert each.grant in places, "a grant paid that may not"
            for earlier in places[: places.index(each.grant)]:
                assert left[earlier] == 0, "an earlier grant had credit left"
            due -= each.amount
            left[each.grant] -= each.amount
            assert left[each.grant] >= 0
        assert due >= 0
        assert due == 0 or all(left[grant.id] == 0 for grant in eligible)


def grants_of(store: metering.Metering, customer: str) -> list[metering.CreditGrant]:
    """The grants of a customer in the order they were created."""
    found = list(store.credit_grants.list(customer=customer, limit=100))
    assert len(found) < 100
    return found[::-1]


def remaining(
    store: metering.Metering, grant: metering.CreditGrant, at: datetime
) -> int:
    """What the ledger has of a grant at an instant."""
    wanted = filter_of(Wanted(kind="grant", names=(grant.id,)))
    assert grant.customer is not None
    summary = store.credit_balance_summary.retrieve(
        customer=grant.customer, filter=wanted, at=at
    )
    balances = balances_of(summary)
    assert len(balances) <= 1
    return sum(ledger for _, ledger, _ in balances)


def _may_pay(
    grant: metering.CreditGrant, line: Line, period_end: datetime, now: datetime
) -> bool:
    prices = grant.applicability_config.scope.prices
    assert grant.effective_at is not None
    return (
        grant.amount.monetary.currency == line.currency
        and (prices is None or line.price in {price.id for price in prices})
        and grant.effective_at <= min(period_end, now)
        and max(period_end, now) < (grant.expires_at or NEVER)
        and grant.voided_at is None
    )


def _precedence(grant: metering.CreditGrant) -> tuple[object, ...]:
    # Sorting is stable: grants that tie stay in the order they were created.
    assert grant.priority is not None
    return (
        grant.priority,
        grant.expires_at or NEVER,
        grant.category == "paid",
        grant.effective_at,
    )
