"""Where webhooks may be sent: to public addresses, over TLS, and nowhere else.

A URL comes from a user of the application, and requests to it are made from inside the
application's network. So each attempt resolves the name, checks every address of it, and
connects to one that was checked.
Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from metering.errors import InvalidRequestError, shown

LONGEST_URL = 2048
_PORTS = (443, 8443)
_PLAIN = re.compile(r"[!-\[\]_a-~]+", re.ASCII)
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*)(\.[a-z0-9_-]+)*\.?", re.ASCII)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Beyond what `ipaddress` of the oldest Python in use calls private.
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "::/96",  # IPv4-compatible
        "64:ff9b:1::/48",  # local NAT64
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo among them
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The parts of a URL that was checked."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


def check_url(url: object, *, allow_private: bool) -> Target:
    """Check a URL that webhooks are to be sent to.

    Raises:
        InvalidRequestError: it is malformed, or nothing may be sent there.
    """
    if not isinstance(url, str) or not 1 <= len(url) <= LONGEST_URL:
        raise _invalid(url, f"a URL of 1 to {LONGEST_URL} characters")
    # Backslashes, blanks and letters of other scripts are read differently by different
    # programs.
    if not _PLAIN.fullmatch(url):
        raise _invalid(url, "written in ASCII without blanks and backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(url, "a URL such as https://example.com/webhooks") from error
    _check_parts(url, parts.scheme, parts.netloc, allow_private=allow_private)
    if parts.fragment:
        raise _invalid(url, "without a fragment")
    host = parts.hostname or ""
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if not allow_private and port not in _PORTS:
        raise _invalid(url, "on port 443 or 8443")
    if port == 0:
        raise _invalid(url, "on a port of 1 to 65535")
    _check_host(
        url, host, is_bracketed="[" in parts.netloc, allow_private=allow_private
    )
    query = f"?{parts.query}" if parts.query else ""
    return Target(
        scheme=parts.scheme, host=host, port=port, path=f"{parts.path or '/'}{query}"
    )


def is_public(address: str) -> bool:
    """Whether an address is reachable on the public internet."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return all(_is_public(each) for each in (parsed, *_embedded(parsed)))


def _check_parts(url: str, scheme: str, netloc: str, *, allow_private: bool) -> None:
    schemes = ("https", "http") if allow_private else ("https",)
    if scheme not in schemes:
        raise _invalid(url, f"a URL that begins with {' or '.join(schemes)}://")
    if "@" in netloc:
        raise _invalid(url, "without a user name and password")


def _check_host(
    url: str, host: str, *, is_bracketed: bool, allow_private: bool
) -> None:
    if "%" in host:
        raise _invalid(url, "without the zone of an address")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if is_bracketed or not _NAME.fullmatch(host):
            raise _invalid(url, "a URL with the name of a host") from None
        return
    if not allow_private and not is_public(host):
        raise _invalid(url, "at a public address")


def _is_public(address: _Address) -> bool:
    is_special = (
        address.is_multicast
        or (address.is_reserved and address not in _NAT64)
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
    )
    return (
        address.is_global
        and not is_special
        and not any(address in network for network in _NOT_PUBLIC)
    )


def _embedded(address: _Address) -> Iterator[_Address]:
    """Yield the IPv4 addresses that an IPv6 address leads to."""
    if not isinstance(address, ipaddress.IPv6Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    low = int(address) & 0xFFFFFFFF
    is_isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if address in _NAT64 or is_isatap:
        yield ipaddress.IPv4Address(low)


def _invalid(url: object, allowed: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid url: {shown(url)}; must be {allowed}", code="url_invalid", param="url"
    )
