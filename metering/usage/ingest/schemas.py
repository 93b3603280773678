"""Which columns a source may have: those that are needed, of types that hold usage.

A column beside the usage may be of any type. Of the columns that hold usage, those that
were named are known at once, and those that only a meter names once the meters are.

Nothing is guessed. A name that differs from a known one only by case, blanks, ``-`` or
``_`` is refused, since what was meant to be the identifier or the time would become a
payload key without a word; so is a source without times, unless now is meant. A refusal
says which columns were likely meant, and how to name them at each door.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from ledger.facts.meters import MeterStatus
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import words
from metering.arguments.arrow_types import (
    is_local_time,
    is_payload,
    is_time,
    is_value,
    is_word,
    require_type,
    texts_of,
)
from metering.errors import SourceError, shown
from metering.usage.ingest.layout import (
    Columns,
    Constant,
    LocatedColumns,
    named_columns,
    payload_keys_among,
)
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.source_rows import SourceRow
from metering.usage.likeness import has_times, near_names
from projections.kernels.meters import MeterDefinition
from projections.meters.catalog import Definitions

_ROLES = ("event_name", "customer", "value", "identifier", "timestamp", "payload")
_HINT = "give strings or numbers"
_DIFFER = "which differs only by case, blanks, - or _"
_ROWS_LOOKED_AT = 100


def check_schema(
    schema: pa.Schema,
    columns: Columns,
    options: IngestOptions,
    read_some: Callable[[], pa.RecordBatch | pa.Table | None],
) -> None:
    """Check the columns that are named.

    Args:
        schema: of the source.
        columns: which columns mean what.
        options: how rows are read.
        read_some: reads some rows, which only a refusal looks at.

    Raises:
        SourceError: one is absent, occurs twice, or is of a type that cannot hold what it
            is for.
    """

    def first_cells() -> Mapping[str, object]:
        some = read_some()
        return {} if some is None else _first_cells(some)

    check_names(columns, schema, takes_now=options.now, first_cells=first_cells)
    for field in schema:
        if field.name == columns.timestamp:
            hint = "give a timestamp, a date, a number or a string"
            require_type(field, "timestamps", is_time, hint)
            _check_zone(field, options)
        elif field.name == columns.payload:
            hint = "give a map with names that are strings, a struct or JSON"
            require_type(field, "payloads", is_payload, hint)
        elif field.name in (columns.event_name, columns.identifier, columns.customer):
            require_type(field, "names", is_word, "give strings or integers")
        elif field.name == columns.value:
            require_type(field, "values", is_value, _HINT)


def check_fit(schema: pa.Schema, columns: Columns, definitions: Definitions) -> None:
    """Check the payload's columns for the customer and the value of every meter.

    A column that only some meters look into says nothing of the rows of others. It is
    judged row by row.

    Raises:
        SourceError: a type cannot hold what every meter looks for.
    """
    customers, values = _keys_of_all(columns, definitions)
    for name, field in _payload_fields(schema, columns):
        if columns.customer is None and (name is None or name in customers):
            require_type(field, "customers", is_value, _HINT)
        if columns.value is None and name in values:
            require_type(field, "payload values", is_value, _HINT)


def check_names(
    columns: Columns,
    schema: pa.Schema,
    *,
    takes_now: bool,
    first_cells: Callable[[], Mapping[str, object]],
) -> None:
    """Check that a source with a schema has the columns that are named.

    Args:
        columns: which columns mean what.
        schema: of the source.
        takes_now: whether rows without a time happen now.
        first_cells: reads the first cell of columns, which only a refusal looks at.

    Raises:
        SourceError: one is absent, nearly has its name, or occurs twice.
    """
    names = schema.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        reason = f"The source has several columns named {', '.join(repeated)}"
        raise SourceError(f"{reason}; rename all but one")

    def times() -> list[str]:
        cells = first_cells()
        return [
            field.name
            for field in schema
            if pa.types.is_temporal(field.type)
            or has_times(field.name, cells.get(field.name))
        ]

    needed = {*_renamed(columns), "event_name", *(() if takes_now else ("timestamp",))}
    _check_roles(columns, names, needed, times)


def check_keys(columns: Columns, rows: Iterable[object], *, takes_now: bool) -> None:
    """Check that rows have the keys that are named, at least one of them each.

    An event name that is named as usual need not be there: each row is judged for that by
    itself.

    Raises:
        SourceError: one is absent from all rows, or nearly has its name.
    """
    objects = [row for row in rows if isinstance(row, Mapping)]
    every = (key for row in objects for key in row if isinstance(key, str))
    keys = list(dict.fromkeys(every))
    if not keys:
        return
    needed = {*_renamed(columns), *(() if takes_now else ("timestamp",))}
    _check_roles(
        columns,
        keys,
        needed,
        lambda: [key for key in keys if has_times(key, _first(key, objects))],
    )


def check_meter_keys(
    piece: LocatedColumns | Sequence[object], columns: Columns, definitions: Definitions
) -> None:
    """Check that no row nearly has the names under which its meter looks.

    Args:
        piece: the first one of a source.
        columns: which columns mean what.
        definitions: the meters.

    Raises:
        SourceError: no row of a meter has the key of the customer or of the value, and
            they have one that nearly has its name.
    """
    by_event_name = (
        _payload_keys_of_columns(piece)
        if isinstance(piece, LocatedColumns)
        else _payload_keys_of_rows(piece)
    )
    meters = [
        (definitions.by_event_name[event_name], keys)
        for event_name, keys in by_event_name.items()
        if event_name in definitions.by_event_name
    ]
    known = {*(columns.payload_keys or ())}
    for meter, _ in meters:
        known |= {meter.customer_payload_key, meter.value_payload_key}
    for meter, keys in meters:
        wanted = {}
        if columns.customer is None:
            wanted["customer"] = meter.customer_payload_key
        if columns.value is None and (meter.needs_value or meter.needs_string):
            wanted["value"] = meter.value_payload_key
        for role, key in wanted.items():
            if key not in keys and (near := near_names(key, keys - known)):
                raise SourceError(
                    f"No row has the payload key {shown(key)} of its meter, but"
                    f" {_listed(near)}, {_DIFFER}; rename it, or, where it is a"
                    f" column, name it: {_how(role, near[0])}",
                    param=key,
                )


def _payload_keys_of_columns(piece: LocatedColumns) -> dict[str, set[str]]:
    payload = piece.payload
    if isinstance(payload, Mapping):
        keys = {*payload}
    elif pa.types.is_map(payload.type):
        keys = {key or "" for key in texts_of(pc.unique(payload.keys))}
    else:
        return {}
    if isinstance(piece.event_name, Constant):
        return {piece.event_name.text: keys}
    names = words(piece.event_name).dictionary
    return {name or "": keys for name in texts_of(names)}


def _payload_keys_of_rows(rows: Sequence[object]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        if not isinstance(row, SourceRow) or not isinstance(row.event_name, str):
            continue
        if isinstance(row.payload, Mapping):
            keys = {key for key in row.payload if isinstance(key, str)}
            found.setdefault(row.event_name, set()).update(keys)
    return found


def _keys_of_all(
    columns: Columns, definitions: Definitions
) -> tuple[set[str], set[str]]:
    """Return where all meters that rows may be of look for customers, and for values."""
    meters = [
        meter
        for meter in definitions.by_event_name.values()
        if meter.status is MeterStatus.ACTIVE and _may_be_of(meter, columns.event_name)
    ]
    if not meters:
        return set(), set()
    customers = {meter.customer_payload_key for meter in meters}
    values = {
        meter.value_payload_key if meter.needs_value or meter.needs_string else None
        for meter in meters
    }
    return (
        customers if len(customers) == 1 else set(),
        {key for key in values if key is not None} if len(values) == 1 else set(),
    )


def _may_be_of(meter: MeterDefinition, event_name: str | Constant) -> bool:
    return isinstance(event_name, str) or event_name.text == meter.event_name


def _payload_fields(
    schema: pa.Schema, columns: Columns
) -> Iterator[tuple[str | None, pa.Field]]:
    """Return the payload's columns, each with its key; None is any key."""
    if columns.payload not in schema.names:
        keys = {*payload_keys_among(columns, schema.names)}
        yield from ((field.name, field) for field in schema if field.name in keys)
        return
    field = schema.field(columns.payload)
    if pa.types.is_struct(field.type):
        for each in field.type:
            yield each.name, each.with_name(field.name)
    elif pa.types.is_map(field.type):
        yield None, pa.field(field.name, field.type.item_type)


def _first_cells(rows: pa.RecordBatch | pa.Table) -> Mapping[str, object]:
    """Return the first cell of each column that holds strings or integers."""
    found: dict[str, object] = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        cells = column.slice(0, _ROWS_LOOKED_AT).drop_null()[:1]
        if len(cells) and is_word(cells.type):
            [found[name]] = texts_of(cells.cast(pa.string()))
    return found


def _check_zone(field: pa.Field, options: IngestOptions) -> None:
    """Refuse times that are local to nowhere, as Arrow and Parquet define them."""
    if options.timezone is None and is_local_time(field.type):
        raise SourceError(
            f"Column {field.name!r} has type {field.type}, which has no time zone; say"
            " where its times are local: timezone='UTC', --timezone UTC or ?timezone=UTC",
            param=field.name,
        )


def _first(key: str, rows: Iterable[Mapping[str, object]]) -> object:
    cells = (row.get(key) for row in rows)
    return next((cell for cell in cells if cell is not None), None)


def _renamed(columns: Columns) -> set[str]:
    """Return which roles columns play that are not named as usual."""
    usual = Columns()
    return {role for role in _ROLES if getattr(columns, role) != getattr(usual, role)}


def _check_roles(
    columns: Columns,
    names: Sequence[str],
    needed: set[str],
    times: Callable[[], Sequence[str]],
) -> None:
    taken = named_columns(columns) | {*(columns.payload_keys or ())}
    others = [name for name in names if name not in taken]
    absent = _absent_roles(columns, names)
    has_usual_time = columns.timestamp == Columns().timestamp and "timestamp" in needed
    time = absent.pop("timestamp", None) if has_usual_time else None
    for role, wanted in absent.items():
        if near := near_names(wanted, others):
            raise _nearly(role, wanted, near)
        if role in needed:
            raise _no_column(wanted, names)
    missing = [key for key in columns.payload_keys or () if key not in names]
    if missing:
        raise _no_column(missing[0], names)
    if time is not None:
        likely = [
            name for name in [*near_names(time, others), *times()] if name in others
        ]
        raise _no_time(time, list(dict.fromkeys(likely)), names)


def _absent_roles(columns: Columns, names: Sequence[str]) -> dict[str, str]:
    """Return by which names a source does not have the roles that are named."""
    wanted = {role: getattr(columns, role) for role in _ROLES}
    return {
        role: name
        for role, name in wanted.items()
        if isinstance(name, str) and name not in names
    }


def _no_column(name: str, names: Sequence[str]) -> SourceError:
    return SourceError(
        f"The source has no column {shown(name)}; it has {', '.join(names) or 'none'}",
        param=name,
    )


def _nearly(role: str, wanted: str, near: Sequence[str]) -> SourceError:
    return SourceError(
        f"The source has no column {shown(wanted)}, but {_listed(near)}, {_DIFFER};"
        f" rename it, or name it: {_how(role, near[0])}",
        param=wanted,
    )


def _no_time(wanted: str, likely: Sequence[str], names: Sequence[str]) -> SourceError:
    found = f"it has {', '.join(names)}"
    if likely:
        verb = "looks" if len(likely) == 1 else "look"
        found = f"{_listed(likely)} {verb} like one"
    how = _how("timestamp", likely[0] if likely else "…")
    return SourceError(
        f"The source has no column {shown(wanted)}, and a missing time is not taken for"
        f" now; {found}. Name the column: {how}. Or say that now is meant: now=True, --now"
        " or ?now=true",
        param=wanted,
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names))


def _how(role: str, name: str) -> str:
    """Return how a column is named, at each door."""
    option = f"--{role.replace('_', '-')}-column"
    return f"Columns({role}={name!r}), {option} or ?{role}_column"
