"""The peer of a check of usage: rows of hours and of grants, and three statements.

What a backend writes by hand: usage is kept added up by customer, meter and hour, in
thousandths, what is left of a grant in its row. A check adds up the hours of each month that is not billed,
rates them with and without what is asked about, and compares with what grants have left.
It does less than this project: it knows one price by unit, and neither tiers, scopes of
grants, holds, limits, pools nor statements.
"""

import sqlite3
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final

Answer = tuple[bool, int, int]
"""Whether it is covered, what it comes to, and what remains for it."""

_THOUSANDTHS: Final = 1_000
_TABLES: Final = (
    """
    CREATE TABLE usage_hour (
        customer TEXT, meter TEXT, hour INTEGER, quantity INTEGER,
        PRIMARY KEY (customer, meter, hour)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE subscription (
        customer TEXT, meter TEXT, billed_until INTEGER, unit_amount TEXT,
        PRIMARY KEY (customer, meter)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE credit_grant (
        id INTEGER PRIMARY KEY, customer TEXT, remaining INTEGER,
        effective_at INTEGER, expires_at INTEGER
    )
    """,
    "CREATE INDEX grant_of_customer ON credit_grant (customer)",
)
_SUBSCRIPTION: Final = """
SELECT billed_until, unit_amount FROM subscription WHERE customer = ? AND meter = ?
"""
_USAGE: Final = """
SELECT strftime('%Y-%m', hour, 'unixepoch') AS month, sum(quantity)
FROM usage_hour
WHERE customer = ? AND meter = ? AND hour >= ?
GROUP BY month
"""
_LEFT: Final = """
SELECT coalesce(sum(remaining), 0) FROM credit_grant
WHERE customer = ? AND effective_at <= ? AND (expires_at IS NULL OR expires_at > ?)
"""


class CheckRows:
    """Usage by the hour, subscriptions and grants as rows, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Create the tables."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA cache_size = -1048576")
        for statement in _TABLES:
            self._connection.execute(statement)

    def insert(
        self,
        hours: Iterable[tuple[str, str, int, int]],
        subscription: tuple[str, str, int, str],
        grant: tuple[str, int, int],
    ) -> None:
        """Insert all hours, and what one customer subscribed to and was granted.

        Args:
            hours: customer, meter, seconds since 1970 UTC, and thousandths.
            subscription: customer, meter, from when nothing is billed, and unit amount.
            grant: customer, what is left, and from when it is effective.
        """
        execute = self._connection.execute
        execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO usage_hour VALUES (?, ?, ?, ?)", hours
        )
        execute("INSERT INTO subscription VALUES (?, ?, ?, ?)", subscription)
        execute("INSERT INTO credit_grant VALUES (NULL, ?, ?, ?, NULL)", grant)
        execute("COMMIT")

    def check(
        self, customer: str, meter: str, quantity: int, month: str, now: int
    ) -> Answer:
        """Check usage.

        Args:
            customer: whose.
            meter: what measures it.
            quantity: how much.
            month: that it falls in, as ``2026-04``.
            now: seconds since 1970 UTC.
        """
        execute = self._connection.execute
        execute("BEGIN")
        billed_until, unit = execute(_SUBSCRIPTION, (customer, meter)).fetchone()
        months = dict(execute(_USAGE, (customer, meter, billed_until)))
        (left,) = execute(_LEFT, (customer, now, now)).fetchone()
        execute("COMMIT")
        price = Decimal(unit)
        used = months.get(month, 0)
        without = sum(_rated(each, price) for each in months.values())
        added = quantity * _THOUSANDTHS
        amount = _rated(used + added, price) - _rated(used, price)
        remaining = max(left - without, 0)
        return amount <= remaining, amount, remaining

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _rated(thousandths: int, price: Decimal) -> int:
    due = thousandths * price / _THOUSANDTHS
    return int(due.quantize(Decimal(1), ROUND_HALF_UP))
