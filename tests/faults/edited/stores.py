"""Own a store in which every table has rows, and everything that it answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import metering
from ledger.database.addresses import open_database
from ledger.records.idempotency import Request
from metering.stream.error_reports import RefusedEvent
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.alerts.test_alerts_on_credits import watch
from tests.metering.alerts.test_alerts_on_spend import on_spend
from tests.metering.holds.usual_holds import hold
from tests.metering.limits.usual_limits import limit
from tests.metering.schedules.usual_schedules import schedule
from tests.metering.usual_credits import DAY, apply, grant, line, money, run
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    create_event,
    create_meter,
)
from tests.metering.usual_webhooks import add_endpoint
from tests.segment_places import places_of
from tests.webhook_receiver import Receiver, answering

LATER = NOW + 3 * DAY


@contextmanager
def opened(target: str, now: Any = LATER) -> Iterator[metering.Metering]:
    """Open the store as everything here does."""
    with metering.connect(
        target,
        clock=metering.FixedClock(now),
        seal_events=None,
        allow_private_webhooks=True,
        webhook_timeout=timedelta(seconds=2),
        **places_of(target),
    ) as store:
        yield store


def make(target: str, receiver: Receiver) -> None:
    """Make a store in which every table has at least two rows, where it may have."""
    with opened(target, NOW) as store:
        _configure(store, receiver)
        store.meter_events.ingest(batch(0, 30))
        create_event(store, "calls", identifier="call-1")
        store.seal()
        cancel_event(store, "event-7")
        store.meter_events.ingest(batch(30, 10))
        _settle(store)
        store.seal()
        cancel_event(store, "event-9")
        store.meter_events.ingest(batch(40, 5))
        create_event(store, "calls", identifier="call-2")
        _correct(store)
        store.catch_up()
        _refuse(store)
    with opened(target, NOW + timedelta(hours=1)) as store:
        store.deliver()
        _refuse(store)
    with opened(target) as store:
        store.deliver()
        store.catch_up()
        _refuse(store)
        store.audit.run()
        store.audit.run(files=True)
    _leave_traces(target)


def _configure(store: metering.Metering, receiver: Receiver) -> None:
    tokens = create_meter(store)
    calls = create_meter(store, "calls", "count")
    store.meters.update(tokens.id, display_name="Renamed")
    store.meters.deactivate(calls.id)
    store.meters.reactivate(calls.id)
    receiver.behaviours["/refusing"] = answering(500)
    add_endpoint(store, receiver, "/")
    refusing = add_endpoint(store, receiver, "/refusing", description="Never well")
    store.webhook_endpoints.update(refusing.id, metadata={"a": "1"})
    store.webhook_endpoints.rotate_secret(refusing.id, overlap=DAY)
    alert = create_alert(store, tokens, 5)
    create_alert(store, calls, 100, percent_of={"quantity": "5", "customers": {"c": 1}})
    store.alerts.deactivate(alert.id)
    store.alerts.activate(alert.id)
    watch(store, 900)
    for lte in (900, 5_000):
        watch(store, lte, include_unbilled_usage=True)
    watch(store, 10_000, currency="eur")
    price = create_price(
        store, tiers=TIERS, recurring=metered(tokens.id), lookup_key="tokens"
    )
    on_spend(store, price.id)
    limit(store, 900, prices=[price.id], window="day", metadata={"a": "1"})
    limit(store, 9_000, id="other", window="all_time", timezone=None)
    store.spend_limits.cancel("other")
    store.products.update(
        price.product, description="Of a model", default_price=price.id
    )
    _entitle(store, price.product)
    _subscribe(store, price)
    packed = {"divide_by": 60, "round": "up"}
    create_price(
        store, transform_quantity=packed, lookup_key="tokens", transfer_lookup_key=True
    )
    key = store.api_keys.create(name="One")
    store.api_keys.create(name="Two", scopes=["read"])
    store.api_keys.revoke(key.id)
    for _ in range(2):
        store.meter_event_sessions.create(key_id=key.id)
    for number in range(2):
        store.internals.requests.answer(
            Request(
                key_id=key.id,
                idempotency_key=f"key-{number}",
                fingerprint=bytes(32),
                request_id=f"req_{number}",
            ),
            200,
            b"{}",
        )


def _entitle(store: metering.Metering, product: str) -> None:
    """Attach features to a product, before there are subscriptions to it."""
    features, hung = store.entitlements.features, store.entitlements.product_features
    made = [
        features.create(lookup_key=key, name=key, metadata={"a": "1"}).id
        for key in ("sso", "audit", "seats")
    ]
    attached = [hung.create(product, entitlement_feature=each).id for each in made]
    hung.delete(product, attached[-1])
    features.update(made[-1], active=False)


def _subscribe(store: metering.Metering, price: metering.Price) -> None:
    address: metering.AddressParams = {"city": "Ulm", "country": "DE"}
    filled = store.customers.create(
        name="Ada",
        email="ada@example.com",
        description="Of a test",
        phone="1",
        address=address,
        shipping={"name": "Ada", "address": address},
        preferred_locales=["de"],
        metadata={"a": "1"},
    )
    store.customers.update(filled.id, tax_exempt="exempt")
    store.customers.delete(store.customers.create().id)
    seats = create_price(store, recurring={"interval": "year"})
    first = store.subscriptions.create(
        customer=filled.id,
        items=[{"price": price.id}],
        trial_period_days=3,
        collection_method="send_invoice",
        days_until_due=30,
        description="Of a test",
        metadata={"a": "1"},
        cancel_at_period_end=True,
    )
    store.subscription_items.create(subscription=first.id, price=seats.id)
    second = store.subscriptions.create(customer="c", items=[{"price": seats.id}])
    store.subscriptions.pause(second.id)
    store.subscriptions.cancel(
        second.id, cancellation_details={"comment": "c", "feedback": "unused"}
    )


def _settle(store: metering.Metering) -> None:
    grant(store, 1_000)
    grant(store, 500, expires_at=NOW + DAY, metadata={"b": "2"}, name="Gift")
    grant(store, 500, customer="cus_2", expires_at=NOW + DAY)
    grant(store, 500, customer="cus_3", expires_at=NOW + DAY)
    grant(store, 2_000, currency="eur")
    store.credit_grants.void(grant(store).id)
    store.credit_grants.expire(grant(store).id)
    apply(store, "in_1", line(600))
    apply(store, "in_2", line(400, currency="eur"))
    store.credits.reinstate(invoice="in_1")
    apply(store, "in_3", line(700), line(5, id="il_2"))
    store.credits.apply_many(run({"invoice": "in_4", "amount": 3}, {"invoice": "in_5"}))
    tokens = store.prices.list(type="recurring", recurring={"usage_type": "metered"})
    stated: Any = {"prices": [tokens[0].id], "start_time": NOW - DAY, "end_time": NOW}
    store.statements.finalize(id="st_1", customer="cus_1", **stated)
    store.statements.void("st_1")
    store.statements.finalize(id="st_2", customer="cus_1", **stated)
    for name in ("job_1", "job_2", "job_3"):
        hold(store, 5, name, expires_at=NOW + DAY, metadata={"a": "1"}, price="price_1")
    store.credit_holds.settle("job_1", amount=1, final=False, settlement="a")
    store.credit_holds.settle("job_1", amount=9, overage="draw")
    half: Any = {"type": "percent", "percent": 50}
    schedule(store, 5, interval="day", rollover=half, expires_after=9, priority=60)
    store.credit_schedules.pause(schedule(store, 7, "paused", customer="cus_3").id)
    _share(store)
    _freeze(store)
    for form in ("csv", "parquet"):
        asked: Any = {"format": form, "columns": ["id", "created"], "timezone": "UTC"}
        asked |= {"interval_start": NOW - DAY, "interval_end": NOW}
        store.reports.create(
            report_type="metering.credits_activity.1", parameters=asked
        )
    store.reports.make()


def _freeze(store: metering.Metering) -> None:
    """Let customers live by test clocks, one of which moved on."""
    names = "a month", "a year"
    clocks = [store.test_clocks.create(frozen_time=NOW, name=each) for each in names]
    for clock in clocks:
        store.customers.create(test_clock=clock.id)
    store.test_clocks.advance(clocks[0].id, frozen_time=LATER)


def _share(store: metering.Metering) -> None:
    """Let customers draw from pools, and hold something of one."""
    for name in ("team", "crew"):
        store.credit_pools.create(id=name, cap=money(50), metadata={"a": "1"})
        grant(store, 90, customer=None, pool=name)
    store.credit_pools.update("team", name="Team")
    for customer in ("cus_8", "cus_9"):
        store.credit_pools.add_member("team", customer=customer, cap=money(40))
        apply(store, f"in_{customer}", line(20), customer=customer)
        hold(store, 5, f"job_{customer}", customer=customer)
    store.credit_pools.remove_member("team", customer="cus_9")
    store.credit_pools.archive("crew")


def _correct(store: metering.Metering) -> None:
    """Replace an event, and cancel another one for a while."""
    tokens: Any = {"event_name": "tokens"}
    replaced = {**tokens, "identifiers": ["event-11"], "replace": {"value": "3"}}
    cancelled = {**tokens, "identifiers": ["event-12"]}
    done: Any = {"reason": "a test", "author": "Ada"}
    store.corrections.apply([{"type": "replace", **replaced}], **done)
    undone = store.corrections.apply([{"type": "cancel", **cancelled}], **done)
    store.corrections.revert(undone.id, **done)


def _refuse(store: metering.Metering) -> None:
    store.internals.add_refused(
        [
            RefusedEvent(
                event_name=name,
                code="meter_event_no_customer_defined",
                message="There is no customer",
                identifier=f"event-{name}",
                request=None,
            )
            for name in ("tokens", "calls")
        ]
    )


def _leave_traces(target: str) -> None:
    """Add what only an older release, or a process that died, leaves."""
    database = open_database(target, creates=False)
    with database.write() as connection:
        for statement in (
            "INSERT INTO log_upgrade VALUES (7, 0)",
            "INSERT INTO log_upgrade VALUES (8, 0)",
        ):
            connection.exec_driver_sql(statement)
    database.close()


Command = Callable[[metering.Metering], object]


def _summaries(store: metering.Metering) -> object:
    return [
        store.meters.event_summaries(
            meter.id, customer="cus_1", start_time=0, end_time=LATER
        )
        for meter in store.meters.list()
    ]


def _deliveries(store: metering.Metering) -> object:
    return [
        store.webhook_endpoints.deliveries(each.id)
        for each in store.webhook_endpoints.list()
    ]


ANSWERS: dict[str, Command] = {
    "meters": lambda store: list(store.meters.list()),
    "summaries": _summaries,
    "reaggregate": lambda store: store.reaggregate().to_pylist(),
    "sql": lambda store: store.sql(
        "SELECT event_name, customer, count(*), sum(value) FROM events"
        " WHERE NOT cancelled GROUP BY ALL ORDER BY ALL"
    ).to_pylist(),
    "meter events": lambda store: list(store.meter_events.list()),
    "alerts": lambda store: list(store.alerts.list()),
    "triggered": lambda store: list(store.alerts.triggered()),
    "features": lambda store: list(store.entitlements.features.list()),
    "entitlements": lambda store: [
        each
        for customer in ("cus_1", "cus_2")
        for each in store.entitlements.active_entitlements.list(customer)
    ],
    "corrections": lambda store: list(store.corrections.list()),
    "limits": lambda store: list(store.spend_limits.list()),
    "reports": lambda store: list(store.reports.list()),
    "products": lambda store: list(store.products.list()),
    "prices": lambda store: list(store.prices.list()),
    "customers": lambda store: list(store.customers.list()),
    "subscriptions": lambda store: list(store.subscriptions.list(status="all")),
    "statements": lambda store: list(store.statements.list()),
    "grants": lambda store: list(store.credit_grants.list()),
    "balance": lambda store: [
        store.credit_balance_summary.retrieve(customer=each).balances
        for each in ("cus_1", "cus_2")
    ],
    "history": lambda store: store.credit_balance_summary.history(
        customer="cus_1", start_time=NOW - DAY, end_time=LATER
    ).to_pylist(),
    "transactions": lambda store: list(store.credit_balance_transactions.list("cus_1")),
    "events": lambda store: list(store.events.list(limit=100)),
    "undelivered": lambda store: list(store.events.list(delivery_success=False)),
    "endpoints": lambda store: list(store.webhook_endpoints.list()),
    "deliveries": _deliveries,
}
"""What a store says, of what follows from its log."""

COMMANDS: dict[str, Command] = {
    "status": lambda store: store.status(),
    "audit": lambda store: store.audit.status(),
    "catch up": lambda store: store.catch_up(),
    **ANSWERS,
    "keys": lambda store: list(store.api_keys.list()),
    "admitted": lambda store: dict(store.internals.keys_by_digest()),
    "reports": lambda store: list(store.error_reports.list()),
    "find": lambda store: store.internals.requests.find(_request()),
    "record": lambda store: create_event(store, identifier="another", timestamp=LATER),
    "repeat": lambda store: create_event(store, identifier="event-3"),
    "cancel": lambda store: cancel_event(store, "event-30"),
    "grant": lambda store: grant(store, 700),
    "settle": lambda store: apply(store, "in_9", line(100)),
    "reinstate": lambda store: store.credits.reinstate(invoice="in_3"),
    "meter": lambda store: create_meter(store, "another"),
    "alert": lambda store: create_alert(store, next(iter(store.meters.list())), 1),
    "deliver": lambda store: store.deliver(),
    "answer": lambda store: store.internals.requests.answer(_request(), 200, b"{}"),
    "refuse": _refuse,
    "seal": lambda store: store.seal(),
}
"""What is asked of a store, and done with it: each in turn, on one connection."""


def problems_met(
    target: str, checkpoint: metering.Checkpoint | None = None
) -> tuple[str, ...]:
    """Verify a store, and then do everything with it: no failure but a named one.

    Returns:
        What verification says, or why the store cannot be opened or verified.
    """
    problems: tuple[str, ...] | None = None
    try:
        with opened(target) as store:
            problems = _problems_of(store, checkpoint)
            for do in COMMANDS.values():
                with suppress(metering.MeteringError):
                    do(store)
    except metering.MeteringError as error:
        return (error.message,) if problems is None else problems
    return problems


def _problems_of(
    store: metering.Metering, checkpoint: metering.Checkpoint | None
) -> tuple[str, ...]:
    try:
        return store.verify(checkpoint=checkpoint).problems
    except metering.MeteringError as error:
        return (error.message,)


def _request() -> Request:
    return Request(
        key_id="key", idempotency_key="key-1", fingerprint=b"", request_id="req_9"
    )
