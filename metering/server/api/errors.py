"""Errors of requests that are refused before, or instead of, reaching the library.

They know what was wrong. Which status and type each has is for
`metering.server.api.error_responses`.

MeteringError
└── RequestRefusedError
    ├── NotAuthenticatedError     no key, or none that opens this server
    ├── SessionExpiredError       the session of the stream has expired
    ├── NotPermittedError         the key's scopes do not allow the request
    ├── OtherAccountError         the request is for an account that is not this store
    ├── HeaderRepeatedError       a header that means one thing comes twice
    ├── HostInvalidError          there is no Host, or one without its form
    ├── HostRefusedError          the request is for a host that is not this server
    ├── UnknownRouteError         nothing is served at the URL
    ├── BodyUnreadableError       the body is not what its headers say
    │   └── BodyTooLargeError
    ├── BodyTooSlowError          the body stalls
    ├── MediaTypeRefusedError     the route does not take the body's media type
    ├── EncodingRefusedError      nor how it is compressed
    ├── RowsUnreadableError       the body of rows is broken
    │   └── RowsTooLargeError     or asks for more memory or work than it may
    ├── EventRejectedError        the one event of a body was not recorded
    ├── RateLimitedError          the key makes more requests than it may
    ├── TooManyWaitingError       as many requests as may wait for a position do
    ├── RequestRunningError       a request under the same key is being answered
    ├── RequestDiffersError       the idempotency key was used for another request
    ├── PositionNotReachedError   the log has not reached the position asked for
    ├── MeterEventExistsError     the identifier has an event
    └── ServerBusyError           the server has as much in hand as it may

Source: https://docs.stripe.com/api/errors
"""

import math
from collections.abc import Sequence

from metering import MeteringError
from metering.errors import SourceError, shown
from metering.usage.ingest.receipts import IngestProgress


class RequestRefusedError(MeteringError):
    """A request that was refused; Stripe has no code for it, unless a subclass says."""

    code = "request_refused"


class NotAuthenticatedError(RequestRefusedError):
    """There is no key, or none that opens this server."""


class SessionExpiredError(RequestRefusedError):
    """The session of the stream has expired."""

    code = "billing_meter_event_session_expired"

    def __init__(self) -> None:
        super().__init__("The meter event session has expired; create another one.")


class NotPermittedError(RequestRefusedError):
    """The scopes of the key do not allow the request."""

    def __init__(self, last_four: str, scope: str) -> None:
        super().__init__(
            f"The provided key 'rk_***{last_four}' does not have the required"
            f" permissions for this endpoint: its scopes do not have {scope}."
        )


class OtherAccountError(RequestRefusedError):
    """The request is for an account that is not this store, which has none to name."""

    code = "account_invalid"

    def __init__(self, header: str, account: str) -> None:
        super().__init__(
            f"Invalid {header}: {shown(account)}; this server has one account, which has"
            " no id, so leave the header out"
        )


class HeaderRepeatedError(RequestRefusedError):
    """A header that means one thing comes twice, so that one would be ignored."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The header {name.title()} came twice; send it once.")


class HostInvalidError(RequestRefusedError):
    """There is no Host, or one without its form."""

    def __init__(self, host: str | None) -> None:
        found = "is missing" if host is None else f"{shown(host)} is no host"
        super().__init__(f"The header Host {found}; send the server's name and port.")


class HostRefusedError(RequestRefusedError):
    """The request is for a host that is not this server."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This server does not answer to the host {shown(host)}; use the name that"
            " it was given, or let it answer to this one, as metering serve does by"
            " --allow-host."
        )


class UnknownRouteError(RequestRefusedError):
    """Nothing is served at the URL."""

    def __init__(self, method: str, path: str, until: str | None = None) -> None:
        before = (
            ""
            if until is None
            else f" Clients that send a Stripe-Version before {until} find it."
        )
        super().__init__(f"Unrecognized request URL ({method}: {path[:200]}).{before}")


class BodyUnreadableError(RequestRefusedError):
    """The body is not what its headers say."""


class BodyTooLargeError(BodyUnreadableError):
    """The body is larger than the route takes."""

    def __init__(self, bytes_max: int, unpacked: str | None = None) -> None:
        limit = f"must be at most {bytes_max} bytes"
        if unpacked is not None:
            limit = f"{unpacked} {limit} decompressed"
        super().__init__(f"The request's body is too large; {limit}.")


class BodyTooSlowError(RequestRefusedError):
    """The body stalls, or comes too slowly. The connection ends with the answer."""

    def __init__(self, patience_seconds: float) -> None:
        super().__init__(
            "The request's body did not come to its end: nothing was received for"
            f" {patience_seconds:g} seconds."
        )


class MediaTypeRefusedError(RequestRefusedError):
    """The route does not take the body's media type."""

    def __init__(self, named: str, taken: Sequence[str]) -> None:
        super().__init__(
            f"Unsupported Content-Type: {named[:100] or 'none'}; must be one of"
            f" {', '.join(taken)}."
        )


class EncodingRefusedError(RequestRefusedError):
    """The route does not take how the body is compressed.

    Attributes:
        taken: the codings that it takes.
    """

    def __init__(self, named: str, taken: Sequence[str]) -> None:
        super().__init__(
            f"Unsupported Content-Encoding: {named[:60]}; must be"
            f" {' or '.join(taken)}, or left out."
        )
        self.taken = tuple(taken)


class RowsUnreadableError(RequestRefusedError):
    """The body of rows is broken; the complete batches before the fault are kept."""

    def __init__(self, error: SourceError, reached: IngestProgress | None) -> None:
        kept = "Nothing was recorded"
        if reached is not None:
            kept = (
                f"The first {reached.rows} rows were taken before that:"
                f" {reached.accepted} recorded, {reached.duplicates} recorded earlier,"
                f" {reached.rejected} rejected"
            )
        message = f"{error.message.rstrip('.')}. {kept}."
        super().__init__(message, code=error.code, param=error.param)


class RowsTooLargeError(RowsUnreadableError):
    """The body of rows asks for more memory or work than it may."""


class EventRejectedError(RequestRefusedError):
    """The one event of a body was not recorded; the code is that of its rejection."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


class RateLimitedError(RequestRefusedError):
    """The key makes more requests than it may.

    Attributes:
        retry_after: in how many seconds the next one is let in.
    """

    code = "rate_limit"

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("Request rate limit exceeded; slow down, and send it again.")
        self.retry_after = max(1, math.ceil(wait_seconds))


class RequestRunningError(RequestRefusedError):
    """Another request under the same idempotency key is being answered."""

    code = "idempotency_key_in_use"

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            "There is currently another in-progress request using this idempotency key"
            f" ({idempotency_key[:60]}); send it again when that one is answered."
        )


class RequestDiffersError(RequestRefusedError):
    """The idempotency key was used for another request."""

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            "Keys for idempotent requests can only be used for the same endpoint and"
            " parameters they were first used with; use another key than"
            f" '{idempotency_key[:60]}' for another request."
        )


class PositionNotReachedError(RequestRefusedError):
    """The log has not reached the position that the request asks for.

    Attributes:
        wanted: the position.
        key_id: of the key on whose behalf it is asked for.
    """

    code = "position_not_reached"

    def __init__(self, wanted: int, *, key_id: str) -> None:
        super().__init__(f"The log has not reached position {wanted} yet.")
        self.wanted = wanted
        self.key_id = key_id


class TooManyWaitingError(RequestRefusedError):
    """As many requests as may wait for a position of the log do, of the key or in all."""

    code = "too_many_waiting"

    def __init__(self, waiting_max: int, *, are_of_key: bool) -> None:
        whose = "requests of this key" if are_of_key else "requests"
        super().__init__(
            f"{waiting_max} {whose} wait for a position of the log already; send this"
            " one again when some are answered."
        )


class ServerBusyError(RequestRefusedError):
    """The server has as much in hand as it may. The connection ends with the answer."""

    code = "server_busy"

    def __init__(self, what: str) -> None:
        super().__init__(f"The server is busy: {what}; send this request again.")


class MeterEventExistsError(RequestRefusedError):
    """The identifier has an event. As at Stripe, it has no code in v1."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"An event already exists with identifier {identifier}.")
