"""Facts about audits, and how each has always been written."""

from ledger.facts.audits import AuditFailed
from ledger.facts.union import Fact

WRITTEN_AUDITS: list[tuple[Fact, str]] = [
    (
        AuditFailed(audit_id="aud_1", up_to=7, difference_count=2, first="A total"),
        (
            """[{"fact":"audit.failed","audit_id":"aud_1","up_to":7,"""
            """"difference_count":2,"first":"A total"}]"""
        ),
    )
]
