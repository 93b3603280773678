"""Which store a command works on, and which meter of it."""

from urllib.parse import urlsplit

import typer

import metering
from metering.cli.errors import NoStoreError


def create_store(store: str) -> metering.Metering:
    """Open a store, and make it if there is none."""
    _require_name(store)
    return metering.connect(store)


def open_store(store: str) -> metering.Metering:
    """Open a store that exists.

    Raises:
        NoStoreError: there is none.
    """
    _require_name(store)
    try:
        return metering.connect(store, create=False)
    except metering.StoreMissingError as error:
        raise NoStoreError(shown_name(store)) from error


def shown_name(store: str) -> str:
    """Name a store without its password."""
    if "://" not in store:
        return store
    address = urlsplit(store)
    has_password = address.password is not None or "password" in address.query
    return "the database" if has_password else store


def find_meter(m: metering.Metering, name: str) -> metering.Meter:
    """Find a meter by its id or event name.

    Raises:
        ResourceMissingError: there is none.
    """
    for meter in m.meters.list():
        if name in (meter.id, meter.event_name):
            return meter
    raise metering.ResourceMissingError("billing meter", name, param="meter")


def _require_name(store: str) -> None:
    # An empty path would be this very directory.
    if not store:
        raise typer.BadParameter("give a directory or a URL", param_hint="--store")
