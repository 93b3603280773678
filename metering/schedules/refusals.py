"""Why a schedule is refused, or what is to be done to it: one sentence each."""

from ledger.facts.credits.schedules import CreditScheduleCreated
from metering.arguments.clock import at_microseconds
from metering.errors import InvalidRequestError
from projections.kernels.credits.schedules import Schedule


def check_same(
    known: Schedule, wanted: CreditScheduleCreated, anchor: int | None
) -> None:
    """Check that a schedule is what was made under its id.

    Args:
        known: the schedule.
        wanted: what it is to be, but for its anchor.
        anchor: as the caller gave it.

    Raises:
        InvalidRequestError: it differs.
    """
    made, terms = known.made_with, wanted.terms
    same = {
        "customer": known.customer == wanted.customer,
        "interval": known.interval == wanted.interval,
        "interval_count": known.interval_count == wanted.interval_count,
        "anchor": known.anchor == (known.created if anchor is None else anchor),
        "amount": (made.amount, made.currency) == (terms.amount, terms.currency),
        "applicability_config": made.prices == terms.prices,
        "rollover": made.rollover == terms.rollover,
        "expires_after": made.expires_after == terms.expires_after,
        "category": made.category == terms.category,
        "priority": made.priority == terms.priority,
        "name": made.name == terms.name,
        "metadata": made.metadata == terms.metadata,
    }
    differing = [field for field, is_same in same.items() if not is_same]
    if differing:
        raise InvalidRequestError(
            f"Schedule {known.schedule_id} was made already, and differs in"
            f" {', '.join(differing)}; an id is used once, so change the schedule, or make"
            " one under another id",
            code="credit_schedule_conflict",
            param="id",
        )


def check_not_canceled(schedule: Schedule) -> None:
    """Check that a schedule may grant again.

    Raises:
        InvalidRequestError: it is cancelled.
    """
    if schedule.canceled_at is not None:
        since = at_microseconds(schedule.canceled_at).isoformat()
        raise InvalidRequestError(
            f"Schedule {schedule.schedule_id} is canceled since {since}; make another one",
            code="credit_schedule_canceled",
            param="id",
        )


def too_many(customer: str, most: int) -> InvalidRequestError:
    """Return the refusal of one more schedule."""
    return InvalidRequestError(
        f"Customer {customer} has {most} schedules, and may have no more; cancel one"
        " first",
        code="credit_schedule_limit_reached",
        param="customer",
    )
