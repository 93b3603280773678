"""One attempt over HTTP: to an address that was checked, within a bounded time.

Only the status of the answer is kept. Redirects are not followed, no proxy is used, and
a receiver that answers too slowly is cut off. The name is resolved once, in a thread that
is abandoned when it takes too long: the system's resolver has no deadline.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from metering.errors import InvalidRequestError
from metering.store.settings import Settings
from metering.webhooks.addresses import Target, check_url, is_public

ANSWER_BYTES = 64 << 10
_RESOLVING_AT_MOST = 32

Resolve = Callable[[str, int], list[str]]
"""Returns the addresses of a host at a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAnswer:
    """How an attempt went.

    Attributes:
        status_code: None where no answer came.
        error: a word for what went wrong, None where an answer came.
    """

    status_code: int | None
    error: str | None
    duration_ms: int

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver accepted the event."""
        return self.status_code is not None and 200 <= self.status_code < 300


def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a host, by the system's resolver.

    Raises:
        OSError: there are none, or they cannot be found now.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Sender:
    """Sends to endpoints. Thread-safe.

    Args:
        timeout_seconds: for resolving the name, for connecting, and between two parts
            of an answer; the whole attempt takes at most half as long again.
        allow_private: whether private addresses are allowed.
        resolve: finds addresses.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        allow_private: bool,
        resolve: Resolve = addresses_of,
    ) -> None:
        self._timeout = timeout_seconds
        self._allow_private = allow_private
        self._resolve = resolve
        # Abandoned threads go on until the resolver answers.
        self._may_resolve = threading.BoundedSemaphore(_RESOLVING_AT_MOST)

    @property
    def longest_seconds(self) -> float:
        """How long an attempt takes at most, in seconds."""
        return 1.5 * self._timeout

    @property
    def lease_seconds(self) -> float:
        """For how long an endpoint is leased: for an attempt, and to record it.

        A process that is killed keeps its endpoint from the others for so long, and no
        longer. One that is slower to record an attempt may find another at it.
        """
        return 2 * self._timeout

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> EndpointAnswer:
        """Make one attempt."""
        start = monotonic()
        status_code, error = None, None
        try:
            target = check_url(url, allow_private=self._allow_private)
            deadline = start + self.longest_seconds
            status_code = self._posted(target, headers, body, deadline)
        except InvalidRequestError:
            error = "url_refused"
        except _NotSentError as failure:
            error = failure.word
        duration_ms = round(1000 * (monotonic() - start))
        return EndpointAnswer(
            status_code=status_code, error=error, duration_ms=duration_ms
        )

    def _posted(
        self, target: Target, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> int:
        failure = _NotSentError("host_unknown")
        addresses = self._checked_addresses(target)
        for address in addresses:
            left = deadline - monotonic()
            if left <= 0:
                break
            try:
                return self._post(target, address, headers, body, left)
            except _NotSentError as error:
                failure = error
                # Only a receiver that was not reached has certainly not got it.
                if not error.is_unreached:
                    break
        raise failure

    def _checked_addresses(self, target: Target) -> list[str]:
        try:
            addresses = self._resolved(target)
        except (OSError, UnicodeError) as error:
            raise _NotSentError("host_unknown") from error
        if not self._allow_private and not all(map(is_public, addresses)):
            raise _NotSentError("address_refused")
        return addresses

    def _resolved(self, target: Target) -> list[str]:
        if not self._may_resolve.acquire(blocking=False):
            raise _NotSentError("host_timeout")
        found: SimpleQueue[list[str] | OSError | UnicodeError] = SimpleQueue()

        def resolve() -> None:
            try:
                found.put(self._resolve(target.host, target.port))
            except (OSError, UnicodeError) as error:
                found.put(error)
            finally:
                self._may_resolve.release()

        threading.Thread(
            target=resolve, name="metering-webhooks-resolver", daemon=True
        ).start()
        try:
            answer = found.get(timeout=self._timeout)
        except Empty as error:
            raise _NotSentError("host_timeout") from error
        if isinstance(answer, list):
            return answer
        raise answer

    def _post(
        self,
        target: Target,
        address: str,
        headers: Mapping[str, str],
        body: bytes,
        left: float,
    ) -> int:
        # Half for connecting and half for the handshake, so that the last of many
        # addresses cannot exceed the deadline.
        connection = _connection(target, address, min(self._timeout, left / 2))
        with _translated(), _hung_up_after(connection, left) as is_over:
            try:
                connection.connect()
                connection.sock.settimeout(self._timeout)
                connection.request(
                    "POST",
                    target.path,
                    body=body,
                    headers={
                        "Host": target.host_header,
                        "Content-Type": "application/json; charset=utf-8",
                        "User-Agent": "metering-webhooks",
                        "Connection": "close",
                        "Accept-Encoding": "identity",
                        **headers,
                    },
                    preload_content=False,
                    decode_content=False,
                )
                with contextlib.closing(connection.getresponse()) as answer:
                    if is_over.is_set():
                        # What was heard of it by then is not all of its head.
                        raise _NotSentError("timeout")
                    with contextlib.suppress(HTTPError, OSError, ValueError):
                        # A receiver that is still writing would be reset.
                        answer.read(ANSWER_BYTES)
                    return int(answer.status)
            finally:
                connection.close()


def sender_of(settings: Settings) -> Sender:
    """Return the sender for some settings."""
    return Sender(
        timeout_seconds=settings.webhook_timeout.total_seconds(),
        allow_private=settings.allow_private_webhooks,
    )


class _NotSentError(Exception):
    """No answer came."""

    def __init__(self, word: str, *, is_unreached: bool = False) -> None:
        super().__init__(word)
        self.word = word
        self.is_unreached = is_unreached


def _connection(
    target: Target, address: str, timeout: float
) -> urllib3.connection.HTTPConnection:
    if target.scheme == "http":
        return urllib3.connection.HTTPConnection(address, target.port, timeout=timeout)
    # The certificate is that of the name, wherever the connection goes. No certificate
    # has the dot at the end.
    return urllib3.connection.HTTPSConnection(
        address,
        target.port,
        timeout=timeout,
        server_hostname=target.host.rstrip("."),
        cert_reqs="CERT_REQUIRED",
    )


@contextlib.contextmanager
def _hung_up_after(
    connection: urllib3.connection.HTTPConnection, seconds: float
) -> Iterator[threading.Event]:
    """Cut a connection off after some seconds, even while it keeps sending.

    Yields:
        An event that is set when the connection was cut off.
    """
    is_over = threading.Event()

    def hang_up() -> None:
        is_over.set()
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                # TLS's own shutdown is not thread-safe.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    except (HTTPError, OSError, ValueError, http.client.HTTPException) as error:
        if is_over.is_set():
            raise _NotSentError("timeout") from error
        raise
    finally:
        timer.cancel()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ConnectTimeoutError, NewConnectionError) as error:
        # urllib3 derives the error of a refusal from that of a time-out.
        is_late = not isinstance(error, NewConnectionError)
        word = "connect_timeout" if is_late else "connection_refused"
        raise _NotSentError(word, is_unreached=True) from error
    except (ReadTimeoutError, TimeoutError) as error:
        raise _NotSentError("timeout") from error
    except (SSLError, ssl.SSLError) as error:
        raise _NotSentError("tls_failed") from error
    except (HTTPError, OSError, ValueError, http.client.HTTPException) as error:
        raise _NotSentError("connection_lost") from error
