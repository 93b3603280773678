"""Credit grants: what may be done to them, and when."""

from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import (
    DAY,
    METERED,
    apply,
    balance,
    for_prices,
    grant,
    line,
    money,
    told,
    usd,
)
from tests.metering.usual_usage import NOW, create_meter


def test_a_grant_has_the_usual_settings(store: metering.Metering) -> None:
    made = grant(store)

    assert made == metering.CreditGrant(
        id=made.id,
        amount=usd(1_000),
        applicability_config=metering.ApplicabilityConfig(
            scope=metering.CreditScope(price_type="metered", prices=None)
        ),
        category="paid",
        created=NOW,
        updated=NOW,
        customer="cus_1",
        effective_at=NOW,
        expires_at=None,
        livemode=False,
        metadata={},
        name=None,
        priority=50,
        voided_at=None,
    )
    assert made.object == "billing.credit_grant"
    assert (made.customer_account, made.test_clock) == (None, None)
    assert made.id.startswith("credgr_test_")


@pytest.mark.dialect
def test_a_grant_has_the_settings_it_was_given(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW))

    made = grant(
        store,
        customer="größe 🚕",
        amount=money(10, "KWD"),
        applicability_config=for_prices("price_1", "price_2"),
        category="promotional",
        priority=0,
        name="n" * 100,
        effective_at=NOW - DAY,
        expires_at=(NOW + DAY).isoformat(),
        metadata={"b": "2", "a": "1"},
    )

    assert store.credit_grants.retrieve(made.id) == made
    assert made.customer == "größe 🚕"
    assert made.amount.monetary == metering.Monetary(currency="kwd", value=10)
    assert made.applicability_config.scope == metering.CreditScope(
        price_type=None,
        prices=(metering.ScopePrice(id="price_1"), metering.ScopePrice(id="price_2")),
    )
    assert (made.category, made.priority, made.name) == ("promotional", 0, "n" * 100)
    assert (made.effective_at, made.expires_at) == (NOW - DAY, NOW + DAY)
    assert made.metadata == {"a": "1", "b": "2"}


def test_a_live_store_names_its_grants_without_test(clock: metering.FixedClock) -> None:
    with metering.connect(":memory:", clock=clock, livemode=True) as live:
        made = grant(live)
        (drew,) = apply(live)

    assert made.livemode
    assert drew.livemode
    assert "_test_" not in made.id + drew.id


@pytest.mark.parametrize(
    ("currency", "value"), [("jpy", 1), ("kwd", 1_010), ("usd", 999_999_999_999)]
)
def test_an_amount_is_in_the_minor_units_of_its_currency(
    store: metering.Metering, currency: str, value: int
) -> None:
    grant(store, amount=money(value, currency))

    assert balance(store) == {currency: (value, value)}


def test_a_grant_can_be_given_another_expiry(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(store, expires_at=NOW + DAY)
    clock.advance(DAY / 2)

    changed = store.credit_grants.update(made.id, expires_at=NOW + 3 * DAY)

    assert changed.expires_at == NOW + 3 * DAY
    assert changed.updated == NOW + DAY / 2
    assert changed.created == NOW
    assert balance(store, at=NOW + 2 * DAY) == {"usd": (1_000, 1_000)}


@pytest.mark.parametrize("never", [None, ""])
def test_an_expiry_can_be_taken_away(
    store: metering.Metering, never: str | None
) -> None:
    made = grant(store, expires_at=NOW + DAY)

    assert store.credit_grants.update(made.id, expires_at=never).expires_at is None


def test_metadata_is_merged_and_empty_texts_take_keys_away(
    store: metering.Metering,
) -> None:
    made = grant(store, metadata={"a": "1", "b": "2"})

    merged = store.credit_grants.update(made.id, metadata={"a": "", "c": "3"})
    same = store.credit_grants.update(made.id, metadata={})
    nothing = store.credit_grants.update(made.id, metadata=None)

    assert merged.metadata == {"b": "2", "c": "3"}
    assert same == merged
    assert nothing.metadata == {}


def test_an_update_that_changes_nothing_records_nothing(
    store: metering.Metering,
) -> None:
    made = grant(store, expires_at=NOW + DAY, metadata={"a": "1"})

    store.credit_grants.update(made.id)
    store.credit_grants.update(made.id, expires_at=NOW + DAY, metadata={"a": "1"})

    assert store.position == 1


def test_metadata_is_checked_before_the_grant_is_looked_for(
    store: metering.Metering,
) -> None:
    with refused(param="metadata[k]"):
        store.credit_grants.update("credgr_none", metadata={"k": "v" * 501})


def test_an_expired_grant_keeps_its_expiry_but_not_its_metadata(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(store, expires_at=NOW + DAY)
    clock.advance(DAY)

    noted = store.credit_grants.update(made.id, metadata={"seen": "yes"})
    with pytest.raises(metering.InvalidRequestError) as refusal:
        store.credit_grants.update(made.id, expires_at=NOW + 9 * DAY)

    assert noted.metadata == {"seen": "yes"}
    assert (refusal.value.code, refusal.value.param) == ("credit_grant_expired", "id")


def test_expiring_a_grant_forfeits_what_is_left(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(store)
    apply(store, "in_1", line(300))
    clock.advance(DAY)

    expired = store.credit_grants.expire(made.id)

    assert expired.expires_at == expired.updated == NOW + DAY
    assert balance(store) == {"usd": (0, 0)}
    assert told(store.credit_balance_transactions.list("cus_1")) == [
        ("credits_expired", -700),
        ("credits_applied", -300),
        ("credits_granted", 1_000),
    ]


def test_a_pending_grant_can_be_expired(store: metering.Metering) -> None:
    made = grant(store, effective_at=NOW + DAY)

    assert store.credit_grants.expire(made.id).expires_at == NOW
    assert balance(store, at=NOW + 2 * DAY) == {"usd": (0, 0)}


def test_voiding_a_grant_takes_it_back(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(store)
    clock.advance(DAY)

    voided = store.credit_grants.void(made.id)

    assert voided.voided_at == voided.updated == NOW + DAY
    assert voided.expires_at is None
    assert balance(store) == {"usd": (0, 0)}
    assert balance(store, at=NOW) == {"usd": (1_000, 1_000)}
    assert told(store.credit_balance_transactions.list("cus_1"))[0] == (
        "credits_voided",
        -1_000,
    )


def test_a_grant_can_be_voided_once_nothing_of_it_is_applied_any_more(
    store: metering.Metering,
) -> None:
    made = grant(store)
    apply(store)
    with pytest.raises(metering.InvalidRequestError) as refusal:
        store.credit_grants.void(made.id)
    store.credits.reinstate(invoice="in_1")

    voided = store.credit_grants.void(made.id)

    assert (refusal.value.code, refusal.value.param) == ("credit_grant_applied", "id")
    assert "100 of 1000 usd" in refusal.value.message
    assert voided.voided_at == NOW


@pytest.mark.parametrize("ended", ["expire", "void"])
@pytest.mark.parametrize("change", ["expire", "void", "update"])
def test_a_grant_that_is_over_stays_as_it_is(
    store: metering.Metering, ended: str, change: str
) -> None:
    made = grant(store)
    getattr(store.credit_grants, ended)(made.id)
    position = store.position
    keywords = {"expires_at": NOW + DAY} if change == "update" else {}

    with pytest.raises(metering.InvalidRequestError) as refusal:
        getattr(store.credit_grants, change)(made.id, **keywords)

    word = {"expire": "expired", "void": "voided"}[ended]
    assert (refusal.value.code, refusal.value.param) == (f"credit_grant_{word}", "id")
    assert f"{made.id} is {word} since 2026-03-01T12:00:00+00:00" in str(refusal.value)
    assert store.position == position


def test_a_grant_whose_time_is_over_cannot_be_expired_again(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    made = grant(store, expires_at=NOW + DAY)
    clock.advance(DAY)

    for change in (store.credit_grants.expire, store.credit_grants.void):
        with refused("credit_grant_expired"):
            change(made.id)


@pytest.mark.parametrize("grant_id", ["credgr_none", "", "a\0b", "\ud800"])
def test_an_unknown_grant_is_missing(store: metering.Metering, grant_id: str) -> None:
    grants = store.credit_grants
    for question in (grants.retrieve, grants.expire, grants.void, grants.update):
        with refused(param="id", kind=metering.ResourceMissingError):
            question(grant_id)

    assert store.position == 0


def test_grants_are_listed_by_customer_and_ten_at_a_time(
    store: metering.Metering,
) -> None:
    ids = [grant(store, customer=f"cus_{number % 2}").id for number in range(12)][::-1]

    def listed(**keywords: Any) -> list[str]:
        return [each.id for each in store.credit_grants.list(**keywords)]

    assert listed() == ids[:10]
    assert listed(customer="cus_1") == ids[::2]
    assert listed(customer="cus_1", starting_after=ids[0], limit=2) == ids[2:5:2]
    assert listed(customer="cus_9") == []
    with refused("parameter_invalid", "customer"):
        listed(customer="")


def test_a_customer_has_so_many_unused_grants_and_no_more(
    clock: metering.FixedClock, connect: Connect
) -> None:
    store = connect(clock=clock, credit_grants_max=3)
    first = grant(store, 100)
    grant(store, 100, expires_at=NOW + DAY)
    grant(store, 100, effective_at=NOW + 9 * DAY)

    with pytest.raises(metering.InvalidRequestError) as refusal:
        grant(store)
    grant(store, customer="cus_2")
    store.credit_grants.void(first.id)
    last = grant(store, 100)
    clock.advance(DAY)
    grant(store, 50)
    apply(store, "in_1", line(150))
    grant(store)

    assert refusal.value.code == "credit_grant_limit_reached"
    assert refusal.value.param == "customer"
    assert store.credit_grants.retrieve(last.id).voided_at is None


def test_by_default_a_customer_has_a_hundred_unused_grants(
    store: metering.Metering,
) -> None:
    for _ in range(100):
        grant(store)

    with pytest.raises(metering.InvalidRequestError):
        grant(store)


def test_grants_leave_meters_as_they_are(store: metering.Metering) -> None:
    meter = create_meter(store)

    grant(store)
    store.credit_grants.create(
        customer="cus_1", amount=money(), applicability_config=METERED
    )

    assert store.meters.list() == [meter]
    assert store.verify().ok


def test_a_clock_that_steps_back_reopens_nothing(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    made = grant(store, expires_at=NOW + DAY)
    clock.set(NOW + DAY)
    grant(store, customer="cus_2")
    clock.set(NOW)

    with pytest.raises(metering.InvalidRequestError):
        store.credit_grants.expire(made.id)
    assert balance(store) == {"usd": (0, 0)}
    assert apply(store) == []
    assert grant(store).created == NOW + DAY
