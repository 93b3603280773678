"""``metering serve``: Stripe's billing API over HTTP, until stopped."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import Annotated

import typer

from metering.cli.commands.operations.worker import complain_of_readers, complaining
from metering.cli.errors import ServerMissingError
from metering.cli.options import option
from metering.cli.resource import AllowPrivateOption, LivemodeOption
from metering.cli.screens.screen import print_line, show
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.usage.ingest.bounds.limits import UNPACK_FACTOR

_CANCEL_WINDOW = timedelta(hours=24)
_RATE_LIMIT = 1_000
_CONNECTIONS = 1_000
_BODY_MEMORY = 320


@on_target()
def serve(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    host: Annotated[str, option("ADDRESS", "Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, option("PORT", "Where to listen; 0 is any free port.", min=0, max=65_535)
    ] = 12111,
    behind_tls: Annotated[
        bool,
        typer.Option(
            "--behind-tls",
            help="A proxy in front speaks TLS: allow addresses that others can reach.",
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        option(
            "NAME",
            "Also answer to this name in a request's Host; * is any name. Behind TLS, any"
            " name is answered to unless one is given.",
        ),
    ] = None,
    works: Annotated[
        bool,
        typer.Option(
            "--worker/--no-worker",
            help="Evaluate alerts, deliver webhooks and seal as well, or leave it to"
            " metering worker.",
        ),
    ] = True,
    rate_limit: Annotated[
        int, option("N", "Requests a second of each key; 0 is any number.", min=0)
    ] = _RATE_LIMIT,
    connections: Annotated[
        int,
        option(
            "N",
            "Open connections; fewer where the limit of open files allows fewer.",
            min=1,
        ),
    ] = _CONNECTIONS,
    body_memory: Annotated[
        int,
        option(
            "MB",
            "Memory for the bodies of requests, in units of 2^20 bytes, as they are sent.",
            min=80,
        ),
    ] = _BODY_MEMORY,
    unpack_factor: Annotated[
        int,
        option(
            "N",
            "How many times as long as it was sent a body of rows may be, unpacked.",
            min=1,
        ),
    ] = UNPACK_FACTOR,
    allow_private: AllowPrivateOption = False,
    live: LivemodeOption = False,
    json: JsonOption = False,
) -> None:
    """Serve Stripe's billing API, for Stripe's own clients.

    metering keys create makes keys. Set the base addresses of a client, for api and for
    meter_events. SIGTERM or Ctrl-C stops the server once accepted requests are answered.
    """
    try:
        # It takes a while to load, and is an extra.
        from metering.server.http.serving import Bind, ServerLimits  # noqa: PLC0415
        from metering.server.http.serving import serve as serve_store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ServerMissingError(str(error.name)) from error

    def started(url: str) -> None:
        if json:
            print_line({"url": url})
        else:
            show(f"Serving {target.name} at {url}; Ctrl-C stops it")

    with ExitStack() as stack:
        stack.enter_context(complaining())
        m = stack.enter_context(
            target.open(
                allow_private_webhooks=allow_private,
                livemode=live,
                cancel_window=_CANCEL_WINDOW,
            )
        )
        complain_of_readers(target)
        worker = stack.enter_context(m.worker()) if works else None
        serve_store(
            m,
            Bind(
                host=host,
                port=port,
                is_behind_tls=behind_tls,
                allow_hosts=tuple(allow_host or ()),
            ),
            ServerLimits(
                rate_limit=rate_limit or None,
                connections_max=connections,
                body_bytes_max=body_memory << 20,
                unpack_factor=unpack_factor,
            ),
            started=started,
            # A server whose worker has ended would keep still about alerts.
            must_stop=lambda: worker is not None and worker.has_ended,
        )
    if not json:
        show("Stopped")
