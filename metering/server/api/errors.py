"""Errors as Stripe tells them: requests that are refused, and with which status.

What the library raises is told so by `metering.server.api.failures`.

MeteringError
└── RequestRefusedError           a request that never reaches the library
    ├── NotAuthenticatedError     401: no key, or none that opens this server
    ├── NotPermittedError         403: the key's scopes do not allow it
    ├── UnknownRouteError         404: nothing is served at that URL
    ├── BodyRefusedError          413 or 400: the body is too large, or unreadable
    ├── MediaTypeRefusedError     415: the body is in a media type that is not taken
    ├── RowsUnreadableError       400: the body of rows is broken
    ├── BodyTooSlowError          408: nothing more of the body came
    ├── RateLimitedError          429: more requests than the key may make
    ├── RequestRunningError       409: the same request is being answered
    ├── RequestDiffersError       400: the idempotency key was used for another one
    ├── PositionNotReachedError   409: the log does not go that far
    ├── MeterEventExistsError     400: the identifier has an event
    └── SessionExpiredError       401: the session of the stream opens nothing any more

Source: https://docs.stripe.com/api/errors
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import metering
from metering.errors import SourceError
from metering.usage.ingest.receipts import IngestProgress

INVALID, API, IDEMPOTENCY = (
    "invalid_request_error",
    "api_error",
    "idempotency_error",
)
"""The types of failures."""
_V2_CODES = {
    400: "invalid_request",
    401: "not_authenticated",
    403: "not_permitted",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "rate_limit",
    500: "internal_error",
}
_REFUSALS_BY_STATUS = {
    401: "not_authenticated",
    403: "not_permitted",
    413: "too_large",
    429: "rate_limited",
}
BUSY = "lock_timeout"
REFUSALS = (*_REFUSALS_BY_STATUS.values(), "store_busy")
"""Why requests never reach a store, or not its log, in words to count them by."""
IN_USE = "idempotency_key_in_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a request failed.

    Attributes:
        should_retry: what clients are told of sending it again; None leaves it to them.
        retry_after: in how many seconds to do so, at the earliest.
        closes: whether the connection ends with the answer.
    """

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    should_retry: bool | None = False
    retry_after: int | None = None
    doc_url: str | None = None
    closes: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The body of the answer; what is not known is left out of it."""
        fields = {
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "type": self.type,
        }
        known = {name: value for name, value in fields.items() if value is not None}
        return {"error": known}

    @property
    def v2_body(self) -> dict[str, Any]:
        """The body of the answer in v2, where all errors have a code."""
        is_told = self.param is None or self.param in self.message
        error = {
            "code": self.code or _V2_CODES[self.status],
            "message": self.message if is_told else f"{self.message} ({self.param})",
            "type": "rate_limit" if self.status == 429 else self.type,
        }
        if self.doc_url is not None:
            error["doc_url"] = self.doc_url
        return {"error": error}

    @property
    def refusal(self) -> str | None:
        """Why the request never reached the log, where it is not for what it said."""
        if self.code == BUSY:
            return "store_busy"
        return _REFUSALS_BY_STATUS.get(self.status)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer, beside those that every answer has."""
        headers = {}
        if self.should_retry is not None:
            headers["Stripe-Should-Retry"] = "true" if self.should_retry else "false"
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.closes:
            headers["Connection"] = "close"
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="metering"'
        return headers


class RequestRefusedError(metering.MeteringError):
    """A request that never reaches the library."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, code=failure.code, param=failure.param)
        self.failure = failure


class NotAuthenticatedError(RequestRefusedError):
    """There is no key, or none that opens this server."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        failure = Failure(status=401, type=INVALID, message=message, code=code)
        super().__init__(failure)


class NotPermittedError(RequestRefusedError):
    """The scopes of the key do not allow the request."""

    def __init__(self, last_four: str, scope: str) -> None:
        message = (
            f"The provided key 'rk_***{last_four}' does not have the required"
            f" permissions for this endpoint: its scopes do not have {scope}."
        )
        super().__init__(Failure(status=403, type=INVALID, message=message))


class UnknownRouteError(RequestRefusedError):
    """Nothing is served at that URL."""

    def __init__(self, method: str, path: str) -> None:
        message = f"Unrecognized request URL ({method}: {path[:200]})."
        super().__init__(Failure(status=404, type=INVALID, message=message))


class BodyRefusedError(RequestRefusedError):
    """The body is too large, or cannot be read."""

    def __init__(self, message: str, *, is_too_large: bool) -> None:
        status = 413 if is_too_large else 400
        super().__init__(Failure(status=status, type=INVALID, message=message))


class MediaTypeRefusedError(RequestRefusedError):
    """The body is in a media type that the route does not take."""

    def __init__(self, named: str, taken: Sequence[str]) -> None:
        message = (
            f"Unsupported Content-Type: {named[:100] or 'none'}; must be one of"
            f" {', '.join(taken)}."
        )
        super().__init__(Failure(status=415, type=INVALID, message=message))


class BodyTooSlowError(RequestRefusedError):
    """The body does not go on; the connection ends with the answer."""

    def __init__(self, patience_seconds: float) -> None:
        message = (
            "The request's body did not come to its end: nothing was received for"
            f" {patience_seconds:g} seconds."
        )
        # Nothing was done, and the network may have been what stalled.
        failure = Failure(
            status=408, type=INVALID, message=message, should_retry=True, closes=True
        )
        super().__init__(failure)


class RowsUnreadableError(RequestRefusedError):
    """A body of rows is broken; those before the fault are kept."""

    def __init__(self, error: SourceError, reached: IngestProgress | None) -> None:
        kept = "Nothing was recorded"
        if reached is not None:
            kept = (
                f"The first {reached.rows} rows were taken before that:"
                f" {reached.accepted} recorded, {reached.duplicates} recorded earlier,"
                f" {reached.rejected} rejected"
            )
        super().__init__(
            Failure(
                status=400,
                type=INVALID,
                message=f"{error.message.rstrip('.')}. {kept}.",
                code=error.code,
                param=error.param,
            )
        )


class RateLimitedError(RequestRefusedError):
    """The key made more requests than it may."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(
            Failure(
                status=429,
                type=INVALID,
                message="Request rate limit exceeded; slow down, and send it again.",
                code="rate_limit",
                should_retry=None,
                retry_after=max(1, math.ceil(wait_seconds)),
            )
        )


class RequestRunningError(RequestRefusedError):
    """The same request is being answered."""

    def __init__(self, idempotency_key: str) -> None:
        message = (
            "There is currently another in-progress request using this idempotency key"
            f" ({idempotency_key[:60]}); send it again when that one is answered."
        )
        super().__init__(
            Failure(
                status=409,
                type=IDEMPOTENCY,
                message=message,
                code=IN_USE,
                should_retry=True,
            )
        )


class RequestDiffersError(RequestRefusedError):
    """The idempotency key was used for another request."""

    def __init__(self, idempotency_key: str) -> None:
        message = (
            "Keys for idempotent requests can only be used for the same endpoint and"
            " parameters they were first used with; use another key than"
            f" '{idempotency_key[:60]}' for another request."
        )
        super().__init__(Failure(status=400, type=IDEMPOTENCY, message=message))


class PositionNotReachedError(RequestRefusedError):
    """The log does not go as far as the request asks for."""

    def __init__(self, wanted: int) -> None:
        super().__init__(
            Failure(
                status=409,
                type=INVALID,
                message=f"The log has not reached position {wanted} yet.",
                code="position_not_reached",
                should_retry=True,
            )
        )


class MeterEventExistsError(RequestRefusedError):
    """The identifier has an event; which it is told by its text alone, as Stripe does."""

    def __init__(self, identifier: str) -> None:
        message = f"An event already exists with identifier {identifier}."
        super().__init__(Failure(status=400, type=INVALID, message=message))


class SessionExpiredError(RequestRefusedError):
    """The session of the stream opens nothing any more."""

    def __init__(self) -> None:
        super().__init__(
            Failure(
                status=401,
                type="temporary_session_expired",
                message="The meter event session has expired; create another one.",
                code="billing_meter_event_session_expired",
                doc_url="https://docs.stripe.com/error-codes"
                "#billing-meter-event-session-expired",
            )
        )
