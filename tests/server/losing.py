"""Own a proxy that passes requests on, and loses the answers it is told to lose."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.webhook_receiver import resetting


class LosingProxy:
    """Stands before a server; `losses` is how many answers it is yet to lose."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.url = ""
        self.losses = 0
        self.asked: list[str] = []
        """The idempotency key of every request that was passed on."""

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length)
        self.asked.append(handler.headers.get("Idempotency-Key", ""))
        connection = http.client.HTTPConnection(
            str(self.upstream.hostname), self.upstream.port, timeout=60
        )
        connection.request(
            handler.command, handler.path, body, dict(handler.headers.items())
        )
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if self.losses:
            self.losses -= 1
            resetting(handler)
            return
        handler.send_response(response.status)
        for name, value in response.getheaders():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer)


@contextmanager
def losing_proxy(upstream: str) -> Iterator[LosingProxy]:
    proxy = LosingProxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            proxy.pass_on(self)

        def log_message(self, *_: object) -> None:
            pass

    class Proxy(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Proxy(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
