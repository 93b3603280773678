"""Own the poolers between a store and PostgreSQL that change sessions under it.

Both give a client another session of the server with each database transaction, as
PgBouncer does in transaction mode. Ours always runs, and takes the sessions in turn, so
that no two transactions of a client meet the same one by chance. The real PgBouncer runs
where it is installed.
"""

import os
import queue
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, make_url

from tests.waiting import eventually

SESSIONS = 4
PGBOUNCER = shutil.which("pgbouncer")

_PROTOCOL, _CANCEL = 196608, 80877102
_IS_ANSWERED = b"QSF"
"""Messages that the server answers with that it is ready."""


@contextmanager
def transaction_pooler(url: str) -> Iterator[str]:
    """Run a pooler of our own before a database; yield the database's URL there."""
    database = make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as door:
        pooler = _Pooler(database)
        threading.Thread(target=pooler.serve, args=(door,), daemon=True).start()
        yield _at(database, "127.0.0.1", door.getsockname()[1])


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """Run PgBouncer in transaction mode before a database; yield its URL there."""
    assert PGBOUNCER is not None, "it is installed"
    database = make_url(url)
    host, port = _server_of(database)
    with tempfile.TemporaryDirectory(prefix="metering-pgbouncer-") as directory:
        place = Path(directory)
        place.chmod(0o777)
        settings = place / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={host} port={port} user={database.username}\n"
            f"[pgbouncer]\npool_mode = transaction\nauth_type = any\n"
            f"unix_socket_dir = {place}\nlisten_port = 6432\n"
            f"default_pool_size = {SESSIONS}\nserver_round_robin = 1\n"
            f"logfile = {place}/log\n"
        )
        settings.chmod(0o644)
        # It does not run as root; the server's user may enter its directory.
        is_root = os.geteuid() == 0 and host.startswith("/")
        user = Path(host).stat().st_uid if is_root else None
        with subprocess.Popen([PGBOUNCER, "-q", settings], user=user) as process:
            try:
                eventually(lambda: any(place.glob(".s.PGSQL.*")))
                yield _at(database, directory, 6432)
            finally:
                process.terminate()


def _at(database: URL, host: str, port: int) -> str:
    plain = URL.create("postgresql", database.username, database=database.database)
    place = {"host": host, "port": str(port)}
    return plain.update_query_dict(place).render_as_string(hide_password=False)


def _server_of(database: URL) -> tuple[str, int]:
    host = database.query.get("host", database.host or "localhost")
    assert isinstance(host, str), "there is one server"
    return host, database.port or 5432


class _Pooler:
    def __init__(self, database: URL) -> None:
        self._database = database
        self._greeting = b""
        self._idle: queue.Queue[socket.socket] = queue.Queue()
        for _ in range(SESSIONS):
            self._idle.put(self._session())

    def serve(self, door: socket.socket) -> None:
        """Take clients, until the door is closed."""
        with suppress(OSError):
            while True:
                client, _ = door.accept()
                # The server's messages are passed on one by one.
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(
                    target=self._attend, args=(client,), daemon=True
                ).start()

    def _session(self) -> socket.socket:
        host, port = _server_of(self._database)
        server = socket.socket(
            socket.AF_UNIX if host.startswith("/") else socket.AF_INET
        )
        server.connect(
            f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
        )
        words = ("user", self._database.username, "database", self._database.database)
        body = b"".join(str(word).encode() + b"\0" for word in words) + b"\0"
        server.sendall(struct.pack("!ii", len(body) + 8, _PROTOCOL) + body)
        greeting = b""
        while not (message := _received(server)).startswith(b"Z"):
            if message.startswith(b"S"):
                greeting += message
        self._greeting = greeting
        return server

    def _attend(self, client: socket.socket) -> None:
        with client, suppress(OSError, EOFError):
            if self._welcome(client):
                self._pass_on(client)

    def _welcome(self, client: socket.socket) -> bool:
        while True:
            size, code = struct.unpack("!ii", _exactly(client, 8))
            _exactly(client, size - 8)
            if code == _PROTOCOL:
                break
            if code == _CANCEL:
                return False
            # Encryption is not offered.
            client.sendall(b"N")
        key = struct.pack("!cIII", b"K", 12, 4_000_000_000, 1)
        ready = struct.pack("!cIc", b"Z", 5, b"I")
        client.sendall(struct.pack("!cII", b"R", 8, 0) + self._greeting + key + ready)
        return True

    def _pass_on(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        awaited = 0
        while True:
            ready, _, _ = select.select(
                [client, server] if server else [client], [], []
            )
            if client in ready:
                message = _received(client)
                if message.startswith(b"X"):
                    break
                server = server or self._idle.get()
                awaited += message[:1] in _IS_ANSWERED
                server.sendall(message)
            elif server is not None:
                message = _received(server)
                client.sendall(message)
                if message.startswith(b"Z"):
                    awaited -= 1
                    if awaited == 0 and message.endswith(b"I"):
                        self._idle.put(server)
                        server = None
        if server is not None:
            # Its transaction is not over: another session takes its place.
            server.close()
            self._idle.put(self._session())


def _received(sender: socket.socket) -> bytes:
    """Receive one message, its type first."""
    kind = _exactly(sender, 5)
    return kind + _exactly(sender, struct.unpack("!xI", kind)[0] - 4)


def _exactly(sender: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = sender.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return received
