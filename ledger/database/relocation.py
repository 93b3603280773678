"""Moving a store of format 2 on PostgreSQL into a schema of its own.

Releases up to 0.1.0 put their tables where the connection's search path led, as a rule
into `public`, beside those of the application. A table is moved only if it has all
columns that the release gave it; another one of the same name stays where it is. What
is left behind is a view by the name of `log_head`: a process of the earlier release
reads the new format there and refuses the store, where it would begin an empty one.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from ledger.errors import StoreUnavailableError

_TABLES: Mapping[str, str] = {
    "alert": "position alert_id title meter_id gte customer recurrence timezone lte currency status period",
    "alert_checkpoint": "checkpoint_id position",
    "alert_period": "period alert_id began_at ended ended_at",
    "alert_trigger": "position alert_id period customer value event_position timestamp window_start recorded_at",
    "api_key": "key_id name scopes is_restricted livemode digest last_four created revoked_at",
    "credit_alert_checkpoint": "checkpoint_id position recorded_at",
    "credit_alert_trigger": "position alert_id period customer value instant cause_position recorded_at",
    "credit_application": "position invoice customer currency period_end recorded_at lines draws reinstated_at reinstated_position",
    "credit_grant": "position grant_id customer amount currency prices category name priority effective_at expires_at metadata created updated expired_position voided_at voided_position applied",
    "error_report": "report_id livemode meter_id window_start window_end error_types",
    "grant_lapse": "position grant_id",
    "idempotent_request": "key_id idempotency_key fingerprint request_id resource_id status body created",
    "log_commit": "first_position entry_count kind recorded_at content_digest digest body",
    "log_head": "log_id format_version epoch position facts_position sealed_position recorded_at digest",
    "log_sealing": "name",
    "log_segment": "after up_to name row_count byte_count sha256 checksums digest facts_position recorded_at earliest latest",
    "meter": "meter_id event_name display_name formula customer_payload_key value_payload_key event_time_window status created updated deactivated_at position",
    "meter_event_session": "session_id key_id livemode digest created expires_at",
    "projection": "name fold_version",
    "resource_change": "position resource_id recorded_at fact",
    "stream_error": "window_start livemode meter_id code error_count samples",
    "webhook_attempt": "endpoint_id event_id attempt attempted_at duration_ms status_code error",
    "webhook_delivery": "endpoint_id position number event_id event_type state attempts enqueued_at next_attempt_at delivered_at",
    "webhook_endpoint": "position endpoint_id url enabled_events description metadata signature status changed created",
    "webhook_event": "event_id created body",
    "webhook_outbox": "endpoint_id position claimed_by claimed_until",
    "webhook_secret": "endpoint_id secret created ends",
}
"""The tables of format 2, with their columns."""

_HEAD, _COMMITS, _VERSIONS = "log_head", "log_commit", "projection"
# A store of format 1 lacks it, and one that began at format 1 has it last.
_ADDED_LATER = frozenset({"sealed_position"})
# The application has no `log_head` with these.
_SIGN_OF_A_STORE = frozenset({"format_version", "epoch", "digest"})
# By the search path that the connection began with.
_FIND_HEAD = text("""
    SELECT namespace.nspname
    FROM pg_class AS head JOIN pg_namespace AS namespace ON namespace.oid = head.relnamespace
    WHERE head.relname = 'log_head' AND head.relkind = 'r' AND pg_table_is_visible(head.oid)
""")
_IS_THERE = text("SELECT to_regclass(:table)::text")
_COLUMNS = text("""
    SELECT found.relname AS name,
        array_agg(attribute.attname::text) AS columns
    FROM pg_class AS found
    JOIN pg_namespace AS namespace ON namespace.oid = found.relnamespace
    JOIN pg_attribute AS attribute ON attribute.attrelid = found.oid
    WHERE namespace.nspname = :schema AND found.relkind = 'r'
        AND attribute.attnum > 0 AND NOT attribute.attisdropped
    GROUP BY found.relname
    ORDER BY found.relname
""")


def schema_of_another_store(connection: Connection, schema: str) -> str | None:
    """Return the schema of a store that the search path leads to, but is elsewhere.

    Args:
        connection: in a database transaction.
        schema: of the store that is to be opened; None is returned where it has none
            yet, since the other one may be moved there.
    """
    connection.exec_driver_sql("SET LOCAL search_path TO DEFAULT")
    ours = f"{schema}.{_HEAD}"
    if connection.execute(_IS_THERE, {"table": ours}).scalar() is None:
        return None
    found = connection.execute(_FIND_HEAD).scalar()
    if found is None or found == schema:
        return None
    rows = connection.execute(_COLUMNS, {"schema": found})
    columns = {row.name: frozenset(row.columns) for row in rows}
    return found if columns.get(_HEAD, frozenset()) >= _SIGN_OF_A_STORE else None


def move_store(
    connection: Connection, schema: str, address: str, lock_key: int
) -> None:
    """Move the tables of an earlier release into a schema that has none.

    Args:
        connection: holds the write lock of that schema; its database transaction makes
            the whole move, or none of it.
        schema: is the search path afterwards.
        address: of the database, for a refusal.
        lock_key: of the earlier release's write lock.

    Raises:
        StoreUnavailableError: a store is there, but a table of its log has other columns.
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    connection.exec_driver_sql("SET LOCAL search_path TO DEFAULT")
    found = connection.execute(_FIND_HEAD).scalar()
    if found is not None:
        # Its processes may be at work: none is in a database transaction from here on.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_key})")
        rows = connection.execute(_COLUMNS, {"schema": found})
        there = {row.name: frozenset(row.columns) for row in rows}
        ours = [
            name
            for name, columns in _TABLES.items()
            if there.get(name, frozenset()) >= frozenset(columns.split()) - _ADDED_LATER
        ]
        if there.get(_HEAD, frozenset()) >= _SIGN_OF_A_STORE:
            for name in (_HEAD, _COMMITS):
                if name not in ours:
                    raise StoreUnavailableError(
                        address,
                        f"the schema {found} has a store of an earlier release whose"
                        f" table {name} is absent or lacks columns",
                    )
        if _HEAD in ours:
            for name in ours:
                moved = f"{quote(found)}.{quote(name)}"
                connection.exec_driver_sql(f"ALTER TABLE {moved} SET SCHEMA {schema}")
            if _VERSIONS in ours and len(ours) < len(_TABLES):
                # What was left behind may be a projection: all are made anew.
                connection.exec_driver_sql(f"TRUNCATE {schema}.{_VERSIONS}")
            connection.exec_driver_sql(
                f"CREATE VIEW {quote(found)}.{quote(_HEAD)} AS"
                f" SELECT 3 AS format_version, 'moved to schema {schema}' AS note"
            )
    connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
