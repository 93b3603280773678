"""Opening a store: what a caller or the environment says becomes a connection."""

import os
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ledger.database.settings import (
    LOCK_TIMEOUT,
    STATEMENT_TIMEOUT,
    DatabaseSettings,
)
from ledger.places import open_place
from metering.arguments.clock import Clock, SystemClock, is_system_clock
from metering.arguments.refusals import invalid
from metering.arguments.schema import checked
from metering.arguments.strings import check_path
from metering.arguments.times import duration
from metering.connection import Metering
from metering.environment import (
    EnvironmentSettings,
    clock_skew_max_of,
    entitles_at_once,
    is_strict,
    report_retention_of,
    secret_keys_of,
)
from metering.store.sealing import SEAL_EVENTS
from metering.store.settings import OpeningTerms, Settings

_LONGEST_WEBHOOK_TIMEOUT = timedelta(minutes=5)
_LONGEST_SQL_TIMEOUT = timedelta(days=1)
_LONGEST_LOCK_TIMEOUT = timedelta(hours=1)
_LONGEST_STATEMENT_TIMEOUT = timedelta(days=1)
CLOCK_SKEW_MAX = timedelta(minutes=1)
WEBHOOK_TIMEOUT = timedelta(seconds=10)
SQL_TIMEOUT = timedelta(minutes=10)
ALERTS_MAX = 25
CREDIT_GRANTS_MAX = 100
REPORT_RETENTION = timedelta(days=30)
_LONGEST_REPORT_RETENTION = timedelta(days=3_650)
_LEAST_CLOCK_SKEW = timedelta(seconds=1)


CountSetting = Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
# DuckDB needs some to begin with.
MemorySetting = Annotated[int, Meta(ge=64 << 20, le=1 << 50)]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a connection that are numbers, or true or false."""

    create: bool
    seal_events: CountSetting | None = None
    livemode: bool | None = None
    credit_grants_max: CountSetting
    alerts_max: CountSetting
    entitle_at_once: bool | None = None
    allow_private_webhooks: bool | None = None
    pool_size: CountSetting | None = None
    strict: bool | None = None
    sql_memory: MemorySetting | None = None


def connect(  # noqa: PLR0913  # settings have names
    target: str | PathLike[str] | None = None,
    *,
    create: bool = True,
    segments: str | PathLike[str] | None = None,
    cache: str | PathLike[str] | None = None,
    schema: str | None = None,
    seal_events: int | None = SEAL_EVENTS,
    clock: Clock | None = None,
    livemode: bool | None = None,
    identifier_retention: timedelta | None = None,
    cancel_window: timedelta | None = None,
    credit_grants_max: int = CREDIT_GRANTS_MAX,
    alerts_max: int = ALERTS_MAX,
    entitle_at_once: bool | None = None,
    allow_private_webhooks: bool | None = None,
    webhook_timeout: timedelta = WEBHOOK_TIMEOUT,
    sql_timeout: timedelta = SQL_TIMEOUT,
    sql_memory: int | None = None,
    lock_timeout: timedelta | None = None,
    statement_timeout: timedelta | None = None,
    pool_size: int | None = None,
    clock_skew_max: timedelta | None = None,
    report_retention: timedelta | None = None,
    strict: bool | None = None,
) -> Metering:
    """Open a store, creating it where it is absent.

    Args:
        target: a directory, for a store embedded in this application; the URL of a
            PostgreSQL database, for one that several machines write to; or
            ``:memory:``, for one that is gone when it is closed. Left out, it is what
            METERING_STORE names, and what else is left out is what METERING_SEGMENTS,
            METERING_CACHE, METERING_LIVEMODE, METERING_ALLOW_PRIVATE_WEBHOOKS,
            METERING_LOCK_TIMEOUT, METERING_STATEMENT_TIMEOUT and METERING_POOL_SIZE say.
            METERING_SECRET_KEY, METERING_ENTITLE_AT_ONCE and METERING_STRICT are read in
            any case: under the first the secrets of webhook endpoints are encrypted.
        create: whether to create the store where it is absent.
        segments: where sealed usage lies: a directory, or the URL of an object store
            (``s3://bucket/prefix``), the same for every process. By default it is
            beside an embedded store; a PostgreSQL store keeps it in its database until
            it is given one.
        cache: a local directory for what is derived from segments, rebuilt where it is
            lost. By default it is beside an embedded store, else in the user's cache
            directory, or a temporary one where that cannot be used.
        schema: of a PostgreSQL database, for all tables, created where it is absent;
            None is what the URL says as ``?schema=``, else ``metering``.
        seal_events: how many events may gather before they are sealed in the background,
            as 50,000 commits or 128 MB are; None seals when `Metering.seal` is called.
        clock: the system's by default.
        livemode: the `livemode` of all resources; by default false.
        identifier_retention: after how long another event may use an identifier; None
            is never.
        cancel_window: how long after its recording an event can be cancelled; None is
            for ever.
        credit_grants_max: unused credit grants a customer can have.
        alerts_max: alerts on a meter that can apply to a customer.
        entitle_at_once: whether subscriptions that there are see at once what is
            attached to their products or detached, and not with their next period; by
            default what METERING_ENTITLE_AT_ONCE says, or false.
        allow_private_webhooks: whether webhooks may go to addresses that are not
            public, and without TLS; for one machine, and for tests. By default false.
        webhook_timeout: how long to wait for an endpoint's address, for a connection,
            and for each part of its response; up to five minutes.
        sql_timeout: how long a query of `Metering.sql` may take; up to a day.
        sql_memory: how many bytes of memory it may take, 64 MiB at the least; its result
            may take half as much. None is 60 % of the machine's.
        lock_timeout: how long a write waits for the writers before it until it raises
            `StoreBusyError`; by default a minute, up to an hour.
        statement_timeout: how long one statement may run on PostgreSQL; by default ten
            minutes, up to a day.
        pool_size: how many connections to PostgreSQL may be in use at a time, beside
            the two that are held; others wait as long as for a lock. By default there
            is no limit, and five are kept.
        clock_skew_max: how far ahead of its judge, or behind the log, the system's
            clock may be until an append raises `ClockSkewError`: by default what
            METERING_CLOCK_SKEW_MAX says, or a minute, and at least a second.
            ``timedelta.max`` lets any clock append. A `clock` that is given is not
            judged.
        report_retention: for how long the files of reports are kept, up to ten years: by
            default as many days as METERING_REPORT_RETENTION_DAYS says, or 30.
        strict: whether the reference's limits of test clocks hold: three customers each,
            and two of the shortest intervals of their subscriptions at once; by default
            what METERING_STRICT says, or not.

    Raises:
        InvalidRequestError: a setting is malformed.
        StoreUnavailableError: the store cannot be opened.
        StoreMissingError: there is none, and `create` is false.
        StoreVersionError: a later release wrote it.
        SecretError: a secret key is set, and what encrypts under it is not installed.
        SegmentStoreError: the segment store cannot be used, or does not belong to it.
    """
    duration(webhook_timeout, "webhook_timeout", _LONGEST_WEBHOOK_TIMEOUT)
    duration(sql_timeout, "sql_timeout", _LONGEST_SQL_TIMEOUT)
    report_retention = _report_retention(report_retention)
    for name, length in (
        ("identifier_retention", identifier_retention),
        ("cancel_window", cancel_window),
    ):
        if length is not None:
            duration(length, name, timedelta.max)
    # Also where a target is given: how far clocks are off is a matter of the machine.
    clock_skew_max = _clock_skew_max(
        clock_skew_max_of(os.environ) if clock_skew_max is None else clock_skew_max
    )
    checked(
        StoreSettings,
        create=create,
        seal_events=seal_events,
        livemode=livemode,
        credit_grants_max=credit_grants_max,
        alerts_max=alerts_max,
        entitle_at_once=entitle_at_once,
        allow_private_webhooks=allow_private_webhooks,
        pool_size=pool_size,
        sql_memory=sql_memory,
        strict=strict,
    )
    if target is None:
        found = EnvironmentSettings.of(os.environ)
        target = found.store
        segments = found.segments if segments is None else segments
        cache = found.cache if cache is None else cache
        livemode = found.livemode if livemode is None else livemode
        if allow_private_webhooks is None:
            allow_private_webhooks = found.allow_private_webhooks
        if lock_timeout is None:
            lock_timeout = found.lock_timeout
        if statement_timeout is None:
            statement_timeout = found.statement_timeout
        pool_size = found.pool_size if pool_size is None else pool_size
    # Also where a target is given: what a deployment keeps secret is in no argument.
    secret_keys = secret_keys_of(os.environ)
    if entitle_at_once is None:
        entitle_at_once = entitles_at_once(os.environ)
    strict = is_strict(os.environ) if strict is None else strict
    clock = clock or SystemClock()
    named = check_path(target, "target")
    place = open_place(
        named if isinstance(target, str) else Path(named),
        creates=create,
        segments=None if segments is None else check_path(segments, "segments"),
        cache=None if cache is None else check_path(cache, "cache"),
        schema=schema,
        settings=_database_settings(lock_timeout, statement_timeout, pool_size),
    )
    opening = OpeningTerms(
        place=place,
        create=create,
        seal_events=seal_events,
        clock=clock,
        settings=Settings(
            livemode=bool(livemode),
            cancel_window=cancel_window,
            credit_grants_max=credit_grants_max,
            alerts_max=alerts_max,
            entitle_at_once=bool(entitle_at_once),
            allow_private_webhooks=bool(allow_private_webhooks),
            webhook_timeout=webhook_timeout,
            sql_timeout=sql_timeout,
            sql_memory=sql_memory,
            report_retention=report_retention,
            strict=bool(strict),
            secret_keys=secret_keys,
            # A clock that was given, of whatever kind, is its caller's affair.
            clock_skew_max=clock_skew_max if is_system_clock(clock) else None,
        ),
        identifier_retention=identifier_retention,
    )
    return Metering(opening)


def _database_settings(
    lock_timeout: timedelta | None,
    statement_timeout: timedelta | None,
    pool_size: int | None,
) -> DatabaseSettings:
    return DatabaseSettings(
        lock_timeout=_timeout(
            LOCK_TIMEOUT if lock_timeout is None else lock_timeout,
            "lock_timeout",
            _LONGEST_LOCK_TIMEOUT,
        ),
        statement_timeout=_timeout(
            STATEMENT_TIMEOUT if statement_timeout is None else statement_timeout,
            "statement_timeout",
            _LONGEST_STATEMENT_TIMEOUT,
        ),
        pool_size=pool_size,
    )


def _report_retention(given: timedelta | None) -> timedelta:
    length = REPORT_RETENTION if given is None else given
    if given is None:
        length = report_retention_of(os.environ) or length
    return duration(length, "report_retention", _LONGEST_REPORT_RETENTION)


def _clock_skew_max(value: object) -> timedelta:
    """Check how far off clocks may be; those of two machines are never quite the same."""
    if value is None:
        return CLOCK_SKEW_MAX
    if not isinstance(value, timedelta) or value < _LEAST_CLOCK_SKEW:
        rule = f"a timedelta of at least {_LEAST_CLOCK_SKEW}; timedelta.max judges none"
        raise invalid("clock_skew_max", value, rule)
    return value


def _timeout(value: timedelta, param: str, longest: timedelta) -> timedelta:
    """Check a time-out; databases count milliseconds, and none of them is for ever."""
    return max(duration(value, param, longest), timedelta(milliseconds=1))
