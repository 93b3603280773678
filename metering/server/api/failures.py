"""Failures: what the library raises, told as Stripe tells it, in v1 and in v2.

With `metering.server.api.errors` the one place that knows statuses.
Source: https://docs.stripe.com/error-codes
"""

import logging
import math
import re
from dataclasses import replace
from datetime import datetime

import metering
from metering.errors import (
    InvalidRequestError,
    MeterEventInvalidError,
    ResourceMissingError,
)
from metering.server.api.errors import (
    API,
    BUSY,
    IDEMPOTENCY,
    IN_USE,
    INVALID,
    Failure,
    MeterEventExistsError,
    RequestRefusedError,
)

_log = logging.getLogger(__name__)
_NO_VALUE = "Value key "
_V2_CODES_OF_EVENTS = {
    "meter_event_invalid_value": "payload_invalid_value",
    "meter_event_no_customer_defined": "payload_no_customer_defined",
    "meter_event_value_too_many_digits": "payload_invalid_value",
    "no_meter": "no_meter",
    "payload_invalid": "payload_invalid_value",
}
_ISO = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00$")


def failure_of(error: metering.MeteringError) -> Failure:
    """Say how a request failed, by the error that it met."""
    match error:
        case RequestRefusedError():
            return error.failure
        case ResourceMissingError():
            is_in_path = error.param == "id"
            return _refused(error, 404 if is_in_path else 400)
        case InvalidRequestError() | metering.ReaggregationError():
            return _refused(error, 400)
        case metering.StoreBusyError():
            return Failure(
                status=429,
                type=INVALID,
                message="The store is busy with other requests; send this one again.",
                code=BUSY,
                should_retry=True,
                retry_after=1,
            )
        case _ if error.code == IN_USE:
            return Failure(
                status=409,
                type=IDEMPOTENCY,
                message=f"{error.message}.",
                code=error.code,
                should_retry=True,
            )
        case _:
            # Names of hosts and files are not for clients.
            _log.error("A request failed: %s", error.message)
            return unexpected_failure(should_retry=True)


def v2_failure_of(error: metering.MeteringError) -> Failure:
    """Say how a request failed, in the codes of v2."""
    failure = failure_of(error)
    match error:
        case MeterEventExistsError():
            return replace(failure, code="duplicate_meter_event")
        case InvalidRequestError() if error.message.startswith(_NO_VALUE):
            return replace(failure, code="payload_no_value_defined")
        case InvalidRequestError():
            code = _V2_CODES_OF_EVENTS.get(error.code, failure.code)
            return replace(failure, code=code)
        case _:
            return failure


def words_of_a_report(error: InvalidRequestError, event_name: str) -> tuple[str, str]:
    """Say why an event of the stream was refused: the message and the code."""
    if error.code == "no_meter":
        return f"No meter was found matching event_name {event_name}.", error.code
    message, _ = _words_of_an_event(error.message, error.code)
    return message, error.code


def headers_again(status: int) -> dict[str, str]:
    """Say of an answer that is given again what was said of it the first time."""
    return {} if status < 400 else {"Stripe-Should-Retry": "false"}


def unexpected_failure(*, should_retry: bool | None = None) -> Failure:
    """Say that it is not the request that is wrong."""
    return Failure(
        status=500,
        type=API,
        message="An unknown error occurred; the server's log has it by the request id.",
        should_retry=should_retry,
    )


def _refused(error: metering.MeteringError, status: int) -> Failure:
    # The library has a word for every refusal, Stripe only for some.
    code = None if error.code == InvalidRequestError.code else error.code
    message = error.message
    if isinstance(error, MeterEventInvalidError):
        message, code = _words_of_an_event(message, code)
    if code == "parameter_missing" and not message.endswith("."):
        message = f"{message}."
    return Failure(
        status=status, type=INVALID, message=message, code=code, param=error.param
    )


def _words_of_an_event(message: str, code: str | None) -> tuple[str, str | None]:
    """Say it in the words that clients of Stripe look for."""
    if code == "no_meter":
        return message.replace("'", '"'), "resource_missing"
    if since := _ISO.search(message):
        seconds = math.ceil(datetime.fromisoformat(since[0]).timestamp())
        return f"{message[: since.start()]}{seconds}.", code
    if code == "meter_event_no_customer_defined":
        return f"{message}.", code
    return message, code
