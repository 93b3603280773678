"""A backup is of one position, while others write; a store made of it answers the same."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

import metering
from ledger.backups import writing
from tests.conftest import Connect
from tests.metering.copies.answers import CLOCK, answers, record, recorded
from tests.metering.methods.usual_arguments import usual_arguments
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import create_meter
from tests.metering.usual_webhooks import add_endpoint, bodies
from tests.webhook_receiver import running_receiver


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Where a backup can be made."""
    return tmp_path / "backup"


def test_a_restored_store_answers_as_the_one_that_was_backed_up(
    connect: Connect, backup: Path, tmp_path: Path
) -> None:
    m = connect(clock=CLOCK)
    usual = usual_arguments(m)
    record(m, "a", "b")
    m.seal()
    record(m, "c")
    expected, report = answers(m, usual), m.verify()

    made = m.backup(backup)
    record(m, "d")
    restored = metering.restore(backup, tmp_path / "restored")

    assert (made.position, made.digest) == (report.position, report.digest)
    assert (restored.position, restored.digest) == (made.position, made.digest)
    assert restored.origin == made.epoch != restored.epoch
    with metering.connect(tmp_path / "restored", create=False, clock=CLOCK) as other:
        assert answers(other, usual) == expected
        assert len(expected) > 40
        assert other.verify().problems == ()
        assert other.verify(checkpoint=report.checkpoint).ok


@pytest.mark.postgresql
def test_a_backup_is_restored_on_the_other_database(
    postgresql_url: str, backup: Path, tmp_path: Path
) -> None:
    with metering.connect(tmp_path / "origin", clock=CLOCK) as m:
        usual = usual_arguments(m)
        record(m, "a", "b")
        m.seal()
        expected, digest = answers(m, usual), m.verify().digest
        m.backup(backup)

    # One connection is enough, and segments that lie in the database are files again.
    metering.restore(backup, postgresql_url, cache=tmp_path / "cache")
    with metering.connect(
        postgresql_url, cache=tmp_path / "cache", clock=CLOCK, pool_size=1
    ) as other:
        assert answers(other, usual) == expected
        assert (other.verify().problems, other.verify().digest) == ((), digest)
        other.backup(tmp_path / "of the other")
    metering.restore(tmp_path / "of the other", tmp_path / "back")
    with metering.connect(tmp_path / "back", clock=CLOCK) as again:
        assert answers(again, usual) == expected
        assert (again.verify().problems, again.verify().digest) == ((), digest)


def test_what_was_acknowledged_before_a_backup_began_is_in_it(
    connect: Connect, backup: Path, tmp_path: Path
) -> None:
    m = connect()
    create_meter(m)
    acknowledged: list[str] = []
    ends, goes_on = Event(), Event()

    def write() -> None:
        while not ends.is_set():
            record(m, identifier := f"n{len(acknowledged)}")
            acknowledged.append(identifier)
            if len(acknowledged) % 40 == 0:
                m.seal()
            goes_on.set()

    writer = Thread(target=write)
    writer.start()
    try:
        for number in range(2):
            goes_on.clear()
            assert goes_on.wait(20)
            before = len(acknowledged)
            made = m.backup(backup)
            restored = tmp_path / f"restored-{number}"
            metering.restore(backup, restored)
            with metering.connect(restored) as other:
                found = recorded(other)
                assert other.verify().problems == ()
            assert found == [f"n{each}" for each in range(len(found))]
            assert len(found) >= before
            # The origin's chain leads through the digest of the backup.
            checkpoint = metering.Checkpoint(
                epoch=made.epoch, position=made.position, digest=made.digest
            )
            assert m.verify(checkpoint=checkpoint).ok
    finally:
        ends.set()
        writer.join()


def test_a_later_backup_copies_only_what_is_new(
    store: metering.Metering, backup: Path
) -> None:
    create_meter(store)
    for identifier in ("a", "b"):
        record(store, identifier)
        store.seal()
    first = store.backup(backup)
    sealed = {each.name for each in backup.glob("*.parquet")}
    record(store, "c")
    store.seal()

    second = store.backup(backup)

    assert (first.segments, second.segments) == (2, 3)
    assert first.copied_files == first.files
    new = {each.name for each in backup.glob("*.parquet")} - sealed
    assert second.copied_files == len(new)
    assert sum(each.startswith(second.epoch) for each in new) == 1
    assert second.files == len(list(backup.iterdir())) - 1


def test_facts_whose_stretch_is_sealed_are_copied_once(
    store: metering.Metering,
    backup: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "FILE_BYTES", 1)
    create_meter(store)
    record(store, "a")
    store.seal()
    store.backup(backup)
    [settled] = backup.glob("facts-*")
    written = settled.stat().st_mtime_ns
    for customer in ("cus_1", "cus_2"):
        grant(store, 1_000, customer=customer)
        record(store, customer)
    store.seal()
    grant(store, 1_000)

    store.backup(backup)
    metering.restore(backup, tmp_path / "restored")

    stretches = [each.name.split("-", 2)[2] for each in sorted(backup.glob("facts-*"))]
    assert stretches == [
        "000000000000001-000000000000001.parquet",
        "000000000000003-000000000000005.parquet",
    ]
    assert settled.stat().st_mtime_ns == written
    with metering.connect(tmp_path / "restored") as restored:
        assert restored.verify().problems == ()
        assert len(restored.credit_grants.list().data) == 3


def test_what_was_pending_is_sent_and_what_comes_later_has_ids_of_its_own(
    backup: Path, tmp_path: Path
) -> None:
    settings: Any = {"clock": CLOCK, "allow_private_webhooks": True}
    with running_receiver() as receiver:
        with metering.connect(tmp_path / "origin", **settings) as m:
            add_endpoint(m, receiver)
            create_meter(m)
            m.backup(backup)
            grant(m, 1_000)
            m.deliver()
            lost = m.position
        metering.restore(backup, tmp_path / "restored")
        with metering.connect(tmp_path / "restored", **settings) as restored:
            grant(restored, 2_000)
            restored.deliver()
            assert restored.position == lost
        ids = [each["id"] for each in bodies(receiver)]

    # One of the meter, by both; two of a grant each, at one position.
    assert (len(ids), len(set(ids))) == (6, 5)
    assert ids[0] == ids[3]


def test_two_processes_do_not_back_up_at_once(
    store: metering.Metering, backup: Path, tmp_path: Path
) -> None:
    create_meter(store)
    record(store, "a")
    store.seal()
    refused = []

    def begin_another(*_: int) -> None:
        with pytest.raises(metering.BackupUnderWayError) as caught:
            store.backup(tmp_path / "another")
        refused.append(caught.value.message)

    store.backup(backup, begin_another)

    assert refused == [
        "Another process is backing up the store; try again when it is done"
    ]
    assert not (tmp_path / "another").exists()


def test_restored_stores_and_their_origin_share_a_place_for_segments(
    backup: Path, tmp_path: Path
) -> None:
    """Each goes on by itself, is backed up by itself, and is told apart."""
    shared = tmp_path / "segments"
    with metering.connect(tmp_path / "origin", segments=shared) as m:
        create_meter(m)
        record(m, "a")
        m.seal()
        early = m.backup(backup)
        record(m, "lost")
        m.seal()
        metering.restore(backup, tmp_path / "restored", segments=shared)
        with metering.connect(tmp_path / "restored", segments=shared) as other:
            record(other, "again")
            other.seal()
            other.rebuild()
            assert other.position == m.position
            assert recorded(other) == ["a", "again"]
            assert other.verify().problems == ()
            # A checkpoint that the restored store never reached is of another log.
            assert not other.verify(checkpoint=m.verify().checkpoint).ok
            # It goes on from the backup that it was made of, and its origin no more.
            assert other.backup(backup).position == other.position
        with pytest.raises(metering.BackupForeignError):
            m.backup(backup)
        record(m, "b")
        m.seal()
        assert recorded(m) == ["a", "lost", "b"]
        assert m.verify().problems == ()
    assert early.segments == 1
    assert len(list(shared.glob("*.parquet"))) == 4


def test_a_backup_of_a_later_state_is_not_replaced(
    backup: Path, tmp_path: Path
) -> None:
    with metering.connect(tmp_path / "origin") as m:
        create_meter(m)
        m.backup(tmp_path / "early")
        record(m, "a")
        m.backup(backup)
    metering.restore(tmp_path / "early", tmp_path / "restored")
    before = contents_of(backup)

    with (
        metering.connect(tmp_path / "restored") as other,
        pytest.raises(metering.BackupForeignError) as caught,
    ):
        other.backup(backup)

    assert contents_of(backup) == before
    assert "up to position 2, which this store does not go on from" in str(caught.value)


def contents_of(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir()}


Spoil = Callable[[Path], None]


def _unfinished(place: Path) -> None:
    (place / "backup.json").unlink()


def _cut(place: Path) -> None:
    [rows] = place.glob("rows-*log_commit*")
    rows.write_bytes(rows.read_bytes()[:-1])


def _changed(place: Path) -> None:
    [rows] = place.glob("rows-*log_commit*")
    content = bytearray(rows.read_bytes())
    content[len(content) // 2] ^= 1
    rows.write_bytes(content)


def _lost(place: Path) -> None:
    [segment] = place.glob("*-000000000000000-*")
    segment.unlink()


def _edited(place: Path) -> None:
    manifest = place / "backup.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"position":', b'"position":1'))


def _of_later_release(place: Path) -> None:
    manifest = place / "backup.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"layout":1', b'"layout":2'))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_unfinished, "There is no complete backup at "),
        (_cut, "bytes, and had "),
        (_changed, "is not what was written"),
        (_lost, "is missing"),
        (_edited, "backup.json is not what was written"),
        (_of_later_release, "is of a store of format 2"),
    ],
)
def test_what_is_no_whole_backup_is_refused(
    store: metering.Metering, backup: Path, tmp_path: Path, spoil: Spoil, says: str
) -> None:
    create_meter(store)
    record(store, "a")
    store.seal()
    store.backup(backup)
    spoil(backup)

    with pytest.raises(metering.BackupError) as caught:
        metering.restore(backup, tmp_path / "restored")

    assert says in caught.value.message
    with pytest.raises(metering.StoreMissingError):
        metering.connect(tmp_path / "restored", create=False)


def test_a_place_with_something_else_is_left_alone(
    store: metering.Metering, backup: Path, tmp_path: Path
) -> None:
    create_meter(store)
    store.backup(backup)
    store.close()
    with metering.connect(tmp_path / "taken") as m:
        create_meter(m)
        record(m, "a")
        m.seal()
        refusals = [
            refusal(lambda: metering.restore(backup, tmp_path / "taken")),
            refusal(lambda: metering.restore(tmp_path / "nothing", tmp_path / "new")),
            refusal(lambda: metering.restore(backup, backup)),
            refusal(lambda: metering.restore(backup, ":memory:")),
            refusal(lambda: m.backup(tmp_path / "taken")),
            refusal(lambda: m.backup(tmp_path / "taken" / "segments")),
            refusal(lambda: m.backup(tmp_path)),
            refusal(lambda: m.backup(backup)),
            refusal(lambda: m.backup(backup / "backup.json")),
            refusal(lambda: m.backup("s3://")),
            refusal(lambda: m.backup("")),
        ]
        assert m.verify().problems == ()

    place = str(tmp_path)
    shown = [each.replace(place, "…") for each in refusals]
    epoch = shown[7].partition(" of the log ")[2].partition(" ")[0]
    assert shown == [
        (
            "The store …/taken/log.db cannot be used: there is a store already; name a"
            " place that has none"
        ),
        (
            "There is no complete backup at …/nothing; name the place that `metering backup`"
            " was given, or run it again"
        ),
        (
            "The store …/backup cannot be used: its directory holds 'backup.json' and no"
            " store; give an empty directory or one that is to be made"
        ),
        "Invalid target: ':memory:'; must be a directory, or the URL of a database",
        (
            "The backup …/taken cannot be used: it holds 'log.db' and no backup; give an"
            " empty place"
        ),
        (
            "The backup …/taken/segments cannot be used: it is the store's own; give another"
            " place"
        ),
        (
            "The backup … cannot be used: it holds 'backup' and no backup; give an empty"
            " place"
        ),
        (
            f"The backup …/backup is of the log {epoch} up to position 1, which this store"
            " does not go on from; give another place"
        ),
        "The backup …/backup/backup.json cannot be used: it is not a directory",
        (
            "The backup s3:// cannot be used: give s3://bucket/prefix, with no options but"
            " endpoint_override, region, scheme, tls_ca_file_path"
        ),
        "The backup '' cannot be used: its path is empty",
    ]
    assert not (tmp_path / "new").exists()


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(metering.MeteringError) as caught:
        call()
    return caught.value.message
