"""The log's time: whether it is ahead of the real time, and its repair.

Everything is recorded at an instant, and never before what is recorded already. So an
entry by a clock that was wrong takes the log's time with it: credits expire too early,
and what waits for a time waits too long. `ledger.appending.time_repairs` says how it is repaired.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ledger.appending.judging import CLOCKS_DIFFER_BY
from ledger.appending.time_repairs import TimeView, WrongTime
from ledger.errors import StoreDamagedError
from ledger.facts.alerts import CreditAlertTriggered, UsageAlertTriggered
from ledger.facts.credits.grants import (
    CreditGrantLapsed,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.union import Fact
from metering.arguments.clock import (
    MICROSECOND,
    at_microseconds,
    at_or_none,
    is_system_clock,
    system_time,
)
from metering.arguments.strings import check_word
from metering.arguments.times import Time, instant
from metering.bodies import ResourceObject
from metering.errors import InvalidRequestError
from metering.store.engine import Engine


class TimeRepair(ResourceObject, frozen=True, kw_only=True):
    """What was recorded by a wrong time, and how it was brought back.

    Attributes:
        real_time: by the clock of the database's server, or of this machine.
        recorded_until: when the last entry was recorded: the log's time.
        after: position of the last entry that is not recorded later than the real time.
        right_until: when that entry was recorded; None where there is none.
        up_to: position of the last entry.
        corrected_to: what the entries after `after` count as recorded at, at the latest;
            None where nothing was recorded.
        position: of the correction; None where nothing was recorded.
        event_count: of meter events among those entries. Their timestamps are their
            senders' and stay.
        invoices: that were settled meanwhile and still are. What they drew stays; settle
            them anew with `metering credits apply --replace`, or `credits.apply` with
            `replace`.
        triggered: how often alerts triggered meanwhile; what was sent stays sent.
        expired: how many grants were noticed to have expired meanwhile.
    """

    real_time: datetime
    recorded_until: datetime
    after: int
    right_until: datetime | None
    up_to: int
    corrected_to: datetime | None
    position: int | None
    event_count: int
    invoices: tuple[str, ...]
    triggered: int
    expired: int

    @property
    def was_wrong(self) -> bool:
        """Whether the log's time was ahead of the real time."""
        return self.after < self.up_to


class LogTimeRepairs:
    """The repair of the log's time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def repair(
        self,
        to: Time | None = None,
        *,
        reason: str = "a clock was wrong",
        dry_run: bool = False,
    ) -> TimeRepair:
        """Bring the log's time back, after an entry by a clock that was ahead.

        What was recorded later than `to` counts as recorded at `to` from then on: in
        balances, expiry, retention, deliveries, and answers as of a time. A fact in the
        log says that, and why. What was written and its digests stay. It works while
        clocks are refused as behind the log; where the log's time is not ahead of the real
        time, it records nothing.

        Args:
            to: not before the last entry that is right, and not after the real time;
                None only where nothing is to be recorded.
            reason: why, for people.
            dry_run: record nothing, and return what would be corrected.

        Raises:
            InvalidRequestError: `to` is malformed or not within its bounds, which the
                message names.
            StoreDamagedError: somebody has changed when the log says that it ends.
        """
        check_word(reason, "reason")
        corrected_to = None if to is None else instant(to, "to")
        engine = self._engine
        if dry_run:
            with engine.log.time_repairs.reading() as view:
                real = _real_time(engine, view)
                found = _look(view, real)
                _check(corrected_to, found, real, needs_time=False)
                return _repair(real, found, _Consequences.of(view.facts(found.after)))
        with engine.log.time_repairs.writing() as repairing:
            real = _real_time(engine, repairing.view)
            found = _look(repairing.view, real)
            target = _check(corrected_to, found, real, needs_time=True)
            consequences = _Consequences.of(repairing.view.facts(found.after))
            if target is None:
                return _repair(real, found, consequences)
            fact = LogTimeCorrected(
                corrected_to=target,
                found=found.found,
                after=found.after,
                reason=reason,
            )
            repairing.correct(fact, real)
            position = repairing.head.position
        return _repair(real, found, consequences, target, position)


def problems_of_time(engine: Engine) -> list[str]:
    """Return what is wrong with the log's time, as verification says it."""
    with engine.log.time_repairs.reading() as view:
        real = _latest_real_time(engine, view)
        try:
            found = _look(view, real, _skew_max(engine))
        except StoreDamagedError as error:
            return [error.message]
    if not found.is_wrong:
        return []
    start = _shown(found.right_until) if found.after else "the beginning"
    wrong = f"positions {found.after + 1} to {found.position}"
    problem = (
        f"Entries at {wrong} are recorded in the future: the last one at"
        f" {_shown(found.found)}, while it is {_shown(real)}; bring the log's time back by"
        f" metering repair time --to a time from {start} on"
    )
    return [problem]


def time_ahead(engine: Engine, view: TimeView) -> timedelta:
    """Return how far the log's time is ahead of the real time; zero where clocks differ."""
    ahead = MICROSECOND * (view.head().recorded_at - _latest_real_time(engine, view))
    return ahead if ahead > _skew_max(engine) else timedelta(0)


def _skew_max(engine: Engine) -> timedelta:
    """Return how far the log's time may be ahead until that is a problem."""
    limit = engine.settings.clock_skew_max
    return CLOCKS_DIFFER_BY if limit is None else limit


def _look(
    view: TimeView, real: int, differ_by: timedelta = CLOCKS_DIFFER_BY
) -> WrongTime:
    """Return what was recorded later than the real time, if by more than clocks differ."""
    head = view.head()
    if head.recorded_at - real > differ_by // MICROSECOND:
        return view.wrong_time(real)
    position, recorded_at = head.position, head.recorded_at
    return WrongTime(
        after=position, right_until=recorded_at, position=position, found=recorded_at
    )


def _real_time(engine: Engine, view: TimeView) -> int:
    """Return the real time, by an injected clock if there is one.

    Else it is that of the database's server, or of this machine. In microseconds since
    1970 UTC.
    """
    return _machine_time(view) if is_system_clock(engine.clock) else engine.now()


def _latest_real_time(engine: Engine, view: TimeView) -> int:
    """Return the real time; an injected clock may be ahead of it, but not behind."""
    return max(_machine_time(view), _real_time(engine, view))


def _machine_time(view: TimeView) -> int:
    server = view.server_time()
    return system_time() if server is None else server


def _check(
    to: int | None, found: WrongTime, real: int, *, needs_time: bool
) -> int | None:
    """Check what the time is to be corrected to; return None if nothing is wrong."""
    if not found.is_wrong:
        return None
    if to is None and not needs_time:
        return None
    if to is None or not found.right_until <= to <= real:
        given = "to is missing" if to is None else f"to is {_shown(to)}"
        last = f"when the last right entry was recorded, at position {found.after}"
        start = last if found.after else "since no entry is right"
        raise InvalidRequestError(
            f"Invalid to: {given}; give a time from {_shown(found.right_until)},"
            f" {start}, to {_shown(real)}, the real time",
            param="to",
        )
    return to


def _shown(at: int) -> str:
    return at_microseconds(at).isoformat()


@dataclass(slots=True)
class _Consequences:
    """What was decided by a wrong time."""

    fact_count: int = 0
    invoices: dict[str, None] = field(default_factory=dict)
    triggered: int = 0
    expired: int = 0

    @classmethod
    def of(cls, facts: Iterable[tuple[int, int, Fact]]) -> "_Consequences":
        found = cls()
        for _, _, fact in facts:
            found.fact_count += 1
            match fact:
                case CreditsApplied():
                    found.invoices[fact.invoice] = None
                case CreditsReinstated():
                    found.invoices.pop(fact.invoice, None)
                case UsageAlertTriggered() | CreditAlertTriggered():
                    found.triggered += 1
                case CreditGrantLapsed():
                    found.expired += 1
                case _:
                    pass
        return found


def _repair(
    real: int,
    found: WrongTime,
    consequences: _Consequences,
    corrected_to: int | None = None,
    position: int | None = None,
) -> TimeRepair:
    entries = found.position - found.after
    return TimeRepair(
        real_time=at_microseconds(real),
        recorded_until=at_microseconds(found.found),
        after=found.after,
        right_until=at_microseconds(found.right_until) if found.after else None,
        up_to=found.position,
        corrected_to=at_or_none(corrected_to),
        position=position,
        event_count=entries - consequences.fact_count,
        invoices=tuple(consequences.invoices),
        triggered=consequences.triggered,
        expired=consequences.expired,
    )
