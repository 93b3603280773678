"""A process that uses a store, to be run with and without Python's optimisation.

Run as a module; prints what it saw, the same whichever way it was run.
"""

import json
import sys

from tests.faults.usage import create, create_meter, open_store, table, totals


def main() -> None:
    seen: dict[str, object] = {}
    target = sys.argv[1]
    create_meter(target)
    with open_store(target) as store:
        create(store, 0)
        receipt = store.meter_events.ingest(table(range(200)))
        store.meter_event_adjustments.create(
            event_name="tokens", type="cancel", cancel={"identifier": "event-7"}
        )
        store.rebuild()
        seen["receipt"] = [receipt.accepted, receipt.duplicates, receipt.rejected]
        seen["position"] = store.position
        seen["meters"] = [meter.event_name for meter in store.meters.list()]
        seen["events"] = [event.position for event in store.meter_events.list()]
        seen["totals"] = {key: str(total) for key, total in totals(store).items()}
        seen["problems"] = store.verify().problems
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
