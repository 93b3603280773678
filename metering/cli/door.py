"""The door: every failure leaves as one line on the error stream and an exit code.

1 is a failure that is named, 2 a malformed command, which typer reports, 130 an
interruption. A traceback is a defect of this program.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from typer.core import TyperGroup

from ledger.errors import MeteringError
from metering.cli.errors import CommandInterruptedError
from metering.cli.interrupts import INTERRUPTED
from metering.cli.screens.text import printable

FAILED = 1


class Door(TyperGroup):
    """A group of commands, with what becomes of their failures."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer's own class
        """Run a command."""
        try:
            return super().invoke(ctx)
        except MeteringError as error:
            complain(error.message)
        except BrokenPipeError:
            # The reader has seen enough; typer ends this quietly.
            raise
        except OSError as error:
            complain(_named(error))
        except CommandInterruptedError as error:
            complain(error.message)
            raise typer.Exit(INTERRUPTED) from error
        except KeyboardInterrupt as error:
            complain("Interrupted; what was recorded is safe")
            raise typer.Exit(INTERRUPTED) from error
        raise typer.Exit(FAILED)


@contextmanager
def saying_what_is_safe(sentence: str | Callable[[], str]) -> Iterator[None]:
    """Turn Ctrl-C into one line that says what is safe."""
    try:
        yield
    except KeyboardInterrupt as error:
        message = sentence if isinstance(sentence, str) else sentence()
        raise CommandInterruptedError(message) from error


def complain(message: str) -> None:
    """Print what was wrong, in one line."""
    print(f"metering: {printable(' '.join(message.split()))}", file=sys.stderr)


def _named(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
