"""Making statements: what is asked for is planned, counted, and recorded."""

from ledger.appending.writing import Writing
from ledger.facts.credits.grants import CreditsReinstated
from ledger.facts.statements import BilledLine
from metering.errors import InvalidRequestError
from metering.statements.drawing import content_of, drawing_of, facts_of
from metering.statements.lines import billed_lines, counted_units
from metering.statements.plans import (
    StatementPlan,
    check_named,
    doubly_refused,
    plan_by_prices,
)
from metering.statements.requests import StatementPreview
from metering.statements.subscribed import (
    plan_of_subscription,
    subscription_asked_for,
)
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.statements import StatementRecord
from projections.prices.queries import PriceQueries
from projections.statements.queries import StatementQueries
from projections.subscriptions.queries import SubscriptionQueries


def plan_asked(
    engine: Engine, asked: StatementPreview, *, goes_on: bool
) -> StatementPlan:
    """Return what is to be stated.

    Args:
        engine: of the store.
        asked: the request.
        goes_on: whether a current period counts up to now, if not said otherwise.
    """
    check_named(asked)
    with engine.log.read() as connection:
        seen, subscriptions = PriceQueries(connection), SubscriptionQueries(connection)
        if asked.subscription is None:
            now = engine.present(seen, *filter(None, [asked.customer]))
            return plan_by_prices(asked, seen, now)
        found = subscription_asked_for(asked, subscriptions)
        now = engine.present(seen, found.customer)
        return plan_of_subscription(asked, found, seen, now, goes_on=goes_on)


def counted(engine: Engine, plan: StatementPlan) -> tuple[int, tuple[BilledLine, ...]]:
    """Return the lines of a plan, and the position up to which usage counts."""
    definitions = engine.definitions(engine.log.catch_up())
    view = engine.usage.view()
    units = counted_units(engine, definitions, plan.customer, plan.lines, plan.at, view)
    return view.position, billed_lines(plan.lines, units)


def record_statement(
    writing: Writing,
    statement_id: str,
    plan: StatementPlan,
    position: int,
    lines: tuple[BilledLine, ...],
) -> None:
    """Record a statement and the credits that it draws.

    Raises:
        InvalidRequestError: another statement counts some of its usage, or credits were
            applied under its id.
    """
    drawn_from = CreditQueries(writing.connection)
    is_hold = bool(drawn_from.holds.known([statement_id]))
    if is_hold or drawn_from.application(statement_id) is not None:
        raise InvalidRequestError(
            f"Credits were applied to an invoice {statement_id}, or are held under that"
            " id; finalize the statement under another id",
            code="invoice_conflict",
            param="id",
        )
    seen = StatementQueries(writing.connection)
    others = seen.standing_of(plan.customer, plan.period_start, plan.period_end)
    if refusal := doubly_refused(plan, lines, others):
        raise refusal
    drawing = drawing_of(drawn_from, plan, lines, writing.now)
    content = content_of(plan, position, lines, drawing)
    writing.record(facts_of(statement_id, content, drawing))


def given_back(seen: CreditQueries, known: StatementRecord) -> list[CreditsReinstated]:
    """Return the fact that a statement gives its credits back; none where it has none."""
    if not known.content.credits:
        return []
    drew = seen.application(known.statement_id)
    # They may have been reinstated as those of an invoice.
    if drew is None or drew.reinstated_at is not None:
        return []
    return [CreditsReinstated(invoice=known.statement_id)]
