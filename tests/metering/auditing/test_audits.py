"""An audit says what it covered, goes on where another ended, and tells what it finds once."""

import json
from pathlib import Path

import pytest
from sqlalchemy import update

import metering
from ledger.database.addresses import open_database
from projections.credits.tables import credit_grant
from tests.conftest import Connect
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import NOW, batch, create_event, create_meter


def edited(target: str, amount: int) -> None:
    """Give each grant another amount, behind the back of the store."""
    database = open_database(target, creates=False)
    with database.write() as connection:
        connection.execute(update(credit_grant).values(amount=amount))
    database.close()


def failures(store: metering.Metering) -> list[metering.AuditFailure]:
    found = store.events.list(type="metering.audit.failed")
    return [
        each.data.object
        for each in found
        if isinstance(each.data.object, metering.AuditFailure)
    ]


def test_a_store_that_was_never_audited_says_so(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    meter = create_meter(store)

    status = store.audit.status()

    assert (status.ok, status.last_pass, status.running) == (None, None, None)
    (audited,) = status.meters
    assert (audited.meter, audited.audited, audited.position) == (meter.id, None, 0)


@pytest.mark.dialect
def test_an_audit_says_which_meters_and_segments_it_covered_and_when(
    connect: Connect,
) -> None:
    clock = metering.FixedClock(NOW)
    store = connect(clock=clock)
    meter = create_meter(store)
    store.meter_events.ingest(batch(0, 30))
    store.seal()
    create_event(store)

    made = store.audit.run()
    calls = create_meter(store, "calls", "count")
    status = store.audit.status()

    assert made is not None
    assert status.last_pass == made
    assert (made.status, made.position, made.ended) == ("passed", 32, NOW)
    assert made.entries == made.entries_present == 32
    # One of each of three customers in the segment, and one in the tail.
    assert made.hourly_totals == made.hourly_totals_explained == 4
    assert status.ok is True
    assert [
        (each.meter, each.audited, each.position, each.hourly_totals)
        for each in status.meters
    ] == [(meter.id, NOW, 32, 4), (calls.id, None, 0, 0)]
    assert [
        (each.first_position, each.last_position, each.audited, each.file_audited)
        for each in status.segments
    ] == [(1, 31, NOW, None)]


def test_files_are_audited_where_that_is_asked_for(connect: Connect) -> None:
    clock = metering.FixedClock(NOW)
    store = connect(clock=clock)
    create_meter(store)
    store.meter_events.ingest(batch(0, 30))
    store.seal()

    store.audit.run(files=True)
    store.audit.run()

    (segment,) = store.audit.status().segments
    assert segment.file_audited == NOW


def test_a_file_that_is_not_what_was_sealed_is_found(tmp_path: Path) -> None:
    with metering.connect(tmp_path, clock=metering.FixedClock(NOW)) as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 30))
        store.seal()
        (file,) = (tmp_path / "segments").iterdir()
        # Its footer's last words, which reading its columns does not need.
        content = bytearray(file.read_bytes())
        content[4] ^= 1
        file.write_bytes(content)

        made = store.audit.run(files=True)

        assert made is not None
        assert f"The segment {file.name}" in made.differences[0]


@pytest.mark.dialect
def test_a_difference_is_told_once_until_it_is_repaired(
    connect: Connect, store_target: str
) -> None:
    with connect(clock=metering.FixedClock(NOW)) as store:
        granted = grant(store, 1_000)
    edited(store_target, 999)
    store = connect(clock=metering.FixedClock(NOW))

    first = store.audit.run()
    store.audit.run()
    told = failures(store)
    store.rebuild()
    repaired = store.audit.run()

    assert first is not None
    assert repaired is not None
    sentence = (
        "In table credit_grant, row position = 1, column amount: 999 is stored, the log"
        " says 1000; run `metering rebuild`"
    )
    assert (first.status, first.differences) == ("failed", (sentence,))
    assert told == failures(store)
    assert [(each.id, each.first_difference) for each in told] == [(first.id, sentence)]
    assert (repaired.status, repaired.differences) == ("passed", ())
    assert store.credit_grants.retrieve(granted.id) == granted
    assert store.verify().ok


def test_an_audit_goes_on_while_the_store_does(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    create_meter(store)
    store.meter_events.ingest(batch(0, 30))
    store.seal()
    store.meter_events.ingest(batch(30, 30))
    recorded = 60

    def live(reached: int, last: int) -> None:
        nonlocal recorded
        if recorded < 90:
            store.meter_events.ingest(batch(recorded, 1))
            grant(store, recorded)
            recorded += 1
            store.seal()

    made = store.audit.run(live)

    assert recorded == 90
    assert made is not None
    assert (made.status, made.position) == ("passed", 61)
    assert store.verify().ok


def test_of_two_that_audit_at_once_one_does(connect: Connect) -> None:
    store, other = (connect(clock=metering.FixedClock(NOW)) for _ in range(2))
    create_meter(store)
    theirs = []

    made = store.audit.run(lambda *_: theirs.append(other.audit.run()))

    assert made is not None
    assert made.status == "passed"
    assert {*theirs} == {None}
    assert other.audit.status().last_pass == made


def test_a_pass_as_json_has_what_it_found(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))

    made = store.audit.run()

    assert made is not None
    assert json.loads(json.dumps(made.to_dict()))["entries_present"] == 0
