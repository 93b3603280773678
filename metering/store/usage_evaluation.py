"""Evaluation of alerts on usage: what triggers is recorded exactly once."""

from collections.abc import Callable

from msgspec.structs import replace

from ledger.errors import StoreDamagedError
from ledger.log import Log
from projections.alerts.pending import Pending, PendingUsage
from projections.alerts.queries import AlertQueries, Fired
from projections.alerts.usage_crossings import Crossings, FoundTriggers, fired_by
from projections.meters.catalog import Catalog
from projections.usage.hourly import HourlyUsage
from projections.usage.summaries import Summaries


class UsageEvaluator:
    """Evaluates the alerts on usage of a log. For one thread at a time.

    Args:
        log: what is evaluated.
        watched: what of it has not been evaluated; the log's fold of usage.
        catalog: the meters.
        summaries: reads usage.
        now: returns the time, microseconds since 1970 UTC.
    """

    def __init__(
        self,
        log: Log,
        watched: PendingUsage,
        catalog: Catalog,
        summaries: Summaries,
        now: Callable[[], int],
    ) -> None:
        self._log = log
        self._watched = watched
        self._catalog = catalog
        self._now = now
        self._crossings = Crossings(summaries)
        # As they were when this process recorded last; a checkpoint of None is unknown.
        self._checkpoint: int | None = None
        self._fired: set[Fired] = set()
        self._periods: set[int] = set()

    def evaluate(self) -> int:
        """Record what triggers in the usage that was taken in, and count it."""
        pending = self._watched.pending()
        # There are no alerts, or no news.
        if pending is None or (
            self._checkpoint is not None and pending.position <= self._checkpoint
        ):
            return 0
        if not pending.is_whole:
            pending = self._read_again(pending)
        while (triggered := self._record(pending, self._find(pending))) is None:
            pending = self._read_again(pending)
        self._watched.evaluated(pending)
        return triggered

    def _read_again(self, known: Pending) -> Pending:
        """Go through the whole log, where usage at the checkpoint is not known.

        So it is where more was sealed than evaluated, which happens if the checkpoint
        was lost: slow, but nothing is missed.
        """
        fresh = PendingUsage(HourlyUsage())
        for commit, _ in self._log.commits(known.position):
            fresh.take_in(commit)
        pending = fresh.pending()
        assert pending is not None, "an alert was created before"
        self._checkpoint = None
        return replace(pending, generation=known.generation)

    def _find(self, pending: Pending) -> FoundTriggers:
        with self._log.read() as connection:
            seen = AlertQueries(connection)
            watches = seen.watches(pending.first_base)
            meters = self._catalog.read(connection).by_id
            self._remember(seen, {watch.after for watch in watches})
        return self._crossings.find(pending, watches, meters, self._fired)

    def _remember(self, seen: AlertQueries, periods: set[int]) -> None:
        """Know what has triggered in some periods, and forget what has in others."""
        if seen.checkpoint() != self._checkpoint:
            # Another process has recorded triggers.
            self._fired, self._periods = set(), set()
        if unknown := periods - self._periods:
            self._fired |= seen.fired(sorted(unknown))
        if self._periods - periods:
            self._fired = {each for each in self._fired if each[0] in periods}
        self._periods = periods

    def _record(self, pending: Pending, found: FoundTriggers) -> int | None:
        """Record what was found, and count it; None where the checkpoint was set back."""
        with self._log.writing(self._now) as writing:
            seen = AlertQueries(writing.connection)
            checkpoint = seen.checkpoint()
            if checkpoint is None:
                raise StoreDamagedError("table alert_checkpoint", "it has no row")
            relied_on = (self._checkpoint, pending.checkpoint)
            if any(each is not None and checkpoint < each for each in relied_on):
                return None
            up_to = pending.position
            recorded = [each for each in found if each[1].event_position > checkpoint]
            if recorded:
                # The process that moved the checkpoint may have recorded more than is known.
                fired = seen.fired(sorted({period for period, _ in recorded}))
                recorded = [each for each in recorded if fired_by(each) not in fired]
            seen.move_checkpoint(up_to)
            writing.record([fact for _, fact in recorded])
        self._checkpoint = max(checkpoint, up_to)
        self._fired |= {fired_by(each) for each in recorded}
        return len(recorded)
