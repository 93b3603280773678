"""Facts about test clocks: times that stand still until they are advanced.

A customer that is attached to one lives by its time. Instants are microseconds since 1970
UTC.
"""

import msgspec


class TestClockCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="test_clock.created",
):
    """A clock was stopped at an instant; `customer` is one there was, attached to it."""

    test_clock_id: str
    frozen_time: int
    name: str | None
    customer: str | None


class TestClockAdvancing(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="test_clock.advancing",
):
    """A clock is to be moved on to an instant, over all that falls due until then."""

    test_clock_id: str
    target: int


class TestClockTime(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="test_clock.time",
):
    """A clock shows an instant: the facts behind this one, of its commit, happen then.

    They count as recorded at that instant, whenever they were. An empty id is that of no
    clock, and ends this: what is behind it counts as the commit does.
    """

    test_clock_id: str
    instant: int


class TestClockReady(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="test_clock.ready",
):
    """A clock has come to where it was to be moved, and all that fell due is recorded."""

    test_clock_id: str


class TestClockFailed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="test_clock.failed",
):
    """A clock could not be moved on, and is never moved again; `reason` is for people."""

    test_clock_id: str
    reason: str


class TestClockDeleted(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="test_clock.deleted",
):
    """A clock and its customers are gone; the log keeps them."""

    test_clock_id: str


TestClockFact = (
    TestClockCreated
    | TestClockAdvancing
    | TestClockTime
    | TestClockReady
    | TestClockFailed
    | TestClockDeleted
)
