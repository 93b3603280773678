"""The fold of facts about alerts."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from ledger.database.bulk import insert_rows, is_among
from ledger.database.rows import RowFormat
from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    CreationFact,
    CreditAlertCreated,
    CreditAlertRecovered,
    CreditAlertTriggered,
    SpendAlertCreated,
    SpendLimitWarned,
    TransitionFact,
    TriggerFact,
    UsageAlertCreated,
    UsageAlertTriggered,
)
from ledger.facts.instants import TimeCorrection
from ledger.facts.log_time import LogTimeCorrected
from projections.alerts.queries import AlertQueries
from projections.alerts.tables import (
    CHECKPOINT_ID,
    CREDIT_TRIGGERS,
    LIMIT_WARNINGS,
    USAGE_TRIGGERS,
    alert,
    alert_checkpoint,
    alert_of,
    alert_period,
    alert_row,
    alert_trigger,
    burn_down_checkpoint,
    credit_alert_checkpoint,
    credit_alert_fallen,
    credit_alert_trigger,
)
from projections.kernels.alerts.book import (
    cause_of,
    changed,
    created,
)
from projections.kernels.credits.falls import Occurrence
from projections.kernels.test_clocks import ClockTimes
from projections.schema import RecordedFact, TableFold
from projections.test_clocks.queries import by_clock, times_of

TriggerFactT = TypeVar(
    "TriggerFactT", UsageAlertTriggered, SpendLimitWarned, CreditAlertTriggered
)

_END_PERIOD = (
    update(alert_period)
    .where(alert_period.c.period == bindparam("of_period"))
    .values(ended=bindparam("at_position"), ended_at=bindparam("at_instant"))
)


_RECOVER = delete(credit_alert_fallen).where(
    credit_alert_fallen.c.customer == bindparam("of_customer"),
    credit_alert_fallen.c.period == bindparam("of_period"),
)


def fold_alerts(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about alerts."""
    triggers: list[tuple[int, int, UsageAlertTriggered]] = []
    warnings: list[tuple[int, int, SpendLimitWarned]] = []
    turns: list[tuple[int, int, CreditAlertTriggered | CreditAlertRecovered]] = []
    for position, recorded_at, fact in facts:
        match fact:
            case SpendLimitWarned():
                warnings.append((position, recorded_at, fact))
            case UsageAlertTriggered():
                triggers.append((position, recorded_at, fact))
            case CreditAlertTriggered() | CreditAlertRecovered():
                turns.append((position, recorded_at, fact))
            case UsageAlertCreated() | SpendAlertCreated() | CreditAlertCreated():
                _create(connection, fact, Occurrence(recorded_at, position))
            case AlertActivated() | AlertDeactivated() | AlertArchived():
                _change(connection, fact, Occurrence(recorded_at, position))
            case LogTimeCorrected():
                correction = TimeCorrection.of(fact, position)
                AlertQueries(connection).take_credit_checkpoint_back(correction)
            case _:
                pass
    _trigger(connection, alert_trigger, USAGE_TRIGGERS, triggers)
    _trigger(connection, alert_trigger, LIMIT_WARNINGS, warnings)
    falls = [
        (position, recorded_at, fact)
        for position, recorded_at, fact in turns
        if isinstance(fact, CreditAlertTriggered)
    ]
    _trigger(connection, credit_alert_trigger, CREDIT_TRIGGERS, falls)
    _fall_or_recover(connection, turns)


ALERTS = TableFold(
    tables=(
        alert,
        alert_period,
        alert_trigger,
        credit_alert_trigger,
        credit_alert_fallen,
    ),
    fold=fold_alerts,
)


def _create(connection: Connection, fact: CreationFact, place: Occurrence) -> None:
    connection.execute(insert(alert), alert_row(created(fact, place.position)))
    _begin_period(connection, fact.alert_id, place)
    # Before the first alert there was nothing to trigger.
    seen = AlertQueries(connection)
    row = {"checkpoint_id": CHECKPOINT_ID, "position": place.position}
    if isinstance(fact, CreditAlertCreated):
        its = credit_alert_checkpoint
        if fact.includes_unbilled_usage:
            its = burn_down_checkpoint
        if seen.credit_checkpoint(its) is None:
            row["recorded_at"] = place.instant
            connection.execute(insert(its), row)
    elif seen.checkpoint() is None:
        connection.execute(insert(alert_checkpoint), row)


def _change(connection: Connection, fact: TransitionFact, place: Occurrence) -> None:
    is_it = alert.c.alert_id == fact.alert_id
    before = alert_of(connection.execute(select(alert).where(is_it)).one())
    after = changed(before, fact, place.position)
    connection.execute(update(alert).where(is_it), alert_row(after))
    if before.period is not None:
        ended = {
            "of_period": before.period,
            "at_position": place.position,
            "at_instant": place.instant,
        }
        connection.execute(_END_PERIOD, ended)
    if after.period is not None:
        _begin_period(connection, fact.alert_id, place)


def _begin_period(connection: Connection, alert_id: str, place: Occurrence) -> None:
    row = {"period": place.position, "alert_id": alert_id, "began_at": place.instant}
    connection.execute(insert(alert_period), row)


def _trigger(
    connection: Connection,
    table: Table,
    form: RowFormat[TriggerFactT],
    triggers: Sequence[tuple[int, int, TriggerFactT]],
) -> None:
    if not triggers:
        return
    periods = _periods_by_position(connection, triggers)
    rows = [
        form.row(
            fact, position=position, recorded_at=recorded_at, period=periods[position]
        )
        for position, recorded_at, fact in triggers
    ]
    insert_rows(connection, table, rows)


def _fall_or_recover(
    connection: Connection,
    turns: Sequence[tuple[int, int, CreditAlertTriggered | CreditAlertRecovered]],
) -> None:
    """Keep which credits with unbilled usage are at a threshold or below it."""
    ids = sorted({fact.alert_id for _, _, fact in turns})
    if not ids:
        return
    wanted = select(alert.c.alert_id).where(
        is_among(connection, alert.c.alert_id, ids),
        alert.c.includes_unbilled_usage == 1,
    )
    including = {*connection.execute(wanted).scalars()}
    turns = [each for each in turns if each[2].alert_id in including]
    if not turns:
        return
    periods = _periods_by_position(connection, turns)
    last: dict[tuple[str, int], int | None] = {}
    for position, _, fact in turns:
        is_fall = isinstance(fact, CreditAlertTriggered)
        last[fact.customer, periods[position]] = position if is_fall else None
    connection.execute(
        _RECOVER, [{"of_customer": who, "of_period": each} for who, each in last]
    )
    fallen = [
        (*key, position) for key, position in last.items() if position is not None
    ]
    insert_rows(connection, credit_alert_fallen, fallen)


def _periods_by_position(
    connection: Connection,
    triggers: Sequence[tuple[int, int, TriggerFact | CreditAlertRecovered]],
) -> dict[int, int]:
    """Return the periods in which something was triggered, by the position of the fact."""
    facts = [fact for _, _, fact in triggers]
    periods = _periods_of(connection, {fact.alert_id for fact in facts})
    of_credits = {
        fact.customer for fact in facts if not isinstance(fact, UsageAlertTriggered)
    }
    clocks: dict[str, ClockTimes] = {}
    if of_credits:
        clocks = times_of(connection, of_credits)
    return {
        position: _period_of(
            fact,
            Occurrence(recorded_at, position),
            _by_time_of(clocks.get(fact.customer), periods[fact.alert_id]),
        )
        for position, recorded_at, fact in triggers
    }


def _by_time_of(
    clock: ClockTimes | None, periods: Sequence[Occurrence]
) -> Sequence[Occurrence]:
    """Return where periods begin by the test clock of a customer, if it has one."""
    if clock is None:
        return periods
    return [by_clock(clock, each.position) for each in periods]


def _periods_of(
    connection: Connection, alert_ids: Collection[str]
) -> dict[str, list[Occurrence]]:
    """Return where the periods of some alerts begin, ascending."""
    periods: dict[str, list[Occurrence]] = {}
    for row in connection.execute(
        select(alert_period)
        .where(is_among(connection, alert_period.c.alert_id, sorted(alert_ids)))
        .order_by(alert_period.c.period)
    ):
        began = Occurrence(row.began_at, row.period)
        periods.setdefault(row.alert_id, []).append(began)
    return periods


def _period_of(
    fact: TriggerFact | CreditAlertRecovered,
    place: Occurrence,
    periods: Sequence[Occurrence],
) -> int:
    """Return the last of an alert's periods, ascending, that began before a trigger.

    Args:
        fact: the trigger.
        place: where it was recorded.
        periods: where they begin.
    """
    if isinstance(fact, UsageAlertTriggered):
        began = [each.position for each in periods]
        return began[bisect_left(began, fact.event_position) - 1]
    cause = cause_of(fact, place)
    return periods[bisect_left(periods, cause) - 1].position
