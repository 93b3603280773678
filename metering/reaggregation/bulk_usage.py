"""Bulk usage: the questions about all customers at once, each answered by a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor

    import pyarrow as pa

    from ledger.sealing import StepCallback
    from metering.arguments.times import Time
    from metering.arguments.words import FormulaName, UsageWindowName, WindowName
    from metering.reaggregation.requests import Filters
    from metering.store.engine import Engine


class BulkUsage:
    """What a connection answers about all customers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reaggregate(  # noqa: PLR0913, PLR0917  # the parts of one question, in the order that callers know
        self,
        meters: str | Iterable[str] | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        window: WindowName | None = "day",
        group_by: str | Iterable[str] = (),
        timezone: str = "UTC",
        as_of: Time | None = None,
        executor: Executor | None = None,
        *,
        filters: Filters | None = None,
        formula: FormulaName | None = None,
        value_key: str | None = None,
        skip_too_large: bool = False,
        customers: str | Iterable[str] | None = None,
        progress: StepCallback | None = None,
    ) -> pa.Table:
        """Recompute summaries of all customers from the events alone.

        Args:
            meters: ids or event names; None is all.
            start_time: events before it do not count; None is the first.
            end_time: exclusive; None is after the last.
            window: minute, hour, day, week (from Monday) or month; None is one, from
                bound to bound.
            group_by: payload keys by whose values usage is split as well.
            timezone: IANA name of the zone whose clocks the windows follow.
            as_of: a position of the log, or a time: events, cancellations and meters as
                they were known then.
            executor: does the work, part by part, on other threads, processes or
                machines; they must reach the segments. None is this process.
            filters: payload keys, each with the string or strings that an event must have
                there to count. Under `customer` stand customers, under `meter` ids or
                event names of meters. These, and the names of the other columns of
                events, never mean a payload key of that name: ask with `sql`.
            formula: in place of the meters' own: sum, count, last, min, max, avg or
                unique_count. The meters stay as they are.
            value_key: payload key of the value, in place of the meters' own.
            skip_too_large: answer with null where a sum has too many digits, and with all
                the others.
            customers: whose usage; None is everybody's.
            progress: is called with the events read and how many there are.

        Returns:
            Columns `meter` (its id), `customer`, one for each key of `group_by` (null
            where an event lacks it), `window_start`, `window_end`, `value`
            (decimal128(38, 12), exact; an average is rounded half to even),
            `event_count` and `event_name` (the meter's). One row for each window in
            which an event counts, cut to the bounds; sorted by meter, customer, keys and
            window. Equal events give equal tables on any database and executor. The
            schema's metadata says under `position` up to which position they count.

        Raises:
            InvalidRequestError: an argument breaks a rule.
            ReaggregationError: a sum has too many digits, of which it names the meters
                and customers, or an event has no quantity where `value_key` says.
            SegmentStoreError: a segment cannot be read.
        """
        from metering.reaggregation.questions import reaggregated
        from metering.reaggregation.requests import Reaggregate

        request = Reaggregate(
            meters=meters,
            start_time=start_time,
            end_time=end_time,
            window=window,
            group_by=group_by,
            timezone=timezone,
            as_of=as_of,
            filters=filters,
            formula=formula,
            value_key=value_key,
            skip_too_large=skip_too_large,
            customers=customers,
        )
        return reaggregated(self._engine, request, executor, progress)

    def reaggregate_sql(  # noqa: PLR0913, PLR0917  # the parts of one question, as `reaggregate` has them
        self,
        meters: str | Iterable[str] | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        window: WindowName | None = "day",
        group_by: str | Iterable[str] = (),
        timezone: str = "UTC",
        as_of: Time | None = None,
        *,
        filters: Filters | None = None,
        formula: FormulaName | None = None,
        value_key: str | None = None,
        customers: str | Iterable[str] | None = None,
    ) -> str:
        """Write `reaggregate` as SQL that needs nothing but DuckDB and the sealed files.

        Whoever can read the files runs it, with their own DuckDB, and gets the same
        table, where ``SET TimeZone = 'UTC'`` comes before. What is cancelled after it was
        written still counts in it.

        Args:
            meters: as `reaggregate` has it, and so all others.
            start_time: inclusive.
            end_time: exclusive.
            window: minute, hour, day, week, month or None.
            group_by: payload keys.
            timezone: of the windows.
            as_of: no later than the last event that is sealed; None is now.
            filters: payload keys with the strings that make an event count.
            formula: in place of the meters' own.
            value_key: in place of the meters' own.
            customers: whose usage; None is everybody's.

        Returns:
            One SELECT. Where a sum needs more than 38 digits on its way, or a payload's
            number has no place in them, it fails; it never gives another number.

        Raises:
            InvalidRequestError: an argument breaks a rule, or some of the events that
                count lie in no file: `seal` brings them there.
            SegmentStoreError: a segment cannot be found.
        """
        from metering.reaggregation.requests import Reaggregate
        from metering.reaggregation.statements import statement

        request = Reaggregate(
            meters=meters,
            start_time=start_time,
            end_time=end_time,
            window=window,
            group_by=group_by,
            timezone=timezone,
            as_of=as_of,
            filters=filters,
            formula=formula,
            value_key=value_key,
            customers=customers,
        )
        return statement(self._engine, request)

    def usage(  # noqa: PLR0913, PLR0917  # the parts of one question, as `reaggregate` has them
        self,
        meters: str | Iterable[str] | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        window: UsageWindowName | None = "day",
        timezone: str = "UTC",
        customers: str | Iterable[str] | None = None,
        progress: StepCallback | None = None,
    ) -> pa.Table:
        """Sum up the usage of all customers, as `reaggregate` would, and much faster.

        Whole hours come from hourly totals. Events are read where a bound or a window
        cuts an hour in two, where the last event of an hour was cancelled, and of meters
        whose formula is min, max or unique_count.

        Args:
            meters: ids or event names; None is all.
            start_time: events before it do not count; None is the first.
            end_time: exclusive; None is after the last.
            window: hour, day, week (from Monday) or month; None is one, from bound to
                bound.
            timezone: IANA name of the zone whose clocks the windows follow.
            customers: whose usage; None is everybody's.
            progress: is called with how many totals and events were gone through, and how
                many there are, of which more may become known.

        Returns:
            The table that `reaggregate` gives, up to the last commit of any process.

        Raises:
            InvalidRequestError: an argument breaks a rule.
            SummaryTooLargeError: a sum has too many digits; names meters and customers.
            SegmentStoreError: a segment cannot be read.
        """
        from metering.reaggregation.requests import SumUsage
        from metering.reaggregation.usage import used

        request = SumUsage(
            meters=meters,
            start_time=start_time,
            end_time=end_time,
            window=window,
            timezone=timezone,
            customers=customers,
        )
        return used(self._engine, request, progress)

    def sql(self, query: str) -> pa.Table:
        """Run one SELECT over all events, in the SQL of DuckDB.

        Args:
            query: reads from `events`, which has the columns position, recorded_at,
                event_name, customer, timestamp, value (exact, 12 fraction digits),
                identifier, payload (a map of what is neither customer nor value) and
                cancelled. Times are in UTC.

        Raises:
            QueryError: it is not one SELECT, would read or write files, fails, or takes
                more time or memory than `sql_timeout` and `sql_memory` of
                `metering.connect` give it. Nothing is written to a temporary file.
            SegmentStoreError: a segment cannot be read.
        """
        # DuckDB takes longer to load than all else, and only queries need it.
        from projections.scans.sql import run_query, spelled

        settings = self._engine.settings
        memory, timeout = spelled(settings.sql_memory), settings.sql_timeout
        return run_query(self._engine.recorded(), query, memory=memory, timeout=timeout)
