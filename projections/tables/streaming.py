"""The tables of the stream: its sessions, what was refused on it, and reports of that.

They follow from nothing in the log, so they stay when other tables are made anew.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from projections.schema import metadata, operational

# A token is kept as its SHA-256: whoever reads the table cannot use it.
meter_event_session = Table(
    "meter_event_session",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("livemode", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# One row a window, meter and code, however many events were refused; it is gone when
# the report of its window is made.
stream_error = Table(
    "stream_error",
    metadata,
    Column("window_start", BigInteger, primary_key=True),
    Column("livemode", Integer, primary_key=True),
    # Empty where no meter was found.
    Column("meter_id", String(64), primary_key=True),
    Column("code", String(100), primary_key=True),
    Column("error_count", BigInteger, nullable=False),
    Column("samples", Text, nullable=False),
)

error_report = Table(
    "error_report",
    metadata,
    Column("report_id", String(64), primary_key=True),
    Column("livemode", Integer, nullable=False),
    Column("meter_id", String(64), nullable=False),
    Column("window_start", BigInteger, nullable=False),
    Column("window_end", BigInteger, nullable=False),
    Column("error_types", Text, nullable=False),
    Index("error_report_end", "window_end", "report_id"),
)


STREAMING = operational("streaming", version=1)
