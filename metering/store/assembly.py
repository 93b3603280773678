"""The engine of a store, put together from the parts that know nothing of each other."""

from ledger.appending.judging import ClockJudge
from ledger.log import Log
from metering.arguments.clock import now_of, system_time
from metering.arguments.ids import RandomIds
from metering.store.engine import Engine
from metering.store.evaluation import Evaluator
from metering.store.scheduled_credits import ScheduledCredits
from metering.store.sealing import BackgroundSealing
from metering.store.settings import OpeningTerms
from projections.alerts.pending import PendingUsage
from projections.folds import FactTables
from projections.meters.catalog import Catalog
from projections.usage.hourly import HourlyUsage
from projections.usage.series_events import SeriesEvents
from projections.usage.summaries import Summaries


def open_engine(opening: OpeningTerms) -> Engine:
    """Open the log of a store, with what follows from it; see `metering.connect`.

    Raises:
        LedgerError: it cannot be opened.
    """
    ids, usage, catalog = RandomIds(), HourlyUsage(), Catalog()
    watched, place, clock = PendingUsage(usage), opening.place, opening.clock
    log = Log(
        place.database,
        fold=FactTables(),
        usage=watched,
        epoch=ids.epoch() if opening.create else None,
        segments=place.segments,
        runs=place.runs,
        identifier_retention=opening.identifier_retention,
        judge=ClockJudge(place.database, opening.settings.clock_skew_max, system_time),
    )
    summaries = Summaries(usage, SeriesEvents())
    scheduled = ScheduledCredits(log, catalog.clocks, lambda: now_of(clock))
    evaluator = Evaluator(
        log, watched, catalog, summaries, scheduled, lambda: now_of(clock)
    )
    return Engine(
        log=log,
        usage=usage,
        catalog=catalog,
        summaries=summaries,
        clock=clock,
        ids=ids,
        settings=opening.settings,
        evaluator=evaluator,
        sealing=BackgroundSealing(log, opening.seal_events, evaluator.evaluate),
        scheduled=scheduled,
    )
