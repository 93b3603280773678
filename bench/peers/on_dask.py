"""This project on a Dask cluster of this machine: `… STORE OUT ROUNDS`.

Two workers, each a process with one thread; the project is given one of them, then both,
so often as there are rounds. Starting the cluster and importing the project on it are no
part of the work, which a cluster that stands does again and again, and neither is
writing the result down for comparison. Prints one line of JSON.
"""

import importlib
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import msgspec
from distributed import Client, LocalCluster

import metering
from bench.measures import take_turns
from bench.peers.result import write

WORKERS = (1, 2)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the process tells: how long each round took, by number of workers."""

    seconds: dict[int, list[float]]


def out_of(out: Path, workers: int) -> Path:
    """Where the result is that so many workers have made."""
    return out / f"workers-{workers}.arrow"


def main(store: Path, out: Path, rounds: int) -> None:
    """Recompute all summaries of a store by day, on one worker and on both."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        LocalCluster(  # type: ignore[no-untyped-call] # not typed
            n_workers=max(WORKERS),
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=scratch,
        ) as cluster,
        cluster.get_client() as client,
        metering.connect(store, create=False, seal_events=None) as engine,
    ):
        client.wait_for_workers(max(WORKERS))
        client.run(importlib.import_module, "metering.public")
        targets = {
            number: partial(_timed, engine, client, number, out_of(out, number))
            for number in WORKERS
        }
        told = Told(seconds=take_turns(targets, rounds))
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


def _timed(engine: metering.Metering, client: Client, workers: int, out: Path) -> float:
    addresses = sorted(client.scheduler_info()["workers"])[:workers]
    started = time.perf_counter()
    executor = client.get_executor(  # type: ignore[no-untyped-call] # not typed
        workers=addresses
    )
    table = engine.reaggregate(window="day", executor=executor)
    seconds = time.perf_counter() - started
    write(table, out)
    return seconds


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
