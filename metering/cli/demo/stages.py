"""What the stages of the demo came to: shown one after another, or one document."""

from datetime import datetime
from decimal import Decimal

import msgspec

import metering
from metering.cli.screens.history import HistoryDocument


class _Stage(msgspec.Struct, frozen=True, kw_only=True, tag_field="stage"):
    """One step of the demo, done."""


class Sent(_Stage, frozen=True, kw_only=True, tag="sent"):
    """The traffic was ingested; `seconds` leave out the time to make it up."""

    rows: int
    accepted: int
    duplicates: int
    rejected: int
    first_rejection: str | None
    seconds: float


class Watched(_Stage, frozen=True, kw_only=True, tag="watched"):
    """An alert was evaluated: for whom it triggered, and at which event."""

    alert: metering.Alert
    triggered: list[metering.AlertTriggered]


class Corrected(_Stage, frozen=True, kw_only=True, tag="corrected"):
    """The events of requests that failed were cancelled."""

    cancelled: int


class CustomerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer used; `input_tokens_by_hour` from old to new."""

    customer: str
    requests: Decimal
    input_tokens: Decimal
    input_tokens_by_hour: list[Decimal]


class TopCustomers(_Stage, frozen=True, kw_only=True, tag="top_customers"):
    """Who used most in ``[start_time, end_time)``."""

    start_time: datetime
    end_time: datetime
    customers: list[CustomerUsage]


class CustomerMeter(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of a customer on one meter."""

    event_name: str
    display_name: str
    formula: str
    value: Decimal


class AllMeters(_Stage, frozen=True, kw_only=True, tag="all_meters"):
    """The usage of one customer on every meter."""

    customer: str
    meters: list[CustomerMeter]


class Dispute(_Stage, frozen=True, kw_only=True, tag="dispute"):
    """One event was cancelled; what the customer's summary said before and after."""

    event_name: str
    identifier: str
    customer: str
    timestamp: datetime
    value: Decimal
    before: Decimal
    after: Decimal
    was_cancelled: bool


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice asks for the usage of one meter, in cents."""

    id: str
    price: str
    amount: int
    currency: str


class Prepaid(_Stage, frozen=True, kw_only=True, tag="prepaid"):
    """An invoice was paid with credits.

    Attributes:
        grants: what the customer had been granted, in the order of creation.
        transactions: what the lines of the invoice drew.
        was_applied: whether an earlier run did it, so that nothing was drawn now.
        history: the balance of the days to come, as it will stand if nothing happens.
    """

    customer: str
    grants: list[metering.CreditGrant]
    invoice: str
    lines: list[InvoiceLine]
    transactions: list[metering.CreditBalanceTransaction]
    was_applied: bool
    balance: metering.CreditBalanceSummary
    start_time: datetime
    end_time: datetime
    history: list[HistoryDocument]


class Verified(_Stage, frozen=True, kw_only=True, tag="verified"):
    """The log was checked from its first entry on."""

    ok: bool
    position: int
    commits: int
    entries: int
    digest: str
    problems: tuple[str, ...]


Stage = (
    Sent | Watched | Corrected | TopCustomers | AllMeters | Dispute | Prepaid | Verified
)


class DemoDocument(msgspec.Struct, frozen=True, kw_only=True):
    """All stages, for programs."""

    store: str
    stages: list[Stage]
