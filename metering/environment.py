"""Settings that a deployment makes: variables of the environment, by the names they have.

`metering.connect` without a target and the options of the command line read them. A
variable that is empty is not set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from metering.errors import InvalidRequestError

STORE = "METERING_STORE"
SEGMENTS = "METERING_SEGMENTS"
CACHE = "METERING_CACHE"
LIVEMODE = "METERING_LIVEMODE"
ALLOW_PRIVATE_WEBHOOKS = "METERING_ALLOW_PRIVATE_WEBHOOKS"

# What the command line takes for these options.
_FLAGS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off", ""), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """What the environment says of a store; see `metering.connect`."""

    store: str
    segments: str | None
    cache: str | None
    livemode: bool
    allow_private_webhooks: bool

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables of an environment.

        Raises:
            InvalidRequestError: no store is named, or a flag is neither on nor off.
        """
        if not variables.get(STORE):
            raise InvalidRequestError(
                f"No store is named: give connect a target, or set {STORE} to a"
                " directory or to the URL of a PostgreSQL database",
                code="parameter_missing",
                param="target",
            )
        return cls(
            store=variables[STORE],
            segments=variables.get(SEGMENTS) or None,
            cache=variables.get(CACHE) or None,
            livemode=_flag(variables, LIVEMODE),
            allow_private_webhooks=_flag(variables, ALLOW_PRIVATE_WEBHOOKS),
        )


def _flag(variables: Mapping[str, str], name: str) -> bool:
    value = variables.get(name, "")
    flag = _FLAGS.get(value.strip().lower())
    if flag is None:
        raise InvalidRequestError(
            f"Invalid {name}: {value!r}; must be 1 or 0", param=name
        )
    return flag
