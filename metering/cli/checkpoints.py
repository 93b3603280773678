"""Checkpoints in files: the position and digest that a verification came to."""

import os
from pathlib import Path

import msgspec

import metering
from metering.cli.errors import CheckpointFileError


def read_checkpoint(path: Path | None) -> metering.Checkpoint | None:
    """Read a saved checkpoint; None where there is none yet.

    Raises:
        CheckpointFileError: the file holds something else, or cannot be read; or there
            is none, and no directory for it.
    """
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=metering.Checkpoint)
    except FileNotFoundError as error:
        if path.parent.is_dir():
            return None
        reason = f"there is no directory {path.parent}"
        raise CheckpointFileError(path, reason) from error
    except OSError as error:
        raise CheckpointFileError(path, _reason(error)) from error
    except msgspec.DecodeError as error:
        reason = f"it holds no checkpoint that verify saved: {error}"
        raise CheckpointFileError(path, reason) from error


def write_checkpoint(path: Path, checkpoint: metering.Checkpoint) -> None:
    """Save a checkpoint, so that the file has the old one or the new one.

    Raises:
        CheckpointFileError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    document = msgspec.json.format(msgspec.json.encode(checkpoint), indent=2)
    try:
        temporary.write_bytes(document + b"\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointFileError(path, _reason(error)) from error


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
