"""Statements as people see them: as an invoice looks, in lists, and what changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import metering
from metering.cli.screens.money import amount_text, money_text
from metering.cli.screens.screen import Cell, Column, show, show_table
from metering.cli.screens.text import moment, number, second

_MIDNIGHT = " 00:00:00"
_CAUSES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _StatementRow:
    """A row: a line, a tier of one, or what is below the lines.

    Attributes:
        part: of the amount of the line above, in a tier.
    """

    title: str
    quantity: Decimal | None = None
    part: str | None = None
    amount: str | None = None


def show_statement(m: metering.Metering, statement: metering.Statement) -> None:
    """Show a statement, finalised or not."""
    named = "Preview of a statement" if statement.id is None else statement.id
    show(f"{named} of {statement.customer}, {statement.status}", style="bold")
    start, end = moment(statement.period_start), moment(statement.period_end)
    show(f"{start} to {end} UTC", style="dim")
    columns: list[Column[_StatementRow]] = [
        Column("", lambda row: row.title),
        Column("quantity", lambda row: row.quantity),
        Column("of it", lambda row: row.part, is_number=True),
        Column(statement.currency.upper(), lambda row: row.amount, is_number=True),
    ]
    show_table(columns, list(_rows(m, statement)))


def statement_columns(
    shown: Sequence[metering.Statement],
) -> list[Column[metering.Statement]]:
    """Return the columns of statements; the last one is the id."""
    del shown
    return [
        Column("customer", lambda each: each.customer),
        Column("period (UTC)", _period),
        Column(
            "due",
            lambda each: amount_text(each.amount_due, each.currency),
            is_number=True,
        ),
        Column("", lambda each: each.currency.upper()),
        Column("status", lambda each: each.status),
        Column("statement", lambda each: each.id, is_whole=True),
    ]


def show_drift(m: metering.Metering, drift: metering.StatementDrift) -> None:
    """Show by how much a statement would differ today, and what did it."""
    statement = drift.statement
    currency = statement.currency
    change = _signed(drift.amount_change, currency)
    changed = f"{change} {currency.upper()}" if drift.amount_change else "nothing"
    show(f"Today {statement.id} would change by {changed}", style="bold")
    names = _names(m, statement)
    columns: list[Column[metering.LineDrift]] = [
        Column("", lambda line: names[line.price]),
        Column("stated", lambda line: line.quantity),
        Column("today", lambda line: line.quantity_now),
        Column(
            "change",
            lambda line: _signed(line.amount_change, currency),
            is_number=True,
        ),
    ]
    show_table(columns, drift.lines)
    causes = drift.causes.slice(0, _CAUSES_SHOWN).to_pylist()
    if not causes:
        return
    show()
    of_causes: list[Column[dict[str, Cell]]] = [
        Column("line", lambda each: each["line"]),
        Column("what", lambda each: each["kind"]),
        Column("recorded (UTC)", lambda each: each["recorded_at"]),
        Column("timestamp (UTC)", lambda each: each["timestamp"]),
        Column("value", lambda each: each["value"]),
        Column("identifier", lambda each: each["identifier"], is_whole=True),
    ]
    show_table(of_causes, causes)
    if drift.causes.num_rows > len(causes):
        count = number(drift.causes.num_rows)
        show(f"{len(causes)} of {count} entries; --json gives all.", style="dim")


def due_text(receipt: metering.StatementsReceipt) -> str:
    """Write what the statements of a run come to, by currency."""
    due: dict[str, int] = {}
    for currency, amount in zip(
        receipt.statements["currency"].to_pylist(),
        receipt.statements["amount_due"].to_pylist(),
        strict=True,
    ):
        due[currency] = due.get(currency, 0) + amount
    return " and ".join(money_text(due[each], each) for each in sorted(due))


def _rows(
    m: metering.Metering, statement: metering.Statement
) -> Iterator[_StatementRow]:
    def amount(minor_units: int) -> str:
        return amount_text(minor_units, statement.currency)

    names = _names(m, statement)
    is_split = len({line.period_start for line in statement.lines}) > 1
    for line in statement.lines:
        title = _title(names[line.price], line, is_split=is_split)
        yield _StatementRow(title, line.quantity, amount=amount(line.amount))
        for tier in line.tiers:
            end = "further" if tier.up_to is None else f"up to {number(tier.up_to)}"
            yield _StatementRow(f"  {end}", tier.quantity, amount(tier.amount))
    yield _StatementRow("Subtotal", amount=amount(statement.subtotal))
    drawn: dict[str, int] = {}
    for each in statement.credits:
        drawn[each.credit_grant] = drawn.get(each.credit_grant, 0) + each.amount
    for grant, minor_units in drawn.items():
        name = m.credit_grants.retrieve(grant).name or grant
        yield _StatementRow(f"Credits, {name}", amount=amount(-minor_units))
    yield _StatementRow("Due", amount=amount(statement.amount_due))


def _title(name: str, line: metering.StatementLine, *, is_split: bool) -> str:
    """Return what a line is called, and what is special about it."""
    parts = [name]
    if is_split:
        start, end = second(line.period_start), second(line.period_end)
        parts.append(f"{_day(start)} to {_day(end)}")
    if line.is_trial:
        parts.append("free trial")
    if line.is_negative:
        parts.append("rated as 0")
    return ", ".join(parts)


def _period(statement: metering.Statement) -> str:
    start, end = second(statement.period_start), second(statement.period_end)
    told = f"{_day(start)} to {_day(end)}"
    return (
        told if statement.at is None else f"{told}, counted to {second(statement.at)}"
    )


def _day(time: str) -> str:
    """Leave out the clock of a midnight."""
    return time.removesuffix(_MIDNIGHT)


def _signed(amount: int, currency: str) -> str:
    sign = "+" if amount > 0 else ""
    return f"{sign}{amount_text(amount, currency)}"


def _names(m: metering.Metering, statement: metering.Statement) -> dict[str, str]:
    """Return what lines are called, by price: the names of their products."""
    names = {}
    for price_id in {line.price for line in statement.lines}:
        price = m.prices.retrieve(price_id)
        names[price_id] = m.products.retrieve(price.product).name
    return names
