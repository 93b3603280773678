"""How many modules an event passes from `create` to disk."""

import sys
from types import FrameType

import metering

MODULES_MAX = 20


def test_an_event_passes_few_modules_on_its_way_to_disk(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    """Counted up to where SQLite's COMMIT returns; the projections come after it."""
    passed: list[str] = []
    is_on_disk = False

    def note(frame: FrameType, what: str, called: object) -> None:
        nonlocal is_on_disk
        module = frame.f_globals.get("__name__", "")
        if what == "c_return" and frame.f_code.co_name == "write":
            # All that this function has SQLite execute is COMMIT.
            is_on_disk |= getattr(called, "__name__", "") == "execute"
        if what != "call" or is_on_disk or module in passed:
            return
        if module.split(".")[0] in {"ledger", "projections", "metering"}:
            passed.append(module)

    def send(identifier: str) -> None:
        store.meter_events.create(
            event_name=tokens.event_name,
            identifier=identifier,
            payload={"stripe_customer_id": "cus_1", "value": "1"},
        )

    send("first")
    sys.setprofile(note)
    try:
        send("second")
    finally:
        sys.setprofile(None)

    assert is_on_disk
    assert len(passed) <= MODULES_MAX, "\n".join(passed)
