"""Facts about corrections, as they are written."""

from ledger.facts.adjustments import MeterEventRestored
from ledger.facts.corrections import CorrectionApplied, CorrectionReverted
from ledger.facts.union import Fact
from ledger.usage.quantities import parse_quantity

WRITTEN_CORRECTIONS: list[tuple[Fact, str]] = [
    (
        CorrectionApplied(
            correction_id="corr_1",
            reason="größe 🚕",
            author="Ada",
            cancelled=2**53 + 1,
            replaced=1,
        ),
        (
            '[{"fact":"correction.applied","correction_id":"corr_1","reason":"größe 🚕",'
            '"author":"Ada","cancelled":9007199254740993,"replaced":1}]'
        ),
    ),
    (
        CorrectionReverted(
            correction_id="corr_1", reason="", author="", cancelled=1, restored=2
        ),
        (
            '[{"fact":"correction.reverted","correction_id":"corr_1","reason":"",'
            '"author":"","cancelled":1,"restored":2}]'
        ),
    ),
    (
        MeterEventRestored(
            event_position=7,
            event_name="tokens",
            identifier="a",
            customer="cus_1",
            timestamp=1,
            value=parse_quantity("-1.5"),
        ),
        (
            '[{"fact":"meter_event.restored","event_position":7,"event_name":"tokens",'
            '"identifier":"a","customer":"cus_1","timestamp":1,'
            '"value":"-1.500000000000"}]'
        ),
    ),
]
