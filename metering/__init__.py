"""An event-sourced usage metering engine for billing backends.

    import metering

    with metering.connect("usage") as m:
        meter = m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        m.meter_events.create(
            event_name="tokens",
            payload={"stripe_customer_id": "cus_1", "value": "12.5"},
        )

Only the names listed here are promised.
"""

from ledger.errors import (
    CommitOutcomeUnknownError,
    LogDamagedError,
    MeteringError,
    RunsDirectoryError,
    SegmentDamagedError,
    SegmentMissingError,
    SegmentStoreError,
    SegmentStoreUnavailableError,
    StoreBehindError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreForkedError,
    StoreFullError,
    StoreMissingError,
    StoreUnavailableError,
    StoreVersionError,
    UnsafeDurabilityError,
)
from metering.access.api_keys import ApiKey
from metering.alerts.resources import (
    Alert,
    AlertFilter,
    AlertTriggered,
    CreditBalanceLimit,
    CreditBalanceThreshold,
    UsageThreshold,
)
from metering.arguments.clock import Clock, FixedClock, SystemClock
from metering.connection import Metering, connect
from metering.credits.resources import (
    ApplicabilityConfig,
    CreditAmount,
    CreditBalance,
    CreditBalanceSummary,
    CreditBalanceTransaction,
    CreditGrant,
    CreditScope,
    CreditTransactionCredit,
    CreditTransactionDebit,
    InvoiceLineItem,
    Monetary,
    ScopePrice,
)
from metering.credits.settlement.receipts import CreditsProgress, CreditsReceipt
from metering.errors import (
    IdentifierConflictError,
    InvalidRequestError,
    InvoiceConflictError,
    MeterEventInvalidError,
    ResourceMissingError,
    SourceError,
)
from metering.meters.resources import (
    CustomerMapping,
    DefaultAggregation,
    Meter,
    MeterEventSummary,
    StatusTransitions,
    ValueSettings,
)
from metering.stream.resources import ErrorReport, ErrorType
from metering.stream.sessions import MeterEventSession
from metering.upkeep.receipts import WorkReceipt
from metering.upkeep.status import StoreStatus
from metering.upkeep.verification import Checkpoint, VerifyReport
from metering.usage.ingest.layout import Columns, Constant
from metering.usage.ingest.receipts import IngestProgress, IngestReceipt
from metering.usage.resources import Cancel, MeterEvent, MeterEventAdjustment
from metering.version import __version__ as __version__
from metering.webhooks.resources import (
    DeliveryReceipt,
    Event,
    EventData,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from projections.errors import QueryError
from projections.scans.reaggregation.errors import (
    ReaggregationError,
    SummaryTooLargeError,
    ValueUnreadableError,
)

__all__ = [
    "Alert",
    "AlertFilter",
    "AlertTriggered",
    "ApiKey",
    "ApplicabilityConfig",
    "Cancel",
    "Checkpoint",
    "Clock",
    "Columns",
    "CommitOutcomeUnknownError",
    "Constant",
    "CreditAmount",
    "CreditBalance",
    "CreditBalanceLimit",
    "CreditBalanceSummary",
    "CreditBalanceThreshold",
    "CreditBalanceTransaction",
    "CreditGrant",
    "CreditScope",
    "CreditTransactionCredit",
    "CreditTransactionDebit",
    "CreditsProgress",
    "CreditsReceipt",
    "CustomerMapping",
    "DefaultAggregation",
    "DeliveryReceipt",
    "ErrorReport",
    "ErrorType",
    "Event",
    "EventData",
    "FixedClock",
    "IdentifierConflictError",
    "IngestProgress",
    "IngestReceipt",
    "InvalidRequestError",
    "InvoiceConflictError",
    "InvoiceLineItem",
    "LogDamagedError",
    "Meter",
    "MeterEvent",
    "MeterEventAdjustment",
    "MeterEventInvalidError",
    "MeterEventSession",
    "MeterEventSummary",
    "Metering",
    "MeteringError",
    "Monetary",
    "QueryError",
    "ReaggregationError",
    "ResourceMissingError",
    "RunsDirectoryError",
    "ScopePrice",
    "SegmentDamagedError",
    "SegmentMissingError",
    "SegmentStoreError",
    "SegmentStoreUnavailableError",
    "SourceError",
    "StatusTransitions",
    "StoreBehindError",
    "StoreBusyError",
    "StoreClosedError",
    "StoreError",
    "StoreForkedError",
    "StoreFullError",
    "StoreMissingError",
    "StoreStatus",
    "StoreUnavailableError",
    "StoreVersionError",
    "SummaryTooLargeError",
    "SystemClock",
    "UnsafeDurabilityError",
    "UsageThreshold",
    "ValueSettings",
    "ValueUnreadableError",
    "VerifyReport",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WorkReceipt",
    "connect",
]
