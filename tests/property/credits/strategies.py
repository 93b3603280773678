"""Own what Hypothesis draws of prepaid credits: grants, invoices and instants.

Draws are dense where allocation breaks: few amounts, priorities and instants, so that
grants tie in all but one respect, expire in the microsecond an invoice ends or is
paid, and are just about used up. Instants are distances from the clock, so that a
history stays meaningful when parts of it are taken out.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.oracles.credits import Invoice, Line, NewGrant

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND, HOUR = timedelta(microseconds=1), timedelta(hours=1)

CUSTOMERS = ("cus_1", "Zoë 客户 🚕")
CURRENCIES = ("usd", "jpy")
PRICES = ("price_1", "price_2", "'; DROP TABLE credit_grant; --")
# The largest amount allowed, and ones that 32 bits just cannot hold.
LARGE_AMOUNTS = (999_999_999_999, 2**31, 2**32 + 1)

PAST = (-2 * HOUR, -HOUR, -HOUR + MICROSECOND, -MICROSECOND, timedelta(0))
FUTURE = (MICROSECOND, HOUR - MICROSECOND, HOUR, HOUR + MICROSECOND, 2 * HOUR)


@dataclass(frozen=True, kw_only=True)
class GrantDraft:
    """A new grant; its instants are decided by the clock."""

    asked: NewGrant
    effective: timedelta | None
    expires: timedelta | None

    def at(self, now: datetime) -> NewGrant:
        return replace(
            self.asked,
            effective_at=None if self.effective is None else now + self.effective,
            expires_at=None if self.expires is None else now + self.expires,
        )


@dataclass(frozen=True, kw_only=True)
class InvoiceDraft:
    """An invoice without a name; when its period ends is decided by the clock."""

    customer: str
    period_end: timedelta
    lines: tuple[Line, ...]

    def at(self, name: str, now: datetime) -> Invoice:
        return Invoice(
            id=name,
            customer=self.customer,
            period_end=now + self.period_end,
            lines=self.lines,
        )


@dataclass(frozen=True, kw_only=True)
class Again:
    """The invoice applied `back` invoices ago once more, changed or not."""

    back: int
    change: str | None


def amounts(least: int) -> SearchStrategy[int]:
    few = st.integers(least, 9)
    return st.one_of(few, few, few, st.sampled_from(LARGE_AMOUNTS))


def customers() -> SearchStrategy[str]:
    """Mostly one: balances are of interest where much happens to them."""
    return st.sampled_from([CUSTOMERS[0], *CUSTOMERS, CUSTOMERS[0]])


def currencies() -> SearchStrategy[str]:
    return st.sampled_from([CURRENCIES[0], *CURRENCIES, CURRENCIES[0]])


def distances() -> SearchStrategy[timedelta]:
    return st.sampled_from(PAST + FUTURE)


def grant_drafts() -> SearchStrategy[GrantDraft]:
    price = st.sampled_from(PRICES)
    return st.builds(
        GrantDraft,
        asked=st.builds(
            NewGrant,
            customer=customers(),
            currency=currencies(),
            amount=amounts(1),
            prices=st.none()
            | st.lists(price, min_size=1, max_size=2, unique=True).map(tuple),
            category=st.sampled_from(["paid", "promotional"]),
            priority=st.sampled_from([50, 50, 0, 100]),
        ),
        effective=st.none() | st.sampled_from(PAST) | st.sampled_from(FUTURE),
        expires=st.none() | st.sampled_from(FUTURE) | st.sampled_from(FUTURE[2:]),
    )


@st.composite
def invoice_drafts(draw: st.DrawFn) -> InvoiceDraft:
    """An invoice of one currency; one in many has a second, which is refused."""
    currency = draw(currencies())
    prices = draw(st.lists(st.none() | st.sampled_from(PRICES), min_size=1, max_size=4))
    other = draw(st.integers(0, 15))
    lines = [
        Line(
            id=f"il_{number}",
            amount=draw(amounts(0)),
            currency="eur" if 1 <= number == other else currency,
            price=price,
        )
        for number, price in enumerate(prices)
    ]
    return InvoiceDraft(
        customer=draw(customers()), period_end=draw(distances()), lines=tuple(lines)
    )


def agains() -> SearchStrategy[Again]:
    changes = [
        *("customer", "period_end", "amount", "price", "line", "order", "currency")
    ]
    change = st.none() | st.sampled_from(changes)
    return st.builds(Again, back=st.integers(0, 7), change=change)


def attempts() -> SearchStrategy[InvoiceDraft | Again]:
    return st.one_of(invoice_drafts(), invoice_drafts(), agains())


def changed(invoice: Invoice, change: str) -> Invoice:
    """The invoice as a mistaken second attempt would send it."""
    first, *others = invoice.lines
    attempts = {
        "customer": replace(invoice, customer="cus_changed"),
        "period_end": replace(invoice, period_end=invoice.period_end + MICROSECOND),
        "amount": replace(
            invoice, lines=(replace(first, amount=abs(first.amount - 1)), *others)
        ),
        "price": replace(
            invoice, lines=(replace(first, price="price_changed"), *others)
        ),
        "line": replace(invoice, lines=(*invoice.lines, replace(first, id="il_more"))),
        "order": replace(invoice, lines=invoice.lines[::-1]),
        "currency": replace(
            invoice,
            lines=tuple(replace(each, currency="eur") for each in invoice.lines),
        ),
    }
    return attempts[change]
