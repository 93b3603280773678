"""A server of objects that speaks S3, on the loopback, which can be told to misbehave."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from werkzeug import Request, Response
from werkzeug.serving import make_server

if TYPE_CHECKING:
    # They exist for type checkers only.
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Answer: TypeAlias = Callable[[], Response]
Misbehaviour: TypeAlias = Callable[[Request, Answer], Response]
"""Takes a request, and how it would be answered, and answers as it pleases."""


class ObjectServer:
    """Keeps objects in memory until it is stopped."""

    def __init__(self) -> None:
        # Every process of tests knows this class, and few need what takes so long to load.
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415  # as above
            DomainDispatcherApplication,
            create_backend_app,
        )

        self._objects = DomainDispatcherApplication(create_backend_app)
        self._misbehaviour: Misbehaviour | None = None
        # One line a request is no help in a test's output.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["ObjectServer"]:
        """Serve until the end of the with statement."""
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    @contextmanager
    def misbehaving(self, misbehaviour: Misbehaviour) -> Iterator[None]:
        """Answer otherwise until the end of the with statement."""
        self._misbehaviour = misbehaviour
        try:
            yield
        finally:
            self._misbehaviour = None

    def _serve(
        self, environment: "WSGIEnvironment", start: "StartResponse"
    ) -> Iterable[bytes]:
        if self._misbehaviour is None:
            answer: Iterable[bytes] = self._objects(environment, start)
            return answer
        request = Request(environment)
        response = self._misbehaviour(
            request, lambda: Response.from_app(self._objects, environment)
        )
        return response(environment, start)
