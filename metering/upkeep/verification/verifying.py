"""Verifying: the whole log is read once, and all that is stored is compared with it."""

from collections.abc import Sequence
from contextlib import ExitStack

from ledger.ancestry.ancestors import read_lineage
from ledger.commits import count_beyond, log_time, read_head
from ledger.entries import Commit, Head
from ledger.errors import (
    LogDamagedError,
    SegmentDamagedError,
    SegmentStoreError,
    StoreDamagedError,
)
from ledger.records.damage import damage
from ledger.sealing import StepCallback
from ledger.segments.entry import Segment
from metering.arguments.refusals import invalid
from metering.explaining.proof.checkpoints import Checkpoint
from metering.store.engine import Engine
from metering.upkeep.log_time import problems_of_time
from metering.upkeep.verification.alerts import (
    AlertsBefore,
    AlertsOnBurnDown,
    AlertsOnCredits,
    AlertsOnUsage,
)
from metering.upkeep.verification.chain import Chain, problems_beyond
from metering.upkeep.verification.identifiers import TailIdentifiers
from metering.upkeep.verification.outbox import problems_of_outbox
from metering.upkeep.verification.report import VerifyReport
from metering.upkeep.verification.segments import (
    CatalogLabels,
    problems_of_file,
    problems_of_sealing,
)
from metering.upkeep.verification.tables import Tables
from projections.refolding import checkpoint_rows, refolded
from projections.usage.hourly import HourlyUsage


def verify(
    engine: Engine, checkpoint: Checkpoint | None, progress: StepCallback | None
) -> VerifyReport:
    """Read the whole log, check its chain, and fold it anew to compare.

    Raises:
        InvalidRequestError: the checkpoint is none.
    """
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        raise invalid("checkpoint", checkpoint, "the checkpoint of a VerifyReport")
    with ExitStack() as closing:
        # Read before more is taken in, so that the replay passes this position.
        with engine.log.read() as connection:
            head, time = read_head(connection), log_time(connection)
            lineage = read_lineage(connection)
            checkpoints = checkpoint_rows(connection)
            beyond = count_beyond(connection, head.position)
            beside = list(damage(connection))
            refolding = closing.enter_context(refolded(connection))
        segments = engine.log.history.segments()
        replay = _Replay(
            Chain(lineage, head, time, checkpoint),
            Tables(refolding, head.position, time),
            segments,
            AlertsBefore(checkpoints=checkpoints, time=time),
            head.position,
        )
        problems = beside + problems_beyond(head, beyond)
        problems += problems_of_sealing(head, segments, engine.log.head())
        problems += problems_of_time(engine)
        problems += [p for each in segments for p in problems_of_file(engine, each)]
        try:
            replay.run(engine, progress)
        except SegmentDamagedError as error:
            # A file that differs as a whole is named already.
            if not any(error.name in problem for problem in problems):
                problems.append(error.message)
        except (LogDamagedError, SegmentStoreError) as error:
            problems.append(error.message)
        else:
            problems += replay.problems(engine)
    chain = replay.chain
    return VerifyReport(
        position=chain.head.position,
        commits=chain.commits,
        entries=chain.entries,
        segments=len(segments),
        digest=chain.head.digest.hex(),
        epoch=head.epoch,
        problems=tuple(dict.fromkeys(problems)),
    )


class _Replay:
    """Gives each commit to all that is folded anew."""

    def __init__(
        self,
        chain: Chain,
        tables: Tables,
        segments: Sequence[Segment],
        before: AlertsBefore,
        end: int,
    ) -> None:
        self.chain = chain
        self._tables = tables
        self._labels = CatalogLabels(segments)
        self._identifiers = TailIdentifiers(segments[-1].up_to if segments else 0)
        self._usage = HourlyUsage()
        self._alerts = AlertsOnUsage(self._usage, before, tables)
        self._credit_alerts = AlertsOnCredits(before, tables)
        self._burn_down_alerts = AlertsOnBurnDown(before, tables)
        self._end = end
        self._unknown: list[str] = []

    def run(self, engine: Engine, progress: StepCallback | None) -> None:
        """Read the log up to what this process knows of it."""
        known, end = None, self._end
        try:
            engine.log.catch_up()
            known = engine.usage.contents()
            end = known.position
        except StoreDamagedError as error:
            # Usage is known by rows that are damaged, which are named below.
            self._unknown.append(error.message)
        for commit, reached in engine.log.commits(end):
            self._take_in(commit, reached)
            if progress is not None:
                progress(reached.position, end)
        if known is not None:
            self._unknown = self._identifiers.problems(engine)
            if not self._usage.contents().equals(known):
                self._unknown.append("Hourly usage is not what the log adds up to")

    def _take_in(self, commit: Commit, head: Head) -> None:
        self.chain.take_in(commit, head)
        self._labels.take_in(commit, head)
        self._identifiers.take_in(commit)
        self._tables.take_in(commit)
        self._alerts.take_in(commit, head)
        self._credit_alerts.take_in(head)
        self._burn_down_alerts.take_in(head)

    def problems(self, engine: Engine) -> list[str]:
        """Return how what is stored differs, once the whole log was read."""
        problems = self._unknown + self.chain.problems() + self._labels.problems()
        problems += self._tables.problems() + problems_of_outbox(engine)
        for each in (self._alerts, self._credit_alerts, self._burn_down_alerts):
            problems += each.problems()
        return problems
