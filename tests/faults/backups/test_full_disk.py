"""Where a backup, or what is made of one, has no room: one clear error, and nothing lost."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import metering
from tests.faults.test_full_disk import mounted
from tests.faults.usage import create, create_meter, numbers_by_position, open_store

BALLAST = 4 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=6m", "tmpfs") as disk:
        yield disk


@pytest.mark.slow
def test_a_backup_without_room_leaves_the_one_before(
    small_disk: Path, tmp_path: Path
) -> None:
    target, place = str(tmp_path / "usage"), small_disk / "backup"
    create_meter(target)
    with open_store(target) as store:
        create(store, 0)
        store.backup(place)
        seal_much(store)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(BALLAST))
        before = {each.name for each in place.iterdir()}

        with pytest.raises(metering.BackupUnavailableError, match="No space left"):
            store.backup(place)

        assert {each.name for each in place.iterdir()} == before
        metering.restore(place, tmp_path / "restored")
        ballast.unlink()
        assert store.backup(place).segments == 1
    with open_store(str(tmp_path / "restored")) as restored:
        assert list(numbers_by_position(restored).values()) == [0]


@pytest.mark.slow
def test_a_restore_without_room_leaves_no_store_and_goes_on(
    small_disk: Path, tmp_path: Path
) -> None:
    target, place = str(tmp_path / "usage"), tmp_path / "backup"
    create_meter(target)
    with open_store(target) as store:
        seal_much(store)
        store.backup(place)
        digest = store.verify().digest
    restored, ballast = small_disk / "restored", small_disk / "ballast"
    ballast.write_bytes(bytes(BALLAST))

    with pytest.raises(metering.MeteringError) as caught:
        metering.restore(place, restored)

    assert caught.value.code in {"store_full", "segment_store_unavailable"}
    with pytest.raises(metering.StoreMissingError):
        metering.connect(restored, create=False)
    ballast.unlink()
    metering.restore(place, restored)
    with open_store(str(restored)) as store:
        assert store.verify().digest == digest


def seal_much(store: metering.Metering) -> None:
    """Seal a segment of more than two megabytes."""
    count = 60_000
    store.meter_events.ingest(
        pa.table(
            {
                "event_name": ["tokens"] * count,
                "identifier": [secrets.token_hex(24) for _ in range(count)],
                "stripe_customer_id": ["cus_1"] * count,
                "value": [1] * count,
            }
        ),
        now=True,
    )
    store.seal()
