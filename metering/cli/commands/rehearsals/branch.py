"""``metering branch``: another store that begins as this one, for a rehearsal."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

from ledger.database.shown_addresses import shown_address
from metering.cli.door import saying_what_is_safe
from metering.cli.options import argument, option, option_position
from metering.cli.screens.screen import print_document, show
from metering.cli.screens.text import number
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget


@on_target()
def branch(
    target: StoreTarget,
    place: Annotated[
        str,
        argument(
            "TARGET",
            "A directory, or the URL of a PostgreSQL database, that has no store yet.",
        ),
    ],
    *,
    at: Annotated[
        str | None,
        option(
            "POSITION|TIME",
            "Begin with the log up to this position, at which a commit ends, or up to"
            " this time; up to its end if left out.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make another store that begins as this one, to rehearse what comes next.

    Meters, prices, corrections and months to come are tried there: nothing of it reaches
    this store, and no webhook is sent from a branch. It takes a second whatever the size
    of the store, as the branch reads the segments where they are, and needs them for as
    long as it is used. To be done with it, delete it. API keys stay behind.

    Times are ISO 8601, in UTC unless they say otherwise.
    """
    safe = "Interrupted; there is a whole branch or none, and this store is as it was"
    start = perf_counter()
    with (
        saying_what_is_safe(safe),
        target.open() as m,
        m.branch(place, option_position(at, "--at")) as made,
    ):
        position = made.position
    seconds, shown = perf_counter() - start, shown_address(place)
    if json:
        document = {"store": shown, "origin": target.name, "position": position}
        print_document({**document, "seconds": round(seconds, 3)})
    else:
        show(
            f"Branched {target.name} at position {number(position)} into {shown}, in"
            f" {seconds:.1f} s; no webhook is sent from it"
        )
