"""Verification finds whatever in the tables of credits does not follow from the log."""

import itertools
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import metering
from tests.conftest import Connect
from tests.faults.copying import copied
from tests.metering.usual_credits import (
    DAY,
    apply,
    balance,
    for_prices,
    grant,
    line,
    run,
)
from tests.metering.usual_usage import NOW, create_event, create_meter
from tests.profiles import PROFILE

_ROUNDS = 20 if PROFILE.is_thorough else 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with grants, of which some was applied and given back."""
    target = str(tmp_path_factory.mktemp("credits") / "usage")
    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        create_meter(store)
        grant(store, 500, applicability_config=for_prices("price_1"), name="Gift")
        grant(store, 200, expires_at=NOW + DAY, metadata={"a": "1"})
        store.credit_grants.void(grant(store).id)
        store.credit_grants.expire(grant(store).id)
        apply(store, "in_1", line(600), line(5, id="il_2"))
        create_event(store)
        store.credits.reinstate(invoice="in_1")
        store.credits.apply_many(run({"invoice": "in_2"}, {"invoice": "in_3"}))
    return target


@pytest.fixture
def target(made: str) -> Iterator[str]:
    """A copy of that store, to be tampered with."""
    with copied(made) as copy:
        yield copy


def test_what_was_recorded_is_what_is_stored(target: str) -> None:
    with metering.connect(target) as store:
        assert store.verify().problems == ()


TAMPERING = [
    "UPDATE credit_grant_use SET applied = applied + 1 WHERE position = 2",
    "UPDATE credit_grant SET amount = amount + 1 WHERE position = 2",
    "UPDATE credit_grant SET customer = 'cus_2' WHERE position = 2",
    "UPDATE credit_grant SET currency = 'eur' WHERE position = 2",
    "UPDATE credit_grant SET prices = NULL WHERE position = 2",
    "UPDATE credit_grant SET name = NULL WHERE position = 2",
    "UPDATE credit_grant SET effective_at = 0 WHERE position = 2",
    "UPDATE credit_grant SET expires_at = NULL WHERE position = 3",
    "UPDATE credit_grant SET metadata = x'80' WHERE position = 3",
    "UPDATE credit_grant SET voided_at = NULL WHERE position = 4",
    "UPDATE credit_grant SET voided_position = 9 WHERE position = 4",
    "UPDATE credit_grant SET expired_position = NULL WHERE position = 6",
    "UPDATE credit_grant SET created = created + 1 WHERE position = 2",
    "UPDATE credit_grant SET updated = updated + 1 WHERE position = 2",
    "DELETE FROM credit_grant WHERE position = 2",
    "UPDATE credit_grant SET category = 'gift' WHERE position = 2",
    "UPDATE credit_grant SET metadata = x'ff' WHERE position = 2",
    "UPDATE credit_application SET invoice = 'in_9' WHERE position = 8",
    "UPDATE credit_application SET period_end = 0 WHERE position = 8",
    "UPDATE credit_application SET draws = x'90' WHERE position = 8",
    "UPDATE credit_application SET lines = x'90' WHERE position = 8",
    "UPDATE credit_application SET reinstated_at = 0 WHERE position = 8",
    "UPDATE credit_application SET recorded_at = 0 WHERE position = 8",
    "DELETE FROM credit_application WHERE position = 8",
    "UPDATE credit_application SET draws = x'c1' WHERE position = 8",
    "UPDATE credit_application SET block_position = 12 WHERE position = 12",
    "UPDATE credit_invoice_block SET encoded = x'c1' WHERE first_position = 11",
    "UPDATE credit_invoice_block SET recorded_at = 0 WHERE first_position = 11",
    "DELETE FROM credit_invoice_block WHERE first_position = 11",
]


def named(statement: str) -> str:
    """How a problem begins that names what a statement changed."""
    place = re.search(r"(?:UPDATE|FROM) (\w+) .*WHERE (\w+) = (\d+)", statement)
    assert place is not None
    table, key = f"In table {place[1]}", f"{place[2]} = {place[3]}"
    if (column := re.search(r"SET (\w+) =", statement)) is not None:
        return f"{table}, row {key}, column {column[1]}: "
    return f"{table}, the row with {key} is missing"


@pytest.mark.parametrize("statement", TAMPERING)
def test_whatever_was_changed_in_the_tables_is_found_and_made_anew(
    target: str, statement: str
) -> None:
    with closing(sqlite3.connect(Path(target) / "log.db")) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()

    with metering.connect(target) as store:
        (found,) = store.verify().problems
        store.rebuild()

        assert found.startswith(named(statement))
        assert found.endswith("; run `metering rebuild`")
        assert store.verify().ok


@contextmanager
def granting(target: str) -> Iterator[None]:
    """Let somebody else grant credits and make meters all the time."""
    is_over = threading.Event()

    def go_on() -> None:
        with metering.connect(target) as store:
            for number in itertools.count():
                if is_over.is_set():
                    return
                grant(store, customer=f"cus_{number}")
                create_meter(store, f"meter_{number}")

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        yield
    finally:
        is_over.set()
        writer.join()


def test_a_store_is_verified_while_others_record(target: str) -> None:
    with metering.connect(target) as store, granting(target):
        for _ in range(_ROUNDS):
            assert store.verify().problems == ()


@pytest.mark.parametrize(
    "statement",
    [
        TAMPERING[0],
        TAMPERING[-1],
        "UPDATE meter SET display_name = 'other' WHERE position = 1",
    ],
)
def test_what_was_changed_is_found_while_others_record(
    target: str, statement: str
) -> None:
    with closing(sqlite3.connect(Path(target) / "log.db")) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()

    with metering.connect(target) as store, granting(target):
        found = {store.verify().problems for _ in range(_ROUNDS)}

    ((problem,),) = found
    assert f"table {statement.split()[1 if 'UPDATE' in statement else 2]}," in problem


@pytest.mark.dialect
def test_rebuilding_leaves_every_balance_as_it_was(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store, 500, expires_at=NOW + DAY)
    grant(store, 200, currency="eur")
    apply(store, "in_1", line(70))
    before = balance(store), store.credit_balance_transactions.list("cus_1")

    store.rebuild()

    assert (balance(store), store.credit_balance_transactions.list("cus_1")) == before
    assert store.verify().ok
