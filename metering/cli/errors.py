"""Errors of the command line alone; each is one line, and exit code 1.

MeteringError
├── NoStoreError             only commands that record create a store
├── ForeignStoreError        the demo leaves other stores alone
├── MeterDiffersError        the meter to be created exists with another formula
├── FileUnusableError
│   ├── RejectionsFileError  rejections cannot be written there
│   ├── CheckpointFileError  the file of a checkpoint holds something else
│   └── OutputFileError      the result cannot be written there
└── ServerMissingError       the extra that serves is not installed
CommandInterruptedError      not of that tree: exit code 130
"""

from pathlib import Path
from typing import ClassVar

from ledger.errors import MeteringError


class NoStoreError(MeteringError):
    """There is no store at the place that was named."""

    code = "no_store"

    def __init__(self, store: str) -> None:
        super().__init__(
            f"There is no store at {store}; name another with --store or"
            " METERING_STORE, or make one with ingest, meters create, keys create, credits"
            " grant or demo"
        )


class ForeignStoreError(MeteringError):
    """The store that the demo was given holds what it did not make."""

    code = "foreign_store"

    def __init__(self, store: str, event_name: str) -> None:
        super().__init__(
            f"The store {store} has a meter for {event_name!r} that the demo did not"
            " make; name another directory with --store"
        )


class MeterDiffersError(MeteringError):
    """The meter to be created exists with another formula."""

    code = "meter_differs"

    def __init__(self, event_name: str, found: str, wanted: str) -> None:
        super().__init__(
            f"The meter for {event_name!r} exists with formula {found}, not {wanted};"
            " leave --create-meter out to use it as it is"
        )


class FileUnusableError(MeteringError):
    """A file that a command is to read or to write cannot be used."""

    sentence: ClassVar[str]

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{self.sentence.format(path)}: {reason}")


class RejectionsFileError(FileUnusableError):
    """Rejections cannot be written to a file of that name."""

    code = "rejections_file"
    sentence = "Rejections cannot be written to {}"


class CheckpointFileError(FileUnusableError):
    """A file that should hold a checkpoint cannot be read as one, or written."""

    code = "checkpoint_file"
    sentence = "The checkpoint {} cannot be used"


class OutputFileError(FileUnusableError):
    """A result cannot be written to a file of that name."""

    code = "output_file"
    sentence = "The result cannot be written to {}"


class ServerMissingError(MeteringError):
    """The extra that serves is not installed."""

    code = "server_missing"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"Serving needs {module}: install it with"
            " pip install 'metering-engine[server]'"
        )


class CommandInterruptedError(Exception):
    """Ctrl-C was pressed; `message` says what is safe."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
