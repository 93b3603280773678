"""Heads: what the headers of a request may be, before anything is done by them.

A header that means one thing is refused where it comes twice: a proxy may have judged
the one, and this server would go by the other. Parts of a list are joined, as anybody
between client and server may do (RFC 9110, section 5.3).

A web page may make a browser ask a server of its user's own machine, under a name that
it has rebound to the loopback. The browser then names the page's host in `Host`, so a
server that others reach by known names answers to these alone.
Source: RFC 9112, section 3.2, and https://owasp.org/www-community/attacks/DNS_Rebinding
"""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress

from metering.errors import InvalidRequestError, shown
from metering.server.api.errors import (
    HeaderRepeatedError,
    HostInvalidError,
    HostRefusedError,
)
from metering.server.grammar.cloud_events import HEADER_PREFIX
from metering.server.http.receiving import AsgiScope

ANY_HOST = "*"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Names that lead to this machine alone, whoever resolves them."""

_ONCE = frozenset(
    (
        *("authorization", "content-length", "content-type", "host"),
        *("idempotency-key", "metering-min-position"),
        *("stripe-account", "stripe-context", "stripe-version"),
    )
)
_AUTHORITY = re.compile(
    r"(?P<name>[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_-])?\.?|\[[0-9a-f:.]{2,45}\])"
    r"(?::[0-9]{0,5})?",
    re.ASCII,
)
_REMEMBERED_MAX = 64


class Heads:
    """Reads the headers of requests to one application.

    Args:
        allow_hosts: names and addresses by which it is reached, without ports; ``*``
            among them is any. None leaves `Host` to what the application is part of.

    Raises:
        InvalidRequestError: one of them is no name.
    """

    def __init__(self, allow_hosts: Iterable[str] | None) -> None:
        self._allowed: frozenset[str] | None = None
        self._takes_any = False
        self._remembered: set[str] = set()
        if allow_hosts is not None:
            given = list(allow_hosts)
            self._takes_any = ANY_HOST in given
            names = (each for each in given if each != ANY_HOST)
            self._allowed = frozenset(map(_checked_name, names))

    def read(self, scope: AsgiScope) -> dict[str, str]:
        """Return the headers of a request by their names in lower case.

        Raises:
            RequestRefusedError: one comes twice, or `Host` is not of this application.
        """
        sent = scope["headers"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in sent
        }
        if len(headers) != len(sent):
            headers = _joined(sent)
        if self._allowed is not None:
            host = headers.get("host")
            if host not in self._remembered:
                self._check_host(host, scope.get("http_version", "1.1"))
        return headers

    def _check_host(self, host: str | None, version: str) -> None:
        assert self._allowed is not None, "it is checked"
        if host is None and version == "1.0":
            return
        name = None if host is None else _name_in(host)
        if host is None or name is None:
            raise HostInvalidError(host)
        if not self._takes_any and name not in self._allowed:
            raise HostRefusedError(host)
        if len(self._remembered) < _REMEMBERED_MAX:
            self._remembered.add(host)


def _joined(sent: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in sent:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name not in headers:
            headers[name] = value
        elif name in _ONCE or name.startswith(HEADER_PREFIX):
            raise HeaderRepeatedError(name)
        else:
            headers[name] = f"{headers[name]}, {value}"
    return headers


def _name_in(host: str) -> str | None:
    """Return the name in a `Host`, in its only spelling; None where it has no form."""
    found = _AUTHORITY.fullmatch(host.strip(" \t").lower())
    return None if found is None else _one_spelling(found["name"])


def _one_spelling(name: str) -> str | None:
    if name.startswith("["):
        with suppress(ValueError):
            return str(ipaddress.IPv6Address(name[1:-1]))
        return None
    return name.removesuffix(".")


def _checked_name(name: str) -> str:
    found = _AUTHORITY.fullmatch(f"[{name}]" if name.count(":") > 1 else name.lower())
    spelled = None if found is None else _one_spelling(found["name"])
    if found is None or spelled is None or found["name"] != found[0]:
        raise InvalidRequestError(
            f"Invalid allow_hosts: {shown(name)}; must be the name or address by which"
            " clients reach the server, without a scheme and a port, or * for any",
            param="allow_hosts",
        )
    return spelled
