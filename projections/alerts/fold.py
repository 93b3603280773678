"""The fold of facts about alerts."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import TypeVar, get_args

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.database.bulk import insert_rows, is_among
from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    CreditAlertCreated,
    CreditAlertTriggered,
    UsageAlertCreated,
    UsageAlertTriggered,
)
from projections.alerts.tables import (
    alert,
    alert_checkpoint,
    alert_of,
    alert_period,
    alert_row,
    alert_trigger,
    credit_alert_checkpoint,
    credit_alert_trigger,
)
from projections.kernels.alerts.book import (
    AlertFact,
    CreationFact,
    TransitionFact,
    changed,
    created,
)
from projections.kernels.credits.falls import Occurrence
from projections.schema import RecordedFact, TableFold

_Ordered = TypeVar("_Ordered", int, Occurrence)

_END_PERIOD = (
    update(alert_period)
    .where(alert_period.c.period == bindparam("of_period"))
    .values(ended=bindparam("at_position"), ended_at=bindparam("at_instant"))
)


def fold_alerts(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about alerts."""
    triggers: list[tuple[int, int, UsageAlertTriggered]] = []
    of_credits: list[tuple[int, int, CreditAlertTriggered]] = []
    for position, recorded_at, fact in facts:
        match fact:
            case UsageAlertTriggered():
                triggers.append((position, recorded_at, fact))
            case CreditAlertTriggered():
                of_credits.append((position, recorded_at, fact))
            case UsageAlertCreated() | CreditAlertCreated():
                _create(connection, fact, Occurrence(recorded_at, position))
            case AlertActivated() | AlertDeactivated() | AlertArchived():
                _change(connection, fact, Occurrence(recorded_at, position))
            case _:
                pass
    _trigger(connection, triggers)
    _trigger_of_credits(connection, of_credits)


ALERTS = TableFold(
    name="alert",
    version=2,
    tables=(alert, alert_period, alert_trigger, credit_alert_trigger),
    kinds=get_args(AlertFact),
    fold=fold_alerts,
)


def read_checkpoint(connection: Connection) -> int | None:
    """Read up to where triggers are recorded; None where there never was an alert."""
    return connection.execute(select(alert_checkpoint.c.position)).scalar()


def move_checkpoint(connection: Connection, position: int) -> None:
    """Say up to where triggers are recorded, which never goes back."""
    connection.execute(
        update(alert_checkpoint)
        .where(alert_checkpoint.c.position < position)
        .values(position=position)
    )


def read_credit_checkpoint(connection: Connection) -> Occurrence | None:
    """Read up to where triggers of alerts on credits are recorded.

    It is None where there never was such an alert.
    """
    row = connection.execute(select(credit_alert_checkpoint)).first()
    return None if row is None else Occurrence(row.recorded_at, row.position)


def move_credit_checkpoint(connection: Connection, place: Occurrence) -> None:
    """Say up to where these triggers are recorded, which never goes back."""
    connection.execute(
        update(credit_alert_checkpoint)
        .where(credit_alert_checkpoint.c.position < place.position)
        .values(position=place.position, recorded_at=place.instant)
    )


def _create(connection: Connection, fact: CreationFact, place: Occurrence) -> None:
    connection.execute(insert(alert), alert_row(created(fact, place.position)))
    _begin_period(connection, fact.alert_id, place)
    # Before the first alert there was nothing to trigger.
    row = {"checkpoint_id": 1, "position": place.position}
    if isinstance(fact, CreditAlertCreated):
        if read_credit_checkpoint(connection) is None:
            row["recorded_at"] = place.instant
            connection.execute(insert(credit_alert_checkpoint), row)
    elif read_checkpoint(connection) is None:
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
    connection: Connection, triggers: Sequence[tuple[int, int, UsageAlertTriggered]]
) -> None:
    if not triggers:
        return
    periods = _periods_of(connection, {fact.alert_id for _, _, fact in triggers})
    rows = [
        (
            position,
            fact.alert_id,
            _last_before(
                [place.position for place in periods[fact.alert_id]],
                fact.event_position,
            ),
            fact.customer,
            f"{fact.value:f}",
            fact.event_position,
            fact.timestamp,
            fact.window_start,
            recorded_at,
        )
        for position, recorded_at, fact in triggers
    ]
    insert_rows(connection, alert_trigger, rows)


def _trigger_of_credits(
    connection: Connection, triggers: Sequence[tuple[int, int, CreditAlertTriggered]]
) -> None:
    if not triggers:
        return
    periods = _periods_of(connection, {fact.alert_id for _, _, fact in triggers})
    rows = [
        (
            position,
            fact.alert_id,
            _last_before(
                periods[fact.alert_id], Occurrence(fact.instant, fact.cause_position)
            ).position,
            fact.customer,
            fact.value,
            fact.instant,
            fact.cause_position,
            recorded_at,
        )
        for position, recorded_at, fact in triggers
    ]
    insert_rows(connection, credit_alert_trigger, rows)


def _periods_of(
    connection: Connection, alert_ids: Collection[str]
) -> dict[str, list[Occurrence]]:
    """Read where the periods of some alerts begin, ascending."""
    periods: dict[str, list[Occurrence]] = {}
    for row in connection.execute(
        select(alert_period)
        .where(is_among(connection, alert_period.c.alert_id, sorted(alert_ids)))
        .order_by(alert_period.c.period)
    ):
        began = Occurrence(row.began_at, row.period)
        periods.setdefault(row.alert_id, []).append(began)
    return periods


def _last_before(periods: Sequence[_Ordered], place: _Ordered) -> _Ordered:
    """Find the last of an alert's periods, ascending, that begins before a place."""
    return periods[bisect_left(periods, place) - 1]
