"""Own the store that these tests branch, what it answers, and where branches may lie."""

from pathlib import Path
from typing import Any

from sqlalchemy import make_url

import metering
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.usual_credits import apply, balance, grant
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import (
    batch,
    cancel_event,
    create_event,
    create_meter,
)

Answers = dict[str, Any]


def fill(store: metering.Metering) -> None:
    """Record two segments, a tail and facts: at each call, more of all of them."""
    known = list(store.meters.list())
    first = store.position
    if not known:
        meter = create_meter(store)
        create_price(store, recurring=metered(meter.id))
        create_alert(store, meter, gte=150)
        grant(store, 1_000)
    for start in (first + 1, first + 101):
        store.meter_events.ingest(batch(start, 100))
        cancel_event(store, f"event-{start + 7}")
        store.seal()
    apply(store, f"in_{first}")
    create_event(store, identifier=f"tail-{first}")


def answers(store: metering.Metering) -> Answers:
    """Everything that is asked of a store, as it is known now."""
    store.catch_up()
    [meter] = store.meters.list(limit=1).data
    return {
        "position": store.position,
        "meters": list(store.meters.list()),
        "events": list(store.meter_events.list()),
        "usage": store.usage(window=None).to_pylist(),
        "reaggregated": store.reaggregate().to_pylist(),
        "total": store.meters.event_summaries(
            meter.id, customer="cus_1", start_time=0, end_time=4_000_000_000
        )[0].aggregated_value,
        "balance": balance(store),
        "transactions": list(store.credit_balance_transactions.list(customer="cus_1")),
        "triggered": list(store.alerts.triggered()),
        "statements": list(store.statements.list()),
        "told": list(store.events.list()),
    }


def beside(target: str, name: str = "branch") -> str:
    """Where a branch of a store may lie that has another name: in the same database."""
    if "://" not in target:
        return str(Path(target).with_name(name))
    url = make_url(target).update_query_dict({"schema": name})
    return url.render_as_string(hide_password=False)


def files_of(*directories: Path) -> dict[str, bytes]:
    """The files below some directories, with what they hold."""
    return {
        str(path): path.read_bytes()
        for directory in directories
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
