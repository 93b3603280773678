"""Error responses: the status, type and body of every error. Nothing else knows statuses.

An error is recognised by its class, code and param. Source:
https://docs.stripe.com/error-codes and https://docs.stripe.com/api/errors
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from metering import (
    ClockSkewError,
    MeteringError,
    ReaggregationError,
    StoreBusyError,
)
from metering.bodies import encoded
from metering.errors import (
    InvalidRequestError,
    NoMeterError,
    ResourceMissingError,
    TestClockAdvancingError,
    TimestampOutOfRangeError,
    ValueMissingError,
)
from metering.server.api.complaints import limit_complaints
from metering.server.api.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    EncodingRefusedError,
    EventRejectedError,
    HostRefusedError,
    MediaTypeRefusedError,
    MeterEventExistsError,
    NotAuthenticatedError,
    NotPermittedError,
    OtherAccountError,
    PositionNotReachedError,
    RateLimitedError,
    RequestDiffersError,
    RequestRefusedError,
    RequestRunningError,
    RowsTooLargeError,
    ServerBusyError,
    SessionExpiredError,
    TooManyWaitingError,
    UnknownRouteError,
)
from metering.server.api.requests import HttpResponse
from metering.server.grammar.dialects import Dialect, ErrorShape, dialect_at

_log = limit_complaints(logging.getLogger(__name__))

INVALID, API, IDEMPOTENCY = "invalid_request_error", "api_error", "idempotency_error"
SESSION_EXPIRED = "temporary_session_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the errors of a class are answered.

    Attributes:
        should_retry: what `Stripe-Should-Retry` says; None leaves it to the client.
        retry_after: in how many seconds to send it again, unless the error itself says.
        closes: whether the connection ends with the answer.
        code: in the place of the error's own, which is the library's word.
        v2_code: that of v2, where it has another.
    """

    status: int
    type: str = INVALID
    code: str | None = None
    v2_code: str | None = None
    should_retry: bool | None = False
    retry_after: int | None = None
    closes: bool = False
    doc_url: str | None = None


RULES: Mapping[type[MeteringError], Rule] = {
    InvalidRequestError: Rule(status=400),
    NoMeterError: Rule(status=400, code="resource_missing", v2_code="no_meter"),
    ValueMissingError: Rule(status=400, v2_code="payload_no_value_defined"),
    MeterEventExistsError: Rule(status=400, v2_code="duplicate_meter_event"),
    ReaggregationError: Rule(status=400),
    OtherAccountError: Rule(status=400),
    RequestRefusedError: Rule(status=400),
    RequestDiffersError: Rule(status=400, type=IDEMPOTENCY),
    NotAuthenticatedError: Rule(status=401),
    SessionExpiredError: Rule(
        status=401,
        type=SESSION_EXPIRED,
        doc_url="https://docs.stripe.com/error-codes#billing-meter-event-session-expired",
    ),
    NotPermittedError: Rule(status=403),
    UnknownRouteError: Rule(status=404),
    # Nothing was done, and the network may have been what stalled.
    BodyTooSlowError: Rule(status=408, should_retry=True, closes=True),
    RequestRunningError: Rule(status=409, type=IDEMPOTENCY, should_retry=True),
    PositionNotReachedError: Rule(status=409, should_retry=True),
    BodyTooLargeError: Rule(status=413),
    RowsTooLargeError: Rule(status=413),
    MediaTypeRefusedError: Rule(status=415),
    # No other status: senders of CloudEvents send again what is answered with 404 or 409.
    EventRejectedError: Rule(status=400),
    EncodingRefusedError: Rule(status=415),
    HostRefusedError: Rule(status=421),
    TestClockAdvancingError: Rule(status=429, should_retry=True, retry_after=1),
    RateLimitedError: Rule(status=429, should_retry=None),
    TooManyWaitingError: Rule(status=429, should_retry=True, retry_after=1),
    StoreBusyError: Rule(
        status=429, code="lock_timeout", should_retry=True, retry_after=1
    ),
    # Until somebody sets a clock right, at which the same request succeeds.
    ClockSkewError: Rule(status=503, type=API, should_retry=True, retry_after=10),
    ServerBusyError: Rule(
        status=503, type=API, should_retry=True, retry_after=1, closes=True
    ),
}
"""By class; a class that is not here is answered as the nearest one that it is of."""
MISSING_IN_PATH = Rule(status=404)
STORE_FAILED = Rule(status=500, type=API, should_retry=True)
_IN_PATHS = {"id", "price"}
"""How paths call ids; Stripe has a name of its own for that of a price."""
_UNEXPECTED = Rule(status=500, type=API, should_retry=None)

UNAVAILABLE = 503
"""Of the health, where the store cannot be asked."""
_UNKNOWN = "An unknown error occurred; the server's log has it by the request id."

MEANINGS = {
    400: "The request is malformed, or what is recorded does not allow it.",
    401: "The request has no key, or none that opens this server.",
    403: "The scopes of the key do not allow the request.",
    404: "There is no such resource.",
    408: "The body stalled.",
    409: "Another request is in the way, or the log has not reached the position.",
    413: "The body is too large.",
    415: "The route does not take the body's media type, or its compression.",
    421: "The request's Host is not one by which this server is reached.",
    429: "The key makes more requests than it may, or the store is busy.",
    500: "The server is at fault.",
    503: "The server cannot take the request for now.",
}
"""What each status of a failure means."""
# The library has a code for every refusal, Stripe only for some.
UNNAMED_CODES = {InvalidRequestError.code, RequestRefusedError.code}
V2_CODES = {
    400: "invalid_request",
    401: "not_authenticated",
    403: "not_permitted",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    413: "request_too_large",
    415: "unsupported_media_type",
    421: "misdirected_request",
    429: "rate_limit",
    500: "internal_error",
    503: "service_unavailable",
}
V2_CODES_OF_EVENTS = {
    "meter_event_invalid_value": "payload_invalid_value",
    "meter_event_no_customer_defined": "payload_no_customer_defined",
    "meter_event_value_too_many_digits": "payload_invalid_value",
    "payload_invalid": "payload_invalid_value",
}
_ENDS_IN_A_FULL_STOP = {
    "idempotency_key_in_use",
    "meter_event_no_customer_defined",
    "parameter_missing",
}
_REFUSALS_BY_STATUS = {
    401: "not_authenticated",
    403: "not_permitted",
    413: "too_large",
    429: "rate_limited",
}
_STORE_BUSY, _SERVER_BUSY = "store_busy", "server_busy"
REFUSALS = (*_REFUSALS_BY_STATUS.values(), _STORE_BUSY, _SERVER_BUSY)
"""Why requests never reach a store, or not its log, in words to count them by."""


def response_to_failure(error: Exception, dialect: Dialect) -> HttpResponse:
    """Write the response to a request that failed."""
    rule = _rule_of(error)
    # Names of hosts and files are not for clients, nor are the words of a defect.
    shown = error if isinstance(error, MeteringError) and rule.status != 500 else None
    fields = {
        "code": None if shown is None else _code(shown, rule),
        "message": _UNKNOWN if shown is None else _message(shown),
        "type": rule.type,
        "doc_url": rule.doc_url,
    }
    if dialect.errors is ErrorShape.V2:
        fields["code"] = (
            _v2_code(shown, rule) or fields["code"] or V2_CODES[rule.status]
        )
        if rule.status == 429:
            fields["type"] = "rate_limit"
        if shown and shown.param and shown.param not in str(fields["message"]):
            fields["message"] = f"{fields['message']} ({shown.param})"
    elif shown is not None:
        fields["param"] = shown.param
    known = {name: value for name, value in fields.items() if value is not None}
    return HttpResponse(
        status=rule.status,
        body=encoded({"error": known}),
        headers=_headers(error, rule),
        refusal=_refusal(error, rule),
    )


def response_to_refusal(error: MeteringError, path: str) -> HttpResponse:
    """Write the response to a request that its route did not take, or that has none."""
    return response_to_failure(error, dialect_at(path))


def reported_error(error: InvalidRequestError) -> tuple[str, str]:
    """Return the message and code by which an error report names a refused event."""
    if isinstance(error, NoMeterError):
        message = f"No meter was found matching event_name {error.event_name}."
        return message, error.code
    return _message(error), error.code


def headers_of_replay(status: int) -> dict[str, str]:
    """Return the headers of a kept response that are not kept with it."""
    return {} if status < 400 else {"Stripe-Should-Retry": "false"}


def _rule_of(error: Exception) -> Rule:
    if isinstance(error, ResourceMissingError) and error.param in _IN_PATHS:
        return MISSING_IN_PATH
    if not isinstance(error, MeteringError):
        return _UNEXPECTED
    if error.code == RequestRunningError.code:
        # Also where another process had the request's effect meanwhile.
        return RULES[RequestRunningError]
    found = next((RULES[each] for each in type(error).__mro__ if each in RULES), None)
    return found or STORE_FAILED


def log_failure(error: Exception, request_id: str) -> None:
    """Log an error that is the server's fault."""
    rule = _rule_of(error)
    if rule is STORE_FAILED or isinstance(error, ClockSkewError):
        _log.error("A request failed: %s", error)  # No traceback for what is named.
    elif rule is _UNEXPECTED:
        _log.error("Request %s failed", request_id, exc_info=error)


def _code(error: MeteringError, rule: Rule) -> str | None:
    code = rule.code or error.code
    return None if code in UNNAMED_CODES else code


def _v2_code(error: MeteringError | None, rule: Rule) -> str | None:
    """Return the code that v2 alone has for an error."""
    if rule.v2_code is not None or not isinstance(error, InvalidRequestError):
        return rule.v2_code
    return V2_CODES_OF_EVENTS.get(error.code)


def _message(error: MeteringError) -> str:
    """Return what was wrong, in Stripe's words where its clients look for them."""
    match error:
        case NoMeterError():
            return f'No active meter found for event name "{error.event_name}"'
        case TimestampOutOfRangeError():
            # In whole seconds, and still within the range.
            seconds = error.bound.timestamp()
            bound = math.ceil(seconds) if error.is_too_early else math.floor(seconds)
            return f"{error.rule} {bound}."
        case ClockSkewError():
            return (
                "Nothing can be recorded for now, since a clock is wrong; send this"
                " request again when it is set right."
            )
        case StoreBusyError():
            return "The store is busy with other requests; send this one again."
        case _ if error.code in _ENDS_IN_A_FULL_STOP:
            return f"{error.message.rstrip('.')}."
        case _:
            return error.message


def _refusal(error: Exception, rule: Rule) -> str | None:
    if isinstance(error, StoreBusyError):
        return _STORE_BUSY
    if isinstance(error, ServerBusyError):
        return _SERVER_BUSY
    return _REFUSALS_BY_STATUS.get(rule.status)


def _headers(error: Exception, rule: Rule) -> dict[str, str]:
    headers = {}
    if rule.should_retry is not None:
        headers["Stripe-Should-Retry"] = "true" if rule.should_retry else "false"
    retry_after = rule.retry_after
    if isinstance(error, RateLimitedError):
        retry_after = error.retry_after
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, EncodingRefusedError):
        headers["Accept-Encoding"] = ", ".join(error.taken)
    if rule.closes:
        headers["Connection"] = "close"
    if rule.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="metering"'
    return headers
