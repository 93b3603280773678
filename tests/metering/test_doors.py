"""Every door takes what senders and files bring by one rule: the table *rule by door*."""

from collections.abc import Iterator
from pathlib import Path

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
    pytest.param(case, door, id=f"{rule.name}: {case.name} [{door.name}]")
    for rule in RULES
    for case in rule.cases
    for door in DOORS
    if EMPTY[rule.name, case.name, door.name] is None
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served_place(Path(tmp_path_factory.mktemp("doors"))) as served:
        yield served


@pytest.mark.parametrize(("case", "door"), CELLS)
def test_a_door_does_what_the_rule_says(place: Place, case: Case, door: Door) -> None:
    check_cell(door, place, case)


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
    place: Place, question: Question, door: str
) -> None:
    check_answer(question, door, place)


def test_no_question_is_left_out_at_a_door_without_a_reason() -> None:
    for each in QUESTIONS:
        assert each.ask.keys() | each.empty.keys() == set(ASKED_AT), each.name
        assert all(each.empty.values()), each.name
