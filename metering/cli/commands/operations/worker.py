"""``metering worker``: keep a store current until stopped."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Annotated

import typer

import metering
from ledger.database.directories import LOG_FILE, exposed_mode
from metering.cli.door import complain
from metering.cli.options import option
from metering.cli.resource import AllowPrivateOption
from metering.cli.screens.screen import print_line, show
from metering.cli.screens.text import counted, number, second
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.environment import secret_key_file_of
from metering.upkeep.auditing.pace import EVERY, LONGEST_EVERY
from metering.upkeep.polling import LONGEST_POLL, POLL

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1)
_SECONDS_BETWEEN_LINES = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@on_target()
def worker(
    target: StoreTarget,
    *,
    poll: Annotated[
        int,
        option(
            "MS",
            "How often to look for what others recorded, in milliseconds.",
            min=1,
            max=LONGEST_POLL // _MILLISECOND,
        ),
    ] = POLL // _MILLISECOND,
    audit: Annotated[
        int,
        option(
            "MINUTES",
            "How long after a pass of the audit the next one begins; 0 is never.",
            min=0,
            max=LONGEST_EVERY // _MINUTE,
        ),
    ] = EVERY // _MINUTE,
    audit_files: Annotated[
        bool,
        typer.Option(
            "--audit-files",
            help="Read the whole files of segments in each pass of the audit.",
        ),
    ] = False,
    allow_private: AllowPrivateOption = False,
    json: JsonOption = False,
) -> None:
    """Evaluate alerts, deliver to webhook endpoints, seal and audit, until stopped.

    Any number of workers may run on one store. SIGTERM or Ctrl-C stops a worker after
    the deliveries that are under way; a second signal stops it at once, and the next
    worker repeats what was not finished. With --json every round that did something is
    a line.
    """
    done: SimpleQueue[metering.WorkReceipt] = SimpleQueue()
    with (
        complaining(),
        target.open(allow_private_webhooks=allow_private) as m,
        _stopped_by_a_signal(),
        m.worker(
            poll=poll * _MILLISECOND,
            progress=done.put,
            audit=audit * _MINUTE if audit else None,
            audit_files=audit_files,
        ) as working,
    ):
        complain_of_readers(target)
        if not json:
            show(f"Working on {target.name}; Ctrl-C stops it")
        while not working.join(_SECONDS_BETWEEN_LINES):
            _print(done, m.now(), json=json)
    _print(done, m.now(), json=json)
    if not json:
        show("Stopped")


def complain_of_readers(target: StoreTarget) -> None:
    """Say it where every user of the machine can read a store, or what decrypts it."""
    files = [] if "://" in target.store else [Path(target.store) / LOG_FILE]
    if (keys := secret_key_file_of(os.environ)) is not None:
        files.append(keys)
    for file in files:
        if (mode := exposed_mode(file)) is not None:
            complain(
                f"Every user of this machine can read {file}, as its mode is {mode:04o};"
                " let nobody else by chmod 600, or by chmod 700 on its directory"
            )


def _print(
    done: SimpleQueue[metering.WorkReceipt], now: datetime, *, json: bool
) -> None:
    """Print what was done since the last time."""
    receipts = []
    with suppress(Empty):
        while True:
            receipts.append(done.get_nowait())
    if json:
        for receipt in receipts:
            print_line(receipt)
    elif receipts:
        show(f"{second(now)}  {_sentence(receipts)}")


def _sentence(receipts: list[metering.WorkReceipt]) -> str:
    counts = [
        (sum(each.triggered for each in receipts), "trigger"),
        (sum(each.enqueued for each in receipts), "new delivery"),
        (sum(each.delivered for each in receipts), "delivered"),
        (sum(each.failed for each in receipts), "failed attempt"),
    ]
    done = [
        f"{number(count)} {noun}" if noun == "delivered" else counted(count, noun)
        for count, noun in counts
        if count
    ]
    position = number(receipts[-1].position)
    return f"position {position}: {', '.join(done)}"


@contextmanager
def _stopped_by_a_signal() -> Iterator[None]:
    """End a block at the first signal to stop; the second ends the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in _SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        # Asked for, and all was left in order.
        pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _Complaints(logging.Handler):
    """Prints warnings as failures are printed; the door prints what ends the command."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.CRITICAL:
            complain(self.format(record))


@contextmanager
def complaining() -> Iterator[None]:
    """Print warnings as failures are printed, until a block ends."""
    logger, handler = logging.getLogger("metering"), _Complaints(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
