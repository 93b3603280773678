"""The entry point: ``metering`` and ``python -m metering``."""

import sys
from io import TextIOWrapper

_INTERRUPTED = 130


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper), "a command has streams of its own"
        # Names in any script must not end a command on a screen that lacks them.
        stream.reconfigure(errors="backslashreplace")
    try:
        # What takes a moment to load is loaded where Ctrl-C ends it in one line.
        from metering.cli.app import app  # noqa: PLC0415

        app()
    except KeyboardInterrupt:
        print("metering: Interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)
