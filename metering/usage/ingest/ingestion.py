"""An ingestion: pieces of a source checked, appended and tallied, one after another.

While one piece is committed, a third thread settles and encodes the next, and a second
checks and hashes the one behind it and folds the usage of those before: all spend most of
their time in code that lets other threads run, and some of it waiting for a disk. The
source itself is read by the caller's thread alone.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from ledger.appending.ahead import SettlingAhead
from ledger.appending.drafts import Draft, Outcome, Status
from ledger.migrations import FORMAT_OF_ROW_NAMES
from ledger.usage.rows import batch_of
from metering.errors import conflict_message
from metering.store.checked_events import CheckedEvents
from metering.store.engine import Engine
from metering.usage.arrivals import Arrival
from metering.usage.ingest.files import digest_of_file
from metering.usage.ingest.layout import Columns, LocatedColumns
from metering.usage.ingest.naming import (
    Naming,
    NamingAsBefore,
    NamingByRow,
    NamingByTime,
    PieceNames,
    with_identifiers,
)
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.piece_rules import (
    check_columns,
    check_rows,
    numbers_without_identifier,
)
from metering.usage.ingest.receipts import (
    CancelledRow,
    IngestReceipt,
    ProgressCallback,
    ReceiptTally,
    Rejection,
)
from metering.usage.ingest.schemas import check_fit, check_meter_keys
from metering.usage.ingest.sources import Piece, Source, open_source
from projections.meters.catalog import Definitions

ROWS_AMONG_OTHERS = 4_000
"""How many rows go into one commit while other processes record events, too."""
# One to be settled, and one to be checked, while one is committed.
_PIECES_AHEAD = 2
# As many are proven to be duplicates by fingerprints, which a second thread can make.
_MANY_DUPLICATES = 16


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A piece that was checked, and the draft of the events that obey the rules."""

    piece: Piece
    unnamed: np.ndarray
    check: Callable[[Definitions], CheckedEvents[Rejection]]
    ahead: tuple[CheckedEvents[Rejection], Draft]


class SettledPiece(NamedTuple):
    """A piece, and what would become of it.

    Attributes:
        checked: its events that obey the rules, and why others do not.
        outcome: of these events, by what is recorded; None where there are none.
        unnamed: the numbers of rows without an identifier (int64).
    """

    checked: CheckedEvents[Rejection]
    outcome: Outcome | None
    unnamed: np.ndarray


class _Upcoming:
    """Pieces on their way, in order; where one cannot be committed, none behind it is."""

    def __init__(self, commit: Callable[[Future[_Prepared]], None]) -> None:
        self._commit = commit
        self._pieces: deque[Future[_Prepared]] = deque()

    def add(self, piece: Future[_Prepared]) -> None:
        """Add the next one."""
        self._pieces.append(piece)

    def commit_all_but(self, count: int) -> None:
        """Commit the first of them, until so many are left."""
        while len(self._pieces) > count:
            first, following = self._pieces.popleft(), self._pieces
            self._pieces = deque()
            self._commit(first)
            self._pieces = following


class Ingestion:
    """One source on its way into the log."""

    def __init__(
        self, engine: Engine, columns: Columns, options: IngestOptions
    ) -> None:
        self._engine = engine
        self._columns = columns
        self._options = options
        self._naming: Naming = NamingByTime(engine.ids, engine.now)
        self._takes_now = options.now
        # Of the piece that was committed last.
        self._are_repeating = False

    def run(self, source: object, progress: ProgressCallback | None) -> IngestReceipt:
        """Append all pieces of a source, and report what became of its rows."""
        opened = open_source(source, self._columns, self._options)
        if opened.schema is not None:
            check_fit(opened.schema, opened.columns, self._engine.definitions())
        self._naming = self._naming_for(opened)
        # A CloudEvent need not say when it happened; a past one should.
        self._takes_now |= not (opened.has_columns or self._options.backfill)
        pieces = self._checked_pieces(opened)
        tally = ReceiptTally()

        def commit(upcoming: Future[_Prepared]) -> None:
            self._commit(upcoming.result(), tally)
            if progress is not None:
                progress(tally.progress(opened.total_rows))

        upcoming = _Upcoming(commit)
        settling = self._engine.log.settling_ahead()
        with (
            ThreadPoolExecutor(1, "metering-ingest") as second,
            ThreadPoolExecutor(1, "metering-settle") as third,
        ):
            try:
                for piece in self._portions(pieces):
                    self._engine.sealing.wait_if_outrun()
                    prepared = second.submit(self._prepare, piece)
                    second.submit(self._engine.usage.fold)
                    upcoming.add(third.submit(_settled, prepared, settling))
                    upcoming.commit_all_but(_PIECES_AHEAD)
            finally:
                # Also where the source failed: what it gave before that is kept.
                upcoming.commit_all_but(0)
        return tally.receipt()

    def settled(self, source: object) -> "Iterator[SettledPiece]":
        """Say what would become of the rows of a source, piece by piece; record nothing.

        Rows without an identifier are named as if they came now.
        """
        opened = open_source(source, self._columns, self._options)
        if opened.schema is not None:
            check_fit(opened.schema, opened.columns, self._engine.definitions())
        for piece in self._checked_pieces(opened):
            prepared = self._prepare(piece)
            checked, draft = prepared.ahead
            outcome = self._engine.log.settle(draft) if len(draft) else None
            yield SettledPiece(checked, outcome, prepared.unnamed)

    def _checked_pieces(self, opened: Source) -> Iterator[Piece]:
        """Read the first piece, before anything is recorded, and check its names."""
        first = next(opened.pieces, None)
        if first is None:
            return
        if opened.has_columns:
            check_meter_keys(first, opened.columns, self._engine.definitions())
        yield first
        yield from opened.pieces

    def _naming_for(self, source: Source) -> Naming:
        naming = self._naming if source.naming is None else source.naming
        if self._options.identity == "row":
            naming = NamingByRow()
        history = self._engine.log.history
        if source.path is None or not history.position_before(FORMAT_OF_ROW_NAMES):
            return naming
        return NamingAsBefore(
            naming, partial(digest_of_file, source.path), self._engine
        )

    def _portions(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Cut pieces small while other processes write, whom a large commit holds up."""
        self._engine.log.look_around(self._engine.now())
        for piece in pieces:
            start = 0
            while start < len(piece):
                is_shared = self._engine.log.is_shared
                end = start + ROWS_AMONG_OTHERS if is_shared else len(piece)
                yield _part(piece, start, min(end, len(piece)))
                start = end

    def _prepare(self, piece: Piece) -> _Prepared:
        # Read, not remembered: a meter may have come since, and a row is refused once.
        definitions = self._engine.definitions()
        unnamed, names = numbers_without_identifier(piece), PieceNames(self._naming)
        check = partial(self._check, piece, unnamed, names)
        ahead = self._engine.checked(check, definitions)
        ahead[1].prepare(may_repeat=self._are_repeating)
        return _Prepared(piece, unnamed, check, ahead)

    def _check(
        self,
        piece: Piece,
        unnamed: np.ndarray,
        names: PieceNames,
        definitions: Definitions,
    ) -> CheckedEvents[Rejection]:
        arrival = Arrival(
            now=self._engine.now(),
            definitions=definitions,
            takes_any_past=self._options.backfill,
            times=self._options.times,
            takes_now=self._takes_now,
        )
        checked = (
            check_columns(piece, arrival, self._options)
            if isinstance(piece, LocatedColumns)
            else check_rows(piece, arrival, self._options)
        )
        return with_identifiers(checked, unnamed, names)

    def _commit(self, prepared: _Prepared, tally: ReceiptTally) -> None:
        piece = prepared.piece
        checked, outcome = self._engine.append(prepared.check, prepared.ahead)
        tally.rows += len(piece)
        tally.unnamed += len(prepared.unnamed)
        if not isinstance(piece, LocatedColumns):
            tally.cancelled += sum(isinstance(row, CancelledRow) for row in piece)
        tally.reject(checked.refusals.values())
        if outcome is not None:
            before = tally.duplicates
            _count(checked, outcome, tally)
            self._are_repeating = tally.duplicates - before >= _MANY_DUPLICATES


def _settled(prepared: Future[_Prepared], settling: SettlingAhead) -> _Prepared:
    """Settle a piece that was checked, as far as that can be done ahead."""
    piece = prepared.result()
    checked, draft = piece.ahead
    # Events in doubt may be refused yet.
    if len(draft) and checked.doubts is None:
        settling.settle(draft)
    return piece


def _part(piece: Piece, start: int, end: int) -> Piece:
    if (start, end) == (0, len(piece)):
        return piece
    if isinstance(piece, LocatedColumns):
        return piece.take(np.arange(start, end))
    return piece[start:end]


def _count(
    checked: CheckedEvents[Rejection], outcome: Outcome, tally: ReceiptTally
) -> None:
    is_new = outcome.statuses == Status.APPENDED
    appended = outcome.positions[is_new]
    tally.accepted += len(appended)
    if checked.is_rounded is not None:
        tally.rounded += int(np.count_nonzero(checked.is_rounded & is_new))
    tally.duplicates += int(np.count_nonzero(outcome.statuses == Status.DUPLICATE))
    if len(appended):
        if tally.first_position is None:
            tally.first_position = int(appended[0])
        tally.last_position = int(appended[-1])
    new = checked.numbers[is_new]
    for name, numbers in sorted(checked.left_out.items()):
        tally.leave_out(name, int(np.count_nonzero(np.isin(numbers, new))))
    identifiers = batch_of(checked.events).column("identifier")
    tally.reject(
        _conflict(
            int(checked.numbers[row]),
            identifiers[row].as_py(),
            fields,
            int(outcome.positions[row]),
        )
        for row, fields in outcome.conflicts.items()
    )


def _conflict(
    number: int, identifier: str, fields: Sequence[str], position: int
) -> Rejection:
    message = conflict_message(identifier, fields, position)
    return Rejection(number, identifier, "identifier_conflict", message)
