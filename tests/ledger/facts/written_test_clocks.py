"""Facts about test clocks, and how each has always been written."""

from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockCreated,
    TestClockDeleted,
    TestClockFailed,
    TestClockReady,
    TestClockTime,
)
from ledger.facts.union import Fact

WRITTEN_TEST_CLOCKS: list[tuple[Fact, str]] = [
    (
        TestClockCreated(
            test_clock_id="clock_1", frozen_time=1, name="a", customer=None
        ),
        (
            """[{"fact":"test_clock.created","test_clock_id":"clock_1","""
            """"frozen_time":1,"name":"a","customer":null}]"""
        ),
    ),
    (
        TestClockAdvancing(test_clock_id="clock_1", target=2),
        """[{"fact":"test_clock.advancing","test_clock_id":"clock_1","target":2}]""",
    ),
    (
        TestClockTime(test_clock_id="clock_1", instant=2),
        """[{"fact":"test_clock.time","test_clock_id":"clock_1","instant":2}]""",
    ),
    (
        TestClockReady(test_clock_id="clock_1"),
        """[{"fact":"test_clock.ready","test_clock_id":"clock_1"}]""",
    ),
    (
        TestClockFailed(test_clock_id="clock_1", reason="a"),
        """[{"fact":"test_clock.failed","test_clock_id":"clock_1","reason":"a"}]""",
    ),
    (
        TestClockDeleted(test_clock_id="clock_1"),
        """[{"fact":"test_clock.deleted","test_clock_id":"clock_1"}]""",
    ),
]
