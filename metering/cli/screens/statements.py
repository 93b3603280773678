"""A statement as an invoice looks: lines and their tiers, credits, and what is due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import metering
from metering.cli.screens.money import amount_text
from metering.cli.screens.screen import Column, show, show_table
from metering.cli.screens.text import moment, number


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


def _rows(
    m: metering.Metering, statement: metering.Statement
) -> Iterator[_StatementRow]:
    def amount(minor_units: int) -> str:
        return amount_text(minor_units, statement.currency)

    for line in statement.lines:
        product = m.prices.retrieve(line.price).product
        name = m.products.retrieve(product).name
        yield _StatementRow(name, line.quantity, amount=amount(line.amount))
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
