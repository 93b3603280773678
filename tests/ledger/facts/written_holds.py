"""Facts about holds, and how each has always been written."""

from ledger.facts.credits.grants import CreditsApplied, Draw, InvoiceLine
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldLapsed,
    CreditHoldReleased,
    CreditHoldSettled,
    HeldPart,
)
from ledger.facts.union import Fact

WRITTEN_HOLDS: list[tuple[Fact, str]] = [
    (
        CreditHoldCreated(
            hold_id="job_1",
            customer="cus_1",
            amount=9,
            currency="usd",
            price=None,
            partial=False,
            expires_at=3,
            metadata={"a": "b"},
            parts=(HeldPart(1, 5), HeldPart(2, 4)),
        ),
        (
            """[{"fact":"credit_hold.created","hold_id":"job_1","customer":"cus_1","""
            """"amount":9,"currency":"usd","price":null,"partial":false,"expires_at":3,"""
            """"metadata":{"a":"b"},"parts":[[1,5],[2,4]]}]"""
        ),
    ),
    (
        CreditHoldSettled(
            hold_id="job_1",
            hold_position=3,
            settlement="",
            final=True,
            drawn=(HeldPart(1, 5),),
            returned=(HeldPart(2, 4),),
            application=CreditsApplied(
                invoice="job_1",
                customer="cus_1",
                currency="usd",
                period_end=2,
                lines=(InvoiceLine("job_1", 5, None),),
                draws=(Draw(0, 1, 5),),
            ),
        ),
        (
            """[{"fact":"credit_hold.settled","hold_id":"job_1","hold_position":3,"""
            """"settlement":"","final":true,"drawn":[[1,5]],"returned":[[2,4]],"""
            """"application":{"fact":"credits.applied","invoice":"job_1","""
            """"customer":"cus_1","currency":"usd","period_end":2,"""
            """"lines":[["job_1",5,null]],"draws":[[0,1,5]]}}]"""
        ),
    ),
    (
        CreditHoldReleased(
            hold_id="job_1",
            hold_position=3,
            customer="cus_1",
            returned=(HeldPart(2, 4),),
        ),
        (
            """[{"fact":"credit_hold.released","hold_id":"job_1","hold_position":3,"""
            """"customer":"cus_1","returned":[[2,4]]}]"""
        ),
    ),
    (
        CreditHoldLapsed(hold_id="job_1"),
        """[{"fact":"credit_hold.lapsed","hold_id":"job_1"}]""",
    ),
]
