"""Every door takes what senders and files bring by one rule: the table *rule by door*."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.metering.doors.cells import Case, Rule, all_rules, check_cell, why_empty
from tests.metering.doors.door import Door
from tests.metering.doors.doors import DOORS
from tests.metering.doors.place import Place, served_place
from tests.metering.doors.questions import ASKED_AT, QUESTIONS, Question, check_answer

RULES = all_rules()
EMPTY = {
    (rule.name, case.name, door.name): why_empty(case, door)
    for rule in RULES
    for case in rule.cases
    for door in DOORS
}
CELLS = [
    pytest.param(rule.name, case, door, id=f"{rule.name}: {case.name} [{door.name}]")
    for rule in RULES
    # In the order of the doors: a command opens the store anew, and is quick while
    # that is small.
    for door in DOORS
    for case in rule.cases
    if EMPTY[rule.name, case.name, door.name] is None
]


@dataclass
class Places:
    """A store for each rule: the more meters it has, the longer takes each cell."""

    scratch: pytest.TempPathFactory
    opened: ExitStack
    rule: str = ""
    place: Place | None = None

    def of(self, rule: str) -> Place:
        if self.place is None or self.rule != rule:
            self.opened.close()
            directory = self.scratch.mktemp("doors")
            self.place = self.opened.enter_context(served_place(directory))
            self.rule = rule
        return self.place


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with ExitStack() as opened:
        yield Places(tmp_path_factory, opened)


@pytest.mark.parametrize(("rule", "case", "door"), CELLS)
def test_a_door_does_what_the_rule_says(
    places: Places, rule: str, case: Case, door: Door
) -> None:
    check_cell(door, places.of(rule), case)


def test_no_cell_is_empty_without_a_reason() -> None:
    assert [at for at, reason in EMPTY.items() if reason == ""] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_seen_at_every_door_that_can_have_it(rule: Rule) -> None:
    names = [case.name for case in rule.cases]
    assert names, "a rule without a case says nothing"
    assert len(names) == len(set(names))
    for door in DOORS:
        reasons = [EMPTY[rule.name, name, door.name] for name in names]
        assert None in reasons or door.name in rule.nowhere, set(reasons)


@pytest.mark.parametrize(
    ("question", "door"),
    [
        pytest.param(each, door, id=f"{each.rule}: {each.name} [{door}]")
        for each in QUESTIONS
        for door in each.ask
    ],
)
def test_a_door_of_asking_answers_as_the_rule_says(
    places: Places, question: Question, door: str
) -> None:
    check_answer(question, door, places.of(question.rule))


def test_no_question_is_left_out_at_a_door_without_a_reason() -> None:
    for each in QUESTIONS:
        assert each.ask.keys() | each.empty.keys() == set(ASKED_AT), each.name
        assert all(each.empty.values()), each.name
