"""The door: every failure leaves as one line on the error stream and an exit code.

1 is a failure that is named, 2 a malformed command, which typer reports, 130 an
interruption. A traceback is a defect of this program.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from ledger.database.shown_addresses import shown_text
from ledger.errors import MeteringError
from metering.cli.errors import CommandInterruptedError
from metering.cli.interrupts import INTERRUPTED
from metering.cli.screens.text import printable

FAILED = 1


class Door(TyperGroup):
    """A group of commands, with what becomes of their failures."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Read what stands before the command."""
        with _hiding_passwords():
            return super().make_context(*given, **more)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer's own class
        """Run a command."""
        try:
            with _hiding_passwords():
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


@contextmanager
def _hiding_passwords() -> Iterator[None]:
    """Hide them in what typer says of a malformed command, such as one word too many."""
    try:
        yield
    except TyperException as error:
        if isinstance(message := getattr(error, "message", None), str):
            error.message = shown_text(message)
        raise


def complain(message: str) -> None:
    """Print what was wrong, in one line."""
    line = " ".join(shown_text(message).split())
    print(f"metering: {printable(line)}", file=sys.stderr)


def _named(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
