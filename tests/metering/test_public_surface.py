"""What `metering` promises: its names, its signatures, and errors that read well."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter

import pytest

import metering

# A promise is written twice, so that a name cannot disappear by mistake.
PROMISED = """
    ActiveEntitlement ActiveEntitlementSummary ActiveEntitlements AddressParams Alert AlertFilter AlertFilterParams AlertTriggered Alerts AmountExplanation AmountPart ApiKey
    ApiKeys ApplicabilityConfig ApplicabilityConfigParams Audit AuditFailure AuditPass AuditStatus AuditedMeter
    AuditedSegment AutomaticTax
    BackupDamagedError BackupError BackupForeignError BackupMissingError BackupReceipt
    BackupUnavailableError BackupUnderWayError BackupVersionError
    BalanceExplanation BillingModeParams Cancel CancelParams CancellationDetails
    CancellationDetailsParams ChangeParams Check CheckRemaining Checkpoint Clock ClockSkewError Columns
    CommitOutcomeUnknownError Constant Correction Corrections CreatedBounds CreditAmount CreditAmountParams
    CreditApplications CreditBalance CreditBalanceLimit CreditBalanceLimitParams
    CreditBalanceSummaries CreditBalanceSummary CreditBalanceThreshold
    CreditBalanceThresholdParams CreditBalanceTransaction CreditBalanceTransactions
    CreditFilterParams CreditGrant CreditGrants CreditHold CreditHolds
    CreditPool CreditPoolBalance CreditPoolMember CreditPools CreditSchedule CreditSchedules
    CreditScope CreditScopeParams
    CreditTransactionCredit CreditTransactionDebit CreditsProgress CreditsReceipt
    CurrencyOption CurrencyOptionParams Customer CustomerAddress
    CustomerInvoiceSettings CustomerMapping CustomerMappingParams CustomerShipping
    Customers DefaultAggregation DefaultAggregationParams DefaultPriceDataParams
    DefaultRecurringParams DeletedCustomer DeliveryReceipt Difference EntitlementCheck Entitlements ErrorReport ErrorReports
    ErrorType Event EventData Events EventsUnrecordedError Explanation ExplanationPart
    ExportReceipt ExportUnavailableError ExportedExplanation ExportedFile Feature Features FixedClock
    FlexibleBilling HoldAllocation IdentifierConflictError Impact IngestProgress IngestReceipt
    InvalidRequestError InvoiceConflictError InvoiceIssuer InvoiceLineItem
    InvoiceLineParams ItemPriceSince LineDrift ListObject LogDamagedError
    LogTimeRepairs LoopStatus MarketingFeature MarketingFeatureParams Meter
    MeterConflictError MeterEvent MeterEventAdjustment MeterEventAdjustments
    MeterEventInvalidError MeterEventSession MeterEventSessions MeterEventSummary
    MeterEvents Metering MeteringError Meters Monetary MonetaryParams NoMeterError
    PaymentSettings PercentOf PercentOfParams Plan Price Prices Product
    ProductDataParams ProductFeature ProductFeatures Products QueryError ReaggregationError Recorder
    RecorderClosedError RecorderFullError Recurring RecurringListParams
    RecurringParams ReinstatementReceipt ReplaceParams ReportFile ReportParameters ReportRun
    ReportRunParameters ReportType Reports ResourceMissingError ResourceObject
    RestoreReceipt ResumedAnchorParams RolloverParams RunsDirectoryError ScheduleRollover ScopePrice SecretError
    SegmentDamagedError SegmentMissingError SegmentStoreError
    SegmentStoreUnavailableError SettlementsReceipt ShippingParams SourceError SpendLimit SpendLimitWarning
    SpendLimits SpendThreshold
    SpendThresholdParams Statement StatementConflictError StatementCredit
    StatementDrift StatementLine StatementTier Statements StatementsReceipt
    StatusTransitions StoreBehindError StoreBusyError StoreClosedError StoreError
    StoreForkedError StoreFullError StoreMissingError StoreStatus
    StoreUnavailableError StoreVersionError Subscription SubscriptionBillingMode
    SubscriptionInvoiceSettings SubscriptionItem SubscriptionItemChangeParams
    SubscriptionItemParams SubscriptionItems SubscriptionItemsOf Subscriptions
    SummaryEntitlements SummaryTooLargeError SystemClock TestClock TestClockAdvancingError
    TestClockAdvancingTo TestClockStatusDetails TestClocks TestHelpers Tier TierParams Time TimeRepair
    TimestampOutOfRangeError TransformQuantity TransformQuantityParams
    TrialEndBehavior TrialSettings UnrecordedEvent UnsafeDurabilityError
    UsageRecord UsageRecordPeriod UsageRecordSummary UsageThreshold UsageThresholdParams ValueMissingError ValueSettings
    ValueSettingsParams ValueTooLargeError ValueUnreadableError VerifyReport
    WebhookAttempt WebhookDelivery WebhookEndpoint WebhookEndpoints WorkReceipt
    Worker connect copy diff restore
"""
NAMES = PROMISED.split()

PARAMETERS = {
    "connect": "target create segments cache schema seal_events clock livemode"
    " identifier_retention cancel_window credit_grants_max alerts_max entitle_at_once"
    " allow_private_webhooks webhook_timeout sql_timeout sql_memory lock_timeout"
    " statement_timeout pool_size"
    " clock_skew_max report_retention strict",
    "diff": "a b window timezone progress",
    "Metering.branch": "self target at schema segments cache clock",
    "copy": "source target source_segments source_schema segments cache schema progress",
    "restore": "source target segments cache schema progress",
    "Metering.backup": "self target progress",
    "Metering.export": "self target progress",
    "Metering.catch_up": "self",
    "Metering.close": "self",
    "Metering.deliver": "self",
    "Metering.rebuild": "self progress",
    "Metering.recorder": "self max_events max_age when_full on_refused spool"
    " exits_on_sigterm",
    "Metering.seal": "self progress",
    "Metering.sql": "self query",
    "Metering.reaggregate": "self meters start_time end_time window group_by timezone"
    " as_of executor filters formula value_key skip_too_large customers progress",
    "Metering.usage": "self meters start_time end_time window timezone customers"
    " progress",
    "Metering.rate": "self usage prices currency",
    "Metering.check": "self customer meter quantity price",
    "Metering.spend": "self customer meter quantity identifier timestamp payload",
    "Metering.explain": "self figure meter customer start_time end_time as_of",
    "Recorder.record": "self event_name payload identifier timestamp",
    "Recorder.flush": "self timeout",
    "Recorder.close": "self timeout",
    "Metering.verify": "self progress checkpoint",
    "meters.create": "display_name event_name default_aggregation customer_mapping"
    " value_settings event_time_window",
    "meters.update": "meter_id display_name",
    "meters.ensure": "display_name event_name default_aggregation customer_mapping"
    " value_settings event_time_window",
    "meters.retrieve": "meter_id event_name",
    "meters.list": "status limit starting_after ending_before",
    "meters.deactivate": "meter_id",
    "meters.reactivate": "meter_id",
    "meters.event_summaries": "meter_id customer start_time end_time"
    " value_grouping_window fill limit starting_after ending_before",
    "meter_events.create": "event_name payload identifier timestamp rounding",
    "meter_events.ingest": "source backfill now timestamp_unit timezone rounding identity"
    " null_values progress columns",
    "meter_events.list": "event_name customer start_time end_time starting_after",
    "meter_event_adjustments.create": "event_name type cancel",
    "products.create": "name id active default_price_data description images"
    " marketing_features metadata shippable statement_descriptor tax_code type"
    " unit_label url",
    "products.update": "product_id name active default_price description images"
    " marketing_features metadata shippable statement_descriptor tax_code unit_label"
    " url",
    "products.retrieve": "product_id",
    "products.list": "active created ids shippable type url limit starting_after"
    " ending_before",
    "prices.create": "currency product product_data unit_amount unit_amount_decimal"
    " billing_scheme tiers tiers_mode transform_quantity recurring currency_options"
    " active nickname lookup_key transfer_lookup_key metadata tax_behavior",
    "prices.update": "price_id active currency_options nickname lookup_key"
    " transfer_lookup_key metadata tax_behavior",
    "prices.retrieve": "price_id",
    "prices.list": "product active created currency lookup_keys recurring type limit"
    " starting_after ending_before",
    "statements.preview": "customer prices subscription start_time end_time at",
    "statements.finalize": "id customer prices subscription start_time end_time at",
    "statements.retrieve": "statement_id",
    "statements.list": "customer subscription start_time end_time status limit starting_after"
    " ending_before",
    "statements.void": "statement_id",
    "statements.drift": "statement_id",
    "statements.run": "period_end customers since progress",
    "statements.to_table": "customer subscription start_time end_time status",
    "credit_grants.create": "customer pool amount applicability_config category priority"
    " name effective_at expires_at metadata",
    "credit_grants.update": "grant_id expires_at metadata",
    "credit_grants.retrieve": "grant_id",
    "credit_grants.list": "customer pool limit starting_after ending_before",
    "credit_grants.expire": "grant_id",
    "credit_grants.void": "grant_id",
    "credit_holds.create": "id customer amount meter quantity price expires_at partial"
    " metadata",
    "credit_holds.settle": "hold_id amount quantity final overage settlement",
    "credit_holds.settle_many": "source",
    "credit_holds.release": "hold_id",
    "credit_holds.retrieve": "hold_id",
    "credit_holds.list": "customer status limit starting_after ending_before",
    "credit_pools.create": "id name cap metadata",
    "credit_pools.update": "pool_id name cap metadata",
    "credit_pools.archive": "pool_id",
    "credit_pools.retrieve": "pool_id",
    "credit_pools.list": "limit starting_after ending_before",
    "credit_pools.add_member": "pool_id customer cap",
    "credit_pools.remove_member": "pool_id customer",
    "credit_pools.retrieve_member": "pool_id customer",
    "credit_pools.list_members": "pool_id limit starting_after ending_before",
    "credit_pools.balance": "pool_id customer credit_grant",
    "credits.apply": "invoice customer period_end lines replace",
    "credits.apply_many": "source progress replace",
    "credits.preview": "invoice customer period_end lines replace",
    "credits.preview_many": "source replace",
    "credits.reinstate": "invoice",
    "credits.reinstate_many": "source progress",
    "credit_balance_summary.retrieve": "customer filter at include_unbilled_usage",
    "credit_balance_summary.history": "customer start_time end_time filter",
    "credit_balance_transactions.list": "customer credit_grant limit starting_after"
    " ending_before",
    "credit_balance_transactions.retrieve": "transaction_id",
    "entitlements.check": "customer feature",
    "entitlements.features.create": "lookup_key name metadata",
    "entitlements.features.update": "feature_id active name metadata",
    "entitlements.features.retrieve": "feature_id",
    "entitlements.features.list": "archived lookup_key limit starting_after"
    " ending_before",
    "entitlements.product_features.create": "product_id entitlement_feature",
    "entitlements.product_features.delete": "product_id product_feature_id",
    "entitlements.product_features.retrieve": "product_id product_feature_id",
    "entitlements.product_features.list": "product_id limit starting_after"
    " ending_before",
    "entitlements.active_entitlements.retrieve": "entitlement_id",
    "entitlements.active_entitlements.list": "customer limit starting_after"
    " ending_before",
    "spend_limits.create": "customer amount window warn_at prices subscription timezone id metadata",
    "spend_limits.update": "limit_id amount warn_at metadata",
    "spend_limits.cancel": "limit_id",
    "spend_limits.retrieve": "limit_id",
    "spend_limits.list": "customer limit starting_after ending_before",
    "alerts.create": "title alert_type usage_threshold spend_threshold credit_balance_threshold",
    "alerts.retrieve": "alert_id",
    "alerts.list": "meter alert_type limit starting_after ending_before",
    "alerts.activate": "alert_id",
    "alerts.deactivate": "alert_id",
    "alerts.archive": "alert_id",
    "alerts.triggered": "alert customer limit starting_after ending_before",
    "test_clocks.create": "frozen_time name customer",
    "test_clocks.advance": "test_clock frozen_time",
    "test_clocks.delete": "test_clock",
    "test_clocks.retrieve": "test_clock",
    "test_clocks.list": "limit starting_after ending_before",
    "webhook_endpoints.create": "url enabled_events description metadata signature",
    "webhook_endpoints.update": "endpoint_id url enabled_events description metadata"
    " disabled",
    "webhook_endpoints.rotate_secret": "endpoint_id overlap",
    "webhook_endpoints.retrieve": "endpoint_id",
    "webhook_endpoints.list": "limit starting_after ending_before",
    "webhook_endpoints.delete": "endpoint_id",
    "webhook_endpoints.deliveries": "endpoint_id limit starting_after ending_before",
    "api_keys.list": "limit starting_after ending_before",
    "audit.status": "",
    "audit.run": "progress files",
    "error_reports.list": "types meter created limit starting_after ending_before",
    "events.list": "type created types delivery_success limit starting_after ending_before",
    "events.retrieve": "event_id",
}

_RESOURCES = (
    "statements",
    "test_clocks",
    "meter",
    "p",
    "credit",
    "spend",
    "alert",
    "webhook",
    "events",
    "api_keys",
    "audit",
    "entitlements",
    "error_",
)


def test_the_promised_names_are_these() -> None:
    assert metering.__all__ == NAMES == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_promised_name_exists_and_says_what_it_is(name: str) -> None:
    promised = getattr(metering, name)

    assert inspect.getdoc(promised)


@pytest.mark.parametrize(("path", "parameters"), PARAMETERS.items())
def test_a_method_has_the_parameters_that_are_promised(
    store: metering.Metering, path: str, parameters: str
) -> None:
    owner: object = store if path.startswith(_RESOURCES) else metering

    method = attrgetter(path)(owner)

    assert [*inspect.signature(method).parameters] == parameters.split()
    assert inspect.getdoc(method)


ERRORS: list[tuple[metering.MeteringError, str, str]] = [
    (metering.MeteringError("Broken"), "metering_error", "Broken"),
    (
        metering.InvalidRequestError("Invalid status: 5", param="status"),
        "parameter_invalid",
        "Invalid status: 5",
    ),
    (
        metering.InvalidRequestError("Too late", code="out_of_window", param="cancel"),
        "out_of_window",
        "Too late",
    ),
    (
        metering.MeterEventInvalidError(
            "No meter", code="no_meter", param="event_name"
        ),
        "no_meter",
        "No meter",
    ),
    (
        metering.NoMeterError("tokens"),
        "no_meter",
        "No active meter found for event name 'tokens'",
    ),
    (
        metering.ValueMissingError("value"),
        "meter_event_invalid_value",
        "Value key value not found in payload",
    ),
    (
        metering.ValueTooLargeError("value", "1e18", 19, 18),
        "meter_event_invalid_value",
        (
            "Invalid value '1e18': it has 19 integer digits, and at most 18 are recorded;"
            " measure in a larger unit"
        ),
    ),
    (
        metering.TimestampOutOfRangeError(
            "Invalid timestamp: must not be after",
            datetime(2026, 3, 1, tzinfo=UTC),
            is_too_early=False,
        ),
        "timestamp_in_future",
        "must not be after 2026-03-01T00:00:00+00:00",
    ),
    (
        metering.ResourceMissingError("billing meter", "mtr_1"),
        "resource_missing",
        "No such billing meter: 'mtr_1'",
    ),
    (
        metering.IdentifierConflictError("req-1", ["customer", "value"], 7),
        "identifier_conflict",
        "identifier req-1 at position 7, and differs in customer, value;",
    ),
    (
        metering.InvoiceConflictError("in_1", ["customer", "lines"]),
        "invoice_conflict",
        "applied to invoice in_1 already, and it differs in customer, lines;",
    ),
    (
        metering.StatementConflictError("st_1", ["customer", "end_time"]),
        "statement_conflict",
        "Statement st_1 was finalized already, and differs in customer, end_time;",
    ),
    (
        metering.TestClockAdvancingError("clock_1"),
        "test_clock_advancing",
        "Test clock advancement underway - cannot perform modifications: clock_1",
    ),
    (
        metering.MeterConflictError("mtr_1", "tokens", ["event_time_window"]),
        "resource_already_exists",
        "for event name 'tokens' exists already, and differs in event_time_window;",
    ),
    (
        metering.SourceError("There is no file usage.csv"),
        "source_invalid",
        "There is no file usage.csv",
    ),
    (
        metering.RecorderFullError(100),
        "recorder_full",
        "holds 100 events that are not in the store yet",
    ),
    (
        metering.RecorderClosedError(),
        "recorder_closed",
        "The recorder is closed; record with another one",
    ),
    (
        metering.EventsUnrecordedError(7, "it is gone"),
        "events_unrecorded",
        "7 events could not be written to the store: it is gone; they are among",
    ),
    (metering.StoreError("It is gone"), "store_error", "It is gone"),
    (
        metering.StoreUnavailableError("usage", "permission denied"),
        "store_unavailable",
        "store usage cannot be used: permission denied",
    ),
    (
        metering.StoreMissingError("usage"),
        "store_missing",
        "There is no store at usage",
    ),
    (
        metering.StoreBusyError("usage", "database is locked"),
        "store_busy",
        "database is locked; nothing was written, try again",
    ),
    (
        metering.StoreFullError("usage", "disk is full"),
        "store_full",
        "disk is full; what was acknowledged is safe",
    ),
    (
        metering.StoreVersionError("usage", 7, 1),
        "store_version",
        "store usage has format 7, but this release reads formats up to 1;",
    ),
    (
        metering.StoreClosedError("usage"),
        "store_closed",
        "store usage is closed; connect to it again",
    ),
    (metering.StoreForkedError("usage"), "store_forked", "connect again in the child"),
    (
        metering.UnsafeDurabilityError("usage", "fsync", "off", "on"),
        "unsafe_durability",
        "set fsync = on",
    ),
    (metering.SegmentStoreError("It is gone"), "segment_store_error", "It is gone"),
    (
        metering.SegmentStoreUnavailableError("s3://bucket", "access denied"),
        "segment_store_unavailable",
        "segment store s3://bucket cannot be used: access denied",
    ),
    (
        metering.SegmentMissingError("s3://bucket", "a.parquet"),
        "segment_missing",
        "segment a.parquet is missing from the segment store s3://bucket; restore it",
    ),
    (
        metering.SegmentDamagedError("a.parquet", "it was truncated"),
        "segment_damaged",
        "segment a.parquet is damaged: it was truncated; restore it",
    ),
    (
        metering.ExportUnavailableError("export", "its path is empty"),
        "export_unavailable",
        "The export export cannot be made: its path is empty",
    ),
    (metering.BackupError("It is gone"), "backup_error", "It is gone"),
    (
        metering.BackupUnavailableError("backup", "its path is empty"),
        "backup_unavailable",
        "The backup backup cannot be used: its path is empty",
    ),
    (metering.BackupMissingError("backup"), "backup_missing", "run it again"),
    (
        metering.BackupDamagedError("backup", "a.parquet", "is missing"),
        "backup_damaged",
        "The backup backup is damaged: a.parquet is missing; make another one",
    ),
    (
        metering.BackupVersionError("backup", 27, 28),
        "backup_version",
        "is of a store of format 27, and this release restores format 28",
    ),
    (
        metering.BackupForeignError("backup", "e1", 7),
        "backup_foreign",
        "is of the log e1 up to position 7, which this store does not go on from",
    ),
    (metering.BackupUnderWayError(), "backup_under_way", "when it is done"),
    (metering.SecretError("It is gone"), "secret_error", "It is gone"),
    (
        metering.StoreBehindError("a.parquet", 12, 7),
        "store_behind",
        "log ends at position 7, but the segment a.parquet was made of it up to",
    ),
    (
        metering.LogDamagedError(7, "no commit holds it"),
        "log_damaged",
        "damaged at position 7: no commit holds it",
    ),
    (
        metering.CommitOutcomeUnknownError("usage", "it broke", is_usage=True),
        "commit_outcome_unknown",
        "send the same events with the same identifiers again, they count once",
    ),
    (
        metering.CommitOutcomeUnknownError("usage", "it broke", is_usage=False),
        "commit_outcome_unknown",
        "it may have been recorded, so look it up before you repeat it",
    ),
    (
        metering.ClockSkewError(
            "usage",
            datetime(2026, 3, 1, 13, tzinfo=UTC),
            datetime(2026, 3, 1, 12, tzinfo=UTC),
            "the log's is",
            "set the clock",
        ),
        "clock_skew",
        (
            "Nothing was recorded in the store usage, since clocks differ by more than"
            " clock_skew_max: this machine's shows 2026-03-01T13:00:00+00:00, and the"
            " log's is 2026-03-01T12:00:00+00:00; set the clock"
        ),
    ),
    (
        metering.RunsDirectoryError("/data/runs", "it is full"),
        "runs_directory_error",
        (
            "The runs directory /data/runs cannot be written to: it is full; what was"
            " acknowledged is safe, make room or let this process write there"
        ),
    ),
    (
        metering.QueryError("it is COPY"),
        "query_invalid",
        "The query cannot be run: it is COPY",
    ),
    (metering.ReaggregationError("No answer"), "reaggregation_error", "No answer"),
    (
        metering.SummaryTooLargeError([("mtr_1", "cus_1")], 1),
        "summary_too_large",
        (
            "The usage of customer 'cus_1' on meter mtr_1 adds up to more than 26 integer"
            " and 12 fraction digits can say; ask for shorter windows, or with"
            " skip_too_large for all others"
        ),
    ),
    (
        metering.ValueUnreadableError(7, "size", "a lot"),
        "value_unreadable",
        (
            "The event at position 7 has 'a lot' under payload key 'size'; expected a"
            " decimal such as 12 or -0.5, with at most 26 integer and 12 fraction digits"
        ),
    ),
]
PARAMS = {
    "parameter_invalid": "status",
    "out_of_window": "cancel",
    "no_meter": "event_name",
    "meter_event_invalid_value": "payload[value]",
    "timestamp_in_future": "timestamp",
    "resource_missing": "id",
    "identifier_conflict": "identifier",
    "resource_already_exists": "event_time_window",
    "invoice_conflict": "invoice",
    "statement_conflict": "id",
    "query_invalid": "query",
    "value_unreadable": "value_key",
}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    ERRORS,
    ids=[type(error).__name__ for error, *_ in ERRORS],
)
def test_an_error_is_one_sentence_with_a_code(
    error: metering.MeteringError, code: str, words: str
) -> None:
    assert (error.code, error.param) == (code, PARAMS.get(code))
    assert error.message == str(error)
    assert words in error.message
    assert error.message[0].isupper()
    assert error.message[-1] not in ".!"
    assert "\n" not in error.message


def test_every_promised_error_is_shown_above() -> None:
    promised = {name for name in NAMES if name.endswith("Error")}

    assert {type(error).__name__ for error, *_ in ERRORS} == promised


def test_a_store_is_closed_by_its_with_statement(clock: metering.FixedClock) -> None:
    with metering.connect(":memory:", clock=clock) as store:
        assert store.position == 0
    store.close()

    operations: list[Callable[[], object]] = [
        store.meters.list,
        store.credit_grants.list,
        store.catch_up,
        store.rebuild,
        store.verify,
        lambda: store.position,
        lambda: store.meter_events.create(event_name="tokens", payload={}),
        lambda: list(store.meter_events.list()),
    ]
    for operation in operations:
        with pytest.raises(metering.StoreClosedError):
            operation()


def test_the_system_clock_tells_aware_times_that_do_not_run_backwards() -> None:
    clock: metering.Clock = metering.SystemClock()

    first, second = clock.now(), clock.now()

    assert first.utcoffset() is not None
    assert first <= second


def test_a_name_that_is_not_promised_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Engine'"):
        _ = metering.Engine  # type: ignore[attr-defined]  # what is tested

    assert set(NAMES) <= set(dir(metering))
