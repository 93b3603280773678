"""The entry point: ``metering`` and ``python -m metering``."""

import os
import sys
from io import TextIOWrapper
from typing import TextIO, cast

from metering.cli.collecting import collect_later
from metering.cli.interrupts import INTERRUPTED, end_at_once

_FAILED = 1


def main() -> None:
    """Run the command that the arguments name."""
    collect_later()
    end_at_once()
    _prepare_streams()
    try:
        # Loaded where an exception on the way is one line.
        from metering.cli.app import app  # noqa: PLC0415

        app()
    except KeyboardInterrupt:
        _end(INTERRUPTED, "Interrupted")
    except SystemExit as ended:
        # The interpreter would complain of output that it cannot write, in its own way.
        _end(ended.code)
    except BrokenPipeError:
        _end(_FAILED)
    except OSError as error:
        _end(_FAILED, error.strerror or str(error))


def _prepare_streams() -> None:
    """Make sure that there is something to write to, in any script."""
    # They are None where they were closed. Files that are opened would take their place.
    output, errors = (cast("TextIO | None", each) for each in (sys.stdout, sys.stderr))
    if errors is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # until the end
    if output is None:
        _end(_FAILED, "There is no standard output")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Names must not end a command on a screen that lacks their characters.
            stream.reconfigure(errors="backslashreplace")


def _end(code: object, complaint: str | None = None) -> None:
    """End with a code, or with 1 where what was printed could not be written.

    Raises:
        SystemExit: always.
    """
    if complaint is not None:
        print(f"metering: {complaint}", file=sys.stderr)
    try:
        if cast("TextIO | None", sys.stdout) is not None:
            sys.stdout.flush()
    except OSError as error:
        # What is left is not written again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not code and not isinstance(error, BrokenPipeError):
            print(f"metering: {error.strerror}", file=sys.stderr)
        code = code or _FAILED
    sys.exit(code)  # type: ignore[arg-type]  # that of another SystemExit
