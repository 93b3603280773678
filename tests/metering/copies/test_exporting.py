"""An export has everything that the log says, as Parquet that other programs read."""

import hashlib
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pytest

import metering
from tests.metering.copies.answers import record
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import create_meter


def test_an_export_has_every_event_fact_and_table(
    store: metering.Metering, tmp_path: Path
) -> None:
    create_meter(store)
    record(store, "a", "b")
    store.seal()
    granted = grant(store, 1_000)
    record(store, "c")
    store.meter_event_adjustments.create(
        event_name="tokens", type="cancel", cancel={"identifier": "b"}
    )
    place = tmp_path / "export"

    made = store.export(place)

    assert (made.position, made.events, made.facts) == (6, 3, 3)
    assert made.digest == store.verify().digest
    with duckdb.connect() as sql:
        events = sql.sql(
            "SELECT identifier, position, value, cancelled"
            f" FROM '{place}/events-*.parquet' ORDER BY position"
        ).fetchall()
        assert events == [
            ("a", 2, Decimal(1), False),
            ("b", 3, Decimal(1), True),
            ("c", 5, Decimal(1), False),
        ]
        facts = sql.sql(
            "SELECT position, type, fact ->> 'grant_id'"
            f" FROM '{place}/facts-*.parquet' ORDER BY position"
        ).fetchall()
        assert [each[0] for each in facts] == [1, 4, 6]
        assert facts[1][1:] == ("credit_grant.created", granted.id)
        [row] = sql.sql(
            f"SELECT grant_id FROM '{place}/table-credit_grant-*.parquet'"
        ).fetchall()
        assert row == (granted.id,)
    said = msgspec.json.decode(
        (place / "export.json").read_bytes(), type=metering.ExportReceipt
    )
    assert said == made
    for file in made.files:
        content = (place / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
    assert len(made.files) == len(list(place.iterdir())) - 1


def test_an_export_that_was_not_completed_is_made_anew(
    store: metering.Metering, tmp_path: Path
) -> None:
    create_meter(store)
    place = tmp_path / "export"
    store.export(place)
    (place / "export.json").unlink()
    (place / "events-000007.parquet").write_bytes(b"half")

    made = store.export(place)

    assert len(made.files) == len(list(place.iterdir())) - 1
    for taken, reason in (
        (place, "it holds 'export.json'; give an empty place"),
        (place / "export.json", "it is not a directory"),
    ):
        with pytest.raises(metering.ExportUnavailableError) as caught:
            store.export(taken)
        assert reason in caught.value.message
