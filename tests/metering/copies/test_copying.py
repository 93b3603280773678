"""A store is copied from one database to the other while it is used, with equal digests."""

from pathlib import Path

import pytest

import metering
from tests.metering.copies.answers import CLOCK, answers, record, recorded
from tests.metering.methods.usual_arguments import usual_arguments
from tests.metering.usual_usage import create_meter


@pytest.mark.dialect
@pytest.mark.postgresql
def test_a_store_that_is_copied_there_and_back_answers_the_same(
    postgresql_url: str, tmp_path: Path
) -> None:
    origin, cache = tmp_path / "origin", tmp_path / "cache"
    with metering.connect(origin, clock=CLOCK) as m:
        usual = usual_arguments(m)
        record(m, "a", "b")
        m.seal()
        record(m, "c")
        expected, report = answers(m, usual), m.verify()

        there = metering.copy(origin, postgresql_url, cache=cache)
        record(m, "d")
    back = metering.copy(postgresql_url, tmp_path / "back")

    epochs = {report.epoch, there.epoch, back.epoch}
    assert (there.origin, back.origin) == (report.epoch, there.epoch)
    assert len(epochs) == 3
    for target in (postgresql_url, tmp_path / "back"):
        with metering.connect(target, cache=cache, clock=CLOCK) as copied:
            assert answers(copied, usual) == expected
            found = copied.verify(checkpoint=report.checkpoint)
            assert (found.problems, found.digest) == ((), report.digest)
            assert found.segments == 1


def test_a_store_is_copied_to_an_object_store_and_goes_on(
    s3_url: str, tmp_path: Path
) -> None:
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    with metering.connect(origin) as m:
        create_meter(m)
        record(m, "a")
        m.seal()
    made = metering.copy(origin, copy, segments=s3_url)
    backup = f"{s3_url}-backup"

    with metering.connect(copy, segments=s3_url) as m:
        record(m, "b")
        m.seal()
        first, second = m.backup(backup), m.backup(backup)
        assert m.verify().problems == ()
    metering.restore(backup, tmp_path / "restored")

    assert (made.segments, first.segments, first.copied_files) == (1, 2, first.files)
    assert second.copied_files == first.files - 2
    with metering.connect(tmp_path / "restored") as m:
        assert recorded(m) == ["a", "b"]
        assert m.verify().problems == ()


def test_a_place_that_is_no_source_or_no_target_is_left_alone(tmp_path: Path) -> None:
    nothing, taken = tmp_path / "nothing", tmp_path / "taken"
    with metering.connect(taken) as m:
        create_meter(m)
        digest = m.verify().digest

        with pytest.raises(metering.StoreMissingError):
            metering.copy(nothing, tmp_path / "new")
        with pytest.raises(metering.StoreUnavailableError, match="a store already"):
            metering.copy(taken, taken)
        with pytest.raises(metering.InvalidRequestError, match="Invalid target"):
            metering.copy(taken, ":memory:")

        assert m.verify().digest == digest
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
