"""The tables of credits are what the facts add up to, however they are folded."""

from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event, inspect, select, text

from ledger.database.addresses import open_database
from ledger.database.store import Database
from ledger.errors import StoreError
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    Draw,
    GrantCategory,
    InvoiceLine,
)
from ledger.facts.union import Fact
from ledger.log import Log
from projections.credits.queries import CreditQueries
from projections.credits.tables import (
    APPLICATIONS,
    GRANTS,
    SELECT_GRANTS,
    credit_application,
)
from projections.kernels.credits.grants import Application, Grant
from projections.rows import Page
from tests.projections.credits.accounts import CreditAccounts
from tests.projections.usage_logs import fact_log

LINES = (InvoiceLine("größe 🚕", 7, None), InvoiceLine("'; --", 0, "price_1"))


def created(key: str, **others: object) -> CreditGrantCreated:
    usual: dict[str, object] = {
        "grant_id": f"credgr_{key}",
        "customer": "cus_1",
        "amount": 100,
        "currency": "usd",
        "prices": ("price_1", "%s"),
        "category": GrantCategory.PROMOTIONAL,
        "name": "Größe 🚕 '; --",
        "priority": 50,
        "effective_at": -5,
        "expires_at": 9_000,
        "metadata": {"a": "1", "ü": "\\"},
    }
    return CreditGrantCreated(**{**usual, **others})  # type: ignore[arg-type]  # a few of many


def applied(name: str, *draws: tuple[int, int, int]) -> CreditsApplied:
    return CreditsApplied(
        invoice=f"in_{name}",
        customer="cus_1",
        currency="usd",
        period_end=-1,
        lines=LINES,
        draws=tuple(Draw(*draw) for draw in draws),
    )


HISTORY: list[list[Fact]] = [
    [created("a"), created("b", prices=None, name=None, expires_at=None, metadata={})],
    [
        applied("1", (0, 1, 60), (0, 2, 5), (1, 1, 10)),
        applied("2"),
        applied("3", (0, 2, 1)),
    ],
    [CreditGrantUpdated(grant_id="credgr_a", expires_at=None, metadata={"b": "2"})],
    [CreditsReinstated(invoice="in_1"), applied("4", (0, 1, 100)), created("c")],
    [CreditGrantExpired(grant_id="credgr_a"), CreditGrantVoided(grant_id="credgr_c")],
    [applied("5", (0, 2, 9)), CreditsReinstated(invoice="in_5")],
]


def record(log: Log, facts: Sequence[Fact], at: int) -> None:
    with log.writing(lambda: at) as writing:
        writing.record(facts)


def stored(log: Log) -> tuple[dict[int, Grant], dict[int, Application]]:
    with log.read() as connection:
        grants = map(GRANTS.read, connection.execute(SELECT_GRANTS))
        applications = map(
            APPLICATIONS.read, connection.execute(select(credit_application))
        )
        return (
            {each.position: each for each in grants},
            {each.position: each for each in applications},
        )


def replayed(log: Log) -> CreditAccounts:
    accounts = CreditAccounts()
    for commit, _ in log.commits():
        assert isinstance(commit.content, tuple)
        for position, fact in enumerate(commit.content, commit.first_position):
            accounts.take_in(fact, position, commit.recorded_at)
    return accounts


def assert_folded_as_replayed(log: Log, commits: Sequence[Sequence[Fact]]) -> None:
    for number, facts in enumerate(commits):
        record(log, facts, 100 * number)
    folded, expected = stored(log), replayed(log)

    log.rebuild()

    for found in (folded, stored(log)):
        assert found == (expected.grants, expected.applications)


@pytest.mark.dialect
def test_a_history_of_every_fact_is_folded_alike_on_each_backend(
    database: Database,
) -> None:
    assert_folded_as_replayed(fact_log(database), HISTORY)


@pytest.mark.slow
@given(cuts=st.sets(st.integers(1, 15)))
def test_it_does_not_matter_which_facts_are_in_one_commit(cuts: set[int]) -> None:
    facts = [fact for commit in HISTORY for fact in commit]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(facts)), len(facts)]
    commits = [facts[first:last] for first, last in pairwise(bounds)]

    with closing(open_database(":memory:", creates=True)) as database:
        assert_folded_as_replayed(fact_log(database), commits)


def test_a_fold_that_overdraws_a_grant_records_nothing(database: Database) -> None:
    log = fact_log(database)
    record(log, [created("a")], 0)

    with pytest.raises(StoreError):
        record(log, [applied("1", (0, 1, 60), (1, 1, 41))], 1)

    assert log.head().position == 1
    assert stored(log)[1] == {}


@pytest.mark.dialect
def test_a_store_of_before_is_given_the_tables_when_it_is_opened(
    database: Database,
) -> None:
    log = fact_log(database)
    for number, facts in enumerate(HISTORY):
        record(log, facts, number)
    before = stored(log)
    with database.write() as connection:
        connection.execute(text("DROP TABLE credit_grant"))
        connection.execute(text("DROP TABLE credit_application"))
        connection.execute(text("DELETE FROM projection WHERE name = 'credit'"))

    assert stored(fact_log(database)) == before


@pytest.mark.dialect
def test_grants_are_read_page_by_page_newest_first(database: Database) -> None:
    log = fact_log(database)
    record(log, [created(name) for name in "abcde"], 0)
    record(log, [created("of another", customer="cus_2")], 0)

    with log.read() as connection:
        seen = CreditQueries(connection)

        def page(customer: str | None, **bounds: int) -> list[int]:
            found = seen.page_of_grants(customer, Page(limit=2, **bounds))
            return [each.position for each in found]

        assert page(None) == [6, 5]
        assert page("cus_1") == [5, 4]
        assert page("cus_1", before=4) == [3, 2]
        assert page("cus_1", before=1) == []
        assert page("cus_1", after=1) == [3, 2]
        assert page("cus_1", after=4) == [5]


def test_a_past_balance_reads_only_the_invoices_since(tmp_path: Path) -> None:
    plans = list[str]()

    def explain(
        connection: Connection, _: object, sql: str, bound: tuple[object, ...], *__: Any
    ) -> None:
        if "credit_application" in sql and not sql.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", bound)
            plans.extend(str(row.detail) for row in rows)

    with closing(open_database(str(tmp_path / "usage"), creates=True)) as database:
        log = fact_log(database)
        for number, facts in enumerate(HISTORY):
            record(log, facts, number)
        with log.read() as connection:
            event.listen(connection, "before_cursor_execute", explain)
            CreditQueries(connection).applications_since("cus_1", 1)

    given_back = "credit_application USING INDEX credit_application_reinstated"
    drawn = "credit_customer_application USING PRIMARY KEY"
    assert plans == [
        f"SEARCH {given_back} (customer=? AND reinstated_at>?)",
        f"SEARCH {drawn} (customer=? AND recorded_at>?)",
        "SEARCH credit_application USING INTEGER PRIMARY KEY (rowid=?)",
    ]


@pytest.mark.dialect
def test_tables_of_another_version_are_made_anew_with_their_indexes(
    database: Database,
) -> None:
    log = fact_log(database)
    record(log, HISTORY[0], 0)
    with database.write() as connection:
        connection.execute(text("DROP INDEX credit_application_reinstated"))
        connection.execute(text("UPDATE projection SET fold_version = 0"))

    with fact_log(database).read() as connection:
        indexes = inspect(connection).get_indexes("credit_application")

    assert "credit_application_reinstated" in {each["name"] for each in indexes}


@pytest.mark.dialect
def test_many_thousands_of_values_are_looked_for_at_once(database: Database) -> None:
    log = fact_log(database)
    record(log, HISTORY[0], 0)
    record(log, HISTORY[1], 0)

    with log.read() as connection:
        seen = CreditQueries(connection)
        invoices = [f"in_{number}" for number in range(40_000)]
        found = seen.applications_to(invoices)
        ids = seen.grant_ids(range(40_000))

    assert sorted(found) == ["in_1", "in_2", "in_3"]
    assert ids == {1: "credgr_a", 2: "credgr_b"}
