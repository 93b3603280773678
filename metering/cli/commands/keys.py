"""``metering keys``: who may ask a server for what."""

from collections.abc import Sequence
from typing import Annotated

import typer

import metering
from metering.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    LivemodeOption,
    StoreOption,
    refuse_options_of_the_group,
)
from metering.cli.screens.documents import print_document
from metering.cli.screens.screen import (
    Column,
    show,
    show_command,
    show_pairs,
    show_table,
)
from metering.cli.screens.text import second
from metering.cli.stores import create_store, open_store

keys_app = typer.Typer(rich_markup_mode=None)


@keys_app.callback(invoke_without_command=True)
def keys_of_a_store(
    ctx: typer.Context, *, store: StoreOption = DEFAULT_STORE, json: JsonOption = False
) -> None:
    """List the API keys of a store, make one, or revoke one.

    Without a command it does what list does.
    """
    if ctx.invoked_subcommand is not None:
        refuse_options_of_the_group(ctx)
        return
    list_keys(store=store, json=json)


@keys_app.command("list")
def list_keys(*, store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """List the keys, newest first, those that were revoked among them."""
    with open_store(store) as m:
        keys = m.api_keys.list()
    if json:
        print_document(keys)
    elif keys:
        _show_keys(keys)
    else:
        show("No keys; make one with keys create.")


@keys_app.command()
def create(
    *,
    name: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "default",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="A restricted key, which may do no more than this: ingest, read or"
            " admin; may be repeated.",
        ),
    ] = None,
    live: LivemodeOption = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Make a key for metering serve; shows its secret, this once."""
    with create_store(store, livemode=live) as m:
        key = m.api_keys.create(name=name, scopes=scope or None)
    if json:
        print_document(key)
        return
    show_pairs(_pairs(key))
    show()
    show("Its secret, which is not shown again:")
    show_command(key.secret or "")


@keys_app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id.")],
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Let a key open nothing any more, from now on."""
    with open_store(store) as m:
        revoked = m.api_keys.revoke(key)
    if json:
        print_document(revoked)
    else:
        show_pairs(_pairs(revoked))


def _pairs(key: metering.ApiKey) -> list[tuple[str, str]]:
    pairs = [
        ("id", key.id),
        ("name", key.name),
        ("kind", key.kind),
        ("may", ", ".join(key.scopes)),
        ("mode", _mode(key)),
        ("created", f"{second(key.created)} UTC"),
    ]
    if key.revoked_at is not None:
        pairs.append(("revoked", f"{second(key.revoked_at)} UTC"))
    return pairs


def _show_keys(keys: Sequence[metering.ApiKey]) -> None:
    columns = [
        Column(title=title)
        for title in ("id", "name", "kind", "may", "mode", "ends in", "state")
    ]
    rows = [
        (
            key.id,
            key.name,
            key.kind,
            ", ".join(key.scopes),
            _mode(key),
            key.last_four,
            "good" if key.revoked_at is None else f"revoked {second(key.revoked_at)}",
        )
        for key in keys
    ]
    show_table(columns, rows)


def _mode(key: metering.ApiKey) -> str:
    return "live" if key.livemode else "test"
