"""Summaries of usage records: what an item's come to in each of its periods."""

import hashlib
from collections.abc import Sequence

from ledger.usage.quantities import quantity_from_units
from metering.arguments.clock import at_microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.pages import ListObject, listed, within_page
from metering.store.engine import Engine
from metering.usage_records.counting import record_units
from metering.usage_records.recording import aggregate_of
from metering.usage_records.requests import UsageRecordSummaryList
from metering.usage_records.resources import UsageRecordPeriod, UsageRecordSummary
from projections.kernels.periods import Period
from projections.kernels.statements import StatementRecord, counted_span
from projections.kernels.subscriptions.schedule import cycles, priced_spans
from projections.prices.queries import PriceQueries
from projections.statements.queries import StatementQueries
from projections.subscriptions.queries import SubscriptionQueries


def usage_record_summaries(
    engine: Engine, item_id: str, asked: UsageRecordSummaryList
) -> ListObject[UsageRecordSummary]:
    """List summaries; see `SubscriptionItems.list_usage_record_summaries`."""
    engine.log.catch_up()
    view = engine.usage.view()
    with engine.log.read() as connection:
        definitions = engine.catalog.read(connection)
        seen = SubscriptionQueries(connection)
        known = found_by_id(seen.of_item, item_id, "subscription_item")
        item = known.item(item_id)
        prices = PriceQueries(connection).prices_used(
            each.price_id for each in item.prices
        )
        aggregate_of(prices[item.price.price_id], item_id)
        now = engine.present(seen, known.customer)
        periods = [
            period
            for cycle in cycles(known, item)
            for period in cycle.periods_begun(now)
        ][::-1]
        ids = [_summary_id(item_id, each) for each in periods]
        wanted = within_page(asked, periods, ids, "usage_record_summary")
        stated: Sequence[StatementRecord] = ()
        if wanted:
            statements = StatementQueries(connection)
            start, end = wanted[-1].start, wanted[0].end
            stated = statements.standing_of(known.customer, start, end)

    def total(period: Period) -> int:
        # A price that took the place of another aggregates the whole of its first period.
        price = prices[priced_spans(item, period)[-1].price_id]
        aggregate = aggregate_of(price, item_id)
        return record_units(engine, definitions, view, item_id, aggregate, period)

    found = [_summary(engine, item_id, each, total(each), stated) for each in wanted]
    return listed(
        asked, found, lambda page: usage_record_summaries(engine, item_id, page)
    )


def _summary(
    engine: Engine,
    item_id: str,
    period: Period,
    units: int,
    stated: Sequence[StatementRecord],
) -> UsageRecordSummary:
    return UsageRecordSummary(
        id=_summary_id(item_id, period),
        invoice=_invoice(item_id, period, stated),
        livemode=engine.settings.livemode,
        period=UsageRecordPeriod(
            start=at_microseconds(period.start), end=at_microseconds(period.end)
        ),
        subscription_item=item_id,
        total_usage=quantity_from_units(units),
    )


def _invoice(
    item_id: str, period: Period, stated: Sequence[StatementRecord]
) -> str | None:
    """Return the id of the statement that bills the whole period of an item."""
    for each in stated:
        content = each.content
        spans = [
            counted_span(line.period_start, line.period_end, content.at)
            for line in content.lines
            if line.item_id == item_id
        ]
        within = [span for span in spans if period.start <= span[0] < period.end]
        if sum(end - start for start, end in within) == period.end - period.start:
            return each.statement_id
    return None


def _summary_id(item_id: str, period: Period) -> str:
    """Return the id of a summary, the same as long as the period begins there."""
    question = f"{item_id}\n{period.start}"
    return f"sis_{hashlib.sha256(question.encode()).hexdigest()[:24]}"
