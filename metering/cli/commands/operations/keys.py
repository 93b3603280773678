"""``metering keys``: the keys that open a server, and what each may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import metering
from metering.access.requests import ApiKeyCreate
from metering.cli.options import FieldOption, argument
from metering.cli.resource import Listing, Resource
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import second


def _details(_: metering.Metering, key: metering.ApiKey) -> list[tuple[str, Cell]]:
    revoked = key.revoked_at
    return [
        ("id", key.id),
        ("name", key.name),
        ("kind", key.kind),
        ("may", ", ".join(key.scopes)),
        ("mode", _mode(key)),
        ("created", f"{second(key.created)} UTC"),
        ("revoked", None if revoked is None else f"{second(revoked)} UTC"),
    ]


KEYS = Resource(
    details=_details,
    argument=Annotated[str, argument("KEY", "Its id.")],
    calls=lambda m: m.api_keys,
)


@KEYS.lists
def keys(m: metering.Metering) -> Listing[metering.ApiKey]:
    """List the API keys of a store, newest first; or create or revoke one."""
    none = "No keys; make one with keys create."
    return Listing(m.api_keys.list(), _columns, none=none)


@KEYS.command(creates=True, settings=["livemode"])
def create(
    m: metering.Metering,
    *,
    name: Annotated[str, FieldOption(ApiKeyCreate)] = "default",
    scope: Annotated[list[str] | None, FieldOption(ApiKeyCreate, "scopes")],
) -> metering.ApiKey:
    """Create a key for metering serve. Its secret is shown this once."""
    return m.api_keys.create(name=name, scopes=scope or None)


KEYS.actions(revoke="Revoke a key: from now on it opens nothing.")


def _columns(_: Sequence[metering.ApiKey]) -> list[Column[metering.ApiKey]]:
    return [
        Column("id", lambda key: key.id),
        Column("name", lambda key: key.name),
        Column("kind", lambda key: key.kind),
        Column("may", lambda key: ", ".join(key.scopes)),
        Column("mode", _mode),
        Column("ends in", lambda key: key.last_four),
        Column("state", _state),
    ]


def _state(key: metering.ApiKey) -> str:
    return "good" if key.revoked_at is None else f"revoked {second(key.revoked_at)}"


def _mode(key: metering.ApiKey) -> str:
    return "live" if key.livemode else "test"


group = KEYS.group
