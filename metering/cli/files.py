"""Files that commands read and write: checked before the work, replaced as a whole.

A file that is written has its old content or all of its new one, even after a kill.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

import metering
from metering.cli.errors import CheckpointFileError, FileUnusableError
from metering.decoding.json_parsing import JsonInvalidError, parse_json


def check_place(path: Path, error: type[FileUnusableError]) -> None:
    """Refuse a file that could not be written, with an error of that type."""
    directory = path.parent
    if not directory.is_dir():
        raise error(path, f"there is no directory {directory}")
    if path.is_dir():
        raise error(path, "it is a directory")
    if not os.access(directory, os.W_OK):
        raise error(path, f"the directory {directory} is not writable")


@contextmanager
def replacing(path: Path, error: type[FileUnusableError]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another when the block ends without failure.

    An `OSError` becomes an error of that type.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except OSError as failure:
        raise error(path, _reason(failure)) from failure
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path | None) -> metering.Checkpoint | None:
    """Return the checkpoint that a verification saved; None where there is none yet.

    Raises:
        CheckpointFileError: the file holds something else, or cannot be read; or there
            is none, and no directory for it.
    """
    if path is None:
        return None
    try:
        return msgspec.convert(parse_json(path.read_bytes()), metering.Checkpoint)
    except FileNotFoundError:
        check_place(path, CheckpointFileError)
        return None
    except OSError as error:
        raise CheckpointFileError(path, _reason(error)) from error
    except (JsonInvalidError, msgspec.ValidationError) as error:
        reason = f"it holds no checkpoint that verify saved: {error}"
        raise CheckpointFileError(path, reason) from error


def write_checkpoint(path: Path, checkpoint: metering.Checkpoint) -> None:
    """Save a checkpoint.

    Raises:
        CheckpointFileError: the file cannot be written.
    """
    document = msgspec.json.format(msgspec.json.encode(checkpoint), indent=2)
    with replacing(path, CheckpointFileError) as file:
        file.write(document + b"\n")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
