"""The call that backs a store up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.arguments.strings import check_path
from metering.branching.branches import Branches

if TYPE_CHECKING:
    from os import PathLike

    from ledger.backups.writing import CopyProgress
    from metering.copies.receipts import BackupReceipt


class Copies(Branches):
    """What a connection does to copy its store."""

    def backup(
        self, target: str | PathLike[str], progress: CopyProgress | None = None
    ) -> BackupReceipt:
        """Back the store up, while others append to it; `metering.restore` reads it.

        What was acknowledged before the call is in the backup, which is of one position.
        A later one into the same place copies only what is new there, and takes the place
        of the one before when it is whole: a kill leaves that one.

        Args:
            target: a directory, made where it is absent, or the URL of an object store;
                empty, or with an earlier backup of this store.
            progress: is called with the bytes of segments that were copied, and of all.

        Raises:
            BackupError: the place cannot be used, or another process is at it.
            SegmentStoreError: a segment of the store is missing or damaged.
            InvalidRequestError: an argument is malformed.
        """
        from metering.copies.backups import back_up

        place = self._opening.place
        return back_up(self._engine, place, check_path(target, "target"), progress)
