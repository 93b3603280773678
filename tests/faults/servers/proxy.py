"""Own the wire between clients and a PostgreSQL server, and cut it at a chosen moment.

A connection is cut before a message of the client goes on, or behind it, so that the
server does what it says and nobody hears of it. Most cuts are at a commit.
"""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from sqlalchemy import make_url

_SOCKET = ".s.PGSQL.5432"
_COMMITS = (b"COMMIT\0", b"pg_advisory", b"INSERT")
_AT_A_TIME = 1 << 16


class CuttingProxy:
    """Passes on what clients and a server say, until a connection is cut.

    Args:
        server: the path of the server's socket.
        directory: where its own is.
        generator: decides where to cut.
        share: of the messages that commit, which are cut; of others a tenth as many.
    """

    def __init__(
        self, server: str, directory: Path, generator: Random, share: float
    ) -> None:
        self.cuts = 0
        self.is_cutting = False
        self._server = server
        self._generator = generator
        self._share = share
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    server.connect(self._server)
                except OSError:
                    _hang_up(client, server)
                    continue
                for pump in (self._pass_on, _pass_back):
                    threading.Thread(
                        target=pump, args=(client, server), daemon=True
                    ).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what a client says, and cut some of it."""
        with suppress(OSError):
            while message := client.recv(_AT_A_TIME):
                cut = self._drawn(message)
                if cut != "before":
                    server.sendall(message)
                if cut:
                    break
        _hang_up(client, server)

    def _drawn(self, message: bytes) -> str:
        with self._lock:
            is_commit = any(each in message for each in _COMMITS)
            share = self._share if is_commit else self._share / 10
            if not self.is_cutting or self._generator.random() >= share:
                return ""
            self.cuts += 1
            # Behind it twice as often: then nobody knows what became of it.
            return self._generator.choice(["before", "behind", "behind"])


def _pass_back(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while message := server.recv(_AT_A_TIME):
            client.sendall(message)
    _hang_up(client, server)


def _hang_up(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def cut_from(
    url: str, generator: Random, share: float
) -> Iterator[tuple[str, CuttingProxy]]:
    """Yield another URL of a database behind a socket, and what cuts it off."""
    made = make_url(url)
    server = f"{made.query['host']}/{_SOCKET}"
    with tempfile.TemporaryDirectory(prefix="metering-proxy-") as directory:
        proxy = CuttingProxy(server, Path(directory), generator, share)
        behind = made.update_query_dict({"host": directory})
        try:
            yield behind.render_as_string(hide_password=False), proxy
        finally:
            proxy.close()
