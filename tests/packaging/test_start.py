"""What a process loads before it is used, and that all of it loads when it is."""

import subprocess
import sys
from collections.abc import Iterable

import pytest

import metering
from ledger.usage.rows import FEW
from metering import names, public

_PROGRAM = """
import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import metering
metering.__version__
print(*sys.modules)

looks = []
gc.callbacks.append(lambda phase, info: looks.append(phase))
metering.connect
gc.callbacks.clear()

with metering.connect(sys.argv[1]) as m:
    (meter,) = m.meters.list()
    payload = {"stripe_customer_id": "cus_1", "value": "12.5"}
    m.meter_events.create(event_name="tokens", payload=payload)
    window = {"start_time": 0, "end_time": 4_000_000_020}
    m.meters.event_summaries(meter.id, customer="cus_1", **window)
    print(*sys.modules)
    assert sum(1 for _ in m.meter_events.list()) > 64
    print(*sys.modules)

    together = Barrier(8)
    def first_use(_):
        together.wait()
        return metering.CreditGrant, m.credit_grants.list(customer="cus_1").data
    with ThreadPoolExecutor(8) as pool:
        print(*(found == (metering.CreditGrant, []) for found in pool.map(first_use, range(8))))
print(len(looks), gc.isenabled(), gc.get_freeze_count())
"""
_SLOW = ("numpy", "pyarrow", "sqlalchemy")
_UNUSED = (
    *("metering.access", "metering.aio", "metering.alerts", "metering.cli"),
    *("metering.credits", "metering.integrations", "metering.internals"),
    *("metering.public", "metering.reaggregation.questions"),
    "metering.recording.recorder",
    *(
        "metering.server",
        "metering.stream",
        "metering.upkeep.status",
        "metering.upkeep.verification",
    ),
    *("metering.usage.ingest.ingestion", "metering.webhooks"),
    *("ledger.migrations", "ledger.records.deliveries", "ledger.records.sessions"),
    *("projections.alerts.queries", "projections.alerts.tables", "projections.credits"),
    *("projections.kernels.alerts", "projections.kernels.credits"),
    *("projections.scans.reaggregation.jobs", "projections.scans.sql"),
    *("projections.usage.everyone.usage", "projections.webhooks"),
    *("celery", "cryptography", "dask", "django", "duckdb", "httptools", "pandas"),
    *("psycopg", "pyarrow._compute", "pyarrow.compute", "pyarrow.csv"),
    *("pyarrow.dataset", "pyarrow.fs", "pyarrow.parquet", "pydantic", "rich"),
    *("sqlalchemy.dialects.postgresql", "starlette", "typer", "urllib3", "uvicorn"),
)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What the program printed: modules at two times, and what its threads found."""
    store = tmp_path_factory.mktemp("start") / "usage"
    with metering.connect(store) as m:
        m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        # What is not sealed yet is read again by each process.
        for number in range(FEW + 1):
            payload = {"stripe_customer_id": f"cus_{number}", "value": "1"}
            m.meter_events.create(event_name="tokens", payload=payload)
    command = [sys.executable, "-c", _PROGRAM, str(store)]
    ended = subprocess.run(command, capture_output=True, check=True, text=True)
    return [line.split() for line in ended.stdout.splitlines()]


def _below(loaded: Iterable[str], packages: Iterable[str]) -> list[str]:
    """Return the modules that are a package or in it."""
    roots = tuple(f"{each}." for each in packages)
    return [each for each in loaded if f"{each}.".startswith(roots)]


def test_an_import_waits_for_no_database(printed: list[list[str]]) -> None:
    assert "metering" in printed[0]
    assert _below(printed[0], (*_SLOW, *_UNUSED)) == []


def test_recording_and_summing_up_load_nothing_else(printed: list[list[str]]) -> None:
    assert {"metering.meters.meters", *_SLOW} <= set(printed[1])
    assert _below(printed[1], _UNUSED) == []


def test_a_list_of_events_loads_no_pandas(printed: list[list[str]]) -> None:
    assert "metering.usage.listing" in printed[2]
    assert _below(printed[2], ["duckdb", "pandas", "pyarrow.parquet"]) == []


def test_what_threads_use_first_at_once_is_whole(printed: list[list[str]]) -> None:
    assert printed[3] == ["True"] * 8


def test_the_collector_looks_through_nothing_that_loads(
    printed: list[list[str]],
) -> None:
    assert printed[4] == ["0", "True", "0"]


def test_a_public_name_is_where_type_checkers_find_it() -> None:
    assert list(names.MODULES) == public.__all__

    for name, module in names.MODULES.items():
        assert getattr(metering, name) is getattr(public, name)
        assert getattr(sys.modules[module], name) is getattr(public, name)
