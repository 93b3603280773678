"""The table of credit schedules, and how facts fold into it."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    select,
    text,
    update,
)

from ledger.database.bulk import insert_rows, is_among
from ledger.database.rows import RowFormat, enum_codec, missing_row, packed_codec
from ledger.facts.credits.grants import CreditGrantCreated
from ledger.facts.credits.schedules import (
    CreditScheduleCreated,
    ScheduleChange,
    ScheduleFact,
    ScheduleTerms,
)
from ledger.facts.prices import BillingInterval
from ledger.facts.union import Fact
from ledger.records.partial_indexes import partial_index
from projections.kernels.credits.schedules import (
    Schedule,
    schedule_changed,
    schedule_created,
    schedule_granted,
)
from projections.schema import POSITION, RecordedFact, metadata

# Written out in statements as well: a database must see that an index is of use.
GRANTS_MORE = text("due_at IS NOT NULL")
"""Whether a schedule grants something, now or at some time ahead."""

credit_schedule = Table(
    "credit_schedule",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("schedule_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("interval", String(8), nullable=False),
    Column("interval_count", Integer, nullable=False),
    Column("anchor", BigInteger, nullable=False),
    Column("made_with", LargeBinary, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("next_period", Integer, nullable=False),
    Column("granted_period", Integer, nullable=True),
    Column("granted_with", LargeBinary, nullable=True),
    Column("granted_position", BigInteger, nullable=True),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("paused_at", BigInteger, nullable=True),
    Column("canceled_at", BigInteger, nullable=True),
    # It repeats what the others say: what is due is found by it.
    Column("due_at", BigInteger, nullable=True),
    Index("credit_schedule_customer", "customer", "position"),
    partial_index("credit_schedule_due", "due_at", "position", where=GRANTS_MORE),
    partial_index(
        "credit_schedule_due_of",
        "customer",
        "due_at",
        "position",
        where=GRANTS_MORE,
    ),
)

_TERMS = packed_codec(ScheduleTerms)
SCHEDULES = RowFormat(
    credit_schedule,
    Schedule,
    {
        "interval": enum_codec(BillingInterval),
        "made_with": _TERMS,
        "terms": _TERMS,
        "granted_with": _TERMS,
    },
)


_CHANGING = (
    "terms",
    "next_period",
    "granted_period",
    "granted_with",
    "granted_position",
    "updated",
    "paused_at",
    "canceled_at",
    "due_at",
)
_CHANGE = (
    update(credit_schedule)
    .where(credit_schedule.c.position == bindparam("of_schedule"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


def fold_schedules(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about schedules and the grants that are of one, in order."""
    about = [
        (name, each) for each in facts if (name := _schedule_of(each[2])) is not None
    ]
    if not about:
        return
    known = _known(connection, sorted({name for name, _ in about}))
    now = dict(known)
    for name, recorded in about:
        now[name] = _after(now.get(name), name, recorded)
    made = [
        SCHEDULES.row(now[name], due_at=now[name].due_at) for name in now.keys() - known
    ]
    insert_rows(connection, credit_schedule, sorted(made))
    changed = [_changed(now[name]) for name in sorted(known)]
    if changed:
        connection.execute(_CHANGE, changed)


def _changed(schedule: Schedule) -> dict[str, object]:
    """Return the parameters of `_CHANGE` for a schedule as it is now."""
    row = SCHEDULES.named(schedule) | {"due_at": schedule.due_at}
    changing = {f"new_{name}": row[name] for name in _CHANGING}
    return {"of_schedule": schedule.position, **changing}


def _schedule_of(fact: Fact) -> str | None:
    """Return the id of the schedule that a fact changes, None where it changes none."""
    if isinstance(fact, CreditGrantCreated):
        origin = fact.origin
        return None if origin is None or origin.is_rollover else origin.schedule_id
    return fact.schedule_id if isinstance(fact, ScheduleFact) else None


def _after(known: Schedule | None, name: str, recorded: RecordedFact) -> Schedule:
    """Return a schedule after a fact that changes it; None is before the first."""
    position, recorded_at, fact = recorded
    if isinstance(fact, CreditScheduleCreated):
        return schedule_created(fact, position, recorded_at)
    if known is None:
        raise missing_row(credit_schedule, name)
    if isinstance(fact, CreditGrantCreated) and fact.origin is not None:
        return schedule_granted(known, fact.origin.period, position)
    assert isinstance(fact, ScheduleChange), "nothing else changes a schedule"
    return schedule_changed(known, fact, recorded_at)


def _known(connection: Connection, schedule_ids: Sequence[str]) -> dict[str, Schedule]:
    is_wanted = is_among(connection, credit_schedule.c.schedule_id, schedule_ids)
    rows = connection.execute(select(credit_schedule).where(is_wanted))
    return {each.schedule_id: each for each in map(SCHEDULES.read, rows)}
