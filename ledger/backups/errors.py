"""Errors of backups.

LedgerError
├── ExportUnavailableError      the place of an export cannot be used, or is not empty
└── BackupError
    ├── BackupUnavailableError  its place cannot be read or written, or is something else
    ├── BackupMissingError      there is none that is whole
    ├── BackupDamagedError      a file of it is not what was written
    ├── BackupVersionError      another release wrote it, in another format
    ├── BackupForeignError      the place has the backup of another log, or of a later state
    └── BackupUnderWayError     another process backs the store up
"""

from ledger.errors import LedgerError


class ExportUnavailableError(LedgerError):
    """The place of an export cannot be read or written, or is not empty.

    Attributes:
        place: of the export.
        reason: what is wrong with it.
    """

    code = "export_unavailable"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The export {place} cannot be made: {reason}")
        self.place = place
        self.reason = reason


class BackupError(LedgerError):
    """A store could not be backed up, or a backup not be read."""

    code = "backup_error"


class BackupUnavailableError(BackupError):
    """The place of a backup cannot be read or written, or is something else.

    Attributes:
        place: of the backup.
        reason: what is wrong with it.
    """

    code = "backup_unavailable"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The backup {place} cannot be used: {reason}")
        self.place = place
        self.reason = reason


class BackupMissingError(BackupError):
    """There is no backup at a place, or the first one there was not completed."""

    code = "backup_missing"

    def __init__(self, place: str) -> None:
        super().__init__(
            f"There is no complete backup at {place}; name the place that `metering"
            " backup` was given, or run it again"
        )
        self.place = place


class BackupDamagedError(BackupError):
    """A file of a backup is missing, or is not what was written.

    Attributes:
        place: of the backup.
        name: of the file.
    """

    code = "backup_damaged"

    def __init__(self, place: str, name: str, reason: str) -> None:
        super().__init__(
            f"The backup {place} is damaged: {name} {reason}; make another one, in an"
            " empty place"
        )
        self.place = place
        self.name = name


class BackupVersionError(BackupError):
    """A backup is of a store in another format than this release writes."""

    code = "backup_version"

    def __init__(self, place: str, found: int, known: int) -> None:
        super().__init__(
            f"The backup {place} is of a store of format {found}, and this release"
            f" restores format {known}; restore it by the release that made it, and"
            " upgrade the store"
        )
        self.place = place
        self.found = found
        self.known = known


class BackupForeignError(BackupError):
    """A place has the backup of another store, or of a state that this one never had.

    Attributes:
        place: of the backup.
        epoch: of the log that is there.
        position: up to which it is there.
    """

    code = "backup_foreign"

    def __init__(self, place: str, epoch: str, position: int) -> None:
        super().__init__(
            f"The backup {place} is of the log {epoch} up to position {position}, which"
            " this store does not go on from; give another place"
        )
        self.place = place
        self.epoch = epoch
        self.position = position


class BackupUnderWayError(BackupError):
    """Another process is backing the store up."""

    code = "backup_under_way"

    def __init__(self) -> None:
        super().__init__(
            "Another process is backing up the store; try again when it is done"
        )
