"""Where credits are measured: stores of this project, and the peers' rows beside them.

Stores are made once and copied for each round. Their grants are recorded in one commit,
as the facts that the public door would record: through it each would be a commit, which
takes minutes and is not what is measured.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql
from sqlalchemy import make_url

import metering
from bench.credits.billing_run import NOW, Draw, Grant
from bench.credits.credit_row_tables import (
    Balance,
    CreditRowTables,
    PostgresqlCreditRows,
    SqliteCreditRows,
    microseconds,
)
from ledger.facts.credits.grants import CreditGrantCreated, GrantCategory
from tests.postgresql_server import fresh_database

SQLITE: Final = "SQLite"
POSTGRESQL: Final = "PostgreSQL"


class SqlitePlaces:
    """Directories, all removed at the end."""

    name = SQLITE

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def store(self) -> str:
        """Make a place for a store of this project."""
        directory = Path(tempfile.mkdtemp(prefix="metering-bench-"))
        self._stack.callback(shutil.rmtree, directory)
        return str(directory / "usage")

    def copy_of(self, store: str) -> str:
        """Copy a store that nobody has open."""
        target = self.store()
        shutil.copytree(store, target)
        return target

    def rows(self) -> CreditRowTables:
        """Make the tables of the peer."""
        rows = SqliteCreditRows(Path(self.store()).with_name("rows.db"))
        self._stack.callback(rows.close)
        return rows


class PostgresqlPlaces:
    """Databases of a server, all dropped at the end."""

    name = POSTGRESQL

    def __init__(self, stack: ExitStack, server_url: str) -> None:
        self._stack = stack
        self._server_url = server_url

    def store(self) -> str:
        """Make a place for a store of this project."""
        return self._stack.enter_context(fresh_database(self._server_url))

    def copy_of(self, store: str) -> str:
        """Copy a store that nobody has open."""
        target = self.store()
        name, template = make_url(target).database, make_url(store).database
        assert name is not None
        assert template is not None
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            for statement in (
                sql.SQL("DROP DATABASE {name}"),
                sql.SQL("CREATE DATABASE {name} TEMPLATE {template}"),
            ):
                parts = {"name": sql.Identifier(name)}
                parts["template"] = sql.Identifier(template)
                connection.execute(statement.format(**parts))
        return target

    def rows(self) -> CreditRowTables:
        """Make the tables of the peer."""
        rows = PostgresqlCreditRows(self.store())
        self._stack.callback(rows.close)
        return rows


Places = SqlitePlaces | PostgresqlPlaces
"""Makes stores and rows in one kind of database, on the same disk."""


@contextmanager
def opened(store: str) -> Iterator[metering.Metering]:
    """Open a store of credits at the instant of the billing run."""
    clock = metering.FixedClock(NOW)
    with metering.connect(store, clock=clock, seal_events=None) as engine:
        yield engine


def grant_all(store: str, grants: Sequence[Grant]) -> dict[str, int]:
    """Record grants; return their numbers by their ids."""
    facts = [_fact(grant) for grant in grants]
    with opened(store) as engine:
        # There is no public door for many at once.
        with engine._engine.writing() as writing:  # noqa: SLF001
            writing.record(facts)
        first = grants[0]
        found = engine.credit_grants.retrieve(_grant_id(first))
        assert found.amount.monetary.value == first.amount
    return {_grant_id(grant): grant.number for grant in grants}


def draws_in(
    transactions: pa.Table, numbers: dict[str, int], before_customer: str
) -> list[Draw]:
    """Read what customers named before one drew, sorted."""
    is_asked = pc.less(transactions["customer"], before_customer)
    asked = transactions.filter(is_asked)
    return sorted(
        (
            int(invoice.removeprefix("in_")),
            int(line.removeprefix("il_")),
            number,
            amount,
        )
        for invoice, line, number, amount in zip(
            asked["invoice"].to_pylist(),
            asked["line"].to_pylist(),
            (numbers[grant] for grant in asked["credit_grant"].to_pylist()),
            asked["amount"].to_pylist(),
            strict=True,
        )
    )


def balances_of(summary: metering.CreditBalanceSummary) -> list[Balance]:
    """Read what a row table can tell of a balance."""
    return [
        (
            balance.ledger_balance.monetary.currency,
            balance.ledger_balance.monetary.value,
            balance.available_balance.monetary.value,
        )
        for balance in summary.balances
    ]


def _grant_id(grant: Grant) -> str:
    return f"credgr_test_{grant.number:08d}"


def _fact(grant: Grant) -> CreditGrantCreated:
    return CreditGrantCreated(
        grant_id=_grant_id(grant),
        customer=grant.customer,
        amount=grant.amount,
        currency=grant.currency,
        prices=grant.prices,
        category=GrantCategory(grant.category),
        name=None,
        priority=grant.priority,
        effective_at=microseconds(grant.effective_at),
        expires_at=(
            None if grant.expires_at is None else microseconds(grant.expires_at)
        ),
        metadata={},
    )
