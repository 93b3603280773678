"""Facts about spend limits, and how each has always been written."""

from decimal import Decimal

from ledger.facts.alerts import (
    LimitShare,
    Recurrence,
    Spend,
    SpendAlertCreated,
    SpendLimitWarned,
)
from ledger.facts.credits.limits import (
    SpendLimitCanceled,
    SpendLimitCreated,
    SpendLimitUpdated,
)
from ledger.facts.union import Fact

_SPEND = Spend(currency="usd", prices=())

WRITTEN_LIMITS: list[tuple[Fact, str]] = [
    (
        SpendLimitCreated(
            limit_id="slim_1",
            customer="cus_1",
            amount=9,
            spend=_SPEND,
            recurrence=Recurrence.CALENDAR_DAY,
            timezone="UTC",
            subscribed=None,
            warn_at=(50, 100),
            alerts=("alrt_1", "alrt_2"),
            metadata={"a": "b"},
        ),
        (
            """[{"fact":"spend_limit.created","limit_id":"slim_1","customer":"cus_1","""
            """"amount":9,"spend":{"currency":"usd","prices":[]},"""
            """"recurrence":"calendar_day","timezone":"UTC","subscribed":null,"""
            """"warn_at":[50,100],"alerts":["alrt_1","alrt_2"],"metadata":{"a":"b"}}]"""
        ),
    ),
    (
        SpendLimitUpdated(
            limit_id="slim_1", amount=10, warn_at=(), alerts=(), metadata={}
        ),
        (
            """[{"fact":"spend_limit.updated","limit_id":"slim_1","amount":10,"""
            """"warn_at":[],"alerts":[],"metadata":{}}]"""
        ),
    ),
    (
        SpendLimitCanceled(limit_id="slim_1"),
        """[{"fact":"spend_limit.canceled","limit_id":"slim_1"}]""",
    ),
    (
        SpendLimitWarned(
            alert_id="alrt_1",
            customer="cus_1",
            value=Decimal(5),
            event_position=7,
            timestamp=2,
            window_start=None,
            limit_id="slim_1",
            percentage=50,
        ),
        (
            """[{"fact":"spend_limit.warned","alert_id":"alrt_1","customer":"cus_1","""
            """"value":"5","event_position":7,"timestamp":2,"window_start":null,"""
            """"limit_id":"slim_1","percentage":50}]"""
        ),
    ),
    (
        SpendAlertCreated(
            alert_id="alrt_1",
            title="t",
            gte=5,
            spend=_SPEND,
            customer="cus_1",
            recurrence=Recurrence.ONE_TIME,
            timezone=None,
            of_limit=LimitShare(limit_id="slim_1", amount=9, percentage=50),
        ),
        (
            """[{"fact":"spend_alert.created","alert_id":"alrt_1","title":"t","gte":5,"""
            """"spend":{"currency":"usd","prices":[]},"customer":"cus_1","""
            """"recurrence":"one_time","timezone":null,"of_limit":{"limit_id":"slim_1","""
            """"amount":9,"percentage":50}}]"""
        ),
    ),
]
