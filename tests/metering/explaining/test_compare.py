"""A list of events compared with a figure: what became of each row, and what is in none."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter

HOUR = timedelta(hours=1)
START, END = NOW - 3 * HOUR, NOW - HOUR
INSIDE = NOW - 2 * HOUR


def row(
    identifier: str | None,
    value: str = "1",
    at: datetime = INSIDE,
    customer: str = "cus_1",
    **given: str,
) -> dict[str, Any]:
    """A row of a list, as a customer may keep it."""
    usual = {
        "event_name": "tokens",
        "identifier": identifier,
        "timestamp": at,
        "stripe_customer_id": customer,
        "value": value,
    }
    return {**usual, **given}


def use(m: metering.Metering, identifier: str, **given: Any) -> int:
    """Record the event of a row, and return its position."""
    sent = row(identifier, **given)
    payload = {key: sent[key] for key in ("stripe_customer_id", "value")}
    return create_event(
        m, identifier=identifier, payload=payload, timestamp=sent["timestamp"]
    ).position


def explain(m: metering.Metering, **given: Any) -> metering.Explanation:
    made: metering.Explanation = m.explain(
        meter="tokens", customer="cus_1", start_time=START, end_time=END, **given
    )
    return made


@pytest.mark.dialect
@pytest.mark.parametrize("is_sealed", [False, True])
def test_each_row_has_a_reason_and_what_is_in_none_is_listed(
    connect: Connect, clock: metering.FixedClock, *, is_sealed: bool
) -> None:
    m = connect(clock=clock)
    create_meter(m)
    counts, gone, edge, far, differs, theirs, left = (
        use(m, "counts"),
        use(m, "gone"),
        use(m, "edge", at=END),
        use(m, "far", at=NOW - 30 * HOUR),
        use(m, "differs"),
        use(m, "theirs", customer="cus_2"),
        use(m, "left out"),
    )
    cancel_event(m, "gone")
    by, known = m.position, m.position
    late = use(m, "late")
    if is_sealed:
        m.seal()
    rows = [
        row("counts"),
        row("counts"),
        row("gone"),
        row("edge", at=END),
        row("far", at=NOW - 30 * HOUR),
        row("late"),
        row("lost"),
        row("lost"),
        row("differs", value="2"),
        row("broken", value="many"),
        row("unknown", event_name="unheard of"),
        row(None),
        row("theirs", customer="cus_2"),
    ]
    position = m.position

    made = explain(m, as_of=known).compare(rows).to_pylist()

    assert [
        (each["row"], each["identifier"], each["reason"], each["position"], each["by"])
        for each in made
    ] == [
        (0, "counts", "counted", counts, None),
        (1, "counts", "sent_again", None, counts),
        (2, "gone", "cancelled", gone, by),
        (3, "edge", "outside", edge, None),
        (4, "far", "outside", far, None),
        (5, "late", "later", late, None),
        (6, "lost", "unrecorded", None, None),
        (7, "lost", "sent_again", None, None),
        (8, "differs", "refused", None, differs),
        (9, "broken", "refused", None, None),
        (10, "unknown", "refused", None, None),
        (11, None, "unnamed", None, None),
        (12, "theirs", "other", theirs, None),
        (None, "differs", "unlisted", differs, None),
        (None, "left out", "unlisted", left, None),
    ]
    assert [each["code"] for each in made if each["code"]] == [
        "identifier_conflict",
        "meter_event_invalid_value",
        "no_meter",
    ]
    assert "differs in value" in made[8]["message"]
    assert m.position == position


def test_a_file_is_compared_as_it_would_be_ingested(
    store: metering.Metering, tmp_path: Path
) -> None:
    create_meter(store)
    use(store, "1", value="2.5")
    file = tmp_path / "mine.csv"
    file.write_text(
        f"id,at,who,used,what\n1,{INSIDE.timestamp():.0f},cus_1,2.5,tokens\n"
    )
    columns = metering.Columns(
        event_name="what",
        identifier="id",
        timestamp="at",
        customer="who",
        value="used",
        payload_keys=(),
    )

    made = explain(store).compare(file, columns=columns)

    assert made.column("reason").to_pylist() == ["counted"]
    with refused(None, "columns"):
        explain(store).compare(file, columns=3)  # type: ignore[arg-type]  # a mistake


def test_an_empty_list_leaves_all_unlisted(store: metering.Metering) -> None:
    create_meter(store)
    use(store, "only")

    made = explain(store).compare([])

    assert made.column("reason").to_pylist() == ["unlisted"]
