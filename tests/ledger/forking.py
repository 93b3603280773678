"""A process that forks with an open store, for the test of what must then happen.

Run as a module with the store's target; prints what the child met, then the parent.
"""

import json
import os
import sys

import metering

ROW = {"stripe_customer_id": "cus_1", "value": "1"}


def main(target: str) -> None:
    store = metering.connect(target)
    store.meters.create(
        display_name="Tokens",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
    )
    store.meter_events.create(event_name="tokens", payload=ROW, identifier="before")
    child = os.fork()
    if child == 0:
        sys.stdout.write(json.dumps(in_child(store, target)) + "\n")
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0
    store.meter_events.create(event_name="tokens", payload=ROW, identifier="after")
    found = [event.position for event in store.meter_events.list()]
    ok = store.verify().ok
    sys.stdout.write(json.dumps({"positions": found, "ok": ok}) + "\n")
    store.close()


def in_child(store: metering.Metering, target: str) -> dict[str, object]:
    met: dict[str, object] = {}
    try:
        store.meter_events.create(event_name="tokens", payload=ROW)
    except metering.MeteringError as error:
        met["create"] = error.code
    try:
        store.catch_up()
    except metering.MeteringError as error:
        met["read"] = error.code
    store.close()
    with metering.connect(target) as own:
        own.meter_events.create(event_name="tokens", payload=ROW, identifier="child")
        met["connected_again"] = [each.position for each in own.meter_events.list()]
    return met


if __name__ == "__main__":
    main(sys.argv[1])
