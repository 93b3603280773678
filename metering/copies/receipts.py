"""What became of a backup, and of what was made of one."""

from metering.bodies import ResourceObject


class BackupReceipt(ResourceObject, frozen=True, kw_only=True):
    """A backup, as of a position of the log.

    Attributes:
        epoch: identity of the log.
        position: of the last entry that it has; what was acknowledged before the backup
            began is in it.
        digest: the hash chain there, in hexadecimal; see `VerifyReport`.
        segments: how many it has.
        files: how many it has, with those of rows.
        bytes: how large they are together.
        copied_files: how many of them were not there before.
        copied_bytes: how large these are together.
    """

    epoch: str
    position: int
    digest: str
    segments: int
    files: int
    bytes: int
    copied_files: int
    copied_bytes: int


class RestoreReceipt(ResourceObject, frozen=True, kw_only=True):
    """A store that was made of another one's contents.

    Attributes:
        epoch: identity of its log from here on.
        origin: identity of the log whose entries it has.
        position: of the last of these entries.
        digest: the hash chain there, in hexadecimal, which is that of the origin.
        segments: how many it has.
        bytes: how large they are together.
    """

    epoch: str
    origin: str
    position: int
    digest: str
    segments: int
    bytes: int


class ExportedFile(ResourceObject, frozen=True, kw_only=True):
    """A file of an export.

    Attributes:
        rows: how many it has.
        bytes: its size.
        sha256: of its content, in hexadecimal.
    """

    name: str
    rows: int
    bytes: int
    sha256: str


class ExportReceipt(ResourceObject, frozen=True, kw_only=True):
    """An export, as of a position of the log.

    Attributes:
        epoch: identity of the log.
        position: of the last entry that it has.
        digest: the hash chain there, in hexadecimal; see `VerifyReport`.
        events: how many meter events it has, with those that were cancelled.
        facts: how many other entries.
        bytes: how large its files are together.
    """

    epoch: str
    position: int
    digest: str
    events: int
    facts: int
    bytes: int
    files: tuple[ExportedFile, ...]
