"""Which events each fact has, and what they say beside the resource."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.facts.alerts import (
    CreditAlertTriggered,
    SpendLimitWarned,
    UsageAlertTriggered,
)
from ledger.facts.audits import AuditFailed
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldLapsed,
    CreditHoldReleased,
    CreditHoldSettled,
)
from ledger.facts.credits.pools import (
    CreditPoolArchived,
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    CreditPoolUpdated,
)
from ledger.facts.credits.schedules import (
    CreditScheduleCanceled,
    CreditScheduleCreated,
    CreditSchedulePaused,
    CreditScheduleResumed,
    CreditScheduleUpdated,
)
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerUpdated,
)
from ledger.facts.entitlements import EntitlementsUpdated
from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterUpdated,
)
from ledger.facts.prices import (
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
)
from ledger.facts.reports import ReportRunFailed, ReportRunSucceeded
from ledger.facts.statements import StatementFinalized, StatementVoided
from ledger.facts.subscriptions import (
    SubscriptionCanceled,
    SubscriptionCreated,
    SubscriptionEnded,
    SubscriptionItemCreated,
    SubscriptionPaused,
    SubscriptionResumed,
    SubscriptionTrialEnded,
    SubscriptionUpdated,
)
from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockCreated,
    TestClockDeleted,
    TestClockFailed,
    TestClockReady,
)
from ledger.facts.union import Fact
from metering.webhooks.requests import EventType
from projections.kernels.credits.timeline import TransactionKind

TRANSACTION: EventType = "billing.credit_balance_transaction.created"
_UPDATED: EventType = "billing.credit_grant.updated"
_SUBSCRIPTION: EventType = "customer.subscription.updated"
_TRIGGERED: EventType = "billing.alert.triggered"


@dataclass(frozen=True, slots=True)
class EventRule:
    """Which events a fact has.

    Attributes:
        event_type: of the event of the resource that the fact is about; None where it
            has none.
        is_change: whether that event says what the resource was before.
        transactions: the kind of the credit transactions that the fact causes.
    """

    event_type: EventType | None = None
    is_change: bool = False
    transactions: TransactionKind | None = None

    @property
    def types(self) -> frozenset[EventType]:
        """The types of the events."""
        caused = self.transactions and TRANSACTION
        return frozenset(each for each in (self.event_type, caused) if each)


RULES: dict[type[Fact], EventRule] = {
    MeterCreated: EventRule("billing.meter.created"),
    MeterUpdated: EventRule("billing.meter.updated", is_change=True),
    MeterDeactivated: EventRule("billing.meter.deactivated", is_change=True),
    MeterReactivated: EventRule("billing.meter.reactivated", is_change=True),
    CreditGrantCreated: EventRule(
        "billing.credit_grant.created", transactions=TransactionKind.GRANTED
    ),
    CreditGrantUpdated: EventRule(_UPDATED, is_change=True),
    CreditGrantExpired: EventRule(
        _UPDATED, is_change=True, transactions=TransactionKind.EXPIRED
    ),
    CreditGrantVoided: EventRule(
        _UPDATED, is_change=True, transactions=TransactionKind.VOIDED
    ),
    CreditGrantLapsed: EventRule(transactions=TransactionKind.EXPIRED),
    CreditsApplied: EventRule(transactions=TransactionKind.APPLIED),
    CreditsReinstated: EventRule(transactions=TransactionKind.REINSTATED),
    CreditHoldCreated: EventRule("metering.credit_hold.created"),
    CreditHoldSettled: EventRule(
        "metering.credit_hold.settled", transactions=TransactionKind.APPLIED
    ),
    CreditHoldReleased: EventRule(
        "metering.credit_hold.released", transactions=TransactionKind.RETURNED_LATE
    ),
    CreditHoldLapsed: EventRule(
        "metering.credit_hold.expired", transactions=TransactionKind.RETURNED_LATE
    ),
    CreditScheduleCreated: EventRule("metering.credit_schedule.created"),
    CreditScheduleUpdated: EventRule(
        "metering.credit_schedule.updated", is_change=True
    ),
    CreditSchedulePaused: EventRule("metering.credit_schedule.paused", is_change=True),
    CreditScheduleResumed: EventRule(
        "metering.credit_schedule.resumed", is_change=True
    ),
    CreditScheduleCanceled: EventRule(
        "metering.credit_schedule.canceled", is_change=True
    ),
    CreditPoolCreated: EventRule("metering.credit_pool.created"),
    CreditPoolUpdated: EventRule("metering.credit_pool.updated", is_change=True),
    CreditPoolArchived: EventRule("metering.credit_pool.archived", is_change=True),
    CreditPoolMemberAdded: EventRule("metering.credit_pool.member_added"),
    CreditPoolMemberRemoved: EventRule(
        "metering.credit_pool.member_removed", is_change=True
    ),
    ProductCreated: EventRule("product.created"),
    ProductUpdated: EventRule("product.updated", is_change=True),
    ProductDeleted: EventRule("product.deleted"),
    PriceCreated: EventRule("price.created"),
    PriceUpdated: EventRule("price.updated", is_change=True),
    StatementFinalized: EventRule("metering.statement.finalized"),
    StatementVoided: EventRule("metering.statement.voided", is_change=True),
    CustomerCreated: EventRule("customer.created"),
    CustomerUpdated: EventRule("customer.updated", is_change=True),
    CustomerDeleted: EventRule("customer.deleted"),
    SubscriptionCreated: EventRule("customer.subscription.created"),
    SubscriptionUpdated: EventRule(_SUBSCRIPTION, is_change=True),
    SubscriptionItemCreated: EventRule(_SUBSCRIPTION, is_change=True),
    SubscriptionPaused: EventRule("customer.subscription.paused", is_change=True),
    SubscriptionResumed: EventRule("customer.subscription.resumed", is_change=True),
    SubscriptionCanceled: EventRule("customer.subscription.deleted"),
    SubscriptionTrialEnded: EventRule(_SUBSCRIPTION, is_change=True),
    SubscriptionEnded: EventRule("customer.subscription.deleted"),
    EntitlementsUpdated: EventRule(
        "entitlements.active_entitlement_summary.updated", is_change=True
    ),
    ReportRunSucceeded: EventRule("reporting.report_run.succeeded"),
    ReportRunFailed: EventRule("reporting.report_run.failed"),
    UsageAlertTriggered: EventRule(_TRIGGERED),
    SpendLimitWarned: EventRule("metering.spend_limit.warned"),
    CreditAlertTriggered: EventRule(_TRIGGERED),
    AuditFailed: EventRule("metering.audit.failed"),
    TestClockCreated: EventRule("test_helpers.test_clock.created"),
    TestClockAdvancing: EventRule("test_helpers.test_clock.advancing"),
    TestClockReady: EventRule("test_helpers.test_clock.ready"),
    TestClockFailed: EventRule("test_helpers.test_clock.internal_failure"),
    TestClockDeleted: EventRule("test_helpers.test_clock.deleted"),
}
TYPES_OF = {fact: rule.types for fact, rule in RULES.items()}
"""The types of the events of a fact, by its class; other facts have no events."""
EVENT_TYPES = tuple(sorted({each for types in TYPES_OF.values() for each in types}))


def by_resource(types: Sequence[str]) -> str:
    """Name event types, those of one resource together: ``price.{created, updated}``."""
    ends = defaultdict[str, list[str]](list)
    for each in types:
        resource, _, end = each.rpartition(".")
        ends[resource].append(end)
    return ", ".join(
        f"{resource}.{{{', '.join(found)}}}" if found[1:] else f"{resource}.{found[0]}"
        for resource, found in ends.items()
    ).removeprefix(".")
