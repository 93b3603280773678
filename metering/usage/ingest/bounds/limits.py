"""Limits of what a source may ask for, the same for bodies and for files where both have one.

A body comes over a wire, so what it unpacks to is bounded by what was sent, and known
before any of it is allocated. A file and a table are their caller's, and as long as they
like. The rows of all are taken in pieces whose memory is bounded.
"""

LINE_BYTES_MAX = 1 << 20
"""Bytes of a line of JSON; a longer one is rejected."""
ROW_BYTES_MAX = 8 << 20
"""Bytes of a row of columns, its strings in full; a larger one is rejected."""
ROWS_PER_PIECE = 50_000
"""Rows that are checked and recorded together at most."""
BYTES_PER_PIECE = 12 << 20
"""Bytes of the columns of these rows, their strings in full."""
JSON_BYTES_PER_PIECE = 6 << 20
"""About how much memory the objects take that are parsed together."""

BODY_ROWS_MAX = 10_000_000
"""Rows of a body."""
BODY_COLUMNS_MAX = 2_000
"""Columns of a body, those within lists and structs among them."""
BODY_BATCHES_MAX = 50_000
"""Batches of a body of Arrow, those of dictionaries among them."""
BODY_PAGES_MAX = 50_000
"""Pages of a body of Parquet, in all row groups and columns."""
FOOTER_BYTES_MAX = 4 << 20
"""Bytes of the footer of a body of Parquet."""
UNPACK_FACTOR = 250
"""How many times as long as it was sent a body may be, unpacked, beyond the first part."""
UNPACKED_MIN = 128 << 20
"""Bytes that any body may unpack to, however few were sent."""
UNPACKED_MAX = 2 << 30
"""Bytes that no body may exceed unpacked, however many were sent."""
UNPACKED_AT_ONCE_MAX = 128 << 20
"""Bytes of a body that have to be unpacked at once: a batch, or the pages of some rows."""
