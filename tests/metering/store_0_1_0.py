"""A store that release 0.1.0 wrote, on each database, and the answers it gave.

The archive holds a directory for SQLite; for PostgreSQL, a dump and the segments. Beside
each lie the answers as JSON, with the secrets that opened the store and its last time.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import psycopg

import metering

ARCHIVE = Path(__file__).parents[1] / "data" / "store-0.1.0.tar.gz"
NOW = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
ZONES: Any = {
    "type": "applicability_scope",
    "applicability_scope": {"price_type": "metered"},
}
_NEW_OF_CREDITS = {
    "billing.credit_grant": (
        "pool",
        "schedule",
        "schedule_period",
        "schedule_rollover",
    ),
    "billing.credit_balance_transaction": ("member", "pool"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldStore:
    """A copy of the store, to be opened and changed.

    Attributes:
        target: what `metering.connect` takes.
        places: its keywords, that say where segments and runs lie.
        now: the last instant at which anything was recorded.
        secrets: of an API key, its id, and the token of a session.
        answers: what the old release answered to `answers_of`.
    """

    target: str
    places: Mapping[str, Any]
    now: datetime
    secrets: Mapping[str, str]
    answers: Mapping[str, Any]

    def connect(self) -> metering.Metering:
        """Open it at its last instant, with nothing done in the background."""
        return metering.connect(
            self.target,
            clock=metering.FixedClock(self.now),
            seal_events=None,
            allow_private_webhooks=True,
            **self.places,
        )


def unpacked(directory: Path, postgresql_url: str | None) -> OldStore:
    """Unpack the store into a directory, and load its dump where it is PostgreSQL's."""
    name = "sqlite" if postgresql_url is None else "postgresql"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(directory, filter="data")
        # Of the archive: calls on files of the directory may be made to fail.
        about = archive.extractfile(f"{name}.json")
        assert about is not None
        written = json.loads(about.read())
    places: dict[str, Any] = {}
    if postgresql_url is not None:
        load(directory / name / "store.sql", postgresql_url)
        places = {
            "segments": directory / name / "segments",
            "cache": directory / "cache",
        }
    return OldStore(
        target=postgresql_url or str(directory / name),
        places=places,
        now=datetime.fromisoformat(written["now"]),
        secrets=written["secrets"],
        answers=written["answers"],
    )


def load(dump: Path, url: str) -> None:
    """Run the statements of a dump."""
    # The server may be of an earlier version than the one that was dumped.
    lines = dump.read_text().splitlines()
    kept = [line for line in lines if "transaction_timeout" not in line]
    with psycopg.connect(url) as connection:
        connection.execute("\n".join(kept).encode())


def objects_in(found: Any, kind: str) -> Iterator[dict[str, Any]]:
    """All objects of a kind in a document, wherever they stand."""
    inner = found.values() if isinstance(found, dict) else found
    if isinstance(found, dict) and found.get("object") == kind:
        yield found
    elif isinstance(found, dict | list):
        for each in inner:
            yield from objects_in(each, kind)


def answers_of(store: metering.Metering, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Ask for everything that a store tells, as JSON."""
    meters = store.meters.list()
    endpoints = store.webhook_endpoints.list(limit=100)
    key, token = (
        sha256(secrets[name].encode()).digest() for name in ("key", "session")
    )
    found: dict[str, Any] = {
        "position": store.position,
        "meters": meters,
        "summaries": {
            f"{meter.event_name} {customer} {window}": store.meters.event_summaries(
                meter.id,
                customer=customer,
                start_time=NOW - timedelta(days=3),
                end_time=NOW + timedelta(days=1),
                value_grouping_window=window,
            )
            for meter in meters
            for customer in ("cus_a", "cus_b")
            for window in (None, "hour", "day")
        },
        "events": list(store.meter_events.list()),
        "grants": store.credit_grants.list(limit=100),
        "balances": {
            customer: store.credit_balance_summary.retrieve(
                customer=customer, filter=ZONES
            )
            for customer in ("cus_a", "cus_b")
        },
        "transactions": {
            customer: store.credit_balance_transactions.list(
                customer=customer, limit=100
            )
            for customer in ("cus_a", "cus_b")
        },
        "alerts": store.alerts.list(limit=100),
        "triggered": store.alerts.triggered(),
        "endpoints": endpoints,
        "deliveries": {
            each.url.rpartition("/")[2]: store.webhook_endpoints.deliveries(
                each.id, limit=100
            )
            for each in endpoints
        },
        "happened": store.events.list(limit=100),
        "keys": store.api_keys.list(),
        "opened_by_key": store.internals.keys_by_digest()[key].id,
        "session": store.internals.sessions_by_digest([token])[token],
        "reports": store.error_reports.list(limit=100),
    }
    answers: dict[str, Any] = json.loads(msgspec.json.encode(found))
    for kind, names in _NEW_OF_CREDITS.items():
        for each in objects_in(answers, kind):
            assert {name: each.pop(name) for name in names} == dict.fromkeys(names)
    _leave_out_what_is_new(answers, store)
    return answers


def _leave_out_what_is_new(answers: dict[str, Any], store: metering.Metering) -> None:
    """Take out what answers did not say then; nothing was held."""
    for summary in (each for found in answers["summaries"].values() for each in found):
        assert summary.pop("customer") in {"cus_a", "cus_b"}
    for alert in objects_in(answers, "billing.alert"):
        assert alert.pop("spend_threshold") is None
        if alert["usage_threshold"] is not None:
            assert alert["usage_threshold"].pop("percent_of") is None
        if alert.get("credit_balance_threshold") is not None:
            credit = alert["credit_balance_threshold"]
            assert credit.pop("include_unbilled_usage") is None
    for summary in answers["balances"].values():
        assert summary.pop("at") == msgspec.to_builtins(store.now())
        del summary["filter"]
        for balance in summary["balances"]:
            for name in ("unbilled_usage", "uncovered_usage"):
                assert balance.pop(name) is None
            held = balance.pop("held_balance")
            assert held["monetary"]["value"] == 0
