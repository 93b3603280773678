"""Downloads: files of reports at a path, whole or not at all."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from metering.errors import InvalidRequestError


def write_down(pieces: Iterable[bytes], target: Path) -> int:
    """Write pieces to a path, and return how many bytes there are.

    The file appears once it is durable.

    Raises:
        InvalidRequestError: the path cannot be written.
    """
    byte_count = 0
    try:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        try:
            with temporary.open("xb") as file:
                for piece in pieces:
                    byte_count += file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise InvalidRequestError(
            f"Invalid path: {target} cannot be written: {words}", param="path"
        ) from error
    return byte_count
