"""What clients make the server log is logged a few times, and then counted."""

import logging

from metering.server.api.complaints import SomeOfEach


def record(line: int, message: str = "%s failed") -> logging.LogRecord:
    return logging.LogRecord("server", 40, "service.py", line, message, ("it",), None)


def test_the_same_complaint_is_logged_so_often_a_minute_and_then_counted() -> None:
    now = [0.0]
    some = SomeOfEach(most=3, monotonic=lambda: now[0])

    passed = [some.filter(record(1)) for _ in range(1_000)]
    other = some.filter(record(2))
    now[0] = 61.0
    next_one = record(1)

    assert passed.count(True) == 3
    assert passed[:3] == [True] * 3
    assert other
    assert some.filter(next_one)
    assert next_one.getMessage() == "it failed (997 more like it, not logged)"


def test_what_was_counted_is_said_once() -> None:
    now = [0.0]
    some = SomeOfEach(most=1, monotonic=lambda: now[0])
    some.filter(record(1))
    some.filter(record(1))
    now[0] = 61.0
    some.filter(record(1))
    now[0] = 122.0
    later = record(1)

    assert some.filter(later)
    assert later.getMessage() == "it failed"
