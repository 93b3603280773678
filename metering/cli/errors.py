"""Errors of the command line alone; each is printed in one line, and exits with 1.

MeteringError
├── NoStoreError             commands that ask do not make what they ask about
├── ForeignStoreError        the demo leaves stores alone that others made
├── MeterDiffersError        the meter to be created exists with another formula
├── RejectionsFileError      rejections cannot be written to the file
├── CheckpointFileError      the file of a checkpoint holds something else
├── OutputFileError          the result cannot be written there
└── ServerMissingError       the extra that serves is not installed
CommandInterruptedError      not of that tree: exits with 130
"""

from pathlib import Path

from ledger.errors import MeteringError


class NoStoreError(MeteringError):
    """There is nothing to ask at the place that was named."""

    code = "no_store"

    def __init__(self, store: str) -> None:
        super().__init__(
            f"There is no store at {store}; name another with --store or"
            " METERING_STORE, or make one with ingest, meters create, keys create, credits"
            " grant or demo"
        )
        self.store = store


class ForeignStoreError(MeteringError):
    """The store that the demo was pointed at holds what it did not make."""

    code = "foreign_store"

    def __init__(self, store: str, event_name: str) -> None:
        super().__init__(
            f"The store {store} has a meter for {event_name!r} that the demo did not"
            " make; name another directory with --store"
        )
        self.store = store
        self.event_name = event_name


class MeterDiffersError(MeteringError):
    """The meter that was to be created exists with another formula."""

    code = "meter_differs"

    def __init__(self, event_name: str, found: str, wanted: str) -> None:
        super().__init__(
            f"The meter for {event_name!r} exists with formula {found}, not {wanted};"
            " leave --create-meter out to use it as it is"
        )
        self.event_name = event_name


class RejectionsFileError(MeteringError):
    """Rejections cannot be written to a file of that name."""

    code = "rejections_file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Rejections cannot be written to {path}: {reason}")
        self.path = path


class CheckpointFileError(MeteringError):
    """A file that should hold a checkpoint cannot be read as one, or written."""

    code = "checkpoint_file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The checkpoint {path} cannot be used: {reason}")
        self.path = path


class OutputFileError(MeteringError):
    """A result cannot be written to a file of that name."""

    code = "output_file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The result cannot be written to {path}: {reason}")
        self.path = path


class ServerMissingError(MeteringError):
    """The extra that serves is not installed."""

    code = "server_missing"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"Serving needs {module}: install it with"
            " pip install 'metering-engine[server]'"
        )
        self.module = module


class CommandInterruptedError(Exception):
    """Ctrl-C was pressed; `message` says what is safe."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
