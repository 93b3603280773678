"""The calls that back a store up, and export it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.arguments.strings import check_path
from metering.branching.branches import Branches

if TYPE_CHECKING:
    from os import PathLike

    from ledger.backups.writing import CopyProgress
    from metering.copies.exporting import ExportProgress
    from metering.copies.receipts import BackupReceipt, ExportReceipt


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

    def export(
        self, target: str | PathLike[str], progress: ExportProgress | None = None
    ) -> ExportReceipt:
        """Write everything that the log says as Parquet, while others append to it.

        Events come as they were recorded, with whether they were cancelled; facts as JSON,
        and the tables that they fold into. It is of one position, which ``export.json``
        names with every file: without it, there is no export. What lies beside the log,
        such as API keys and deliveries, is in a backup alone.

        Args:
            target: a directory, made where it is absent, or the URL of an object store;
                empty.
            progress: is called with the entries that were written, and of all.

        Raises:
            ExportUnavailableError: the place cannot be used, or is not empty.
            SegmentStoreError: a segment of the store is missing or damaged.
            InvalidRequestError: an argument is malformed.
        """
        from metering.copies.exporting import export

        return export(self._engine, check_path(target, "target"), progress)
