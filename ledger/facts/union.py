"""The closed union of facts, and their encoding: a JSON array of tagged objects.

What a portion of a billing run records is encoded by columns; see
`ledger.facts.credits.settlements`. The first byte says which it is.
"""

from collections.abc import Sequence

import msgspec

from ledger.facts.adjustments import MeterEventCancelled, MeterEventRestored
from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    CreditAlertCreated,
    CreditAlertRecovered,
    CreditAlertTriggered,
    SpendAlertCreated,
    SpendLimitWarned,
    UsageAlertCreated,
    UsageAlertTriggered,
)
from ledger.facts.audits import AuditFailed
from ledger.facts.corrections import CorrectionApplied, CorrectionReverted
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
from ledger.facts.credits.limits import (
    SpendLimitCanceled,
    SpendLimitCreated,
    SpendLimitUpdated,
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
from ledger.facts.credits.settlements import (
    BODY_BY_COLUMNS,
    SettledInvoices,
    decode_settled,
    encode_settled,
)
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerUpdated,
)
from ledger.facts.entitlements import (
    EntitlementsUpdated,
    FeatureAttached,
    FeatureCreated,
    FeatureDetached,
    FeatureUpdated,
)
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterFact,
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
from ledger.facts.reports import (
    ReportFileRemoved,
    ReportRunCreated,
    ReportRunFailed,
    ReportRunSucceeded,
)
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
    TestClockFact,
    TestClockFailed,
    TestClockReady,
    TestClockTime,
)
from ledger.facts.webhooks import (
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointSecretRotated,
    WebhookEndpointUpdated,
)

Fact = (
    MeterCreated
    | MeterUpdated
    | MeterDeactivated
    | MeterReactivated
    | MeterEventCancelled
    | MeterEventRestored
    | CorrectionApplied
    | CorrectionReverted
    | CreditGrantCreated
    | CreditGrantUpdated
    | CreditGrantExpired
    | CreditGrantVoided
    | CreditGrantLapsed
    | CreditsApplied
    | CreditsReinstated
    | UsageAlertCreated
    | SpendAlertCreated
    | AlertActivated
    | AlertDeactivated
    | AlertArchived
    | UsageAlertTriggered
    | CreditAlertCreated
    | CreditAlertTriggered
    | CreditAlertRecovered
    | WebhookEndpointCreated
    | WebhookEndpointUpdated
    | WebhookEndpointSecretRotated
    | WebhookEndpointDeleted
    | LogTimeCorrected
    | ProductCreated
    | ProductUpdated
    | ProductDeleted
    | PriceCreated
    | PriceUpdated
    | StatementFinalized
    | StatementVoided
    | CustomerCreated
    | CustomerUpdated
    | CustomerDeleted
    | SubscriptionCreated
    | SubscriptionUpdated
    | SubscriptionItemCreated
    | SubscriptionPaused
    | SubscriptionResumed
    | SubscriptionCanceled
    | SubscriptionTrialEnded
    | SubscriptionEnded
    | CreditHoldCreated
    | CreditHoldSettled
    | CreditHoldReleased
    | CreditHoldLapsed
    | SpendLimitCreated
    | SpendLimitUpdated
    | SpendLimitCanceled
    | SpendLimitWarned
    | CreditScheduleCreated
    | CreditScheduleUpdated
    | CreditSchedulePaused
    | CreditScheduleResumed
    | CreditScheduleCanceled
    | CreditPoolCreated
    | CreditPoolUpdated
    | CreditPoolArchived
    | CreditPoolMemberAdded
    | CreditPoolMemberRemoved
    | FeatureCreated
    | FeatureUpdated
    | FeatureAttached
    | FeatureDetached
    | EntitlementsUpdated
    | ReportRunCreated
    | ReportRunSucceeded
    | ReportRunFailed
    | ReportFileRemoved
    | TestClockCreated
    | TestClockAdvancing
    | TestClockTime
    | TestClockReady
    | TestClockFailed
    | TestClockDeleted
    | AuditFailed
)

Facts = tuple[Fact, ...] | SettledInvoices
"""The facts of a commit."""
FACTS = (tuple, SettledInvoices)
"""The classes of the facts of a commit."""

TERMS = (
    PriceUpdated,
    StatementFinalized,
    StatementVoided,
    SubscriptionCreated,
    SubscriptionUpdated,
    SubscriptionItemCreated,
    SubscriptionPaused,
    SubscriptionResumed,
    SubscriptionCanceled,
    SubscriptionTrialEnded,
    SubscriptionEnded,
)
"""The classes of the facts that change what is billed, and when."""


def is_of_clocks(fact: Fact) -> bool:
    """Whether a fact may change who lives by a test clock, or what that shows."""
    if isinstance(fact, CustomerCreated):
        return fact.test_clock is not None
    return isinstance(fact, TestClockFact)


def changes_checks(fact: Fact) -> bool:
    """Whether events are checked otherwise after a fact: by their meter, or their time."""
    return isinstance(fact, MeterFact) or is_of_clocks(fact)


RecordedFacts = tuple[int, int, Fact | SettledInvoices]
"""A position, when it was recorded (microseconds since 1970 UTC), and the fact there.

Facts that are columns stay together, at the position of the first."""

_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_DECODER = msgspec.json.Decoder(tuple[Fact, ...])


def encode_facts(facts: Sequence[Fact] | SettledInvoices) -> bytes:
    """Encode facts in their order; equal facts give equal bytes."""
    if isinstance(facts, SettledInvoices):
        return encode_settled(facts)
    return _ENCODER.encode(list(facts))


def decode_facts(body: bytes) -> Facts:
    """Decode what `encode_facts` wrote.

    Raises:
        msgspec.DecodeError: the bytes are not a list of known facts.
        ValueError: they are no columns of such.
    """
    # A slice, since what somebody wrote in its place may be no bytes at all.
    if body[: len(BODY_BY_COLUMNS)] == BODY_BY_COLUMNS:
        return decode_settled(body)
    return _DECODER.decode(body)
