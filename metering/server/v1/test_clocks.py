"""Routes of test clocks: customers whose time stands still until it is advanced.

Source: https://docs.stripe.com/api/test_clocks
"""

from metering.server.v1.resources import ResourceRoutes
from metering.test_clocks.requests import (
    TestClockAdvance,
    TestClockCreate,
    TestClockList,
)

_CLOCKS = ResourceRoutes(
    path="/v1/test_helpers/test_clocks", retrieve=lambda m: m.test_clocks.retrieve
)

ROUTES = (
    _CLOCKS.creates(
        "Create a test clock, which is stopped at a time.",
        lambda m: m.test_clocks.create,
        takes=TestClockCreate,
    ),
    _CLOCKS.retrieves("Retrieve a test clock; one that is advancing goes on."),
    _CLOCKS.changes(
        "Advance a test clock, and record all that falls due until then.",
        lambda m: m.test_clocks.advance,
        verb="advance",
        takes=TestClockAdvance,
    ),
    _CLOCKS.deletes(
        "Delete a test clock with its customers.",
        "test_helpers.test_clock",
        lambda m: m.test_clocks.delete,
    ),
    _CLOCKS.lists("List the test clocks.", lambda m: m.test_clocks.list, TestClockList),
)
