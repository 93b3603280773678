"""Where each public name of `metering` is, so that its module is loaded when it is used.

`metering.public` says the same to those who check types.
"""

from typing import Final

_NAMES: Final = {
    "ledger.backups.errors": (
        "BackupDamagedError BackupError BackupForeignError BackupMissingError"
        " BackupUnavailableError BackupUnderWayError BackupVersionError"
        " ExportUnavailableError"
    ),
    "ledger.errors": (
        "ClockSkewError CommitOutcomeUnknownError LogDamagedError MeteringError"
        " RunsDirectoryError SecretError SegmentDamagedError"
        " SegmentMissingError SegmentStoreError SegmentStoreUnavailableError"
        " StoreBehindError StoreBusyError StoreClosedError StoreError"
        " StoreForkedError StoreFullError StoreMissingError"
        " StoreUnavailableError StoreVersionError UnsafeDurabilityError"
    ),
    "metering.access.api_keys": "ApiKey ApiKeys",
    "metering.alerts.alerts": "Alerts",
    "metering.alerts.requests": (
        "AlertFilterParams CreditBalanceLimitParams"
        " CreditBalanceThresholdParams PercentOfParams SpendThresholdParams"
        " UsageThresholdParams"
    ),
    "metering.alerts.resources": (
        "Alert AlertFilter AlertTriggered CreditBalanceLimit"
        " CreditBalanceThreshold PercentOf SpendThreshold UsageThreshold"
    ),
    "metering.arguments.clock": "Clock FixedClock SystemClock",
    "metering.arguments.pages": "ListObject",
    "metering.arguments.times": "CreatedBounds Time",
    "metering.audits.resources": (
        "AuditFailure AuditPass AuditStatus AuditedMeter AuditedSegment"
    ),
    "metering.bodies": "ResourceObject",
    "metering.comparing.difference": "Difference",
    "metering.connection": "Metering",
    "metering.credits.applications": "CreditApplications",
    "metering.credits.grants": "CreditGrants",
    "metering.credits.requests": (
        "ApplicabilityConfigParams CreditAmountParams CreditFilterParams"
        " CreditScopeParams InvoiceLineParams MonetaryParams"
    ),
    "metering.credits.resources": (
        "ApplicabilityConfig CreditAmount CreditBalance CreditBalanceSummary"
        " CreditBalanceTransaction CreditGrant CreditScope"
        " CreditTransactionCredit CreditTransactionDebit InvoiceLineItem"
        " Monetary ScopePrice"
    ),
    "metering.credits.settlement.receipts": (
        "CreditsProgress CreditsReceipt ReinstatementReceipt"
    ),
    "metering.credits.transactions": "CreditBalanceTransactions",
    "metering.customers.customers": "Customers",
    "metering.customers.requests": "AddressParams ShippingParams",
    "metering.customers.resources": (
        "Customer CustomerAddress CustomerInvoiceSettings CustomerShipping"
        " DeletedCustomer"
    ),
    "metering.entitlements.active_entitlements": "ActiveEntitlements",
    "metering.entitlements.entitlements": "Entitlements",
    "metering.entitlements.features": "Features",
    "metering.entitlements.product_features": "ProductFeatures",
    "metering.entitlements.resources": (
        "ActiveEntitlement ActiveEntitlementSummary EntitlementCheck Feature"
        " ProductFeature SummaryEntitlements"
    ),
    "metering.corrections.corrections": "Corrections",
    "metering.corrections.impact": "Impact",
    "metering.corrections.requests": "ChangeParams ReplaceParams",
    "metering.corrections.resources": "Correction",
    "metering.errors": (
        "EventsUnrecordedError IdentifierConflictError InvalidRequestError"
        " InvoiceConflictError MeterConflictError MeterEventInvalidError"
        " NoMeterError RecorderClosedError RecorderFullError"
        " ResourceMissingError SourceError StatementConflictError"
        " TestClockAdvancingError TimestampOutOfRangeError"
        " ValueMissingError ValueTooLargeError"
    ),
    "metering.explaining.amounts": "AmountExplanation AmountPart",
    "metering.explaining.balances": "BalanceExplanation",
    "metering.explaining.explanations": "Explanation ExplanationPart",
    "metering.explaining.proof.checkpoints": "Checkpoint",
    "metering.explaining.proof.exporting": "ExportedExplanation",
    "metering.holds.holds": "CreditHolds",
    "metering.holds.resources": "CreditHold HoldAllocation",
    "metering.holds.settling": "SettlementsReceipt",
    "metering.limits.limits": "SpendLimits",
    "metering.limits.resources": "SpendLimit SpendLimitWarning",
    "metering.meters.meters": "Meters",
    "metering.meters.requests": (
        "CustomerMappingParams DefaultAggregationParams ValueSettingsParams"
    ),
    "metering.meters.resources": (
        "CustomerMapping DefaultAggregation Meter MeterEventSummary"
        " StatusTransitions ValueSettings"
    ),
    "metering.differing": "diff",
    "metering.opening": "connect",
    "metering.pools.pools": "CreditPools",
    "metering.pools.resources": "CreditPool CreditPoolBalance CreditPoolMember",
    "metering.prices.prices": "Prices",
    "metering.prices.product_requests": "MarketingFeatureParams",
    "metering.prices.products": "Products",
    "metering.prices.requests": (
        "CurrencyOptionParams DefaultPriceDataParams DefaultRecurringParams"
        " ProductDataParams RecurringListParams RecurringParams TierParams"
        " TransformQuantityParams"
    ),
    "metering.prices.resources": (
        "CurrencyOption MarketingFeature Price Product Recurring Tier TransformQuantity"
    ),
    "metering.recording.events": "UnrecordedEvent",
    "metering.recording.recorder": "Recorder",
    "metering.reporting.reports": "Reports",
    "metering.reporting.requests": "ReportParameters",
    "metering.reporting.resources": (
        "ReportFile ReportRun ReportRunParameters ReportType"
    ),
    "metering.spending.balances": "CreditBalanceSummaries",
    "metering.spending.resources": "Check CheckRemaining",
    "metering.schedules.requests": "RolloverParams",
    "metering.schedules.resources": "CreditSchedule ScheduleRollover",
    "metering.schedules.schedules": "CreditSchedules",
    "metering.statements.drift": "LineDrift StatementDrift",
    "metering.statements.runs.receipts": "StatementsReceipt",
    "metering.statements.resources": (
        "Statement StatementCredit StatementLine StatementTier"
    ),
    "metering.statements.statements": "Statements",
    "metering.stream.error_reports": "ErrorReports",
    "metering.stream.resources": "ErrorReport ErrorType",
    "metering.stream.sessions": "MeterEventSession MeterEventSessions",
    "metering.subscriptions.items": "SubscriptionItems",
    "metering.subscriptions.requests": (
        "BillingModeParams CancellationDetailsParams ResumedAnchorParams"
        " SubscriptionItemChangeParams SubscriptionItemParams"
    ),
    "metering.subscriptions.resources": (
        "AutomaticTax CancellationDetails FlexibleBilling"
        " InvoiceIssuer ItemPriceSince PaymentSettings Plan Subscription"
        " SubscriptionBillingMode SubscriptionInvoiceSettings SubscriptionItem"
        " SubscriptionItemsOf TrialEndBehavior TrialSettings"
    ),
    "metering.subscriptions.subscriptions": "Subscriptions",
    "metering.test_clocks.resources": (
        "TestClock TestClockAdvancingTo TestClockStatusDetails"
    ),
    "metering.test_clocks.test_clocks": "TestClocks TestHelpers",
    "metering.upkeep.auditing.audits": "Audit",
    "metering.copies.copying": "copy",
    "metering.copies.receipts": (
        "BackupReceipt ExportReceipt ExportedFile RestoreReceipt"
    ),
    "metering.copies.restoring": "restore",
    "metering.upkeep.log_time": "LogTimeRepairs TimeRepair",
    "metering.upkeep.status": "LoopStatus StoreStatus WorkReceipt",
    "metering.upkeep.verification.report": "VerifyReport",
    "metering.upkeep.worker": "Worker",
    "metering.usage.adjustments": "MeterEventAdjustments",
    "metering.usage.ingest.layout": "Columns Constant",
    "metering.usage.ingest.receipts": "IngestProgress IngestReceipt",
    "metering.usage.meter_events": "MeterEvents",
    "metering.usage.requests": "CancelParams",
    "metering.usage.resources": "Cancel MeterEvent MeterEventAdjustment",
    "metering.usage_records.resources": (
        "UsageRecord UsageRecordPeriod UsageRecordSummary"
    ),
    "metering.webhooks.endpoints": "WebhookEndpoints",
    "metering.webhooks.events": "Events",
    "metering.webhooks.resources": (
        "DeliveryReceipt Event EventData WebhookAttempt WebhookDelivery WebhookEndpoint"
    ),
    "projections.errors": "QueryError",
    "projections.scans.reaggregation.errors": (
        "ReaggregationError SummaryTooLargeError ValueUnreadableError"
    ),
}
MODULES: Final = dict(
    sorted((name, module) for module, names in _NAMES.items() for name in names.split())
)
"""The module of each name, by name."""
