"""What is said of an API key when it is created."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from metering.arguments.strings import Name

ScopeName = Literal["ingest", "read", "admin"]
"""Record usage; read anything; change anything else."""


class ApiKeyCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is created with.

    Attributes:
        name: for people.
        scopes: what a restricted key may do; everything if left out.
    """

    name: Name
    scopes: Annotated[Sequence[ScopeName], Meta(min_length=1)] | None = None
