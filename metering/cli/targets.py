"""The store that a command works on, and where its files lie.

The three options may stand before the command, before a subcommand or after it. An option
that is given twice must have one value: nothing that a user says is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

import typer

import metering
from ledger.database.shown_addresses import shown_address
from metering.cli.collecting import collect_again
from metering.cli.errors import NoStoreError
from metering.cli.interrupts import raise_again
from metering.environment import CACHE, SEGMENTS, STORE

StoreOption = Annotated[
    str | None,
    typer.Option(
        envvar=STORE,
        metavar="PATH|URL",
        help="A directory, or the URL of a PostgreSQL database.",
    ),
]
SegmentsOption = Annotated[
    str | None,
    typer.Option(
        envvar=SEGMENTS,
        metavar="PATH|URL",
        help="Where sealed usage lies, if not beside the store: a directory, or an"
        " object store such as s3://bucket/prefix.",
    ),
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        envvar=CACHE,
        metavar="PATH",
        help="A local directory for what is derived from segments.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTarget:
    """A store to open: a directory or a URL, with its segments and cache."""

    store: str
    segments: str | None
    cache: str | None

    @classmethod
    def of(cls, ctx: typer.Context) -> Self:
        """Read the options of a command and of what stands before it.

        Raises:
            BadParameter: an option is empty, or is given twice and differs.
        """
        store, segments, cache = (
            given(ctx, name) for name in ("store", "segments", "cache")
        )
        assert store is not None, "it has a default"
        return cls(store=store, segments=segments, cache=cache)

    @property
    def name(self) -> str:
        """Return the store's name without a password."""
        return shown_address(self.store)

    def open(self, *, create: bool = False, **settings: Any) -> metering.Metering:
        """Open the store; see `metering.connect` for the settings.

        Raises:
            NoStoreError: there is none, and none is to be created.
        """
        connect = metering.connect  # All that is needed loads here.
        collect_again()
        raise_again()
        try:
            return connect(
                self.store,
                create=create,
                segments=self.segments,
                cache=self.cache,
                **settings,
            )
        except metering.StoreMissingError as error:
            raise NoStoreError(self.name) from error


def find_meter(m: metering.Metering, name: str) -> metering.Meter:
    """Find a meter by its id or event name.

    Raises:
        ResourceMissingError: there is none.
    """
    for meter in m.meters.list():
        if name in (meter.id, meter.event_name):
            return meter
    raise metering.ResourceMissingError("billing meter", name, param="meter")


def is_given(ctx: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, not in the environment."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def given(ctx: typer.Context, name: str) -> str | None:
    """Return the value of one of the three options, wherever it stands.

    Raises:
        BadParameter: it is empty, or is given twice and differs.
    """
    values = list(dict.fromkeys(_values_given(ctx, name)))
    if len(values) > 1:
        last, first = map(shown_address, values[:2])
        raise typer.BadParameter(
            f"{first} before the command, {last} after it; give one of them",
            param_hint=f"--{name}",
        )
    value: str | None = values[0] if values else ctx.params[name]
    if value == "":
        # An empty path would be this very directory.
        kind = "a directory" if name == "cache" else "a directory or a URL"
        raise typer.BadParameter(f"give {kind}", param_hint=f"--{name}")
    return value


def refuse_store(ctx: typer.Context) -> None:
    """Refuse a store before a command that takes its stores as arguments.

    Raises:
        BadParameter: there is one.
    """
    if any(_values_given(ctx, "store")):
        reason = "this command takes the stores as arguments"
        raise typer.BadParameter(reason, param_hint="--store")


def _values_given(ctx: typer.Context, name: str) -> Iterator[str]:
    """Return the values on the command line, those that stand last first."""
    level: Any = ctx
    while level is not None:
        if name in level.params and is_given(level, name):
            yield level.params[name]
        level = level.parent
