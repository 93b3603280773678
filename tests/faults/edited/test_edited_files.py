"""Whatever somebody writes into a file of a store is found, or changes no answer."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

import metering
from tests.faults.edited.stores import ANSWERS, COMMANDS, make, opened
from tests.figures import Figures
from tests.metering.usual_usage import create_event
from tests.profiles import budget, drawing
from tests.webhook_receiver import running_receiver

EDITS = 2_000
# How a delivery went follows from nothing; see `tests.faults.edited.unseen`.
_FOLLOWING = ANSWERS.keys() - {"deliveries", "events", "undelivered"}
_KINDS = ("bit", "zeros", "truncated", "emptied", "deleted")


@pytest.fixture(scope="module")
def left() -> Iterator[Path]:
    """A store as a process leaves it that is killed: with its write-ahead log."""
    with running_receiver() as receiver, tempfile.TemporaryDirectory() as parent:
        original, copy = Path(parent) / "usage", Path(parent) / "left"
        make(str(original), receiver)
        with opened(str(original)) as store:
            store.catch_up()
            create_event(store, identifier="last")
            shutil.copytree(original, copy)
        assert (copy / "log.db-wal").stat().st_size > 0
        yield copy


def edit(file: Path, kind: str, random: Random) -> None:
    content = bytearray(file.read_bytes())
    place = random.randrange(len(content)) if content else 0
    match kind:
        case "bit" if content:
            content[place] ^= 1 << random.randrange(8)
        case "zeros":
            content[place : place + 512] = bytes(len(content[place : place + 512]))
        case "truncated":
            del content[place:]
        case "emptied":
            content.clear()
        case _:
            file.unlink()
            return
    file.write_bytes(content)


def problems_of(target: str, saved: metering.Checkpoint) -> tuple[str, ...]:
    """What verification says, or why the store is not opened at all."""
    try:
        with opened(target) as store:
            return store.verify(checkpoint=saved).problems
    except metering.MeteringError as error:
        return (error.message,)


def answers_of(target: str) -> dict[str, object]:
    with opened(target) as store:
        return {name: ANSWERS[name](store) for name in _FOLLOWING}


@pytest.mark.slow
@pytest.mark.sweep
def test_whatever_was_edited_in_a_file_is_found_or_changes_no_answer(
    left: Path, tmp_path: Path, figures: Figures
) -> None:
    """An edit of any file of a store is found against a checkpoint, or changes no answer
    of what follows from the log, and ends no command in a traceback.
    """
    random = drawing("files")
    with tempfile.TemporaryDirectory() as parent:
        whole = Path(shutil.copytree(left, Path(parent) / "usage"))
        with opened(str(whole)) as store:
            saved = store.verify().checkpoint
        answers = answers_of(str(whole))
    names = sorted(str(each.relative_to(left)) for each in left.rglob("*.*"))

    for number in range(budget(EDITS)):
        copy = Path(shutil.copytree(left, tmp_path / str(number)))
        file = copy / random.choice([n for n in names if (left / n).is_file()])
        kind = random.choice(_KINDS)
        edit(file, kind, random)
        figures.add("edits")
        used = Path(shutil.copytree(copy, tmp_path / f"{number} used"))

        if not problems_of(str(copy), saved):
            assert answers_of(str(copy)) == answers, f"{file.name} {kind}"
        with suppress(metering.MeteringError), opened(str(used)) as store:
            for do in COMMANDS.values():
                with suppress(metering.MeteringError):
                    do(store)
        shutil.rmtree(copy)
        shutil.rmtree(used)
