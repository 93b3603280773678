"""Queries of corrections, as one database transaction sees them."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from projections.corrections.tables import CORRECTIONS, correction
from projections.kernels.corrections import CorrectionRecord
from projections.rows import Page

_CORRECTIONS = select(correction)
_CORRECTION = _CORRECTIONS.where(
    correction.c.correction_id == bindparam("correction_id")
)
_IN_ORDER = _CORRECTIONS.order_by(correction.c.position)
_BEFORE = (
    _CORRECTIONS.where(correction.c.position <= bindparam("position"))
    .order_by(correction.c.position.desc())
    .limit(1)
)


class CorrectionQueries:
    """Queries of corrections in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def correction(self, correction_id: str) -> CorrectionRecord | None:
        """Return a correction by its id."""
        given = {"correction_id": correction_id}
        row = self.connection.execute(_CORRECTION, given).first()
        return None if row is None else CORRECTIONS.read(row)

    def in_order(self) -> list[CorrectionRecord]:
        """Return all corrections, in the order of the log."""
        return [CORRECTIONS.read(row) for row in self.connection.execute(_IN_ORDER)]

    def at(self, position: int) -> CorrectionRecord | None:
        """Return the correction that recorded the entry at a position, if one did."""
        row = self.connection.execute(_BEFORE, {"position": position}).first()
        known = None if row is None else CORRECTIONS.read(row)
        return known if known and position <= known.last_position else None

    def page(self, page: Page) -> Sequence[CorrectionRecord]:
        """Return a page of corrections, newest first."""
        rows = page.read(self.connection, correction, _CORRECTIONS)
        return [CORRECTIONS.read(row) for row in rows]
