"""The public names of `metering`, for those who check types.

At run time `metering.names` says where each is, and this module is not loaded.
"""

from ledger.backups.errors import (
    BackupDamagedError,
    BackupError,
    BackupForeignError,
    BackupMissingError,
    BackupUnavailableError,
    BackupUnderWayError,
    BackupVersionError,
    ExportUnavailableError,
)
from ledger.errors import (
    ClockSkewError,
    CommitOutcomeUnknownError,
    LogDamagedError,
    MeteringError,
    RunsDirectoryError,
    SecretError,
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
from metering.access.api_keys import ApiKey, ApiKeys
from metering.alerts.alerts import Alerts
from metering.alerts.requests import (
    AlertFilterParams,
    CreditBalanceLimitParams,
    CreditBalanceThresholdParams,
    PercentOfParams,
    SpendThresholdParams,
    UsageThresholdParams,
)
from metering.alerts.resources import (
    Alert,
    AlertFilter,
    AlertTriggered,
    CreditBalanceLimit,
    CreditBalanceThreshold,
    PercentOf,
    SpendThreshold,
    UsageThreshold,
)
from metering.arguments.clock import Clock, FixedClock, SystemClock
from metering.arguments.pages import ListObject
from metering.arguments.times import CreatedBounds, Time
from metering.audits.resources import (
    AuditedMeter,
    AuditedSegment,
    AuditFailure,
    AuditPass,
    AuditStatus,
)
from metering.bodies import ResourceObject
from metering.comparing.difference import Difference
from metering.connection import Metering
from metering.copies.copying import copy
from metering.copies.receipts import (
    BackupReceipt,
    ExportedFile,
    ExportReceipt,
    RestoreReceipt,
)
from metering.copies.restoring import restore
from metering.corrections.corrections import Corrections
from metering.corrections.impact import Impact
from metering.corrections.requests import ChangeParams, ReplaceParams
from metering.corrections.resources import Correction
from metering.credits.applications import CreditApplications
from metering.credits.grants import CreditGrants
from metering.credits.requests import (
    ApplicabilityConfigParams,
    CreditAmountParams,
    CreditFilterParams,
    CreditScopeParams,
    InvoiceLineParams,
    MonetaryParams,
)
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
from metering.credits.settlement.receipts import (
    CreditsProgress,
    CreditsReceipt,
    ReinstatementReceipt,
)
from metering.credits.transactions import CreditBalanceTransactions
from metering.customers.customers import Customers
from metering.customers.requests import AddressParams, ShippingParams
from metering.customers.resources import (
    Customer,
    CustomerAddress,
    CustomerInvoiceSettings,
    CustomerShipping,
    DeletedCustomer,
)
from metering.differing import diff
from metering.entitlements.active_entitlements import ActiveEntitlements
from metering.entitlements.entitlements import Entitlements
from metering.entitlements.features import Features
from metering.entitlements.product_features import ProductFeatures
from metering.entitlements.resources import (
    ActiveEntitlement,
    ActiveEntitlementSummary,
    EntitlementCheck,
    Feature,
    ProductFeature,
    SummaryEntitlements,
)
from metering.errors import (
    EventsUnrecordedError,
    IdentifierConflictError,
    InvalidRequestError,
    InvoiceConflictError,
    MeterConflictError,
    MeterEventInvalidError,
    NoMeterError,
    RecorderClosedError,
    RecorderFullError,
    ResourceMissingError,
    SourceError,
    StatementConflictError,
    TestClockAdvancingError,
    TimestampOutOfRangeError,
    ValueMissingError,
    ValueTooLargeError,
)
from metering.explaining.amounts import AmountExplanation, AmountPart
from metering.explaining.balances import BalanceExplanation
from metering.explaining.explanations import Explanation, ExplanationPart
from metering.explaining.proof.checkpoints import Checkpoint
from metering.explaining.proof.exporting import ExportedExplanation
from metering.holds.holds import CreditHolds
from metering.holds.resources import CreditHold, HoldAllocation
from metering.holds.settling import SettlementsReceipt
from metering.limits.limits import SpendLimits
from metering.limits.resources import SpendLimit, SpendLimitWarning
from metering.meters.meters import Meters
from metering.meters.requests import (
    CustomerMappingParams,
    DefaultAggregationParams,
    ValueSettingsParams,
)
from metering.meters.resources import (
    CustomerMapping,
    DefaultAggregation,
    Meter,
    MeterEventSummary,
    StatusTransitions,
    ValueSettings,
)
from metering.opening import connect
from metering.pools.pools import CreditPools
from metering.pools.resources import CreditPool, CreditPoolBalance, CreditPoolMember
from metering.prices.prices import Prices
from metering.prices.product_requests import MarketingFeatureParams
from metering.prices.products import Products
from metering.prices.requests import (
    CurrencyOptionParams,
    DefaultPriceDataParams,
    DefaultRecurringParams,
    ProductDataParams,
    RecurringListParams,
    RecurringParams,
    TierParams,
    TransformQuantityParams,
)
from metering.prices.resources import (
    CurrencyOption,
    MarketingFeature,
    Price,
    Product,
    Recurring,
    Tier,
    TransformQuantity,
)
from metering.recording.events import UnrecordedEvent
from metering.recording.recorder import Recorder
from metering.reporting.reports import Reports
from metering.reporting.requests import ReportParameters
from metering.reporting.resources import (
    ReportFile,
    ReportRun,
    ReportRunParameters,
    ReportType,
)
from metering.schedules.requests import RolloverParams
from metering.schedules.resources import CreditSchedule, ScheduleRollover
from metering.schedules.schedules import CreditSchedules
from metering.spending.balances import CreditBalanceSummaries
from metering.spending.resources import Check, CheckRemaining
from metering.statements.drift import LineDrift, StatementDrift
from metering.statements.resources import (
    Statement,
    StatementCredit,
    StatementLine,
    StatementTier,
)
from metering.statements.runs.receipts import StatementsReceipt
from metering.statements.statements import Statements
from metering.stream.error_reports import ErrorReports
from metering.stream.resources import ErrorReport, ErrorType
from metering.stream.sessions import MeterEventSession, MeterEventSessions
from metering.subscriptions.items import SubscriptionItems
from metering.subscriptions.requests import (
    BillingModeParams,
    CancellationDetailsParams,
    ResumedAnchorParams,
    SubscriptionItemChangeParams,
    SubscriptionItemParams,
)
from metering.subscriptions.resources import (
    AutomaticTax,
    CancellationDetails,
    FlexibleBilling,
    InvoiceIssuer,
    ItemPriceSince,
    PaymentSettings,
    Plan,
    Subscription,
    SubscriptionBillingMode,
    SubscriptionInvoiceSettings,
    SubscriptionItem,
    SubscriptionItemsOf,
    TrialEndBehavior,
    TrialSettings,
)
from metering.subscriptions.subscriptions import Subscriptions
from metering.test_clocks.resources import (
    TestClock,
    TestClockAdvancingTo,
    TestClockStatusDetails,
)
from metering.test_clocks.test_clocks import TestClocks, TestHelpers
from metering.upkeep.auditing.audits import Audit
from metering.upkeep.log_time import LogTimeRepairs, TimeRepair
from metering.upkeep.status import LoopStatus, StoreStatus, WorkReceipt
from metering.upkeep.verification.report import VerifyReport
from metering.upkeep.worker import Worker
from metering.usage.adjustments import MeterEventAdjustments
from metering.usage.ingest.layout import Columns, Constant
from metering.usage.ingest.receipts import IngestProgress, IngestReceipt
from metering.usage.meter_events import MeterEvents
from metering.usage.requests import CancelParams
from metering.usage.resources import Cancel, MeterEvent, MeterEventAdjustment
from metering.usage_records.resources import (
    UsageRecord,
    UsageRecordPeriod,
    UsageRecordSummary,
)
from metering.webhooks.endpoints import WebhookEndpoints
from metering.webhooks.events import Events
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

# A name a line would take half of what a module may have.
# fmt: off
__all__ = [
    "ActiveEntitlement", "ActiveEntitlementSummary", "ActiveEntitlements",
    "AddressParams", "Alert", "AlertFilter", "AlertFilterParams", "AlertTriggered",
    "Alerts", "AmountExplanation", "AmountPart", "ApiKey", "ApiKeys", "ApplicabilityConfig",
    "ApplicabilityConfigParams", "Audit", "AuditFailure", "AuditPass", "AuditStatus",
    "AuditedMeter", "AuditedSegment", "AutomaticTax", "BackupDamagedError", "BackupError", "BackupForeignError",
    "BackupMissingError", "BackupReceipt", "BackupUnavailableError",
    "BackupUnderWayError", "BackupVersionError", "BalanceExplanation",
    "BillingModeParams", "Cancel",
    "CancelParams", "CancellationDetails", "CancellationDetailsParams",
    "ChangeParams", "Check", "CheckRemaining", "Checkpoint", "Clock", "ClockSkewError", "Columns", "CommitOutcomeUnknownError",
    "Constant", "Correction", "Corrections", "CreatedBounds", "CreditAmount", "CreditAmountParams",
    "CreditApplications", "CreditBalance", "CreditBalanceLimit",
    "CreditBalanceLimitParams", "CreditBalanceSummaries", "CreditBalanceSummary",
    "CreditBalanceThreshold", "CreditBalanceThresholdParams",
    "CreditBalanceTransaction", "CreditBalanceTransactions", "CreditFilterParams",
    "CreditGrant", "CreditGrants", "CreditHold", "CreditHolds", "CreditPool",
    "CreditPoolBalance", "CreditPoolMember", "CreditPools", "CreditSchedule",
    "CreditSchedules", "CreditScope", "CreditScopeParams",
    "CreditTransactionCredit", "CreditTransactionDebit", "CreditsProgress",
    "CreditsReceipt", "CurrencyOption", "CurrencyOptionParams", "Customer",
    "CustomerAddress", "CustomerInvoiceSettings", "CustomerMapping",
    "CustomerMappingParams", "CustomerShipping", "Customers", "DefaultAggregation",
    "DefaultAggregationParams", "DefaultPriceDataParams", "DefaultRecurringParams",
    "DeletedCustomer", "DeliveryReceipt", "Difference", "EntitlementCheck", "Entitlements", "ErrorReport", "ErrorReports",
    "ErrorType", "Event", "EventData", "Events", "EventsUnrecordedError",
    "Explanation", "ExplanationPart", "ExportReceipt", "ExportUnavailableError",
    "ExportedExplanation", "ExportedFile",
    "Feature", "Features", "FixedClock", "FlexibleBilling", "HoldAllocation", "IdentifierConflictError", "Impact", "IngestProgress",
    "IngestReceipt", "InvalidRequestError", "InvoiceConflictError", "InvoiceIssuer",
    "InvoiceLineItem", "InvoiceLineParams", "ItemPriceSince", "LineDrift",
    "ListObject", "LogDamagedError", "LogTimeRepairs", "LoopStatus",
    "MarketingFeature", "MarketingFeatureParams", "Meter", "MeterConflictError",
    "MeterEvent", "MeterEventAdjustment", "MeterEventAdjustments",
    "MeterEventInvalidError", "MeterEventSession", "MeterEventSessions",
    "MeterEventSummary", "MeterEvents", "Metering", "MeteringError", "Meters",
    "Monetary", "MonetaryParams", "NoMeterError", "PaymentSettings", "PercentOf",
    "PercentOfParams", "Plan", "Price", "Prices", "Product", "ProductDataParams", "ProductFeature", "ProductFeatures",
    "Products", "QueryError", "ReaggregationError", "Recorder",
    "RecorderClosedError", "RecorderFullError", "Recurring", "RecurringListParams",
    "RecurringParams", "ReinstatementReceipt", "ReplaceParams", "ReportFile",
    "ReportParameters", "ReportRun", "ReportRunParameters", "ReportType", "Reports",
    "ResourceMissingError", "ResourceObject", "RestoreReceipt", "ResumedAnchorParams", "RolloverParams", "RunsDirectoryError",
    "ScheduleRollover", "ScopePrice", "SecretError", "SegmentDamagedError", "SegmentMissingError",
    "SegmentStoreError", "SegmentStoreUnavailableError", "SettlementsReceipt", "ShippingParams",
    "SourceError", "SpendLimit", "SpendLimitWarning", "SpendLimits", "SpendThreshold", "SpendThresholdParams", "Statement",
    "StatementConflictError", "StatementCredit", "StatementDrift", "StatementLine",
    "StatementTier", "Statements", "StatementsReceipt", "StatusTransitions",
    "StoreBehindError", "StoreBusyError", "StoreClosedError", "StoreError",
    "StoreForkedError", "StoreFullError", "StoreMissingError", "StoreStatus",
    "StoreUnavailableError", "StoreVersionError", "Subscription",
    "SubscriptionBillingMode", "SubscriptionInvoiceSettings", "SubscriptionItem",
    "SubscriptionItemChangeParams", "SubscriptionItemParams", "SubscriptionItems",
    "SubscriptionItemsOf", "Subscriptions", "SummaryEntitlements", "SummaryTooLargeError", "SystemClock",
    "TestClock", "TestClockAdvancingError", "TestClockAdvancingTo",
    "TestClockStatusDetails", "TestClocks", "TestHelpers", "Tier", "TierParams", "Time", "TimeRepair", "TimestampOutOfRangeError",
    "TransformQuantity", "TransformQuantityParams", "TrialEndBehavior",
    "TrialSettings", "UnrecordedEvent", "UnsafeDurabilityError", "UsageRecord",
    "UsageRecordPeriod", "UsageRecordSummary", "UsageThreshold", "UsageThresholdParams", "ValueMissingError", "ValueSettings",
    "ValueSettingsParams", "ValueTooLargeError", "ValueUnreadableError",
    "VerifyReport", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint",
    "WebhookEndpoints", "WorkReceipt", "Worker", "connect", "copy", "diff", "restore",
]
# fmt: on
