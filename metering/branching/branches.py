"""The call that makes a branch of a store, and opens it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from metering.arguments.clock import is_system_clock
from metering.arguments.strings import check_path
from metering.reaggregation.bulk_usage import BulkUsage
from metering.store.assembly import open_engine

if TYPE_CHECKING:
    from os import PathLike

    from metering.arguments.clock import Clock
    from metering.arguments.times import Time
    from metering.store.settings import OpeningTerms


class Branches(BulkUsage):
    """What a connection does to branch its store."""

    def __init__(self, opening: OpeningTerms) -> None:
        super().__init__(open_engine(opening))
        self._opening = opening

    def branch(  # settings have names
        self,
        target: str | PathLike[str],
        at: Time | None = None,
        *,
        schema: str | None = None,
        segments: str | PathLike[str] | None = None,
        cache: str | PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Make another store that begins as this one, and open it.

        A branch is for rehearsals: a changed meter, a new price, a correction, next month.
        It has the log up to a position, and goes on by itself: nothing that is done to it
        reaches this store, and no webhook is sent from it. It reads the segments and runs
        of this store where they are, so it is made in a second, and needs them for as
        long as it is used. What lies beside the log stays here: API keys, idempotent
        requests, deliveries, and files of reports.

        Args:
            target: where the branch is to lie, and how it is opened again, as for
                `connect`: a directory, the URL of a PostgreSQL database, or ``:memory:``.
                There must be no store yet.
            at: a position of the log at which a commit ends, or a time; None is now.
                Before the end, alerts are evaluated anew in the branch.
            schema: of a PostgreSQL database, for the branch.
            segments: where what the branch seals lies, as for `connect`.
            cache: a local directory for what is derived from that, as for `connect`.
            clock: of the branch; None is that of this connection. One that was given
                counts for the connection that is returned, and is given again to
                `connect`.

        Raises:
            InvalidRequestError: the log has no such position, or cannot be parted there,
                or the target lies within this store.
            StoreUnavailableError: there is a store already, or none can be made.
            SegmentStoreError: what this store has sealed cannot be read.
        """
        from ledger.places import open_place
        from metering.branching.branching import check_apart, make_branch

        self._engine.log.check_usable()
        named = check_path(target, "target")
        open_target = partial(
            open_place,
            named if isinstance(target, str) else Path(named),
            creates=True,
            segments=None if segments is None else check_path(segments, "segments"),
            cache=None if cache is None else check_path(cache, "cache"),
            schema=schema,
        )
        check_apart(self._opening.place, named)
        place = make_branch(self._engine, self._opening.place, open_target, at)
        opening = replace(self._opening, place=place, create=False)
        if clock is not None:
            skew = opening.settings.clock_skew_max if is_system_clock(clock) else None
            settings = replace(opening.settings, clock_skew_max=skew)
            opening = replace(opening, clock=clock, settings=settings)
        return type(self)(opening)
