"""Own the door of the command line: ``metering ingest`` of one file."""

import json
from dataclasses import dataclass

from tests.metering.cli.running import run
from tests.metering.doors.library import CSV, NDJSON, PARQUET, File
from tests.metering.doors.place import Place
from tests.metering.doors.sending import Bare, Refused, Sending, Taken, Typed

_COLUMN_OPTIONS = {
    "event_name": "--event-name-column",
    "identifier": "--identifier-column",
    "timestamp": "--timestamp-column",
    "customer": "--customer-column",
    "value": "--value-column",
}


@dataclass(frozen=True)
class Command:
    """``metering ingest``, of NDJSON; of CSV or Parquet where only these can have it."""

    name: str = "command"

    def write(self, event_name: str, sending: Sending) -> bytes:
        return _file_for(sending).write(event_name, sending)

    def send(self, place: Place, sending: Sending, written: bytes) -> Taken:
        path = _file_for(sending).path(place, sending, written)
        result = run(
            *("ingest", path, "--json", "--store", place.target),
            *_arguments(sending),
        )
        if not result.stdout:
            return Taken(source=Refused("", result.stderr))
        (report,) = json.loads(result.stdout)
        return Taken(
            refused={
                each["row"]: Refused(each["code"], each["message"])
                for each in report["first_rejections"]
            },
            left_out=report.get("left_out", {}),
            rounded=report.get("rounded", 0),
        )


def _file_for(sending: Sending) -> File:
    kinds = {
        type(each)
        for event in sending.events
        for each in (event.time, event.customer, event.value, *event.payload.values())
    }
    if Typed in kinds:
        return PARQUET
    return CSV if Bare in kinds else NDJSON


def _arguments(sending: Sending) -> list[str]:
    arguments: list[str] = []
    for name, given in {"backfill": True, **sending.options}.items():
        option = f"--{name.replace('_', '-')}"
        if given is True:
            arguments.append(option)
        elif isinstance(given, list | tuple):
            arguments += [f"{option}={each}" for each in given]
        elif given is not False:
            arguments.append(f"{option}={given}")
    for role, column in sending.columns.items():
        arguments.append(f"{_COLUMN_OPTIONS[role]}={column}")
    return arguments
