"""Whatever somebody writes into a table is found, or is listed as what cannot be."""

from contextlib import closing

import pytest
from sqlalchemy import Table, inspect

from ledger.database.addresses import open_database
from projections.schema import metadata as derived
from tests.faults.copying import copied
from tests.faults.edited.conftest import Made
from tests.faults.edited.edits import (
    EMPTY,
    TABLES,
    EditRefusedError,
    apply_edit,
    edits_of,
)
from tests.faults.edited.stores import ANSWERS, opened, problems_met
from tests.faults.edited.unseen import UNSEEN
from tests.figures import Figures
from tests.profiles import budget, drawing, taken

FULL = [each for each in TABLES if each.name not in EMPTY]


@pytest.mark.slow
def test_every_table_of_a_store_is_edited(made: Made) -> None:
    with (
        closing(open_database(made.target, creates=False)) as database,
        database.read() as connection,
    ):
        names = inspect(connection).get_table_names()

    assert sorted(names) == sorted(each.name for each in TABLES)


def assert_repaired(target: str, made: Made, edit: object) -> None:
    with opened(target) as store:
        store.rebuild()
        store.catch_up()
        assert store.verify().problems == (), edit
        for name, ask in ANSWERS.items():
            assert ask(store) == made.answers[name], f"{name} after {edit}"


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("table", taken(FULL), ids=lambda table: table.name)
def test_whatever_was_edited_is_found_named_and_repaired(
    made: Made, table: Table, figures: Figures
) -> None:
    """An edit of any column of any table is found, ends no command in a traceback, and
    is undone by a rebuild where the row follows from the log. On PostgreSQL a third of
    them, others with each commit: the same code reads both.
    """
    edits = [*edits_of(table)]
    on_postgresql = "://" in made.target
    tries = len(edits) // 3 if on_postgresql else len(edits)
    chosen = drawing(table.name).sample(edits, budget(tries))
    unseen: set[str] = set()
    for edit in chosen:
        with copied(made.target) as copy:
            try:
                apply_edit(copy, table, edit)
            except EditRefusedError:
                continue
            figures.add("edits")
            if table.metadata is derived:
                with copied(copy) as another:
                    assert_repaired(another, made, edit)
            if not problems_met(copy):
                unseen.add(edit.column or "*")

    listed = UNSEEN.get(table.name, {}).keys()
    assert unseen <= listed
    if len(chosen) == len(edits) and not on_postgresql:
        assert unseen == listed, "what can be seen is not listed"
