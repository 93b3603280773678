"""Own a real receiver on the loopback, which answers well or badly as it is told."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

Behave = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Takes what is sent to it; `behaviours` by path, else it answers 204."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.behaviours: dict[str, Behave] = {}
        self.released = threading.Event()
        self._received: list[Received] = []
        self._news: Queue[Received] = Queue()

    @property
    def received(self) -> list[Received]:
        return list(self._received)

    def at(self, path: str) -> list[Received]:
        return [each for each in self._received if each.path == path]

    def next(self) -> Received:
        """The next one, waited for."""
        return self._news.get(timeout=60)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        taken = Received(
            path=handler.path,
            headers=dict(handler.headers.items()),
            body=handler.rfile.read(length),
        )
        if len(taken.body) < length:
            # The sender was killed halfway; no receiver takes that for anything.
            return
        self._received.append(taken)
        self._news.put(taken)
        self.behaviours.get(handler.path, answering(204))(handler)

    def stalling(self, handler: BaseHTTPRequestHandler) -> None:
        """Say nothing until the test is over."""
        del handler
        self.released.wait(60)


def answering(status: int, headers: dict[str, str] | None = None) -> Behave:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()

    return behave


def resetting(handler: BaseHTTPRequestHandler) -> None:
    """Hang up without a word, and with what is unread thrown away."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def talking_much(handler: BaseHTTPRequestHandler) -> None:
    """Answer with ten megabytes."""
    answering(200)(handler)
    try:
        for _ in range(160):
            handler.wfile.write(b"x" * (64 << 10))
    except OSError:
        pass


@contextmanager
def running_receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """Run a receiver, over TLS where there is a certificate (with its key)."""
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
