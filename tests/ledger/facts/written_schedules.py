"""Facts about schedules and what they grant, and how each has always been written."""

from ledger.facts.credits.grants import CreditGrantCreated, GrantCategory, GrantOrigin
from ledger.facts.credits.schedules import (
    CreditScheduleCanceled,
    CreditScheduleCreated,
    CreditSchedulePaused,
    CreditScheduleResumed,
    CreditScheduleUpdated,
    Rollover,
    RolloverKind,
    ScheduleTerms,
)
from ledger.facts.prices import BillingInterval
from ledger.facts.union import Fact

_TERMS = ScheduleTerms(
    amount=500,
    currency="usd",
    prices=("price_1",),
    category=GrantCategory.PROMOTIONAL,
    name=None,
    priority=50,
    rollover=Rollover(RolloverKind.PERCENT, 50, 1),
    expires_after=2,
    metadata={"a": "b"},
)
_WRITTEN_TERMS = (
    """{"amount":500,"currency":"usd","prices":["price_1"],"category":"promotional","""
    """"name":null,"priority":50,"rollover":["percent",50,1],"expires_after":2,"""
    """"metadata":{"a":"b"}}"""
)

WRITTEN_SCHEDULES: list[tuple[Fact, str]] = [
    (
        CreditScheduleCreated(
            schedule_id="monthly",
            customer="cus_1",
            interval=BillingInterval.MONTH,
            interval_count=1,
            anchor=7,
            first_period=0,
            terms=_TERMS,
        ),
        (
            """[{"fact":"credit_schedule.created","schedule_id":"monthly","""
            """"customer":"cus_1","interval":"month","interval_count":1,"anchor":7,"""
            f""""first_period":0,"terms":{_WRITTEN_TERMS}}}]"""
        ),
    ),
    (
        CreditScheduleUpdated(schedule_id="monthly", terms=_TERMS),
        (
            """[{"fact":"credit_schedule.updated","schedule_id":"monthly","""
            f""""terms":{_WRITTEN_TERMS}}}]"""
        ),
    ),
    (
        CreditSchedulePaused(schedule_id="monthly"),
        """[{"fact":"credit_schedule.paused","schedule_id":"monthly"}]""",
    ),
    (
        CreditScheduleResumed(schedule_id="monthly", next_period=3),
        (
            """[{"fact":"credit_schedule.resumed","schedule_id":"monthly","""
            """"next_period":3}]"""
        ),
    ),
    (
        CreditScheduleCanceled(schedule_id="monthly"),
        """[{"fact":"credit_schedule.canceled","schedule_id":"monthly"}]""",
    ),
    (
        CreditGrantCreated(
            grant_id="credgr_monthly_1_rollover",
            customer="cus_1",
            amount=250,
            currency="usd",
            prices=None,
            category=GrantCategory.PAID,
            name=None,
            priority=50,
            effective_at=7,
            expires_at=None,
            metadata={},
            origin=GrantOrigin("monthly", 1, is_rollover=True),
        ),
        (
            """[{"fact":"credit_grant.created","grant_id":"credgr_monthly_1_rollover","""
            """"customer":"cus_1","amount":250,"currency":"usd","prices":null,"""
            """"category":"paid","name":null,"priority":50,"effective_at":7,"""
            """"expires_at":null,"metadata":{},"origin":["monthly",1,true]}]"""
        ),
    ),
]
