"""Exporting: an explanation becomes files, and among them what checks them.

What the log's chain can show is written with them: the digests of all commits from the
first that holds an event to a checkpoint, and the content of those whose entries are all
the customer's. Of the other commits there is the digest of the content and nothing else.
"""

import csv
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ledger.entries import Commit, CommitKind
from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.union import FACTS, encode_facts
from ledger.usage.columns import usage_rows
from ledger.usage.digest import facts_digest
from ledger.usage.quantities import shortest
from ledger.usage.rows import FewEvents
from metering.bodies import ResourceObject
from metering.errors import InvalidRequestError
from metering.explaining.proof.checkpoints import Checkpoint
from metering.explaining.proof.words import README
from metering.explaining.usage import ExplainedUsage

CHECKER = Path(__file__).with_name("check.py")

_CHAIN = (
    "first_position",
    "entry_count",
    "recorded_at",
    "kind",
    "content_digest",
    "is_shown",
)
_ENCODER = msgspec.json.Encoder(decimal_format="string")


class ExportedExplanation(ResourceObject, frozen=True, kw_only=True):
    """Files of an explanation, which anyone can check.

    Attributes:
        directory: where they are.
        event_count: how many events count.
        shown_count: how many of them lie in commits that hold nobody else's, so that
            the log's chain shows that they are what was recorded.
        checkpoint: to which the chain leads.
    """

    directory: str
    event_count: int
    shown_count: int
    checkpoint: Checkpoint


class Exporting(NamedTuple):
    """What is exported.

    Attributes:
        usage: whose events they are.
        figures: what is said of it.
        counted: the events that count.
        not_counted: the others.
        checkpoint: where the chain leads; None is where the figure's last entry is.
    """

    usage: ExplainedUsage
    figures: dict[str, Any]
    counted: Callable[[], pa.RecordBatchReader]
    not_counted: Callable[[], pa.RecordBatchReader]
    checkpoint: Checkpoint | None

    def into(self, directory: Path) -> ExportedExplanation:
        """Write the files into a directory that there is not yet.

        Raises:
            InvalidRequestError: it cannot be written, or the log does not lead to the
                checkpoint.
        """
        with made_whole(directory) as place:
            counted = _write_table(self.counted(), place / "events")
            others = _write_table(self.not_counted(), place / "not_counted")
            chain, shown = self._write_chain(place, counted, others)
            figures = {**self.figures, "chain": chain}
            encoded = msgspec.json.format(_ENCODER.encode(figures), indent=2)
            (place / "figures.json").write_bytes(encoded + b"\n")
            (place / "README.txt").write_text(README, encoding="utf-8")
            shutil.copyfile(CHECKER, place / "check.py")
            _write_sums(place)
        return ExportedExplanation(
            directory=str(directory),
            event_count=len(counted),
            shown_count=int(np.isin(counted, shown).sum()),
            checkpoint=Checkpoint(
                epoch=chain["epoch"],
                position=chain["position"],
                digest=chain["digest"],
            ),
        )

    def _write_chain(
        self, place: Path, counted: np.ndarray, others: np.ndarray
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Write the commits from the first that holds one of the events.

        Args:
            place: where.
            counted: positions of the events that count (int64, ascending).
            others: those of the others.

        Returns:
            What is said of the chain, and the positions of events that are shown.

        Raises:
            InvalidRequestError: the log does not lead to the checkpoint.
            OSError: a file cannot be written.
        """
        log, customer = self.usage.engine.log, self.usage.series.customer
        end, listed = self._end(), np.union1d(counted, others)
        start = int(listed[0]) if len(listed) and listed[0] <= end else end
        before, head, shown = None, None, []
        with (
            (place / "chain.csv").open("w", encoding="utf-8", newline="") as chain,
            (place / "contents.ndjson").open("wb") as contents,
        ):
            rows = csv.writer(chain, lineterminator="\n")
            rows.writerow(_CHAIN)
            for known, commit, after in log.history.chain(start, end):
                before, head = before or known, after
                content = _content_of(commit, customer, counted)
                rows.writerow(_link(commit, is_shown=content is not None))
                if content is not None:
                    contents.write(content + b"\n")
                    shown.append((commit.first_position, commit.last_position))
        if before is None or head is None:
            before = head = log.history.beginning()
        self._compare(head.position, head.digest.hex())
        said = {
            "epoch": head.epoch,
            "after": before.position,
            "after_digest": before.digest.hex(),
            "position": head.position,
            "digest": head.digest.hex(),
            "is_time_corrected": bool(log.time),
        }
        positions = [np.arange(first, last + 1) for first, last in shown]
        return said, np.concatenate([np.zeros(0, np.int64), *positions])

    def _end(self) -> int:
        """Return the position to which the chain leads."""
        saved, known = self.checkpoint, self.usage.position
        if saved is None:
            return known
        log = self.usage.engine.log
        head, epoch = log.head(), log.lineage.epoch_at(saved.position)
        is_here = known <= saved.position <= head.position
        if saved.epoch not in {epoch, head.epoch} or not is_here:
            raise _unmatched(
                saved,
                f"one of this log, with the epoch {head.epoch}, from position {known}"
                f" to {head.position}",
            )
        return saved.position

    def _compare(self, position: int, digest: str) -> None:
        saved = self.checkpoint
        if saved is not None and (position, digest) != (saved.position, saved.digest):
            raise _unmatched(saved, f"what the log has at {position}: {digest}")


def _unmatched(saved: Checkpoint, allowed: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid checkpoint: position {saved.position} and digest {saved.digest} with"
        f" the epoch {saved.epoch}; must be {allowed}",
        code="checkpoint_unmatched",
        param="checkpoint",
    )


def _link(commit: Commit, *, is_shown: bool) -> tuple[object, ...]:
    is_facts = isinstance(commit.content, FACTS)
    kind = CommitKind.FACTS if is_facts else CommitKind.USAGE
    return (
        commit.first_position,
        commit.entry_count,
        commit.recorded_at,
        kind.value,
        commit.content_digest.hex(),
        int(is_shown),
    )


def _content_of(commit: Commit, customer: str, counted: np.ndarray) -> bytes | None:
    """Encode what a commit holds; None where some of it is not the customer's.

    Neither is a cancellation shown of an event that counts: it came later, or was undone.
    """
    content = commit.content
    if isinstance(content, FACTS):
        if not isinstance(content, tuple) or not all(
            isinstance(fact, MeterEventCancelled) and fact.customer == customer
            for fact in content
        ):
            return None
        cancelled = [getattr(fact, "event_position", 0) for fact in content]
        if np.isin(cancelled, counted).any():
            return None
        body = encode_facts(content)
        # An earlier release may have written the same facts otherwise.
        is_same = facts_digest(body) == commit.content_digest
        return _ENCODER.encode(body.decode()) if is_same else None
    if isinstance(content, FewEvents):
        is_own = all(row.customer == customer for row in content.rows)
        return _ENCODER.encode(content.rows) if is_own else None
    if content.column("customer").dictionary.to_pylist() != [customer]:
        return None
    return _ENCODER.encode(usage_rows(content))


def _write_table(reader: pa.RecordBatchReader, place: Path) -> np.ndarray:
    """Write events as Parquet and as CSV, and return their positions (int64).

    Raises:
        OSError: a file cannot be written.
    """
    positions = [np.zeros(0, np.int64)]
    with (
        pq.ParquetWriter(place.with_suffix(".parquet"), reader.schema) as parquet,
        place.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(reader.schema.names)
        for batch in reader:
            parquet.write_batch(batch)
            columns = [map(_spelled, column.to_pylist()) for column in batch.columns]
            rows.writerows(zip(*columns, strict=True))
            positions.append(batch.column("position").to_numpy())
    return np.concatenate(positions)


def _spelled(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat(timespec="microseconds")
        case Decimal():
            return f"{shortest(value):f}"
        case _:
            return value


def _write_sums(place: Path) -> None:
    """Write the digests of all files.

    Raises:
        OSError: one cannot be read, or written.
    """
    lines = [
        f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n"
        for each in sorted(place.iterdir(), key=lambda each: each.name)
    ]
    (place / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="\n")


@contextmanager
def made_whole(directory: Path) -> Iterator[Path]:
    """Make a directory that appears with all its files, or not at all.

    Raises:
        InvalidRequestError: it is there already, or something in it cannot be written.
    """
    temporary = directory.with_name(f".{directory.name}.{os.getpid()}")
    try:
        if directory.exists():
            raise FileExistsError(None, "it is there already")
        temporary.mkdir()
        try:
            yield temporary
            temporary.rename(directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InvalidRequestError(
            f"Invalid directory: {directory} cannot be written:"
            f" {error.strerror or error}",
            param="directory",
        ) from error
