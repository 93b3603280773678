"""``metering sql``: ask the events anything, in SQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

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

TimeoutOption = Annotated[
    int | None,
    option(
        "SECONDS",
        "How long the query may take; ten minutes if left out.",
        min=1,
        max=24 * 3600,
    ),
]
MemoryOption = Annotated[
    int | None,
    option(
        "MIB",
        "How much memory it may take; 60 % of the machine's if left out.",
        min=64,
        max=1 << 30,
    ),
]

_SAFE = "Interrupted; a query changes nothing"
_EPILOG = """Usage by customer and model, as it is now:

\b
  metering sql "SELECT customer, payload['model'] AS model, sum(value) AS total
    FROM events WHERE event_name = 'tokens' AND NOT cancelled GROUP BY ALL"
"""


@on_target(epilog=_EPILOG)
def sql(  # noqa: PLR0913  # options have names
    target: StoreTarget,
    query: Annotated[str, argument("QUERY", "One SELECT over the table events.")],
    *,
    limit: RowLimitOption = None,
    output: OutputOption = None,
    timeout: TimeoutOption = None,
    memory: MemoryOption = None,
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
        with target.open(**_limits(timeout, memory)) as m:
            table = m.sql(query)
    give_rows(table, output, limit, is_json=json)


def _limits(timeout: int | None, memory: int | None) -> dict[str, Any]:
    """Return the settings of a connection that the options say."""
    limits: dict[str, Any] = {}
    if timeout is not None:
        limits["sql_timeout"] = timedelta(seconds=timeout)
    if memory is not None:
        limits["sql_memory"] = memory << 20
    return limits
