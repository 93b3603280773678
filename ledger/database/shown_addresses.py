"""What of an address may be shown: in errors, logs, screens and other processes.

A password may stand before the host, percent-encoded or not, in an option, and in what is
mistyped. So of a URL with an at sign nothing is shown between the first colon and the
last at sign, and of its options those alone that are known to hold no secret.
"""

import re
from urllib.parse import unquote_plus

MASK = "***"
# https://www.postgresql.org/docs/current/libpq-connect.html, and ours.
_HARMLESS_NAMES = (
    "application_name channel_binding client_encoding connect_timeout dbname"
    " fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives"
    " keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts"
    " max_protocol_version min_protocol_version options passfile port replication"
    " require_auth requirepeer schema service servicefile ssl_max_protocol_version"
    " ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey"
    " sslmode sslnegotiation sslrootcert sslsni target_session_attrs tcp_user_timeout user"
    " endpoint_override region retry_limit_seconds scheme tls_ca_file_path"
)
_HARMLESS = frozenset(_HARMLESS_NAMES.split())
# With fewer slashes it is one as well: paths lose some.
_URL = re.compile(
    r"(?P<scheme>[a-z0-9+.:-]*:/+)(?P<rest>.*)", re.DOTALL | re.IGNORECASE
)
_PLACE = re.compile(r"(?:\[[0-9a-f:.]*\]|[^:/\[\]]*)(?::[0-9]*)?(?:/.*)?", re.DOTALL)
_IN_TEXT = re.compile(
    r"(?:[a-z0-9+.:-]*:/+|\bpostgres(?:ql)?(?:\+\w+)?:)[^\s'\"<>]+", re.IGNORECASE
)
_OPTIONS = re.compile("[?&#]")
_STRING = re.compile(
    r"(?:(?:^|\s)(?:password|sslpassword|host|hostaddr|dbname|service)\s*="
    r"|^postgres(?:ql)?(?:\+\w+)?:(?!//))",
    re.IGNORECASE,
)
_STRING_PASSWORD = re.compile(
    r"(?P<name>\b(?:ssl)?password\s*=\s*)(?:'(?:[^'\\]|\\.)*'?|[^\s']+)", re.IGNORECASE
)


def shown_address(address: str) -> str:
    """Return an address without what may be secret in it; a path as it is."""
    if is_connection_string(address):
        return "…"
    found = _URL.fullmatch(address)
    if found is None:
        return address
    before, at, place = found["rest"].rpartition("@")
    user, colon, _ = before.partition(":")
    if "?" in before:
        # It may be a password's, or an option's that hides others.
        return f"{found['scheme']}{user.partition('?')[0]}…"
    # The options may begin behind the at sign of one of them.
    host, *options = _OPTIONS.split(place)
    if _PLACE.fullmatch(host) is None:
        return f"{found['scheme']}…"
    shown = f"{found['scheme']}{user}{colon and f':{MASK}'}{at}{host}"
    kept = "&".join(filter(is_harmless, options))
    return f"{shown}?{kept}" if kept else shown


def is_harmless(option: str) -> bool:
    """Whether an option of a URL, with or without its value, may be shown."""
    return unquote_plus(option.partition("=")[0]).strip() in _HARMLESS


def is_connection_string(address: str) -> bool:
    """Whether an address is written as libpq's strings are, or as a URL that is none."""
    return _STRING.search(address) is not None


def shown_text(text: str) -> str:
    """Return a message with the addresses in it as they may be shown."""
    text = _IN_TEXT.sub(lambda found: shown_address(found[0]), text)
    return _STRING_PASSWORD.sub(rf"\g<name>{MASK}", text)
