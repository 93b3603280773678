"""Whatever somebody writes into a file of a store is found, or changes no answer."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

import metering
from tests.faults.edited.stores import ANSWERS, make, opened, problems_met
from tests.figures import Figures
from tests.metering.usual_usage import create_event
from tests.profiles import PROFILE, budget, drawing, memory_directory
from tests.webhook_receiver import running_receiver

EDITS = 1_000
TURNS = 8 if PROFILE.is_thorough else 1
# How a delivery went follows from nothing; see `tests.faults.edited.unseen`.
_FOLLOWING = ANSWERS.keys() - {"deliveries", "events", "undelivered"}
_KINDS = ("bit", "zeros", "truncated", "emptied", "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A store as a process leaves it that is killed: with its write-ahead log.

    Attributes:
        checkpoint: of its log, kept elsewhere.
        answers: what it says, of what follows from its log.
    """

    place: Path
    checkpoint: metering.Checkpoint
    answers: dict[str, object]


@pytest.fixture(scope="module")
def left() -> Iterator[Left]:
    with running_receiver() as receiver, memory_directory() as parent:
        original, place = parent / "usage", parent / "left"
        make(str(original), receiver)
        with opened(str(original)) as store:
            store.catch_up()
            create_event(store, identifier="last")
            shutil.copytree(original, place)
        assert (place / "log.db-wal").stat().st_size > 0
        whole = str(shutil.copytree(place, parent / "whole"))
        with opened(whole) as store:
            checkpoint = store.verify().checkpoint
        yield Left(place=place, checkpoint=checkpoint, answers=answers_of(whole))


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


def answers_of(target: str) -> dict[str, object]:
    with opened(target) as store:
        return {name: ANSWERS[name](store) for name in _FOLLOWING}


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("turn", range(TURNS))
def test_whatever_was_edited_in_a_file_is_found_or_changes_no_answer(
    left: Left, figures: Figures, turn: int
) -> None:
    """An edit of any file of a store is found against a checkpoint, or changes no answer
    of what follows from the log, and ends no command in a traceback.
    """
    random = drawing(f"files {turn}")
    files = [each for each in sorted(left.place.rglob("*.*")) if each.is_file()]

    for _ in range(budget(EDITS // TURNS)):
        with memory_directory() as parent:
            edited = Path(shutil.copytree(left.place, parent / "edited"))
            file, kind = random.choice(files), random.choice(_KINDS)
            edit(edited / file.relative_to(left.place), kind, random)
            figures.add("edits")
            used = str(shutil.copytree(edited, parent / "used"))

            if not problems_met(used, left.checkpoint):
                assert answers_of(str(edited)) == left.answers, f"{file.name} {kind}"
