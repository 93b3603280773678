"""``metering statements``: what usage comes to, on the screen as an invoice looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.commands.prices.prices import find_price
from metering.cli.commands.statements.runs import export, run
from metering.cli.options import FieldOption, argument, option
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.explanations import show_amount
from metering.cli.screens.money import money_text
from metering.cli.screens.screen import print_document
from metering.cli.screens.statements import (
    show_drift,
    show_statement,
    statement_columns,
)
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.statements.requests import (
    StatementFinalize,
    StatementList,
    StatementPreview,
    StatementStatusName,
)
from metering.statements.tables import plain_rows

_StatementArgument = Annotated[str, argument("STATEMENT", "Its id.")]
_WhoseOption = Annotated[str | None, FieldOption(StatementPreview, "customer")]
_PricesOption = Annotated[
    list[str] | None,
    option(
        "PRICE",
        "A metered price, a line each: its id or lookup key; may be repeated.",
        "--price",
    ),
]
_SubscriptionOption = Annotated[
    str | None, FieldOption(StatementPreview, "subscription")
]
_StartOption = Annotated[datetime | None, FieldOption(StatementPreview, "start_time")]
_EndOption = Annotated[datetime | None, FieldOption(StatementPreview, "end_time")]
_AtOption = Annotated[datetime | None, FieldOption(StatementPreview, "at")]

STATEMENTS = Resource(argument=_StatementArgument)


@STATEMENTS.lists
def statements(
    m: metering.Metering,
    *,
    customer: Annotated[str | None, FieldOption(StatementList)],
    subscription: Annotated[str | None, FieldOption(StatementList)],
    start: Annotated[datetime | None, FieldOption(StatementList, "start_time")],
    end: Annotated[datetime | None, FieldOption(StatementList, "end_time")],
    status: Annotated[StatementStatusName | None, FieldOption(StatementList)],
) -> Listing[metering.Statement]:
    """List finalised statements, newest first; preview, finalize and run them.

    Money is in whole units with a point. With --json it is in minor units, such as cents,
    and every statement is a line of its own.
    """
    found = m.statements.list(
        customer,
        subscription=subscription,
        start_time=start,
        end_time=end,
        status=status,
        limit=LIMIT_MAX,
    )
    return Listing(
        found.auto_paging_iter(),
        statement_columns,
        none="No statements; make them with statements finalize or statements run.",
        is_long=True,
    )


@STATEMENTS.add
def preview(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: _WhoseOption,
    price: _PricesOption = None,
    subscription: _SubscriptionOption,
    start: _StartOption,
    end: _EndOption,
    at: _AtOption,
    json: JsonOption = False,
) -> None:
    """Show what a customer's usage comes to in a period, and record nothing."""
    with target.open() as m:
        made = m.statements.preview(
            customer=customer,
            prices=_found(m, price),
            subscription=subscription,
            start_time=start,
            end_time=end,
            at=at,
        )
        _tell(m, made, is_json=json)


@STATEMENTS.add
def finalize(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    id: Annotated[str, FieldOption(StatementFinalize)],  # noqa: A002  # its option
    customer: _WhoseOption,
    price: _PricesOption = None,
    subscription: _SubscriptionOption,
    start: _StartOption,
    end: _EndOption,
    at: _AtOption,
    json: JsonOption = False,
) -> None:
    """Make a statement for good, and draw the customer's credits, once by its id."""
    with target.open() as m:
        made = m.statements.finalize(
            id=id,
            customer=customer,
            prices=_found(m, price),
            subscription=subscription,
            start_time=start,
            end_time=end,
            at=at,
        )
        _tell(m, made, is_json=json)


@STATEMENTS.add
def retrieve(
    target: StoreTarget, statement: _StatementArgument, *, json: JsonOption = False
) -> None:
    """Show a statement as an invoice looks: lines, tiers, credits, and what is due."""
    with target.open() as m:
        _tell(m, m.statements.retrieve(statement), is_json=json)


@STATEMENTS.command()
def void(m: metering.Metering, statement: _StatementArgument) -> Done:
    """Void a statement: its credits come back, and its period can be stated anew."""
    voided = m.statements.void(statement)
    back = money_text(voided.credits_applied, voided.currency)
    return Done(voided, f"Voided {voided.id} of {voided.customer}: {back} came back")


@STATEMENTS.add
def explain(
    target: StoreTarget, statement: _StatementArgument, *, json: JsonOption = False
) -> None:
    """Show what is due as a tree: lines and credits, and the usage of each line."""
    with target.open() as m:
        made = m.explain(m.statements.retrieve(statement))
        if json:
            print_document({**made.to_dict(), "adds_up": made.adds_up()})
        else:
            show_amount(made)


@STATEMENTS.add
def drift(
    target: StoreTarget, statement: _StatementArgument, *, json: JsonOption = False
) -> None:
    """Compare a statement with today: each line, and every entry that came later."""
    with target.open() as m:
        found = m.statements.drift(statement)
        if json:
            document: dict[str, Any] = {
                "statement": found.statement.id,
                "position": found.position,
                "amount_change": found.amount_change,
                "lines": [
                    {
                        **each.to_dict(),
                        "quantity_change": each.quantity_change,
                        "amount_change": each.amount_change,
                    }
                    for each in found.lines
                ],
                "causes": plain_rows(found.causes),
            }
            print_document(document)
        else:
            show_drift(m, found)


STATEMENTS.add(run)
STATEMENTS.add(export)


def _found(m: metering.Metering, prices: Sequence[str] | None) -> list[str] | None:
    """Return the ids of prices; None where none is named."""
    return [find_price(m, each) for each in prices] if prices else None


def _tell(
    m: metering.Metering, statement: metering.Statement, *, is_json: bool
) -> None:
    if is_json:
        print_document(statement)
    else:
        show_statement(m, statement)


group = STATEMENTS.group
