"""``metering sql``: ask the events anything, in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metering.cli.door import saying_what_is_safe
from metering.cli.interrupts import load_queries
from metering.cli.options import argument, option
from metering.cli.screens.arrow_tables import check_output, give_rows
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget

RowLimitOption = Annotated[
    int | None, option("N", "Show at most N rows; 20 if left out.", min=1)
]
OutputOption = Annotated[
    Path | None, option("FILE", "Write all rows to a .parquet or .csv file.")
]

_SAFE = "Interrupted; a query changes nothing"
_EPILOG = """Usage by customer and model, as it is now:

\b
  metering sql "SELECT customer, payload['model'] AS model, sum(value) AS total
    FROM events WHERE event_name = 'tokens' AND NOT cancelled GROUP BY ALL"
"""


@on_target(epilog=_EPILOG)
def sql(
    target: StoreTarget,
    query: Annotated[str, argument("QUERY", "One SELECT over the table events.")],
    *,
    limit: RowLimitOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Run a SELECT of DuckDB's SQL over all events, sealed or not.

    The table events has the columns position, recorded_at, event_name, customer,
    timestamp, value, identifier, payload (a map) and cancelled. With --json every row
    is a line of its own.
    """
    if json and output is not None:
        raise typer.BadParameter("give --json or --output, not both")
    check_output(output)
    with saying_what_is_safe(_SAFE):
        load_queries()
        with target.open() as m:
            table = m.sql(query)
    give_rows(table, output, limit, is_json=json)
