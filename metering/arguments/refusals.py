"""Refusals of arguments: one sentence each, with Stripe's code and Stripe's path.

Source: https://docs.stripe.com/error-codes
"""

from collections.abc import Mapping

from metering.errors import InvalidRequestError, shown


def missing(param: str) -> InvalidRequestError:
    """Return the refusal of a request without a required parameter."""
    return InvalidRequestError(
        f"Missing required param: {param}", code="parameter_missing", param=param
    )


def unknown(param: str) -> InvalidRequestError:
    """Return the refusal of a parameter that nothing takes."""
    param = param[:100]
    return InvalidRequestError(
        f"Received unknown parameter: {param}", code="parameter_unknown", param=param
    )


def empty(param: str) -> InvalidRequestError:
    """Return the refusal of an empty string where nothing can be unset."""
    return InvalidRequestError(
        f"Invalid {param}: it is empty and cannot be unset; leave it out or give a"
        " value",
        code="parameter_invalid_empty",
        param=param,
    )


def exclusive(param: str, one: str, other: str) -> InvalidRequestError:
    """Return the refusal of two parameters of which only one may be given."""
    return InvalidRequestError(
        f"Invalid {param}: {one} and {other} exclude each other; give one",
        code="parameters_exclusive",
        param=param,
    )


def invalid(
    param: str, value: object, allowed: str, *, code: str | None = None
) -> InvalidRequestError:
    """Return the refusal of a value, which says what was given and what is allowed."""
    return InvalidRequestError(
        f"Invalid {param}: {shown(value)}; must be {allowed}",
        code=code,
        param=param,
    )


def check_only(wanted: str, given: Mapping[str, object], path: str = "{}") -> None:
    """Check that of several parameters only the one that a type needs is given.

    Args:
        wanted: its name.
        given: the value of each, or None.
        path: of a parameter, with braces for its name.

    Raises:
        InvalidRequestError: it is missing, or another one is given.
    """
    if given[wanted] is None:
        raise missing(path.format(wanted))
    for name, value in given.items():
        if name != wanted and value is not None:
            raise invalid(path.format(name), value, f"left out for {wanted}")
