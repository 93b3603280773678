"""The peers of prepaid credits: rows of grants and transactions, one commit an invoice.

What a backend writes by hand: in one database transaction insert the invoice, so that it
is not paid twice, read the grants that may pay in their order, take from them line by
line, and insert what was taken. It does less than this project: it does not compare an
invoice that comes again, keeps no lines, no past balances and no log. The invoices come
as Python objects, so nothing has to be converted.
"""

import sqlite3
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import psycopg

from bench.credits.billing_run import (
    NOW,
    PERIOD_END,
    Draw,
    Grant,
    Invoice,
    invoice_id,
    line_id,
)

Balance = tuple[str, int, int]
"""Currency, what is on the ledger, and what of it is available."""

_Candidate = tuple[int, int, str | None]
_Taken = list[tuple[int, int, int]]

_GRANT_COLUMNS: Final = """
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    currency TEXT NOT NULL,
    remaining BIGINT NOT NULL,
    prices TEXT,
    category TEXT NOT NULL,
    priority INTEGER NOT NULL,
    effective_at BIGINT NOT NULL,
    expires_at BIGINT
"""
_INVOICE_COLUMNS: Final = """
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL,
    period_end BIGINT NOT NULL
"""
_TRANSACTION_COLUMNS: Final = """
    invoice TEXT NOT NULL,
    line TEXT NOT NULL,
    grant_id INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    created BIGINT NOT NULL
"""
_INDEXES: Final = (
    "CREATE INDEX grant_of_customer ON credit_grant (customer, currency)",
    "CREATE INDEX transaction_of_grant ON credit_transaction (grant_id)",
)


_CANDIDATES: Final = """
SELECT id, remaining, prices
FROM credit_grant
WHERE customer = ? AND currency = ? AND remaining > 0
    AND effective_at <= ? AND (expires_at IS NULL OR expires_at > ?)
ORDER BY priority, expires_at NULLS LAST, category = 'paid', effective_at, id
"""
_BALANCE: Final = """
SELECT currency, sum(remaining),
    sum(CASE WHEN effective_at <= ? THEN remaining ELSE 0 END)
FROM credit_grant
WHERE customer = ? AND (expires_at IS NULL OR expires_at > ?)
GROUP BY currency
ORDER BY currency
"""


def microseconds(instant: datetime) -> int:
    """Count the microseconds from 1970 UTC."""
    return round(instant.timestamp() * 1_000_000)


_NOW: Final = microseconds(NOW)
_PERIOD_END: Final = microseconds(PERIOD_END)
# A grant must be of use both when the period ends and when it is paid.
_LATER: Final = max(_NOW, _PERIOD_END)
_EARLIER: Final = min(_NOW, _PERIOD_END)


class CreditRowTables:
    """Grants and transactions as rows, one database transaction an invoice.

    `mark` stands for a parameter in the statements of a database.
    """

    def __init__(
        self, connection: Any, mark: str, *, locking: str = ""
    ) -> None:  # of either driver
        """Create the tables over a connection."""
        self._connection = connection
        self._mark = mark
        self._candidates = self._in_dialect(_CANDIDATES + locking)
        for statement in (
            f"CREATE TABLE credit_grant ({_GRANT_COLUMNS})",
            f"CREATE TABLE credit_invoice ({_INVOICE_COLUMNS})",
            f"CREATE TABLE credit_transaction ({_TRANSACTION_COLUMNS})",
            *_INDEXES,
        ):
            connection.execute(statement)

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """Open a database transaction, committed and durable at its end."""

    def reading(self) -> AbstractContextManager[object]:
        """Open what a statement needs that only reads."""
        return self.transaction()

    @abstractmethod
    def insert(self, grants: Iterable[Grant]) -> None:
        """Insert grants, all at once."""

    def apply(self, invoice: Invoice) -> None:
        """Apply credits to one invoice, in a database transaction; durable on return."""
        with self.transaction():
            cursor = self._connection.cursor()
            cursor.execute(
                self._in_dialect("INSERT INTO credit_invoice VALUES (?, ?, ?)"),
                (invoice_id(invoice.number), invoice.customer, _PERIOD_END),
            )
            cursor.execute(
                self._candidates,
                (invoice.customer, invoice.currency, _EARLIER, _LATER),
            )
            taken = burn_down(invoice, cursor.fetchall())
            cursor.executemany(
                self._in_dialect(
                    "UPDATE credit_grant SET remaining = remaining - ? WHERE id = ?"
                ),
                [(amount, grant) for _, grant, amount in taken],
            )
            cursor.executemany(
                self._in_dialect(
                    "INSERT INTO credit_transaction VALUES (?, ?, ?, ?, ?)"
                ),
                _transactions(invoice, taken),
            )

    def draws(self) -> list[Draw]:
        """Read all transactions."""
        with self.reading():
            rows = self._connection.execute(
                "SELECT invoice, line, grant_id, amount FROM credit_transaction"
            ).fetchall()
        return [
            (
                int(invoice.removeprefix("in_")),
                int(line.removeprefix("il_")),
                grant,
                amount,
            )
            for invoice, line, grant, amount in rows
        ]

    def balance(self, customer: str) -> list[Balance]:
        """Add up what a customer has."""
        with self.reading():
            rows = self._connection.execute(
                self._in_dialect(_BALANCE), (_NOW, customer, _NOW)
            ).fetchall()
        return [
            (currency, int(ledger), int(available))
            for currency, ledger, available in rows
        ]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _in_dialect(self, statement: str) -> str:
        return statement.replace("?", self._mark)


class SqliteCreditRows(CreditRowTables):
    """In SQLite, as durable as this project: WAL, and synced at every commit.

    The page cache holds everything, and the write-ahead log may grow to 200 MB before
    it is checkpointed: both help the peer.
    """

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA cache_size = -1048576",
            "PRAGMA wal_autocheckpoint = 50000",
        ):
            connection.execute(statement)
        super().__init__(connection, "?")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Open a database transaction that may write."""
        self._connection.execute("BEGIN IMMEDIATE")
        yield
        self._connection.execute("COMMIT")

    def reading(self) -> AbstractContextManager[object]:
        """Read outside a transaction, which is quicker."""
        return nullcontext()

    def insert(self, grants: Iterable[Grant]) -> None:
        """Insert grants, all at once."""
        with self.transaction():
            self._connection.executemany(
                "INSERT INTO credit_grant VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_row, grants),
            )


class PostgresqlCreditRows(CreditRowTables):
    """In PostgreSQL, as initdb sets it up: synced at every commit.

    The grants are locked while they are read, so that several writers could run.
    """

    def __init__(self, url: str) -> None:
        connection = psycopg.connect(url)
        with connection.transaction():
            super().__init__(connection, "%s", locking="FOR UPDATE")

    def transaction(self) -> AbstractContextManager[object]:
        """Open a database transaction."""
        return cast("AbstractContextManager[object]", self._connection.transaction())

    def insert(self, grants: Iterable[Grant]) -> None:
        """Insert grants, all at once."""
        with (
            self.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy("COPY credit_grant FROM STDIN") as copy,
        ):
            for grant in grants:
                copy.write_row(_row(grant))
        with self.transaction():
            self._connection.execute("ANALYZE credit_grant")


def burn_down(invoice: Invoice, candidates: Sequence[_Candidate]) -> _Taken:
    """Take each line from the grants that may pay it, in their order."""
    left = {grant: remaining for grant, remaining, _ in candidates}
    scopes = {grant: prices and prices.split(",") for grant, _, prices in candidates}
    taken: _Taken = []
    for line in invoice.lines:
        due = line.amount
        for grant, prices in scopes.items():
            part = min(due, left[grant])
            if part and (prices is None or line.price in prices):
                due -= part
                left[grant] -= part
                taken.append((line.number, grant, part))
    return taken


def _transactions(
    invoice: Invoice, taken: _Taken
) -> list[tuple[str, str, int, int, int]]:
    return [
        (invoice_id(invoice.number), line_id(line), grant, amount, _NOW)
        for line, grant, amount in taken
    ]


def _row(grant: Grant) -> tuple[int | str | None, ...]:
    return (
        grant.number,
        grant.customer,
        grant.currency,
        grant.amount,
        None if grant.prices is None else ",".join(grant.prices),
        grant.category,
        grant.priority,
        microseconds(grant.effective_at),
        None if grant.expires_at is None else microseconds(grant.expires_at),
    )
