"""Explanations that customers check: with Python alone, and without the library."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

import metering
from metering.explaining.proof.exporting import CHECKER
from tests.conftest import Connect
from tests.figures import Figures
from tests.metering.explaining.exports import checked, sign_again
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter
from tests.profiles import PROFILE, budget, drawing, memory_directory

HOUR = timedelta(hours=1)
EDITS = 10_000
TURNS = 8 if PROFILE.is_thorough else 1
OTHERS = ("cus_other", "secret-of-others", "theirs")


def record(m: metering.Metering) -> None:
    """Record usage of a customer, alone and among others; some is cancelled."""
    create_meter(m)
    for number in range(4):
        create_event(
            m,
            identifier=f"alone-{number}",
            timestamp=NOW - number * HOUR,
            payload={"stripe_customer_id": "cus_1", "value": f"{number}.5", "a": "é"},
        )
    create_event(
        m,
        identifier="theirs",
        payload={"stripe_customer_id": "cus_other"} | {"value": "7"},
    )
    rows: list[dict[str, Any]] = [
        {
            "event_name": "tokens",
            "identifier": f"theirs-{number}" if number % 2 else f"shared-{number}",
            "timestamp": NOW - HOUR,
            "stripe_customer_id": "cus_other" if number % 2 else "cus_1",
            "value": "0.25",
            "note": "secret-of-others" if number % 2 else "mine",
        }
        for number in range(20)
    ]
    m.meter_events.ingest(rows)
    own = [row | {"identifier": f"own-{row['identifier']}"} for row in rows[::2]]
    m.meter_events.ingest(own)
    cancel_event(m, "alone-2")


def explained(m: metering.Metering, **given: Any) -> metering.Explanation:
    usual = {
        "meter": "tokens",
        "customer": "cus_1",
        "start_time": NOW - 10 * HOUR,
        "end_time": NOW + HOUR,
    }
    made: metering.Explanation = m.explain(**{**usual, **given})
    return made


@pytest.fixture(scope="module")
def exported() -> Iterator[tuple[Path, metering.ExportedExplanation]]:
    """An explanation that was exported, some of its events beside those of others."""
    with (
        memory_directory() as parent,
        metering.connect(":memory:", clock=metering.FixedClock(NOW)) as m,
    ):
        record(m)
        yield parent, explained(m).export(parent / "proof")


@pytest.mark.dialect
@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_is_exported_is_checked_without_the_library(
    connect: Connect, clock: metering.FixedClock, tmp_path: Path, *, is_sealed: bool
) -> None:
    m = connect(clock=clock)
    record(m)
    if is_sealed:
        m.seal()
    made = explained(m)

    exported = made.export(tmp_path / "proof")

    assert (exported.event_count, exported.shown_count) == (23, 13)
    assert (exported.checkpoint.position, exported.checkpoint.digest) == (
        m.position,
        made.digest,
    )
    assert checked(tmp_path / "proof", made.digest) == (
        f"ok: 23 events make 10.5; 13 of them\nare shown in the chain to {m.position},"
        f" digest {made.digest}\n"
    )
    events = pq.read_table(tmp_path / "proof" / "events.parquet")
    assert events == made.events().read_all()
    others = pq.read_table(tmp_path / "proof" / "not_counted.parquet")
    assert others.column("identifier").to_pylist() == ["alone-2"]


def test_the_chain_leads_to_a_later_checkpoint(
    store: metering.Metering, tmp_path: Path
) -> None:
    record(store)
    made = explained(store)
    create_event(store, identifier="later")
    later = store.verify().checkpoint

    exported = made.export(tmp_path / "proof", checkpoint=later)

    assert exported.checkpoint == later
    assert checked(tmp_path / "proof", later.digest).startswith("ok: 23 events")
    assert "leads to the digest" in checked(tmp_path / "proof", made.digest)
    for wrong in (
        metering.Checkpoint(epoch="x", position=later.position, digest=later.digest),
        metering.Checkpoint(epoch=later.epoch, position=1, digest=later.digest),
        metering.Checkpoint(epoch=later.epoch, position=later.position, digest="00"),
    ):
        with refused("checkpoint_unmatched", "checkpoint", wrong.digest):
            made.export(tmp_path / "other", checkpoint=wrong)
    assert not (tmp_path / "other").exists()


def test_corrections_are_named_and_checked(
    connect: Connect, clock: metering.FixedClock, tmp_path: Path
) -> None:
    m = connect(clock=clock)
    record(m)
    tokens: Any = {"event_name": "tokens"}
    made = m.corrections.apply(
        [
            {"type": "cancel", **tokens, "identifiers": ["alone-0"]},
            {
                "type": "replace",
                **tokens,
                "identifiers": ["alone-3"],
                "replace": {"value": "1"},
            },
        ],
        reason="a wrong meter",
        author="Ada",
    )
    corrected = explained(m)
    exported = corrected.export(tmp_path / "corrected")
    m.corrections.revert(made.id, reason="it was right", author="Ada")
    reverted = explained(m)
    reverted.export(tmp_path / "reverted")

    rows = corrected.not_counted().read_all().to_pylist()
    assert [
        (each["identifier"], each["reason"], each["correction"], each["successor"])
        for each in rows
    ] == [
        ("alone-0", "cancelled", made.id, None),
        ("alone-2", "cancelled", None, None),
        ("alone-3", "cancelled", made.id, made.last_position),
    ]
    assert exported.shown_count == 12
    assert checked(tmp_path / "corrected", corrected.digest).startswith(
        "ok: 22 events make 7.5; 12 of"
    )
    assert checked(tmp_path / "reverted", reverted.digest).startswith(
        "ok: 23 events make 10.5; 13 of"
    )


def test_a_figure_of_nothing_is_checked(
    store: metering.Metering, tmp_path: Path
) -> None:
    create_meter(store)

    explained(store).export(tmp_path / "proof")

    assert checked(tmp_path / "proof").startswith("ok: 0 events make 0;")


def test_what_is_there_already_is_left(
    store: metering.Metering, tmp_path: Path
) -> None:
    create_meter(store)

    with refused(None, "directory", "it is there already"):
        explained(store).export(tmp_path)
    with refused(None, "directory", "No such file"):
        explained(store).export(tmp_path / "none" / "proof")


def test_nothing_of_others_is_written(
    exported: tuple[Path, metering.ExportedExplanation],
) -> None:
    _, made = exported

    for file in Path(made.directory).iterdir():
        content = file.read_bytes()
        assert [word for word in OTHERS if word.encode() in content] == [], file.name


def test_the_checker_is_a_page_of_python() -> None:
    assert len(CHECKER.read_text().splitlines()) <= 150


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("events.csv", "alone-1", "alone-9", "is not there as it was recorded"),
        ("events.csv", ",1.5,", ",1.25,", "not what it says"),
        ("not_counted.csv", ",cancelled,", ",replaced,", "is not replaced"),
        ("figures.json", '"value": "10.5"', '"value": "11"', "make 21/2"),
        ("figures.json", '"as_of": 37', '"as_of": 36', "is not cancelled"),
        (
            "figures.json",
            '"customer": "cus_1"',
            '"customer": "cus_2"',
            "as it was recorded",
        ),
        ("contents.ndjson", '"3.5', '"4.5', "is not what was recorded"),
        ("contents.ndjson", "alone-2", "alone-3", "is not what was recorded"),
        ("chain.csv", ",facts,", ",usage,", ""),
        ("chain.csv", "\n2,1,", "\n2,2,", "comes after 3"),
        ("chain.csv", ",0\n", ",1\n", ""),
    ],
)
def test_edits_that_are_signed_again_are_found(
    file: str,
    old: str,
    new: str,
    problem: str,
    exported: tuple[Path, metering.ExportedExplanation],
    tmp_path: Path,
) -> None:
    _, made = exported
    copy = shutil.copytree(made.directory, tmp_path / "copy")
    content = (copy / file).read_text()
    assert old in content
    (copy / file).write_text(content.replace(old, new, 1))
    sign_again(copy)

    said = checked(copy, made.checkpoint.digest)

    assert said.startswith("wrong: ")
    assert problem in said


def test_an_event_that_is_left_out_is_found(
    exported: tuple[Path, metering.ExportedExplanation], tmp_path: Path
) -> None:
    _, made = exported
    copy = shutil.copytree(made.directory, tmp_path / "copy")
    rows = (copy / "events.csv").read_text().splitlines(keepends=True)
    (copy / "events.csv").write_text("".join(r for r in rows if "alone-0" not in r))
    told = (copy / "figures.json").read_text()
    for old, new in (('"10.5"', '"10"'), ('count": 23', 'count": 22')):
        assert old in told
        told = told.replace(old, new)
    (copy / "figures.json").write_text(told)
    sign_again(copy)

    said = checked(copy, made.checkpoint.digest)

    assert said == "wrong: events.csv: 2 is not there as it was recorded\n"


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("turn", range(TURNS))
def test_any_edit_of_any_file_is_found(
    turn: int,
    exported: tuple[Path, metering.ExportedExplanation],
    figures: Figures,
) -> None:
    parent, made = exported
    random = drawing(f"exported {turn}")
    names = sorted(file.name for file in Path(made.directory).iterdir())
    for number in range(budget(EDITS // TURNS)):
        copy = shutil.copytree(made.directory, parent / f"{turn}-{number}")
        name = random.choice(names)
        before = (copy / name).read_bytes()
        after = edited(before, random)
        (copy / name).write_bytes(after)

        said = checked(copy)

        assert said.startswith(("wrong: ", "  File")) or "Error" in said, (name, said)
        assert not said.startswith("ok"), (name, said)
        figures.add("edits")
        shutil.rmtree(copy)


def edited(content: bytes, random: Random) -> bytes:
    """Change some bytes of a file, or cut it, so that it is another one."""
    made = bytearray(content)
    at = random.randrange(len(content))
    match random.choice(["bit", "bytes", "cut", "doubled", "truncated", "longer"]):
        case "bit":
            made[at] ^= 1 << random.randrange(8)
        case "bytes":
            made[at : at + 8] = random.randbytes(8)
        case "cut":
            del made[at : at + random.randrange(1, 60)]
        case "doubled":
            made[at:at] = content[at : at + random.randrange(1, 60)]
        case "truncated":
            del made[at:]
        case _:
            made += b"\n"
    assert made != content
    return bytes(made)
