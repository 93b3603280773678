"""Dialects: how requests and errors are written below each prefix of the API.

Every route has one, that of its prefix. A request that is refused before its route takes
it, or that no route serves, is answered by its prefix alone.
"""

import enum
from dataclasses import dataclass

from metering.arguments.schema import Spelling
from metering.server.grammar.media_types import FORM, JSON


class ErrorShape(enum.Enum):
    """The fields of an error body.

    `V1` has type, message, and where they are known code, param and doc_url. `V2` has
    type, message and always a code, never a param.
    """

    V1 = "Error"
    V2 = "ErrorOfV2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way of writing requests and errors.

    Attributes:
        prefix: what the paths of its routes begin with.
        spelling: how values are spelled, times above all.
        body_types: media types of request bodies; the first is assumed where a request
            names none.
        takes_whole_numbers: whether a JSON body may hold whole numbers and booleans.
        expands: whether `expand` is a parameter.
        errors: how error bodies are written.
    """

    prefix: str
    spelling: Spelling
    body_types: tuple[str, ...]
    takes_whole_numbers: bool = False
    expands: bool = True
    errors: ErrorShape = ErrorShape.V1


V2 = Dialect(
    prefix="/v2/",
    spelling=Spelling.V2,
    body_types=(JSON,),
    expands=False,
    errors=ErrorShape.V2,
)
EXTENSION = Dialect(
    prefix="/metering/",
    spelling=Spelling.EXTENSION,
    body_types=(FORM, JSON),
    takes_whole_numbers=True,
)
V1 = Dialect(prefix="/", spelling=Spelling.V1, body_types=(FORM,))


def dialect_at(path: str) -> Dialect:
    """Return the dialect of what is below the prefix of a path."""
    return next((each for each in (V2, EXTENSION) if path.startswith(each.prefix)), V1)
