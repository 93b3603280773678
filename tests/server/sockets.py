"""Own plain sockets to a server, for what no client of HTTP sends."""

import socket
from urllib.parse import urlsplit

from tests.waiting import PATIENCE_SECONDS


def connected(url: str) -> socket.socket:
    """Connect to a server; the socket waits for it as long as a test may."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS)


def told(client: socket.socket, end: bytes | None = None) -> bytes:
    """What comes until the server hangs up, or up to an end."""
    received = bytearray()
    while part := client.recv(1 << 16):
        received += part
        if end is not None and received.endswith(end):
            break
    return bytes(received)
