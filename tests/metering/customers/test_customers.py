"""Customers: creating, changing, finding and deleting them."""

from datetime import timedelta
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_usage import NOW, create_event, create_meter

ADDRESS: metering.AddressParams = {"city": "Ulm", "country": "DE", "line2": None}


def test_a_customer_has_the_usual_settings(store: metering.Metering) -> None:
    customer = store.customers.create()

    assert customer == metering.Customer(
        id=customer.id,
        address=None,
        created=NOW,
        description=None,
        email=None,
        livemode=False,
        metadata={},
        name=None,
        phone=None,
        preferred_locales=(),
        shipping=None,
        tax_exempt="none",
        test_clock=None,
    )
    assert customer.id.startswith("cus_test_")


def test_customers_stay_as_they_were_made_and_changed(connect: Connect) -> None:
    m = connect()
    made = m.customers.create(
        name="Größe 🚕",
        email="a@example.com",
        address=ADDRESS,
        shipping={"name": "B", "address": ADDRESS, "phone": "1"},
        preferred_locales=["de", "en"],
        metadata={"a": "1", "b": "2"},
    )
    changed = m.customers.update(
        made.id,
        email=None,
        shipping=None,
        preferred_locales=["fr"],
        tax_exempt="exempt",
        metadata={"a": "", "c": "3"},
    )
    m.rebuild()

    assert m.customers.retrieve(made.id) == changed
    assert m.verify().ok
    assert made.shipping is not None
    assert made.shipping.address.city == "Ulm"
    assert made.shipping.address.line2 is None
    assert (changed.name, changed.email) == ("Größe 🚕", None)
    assert changed.metadata == {"b": "2", "c": "3"}
    assert changed.tax_exempt == "exempt"


def test_a_change_of_nothing_is_not_recorded(store: metering.Metering) -> None:
    customer = store.customers.create(name="A", metadata={"a": "1"})
    before = store.position

    assert store.customers.update(customer.id, name="A", metadata={"b": ""}) == customer
    assert store.position == before


def test_deleting_a_customer_ends_its_subscriptions(connect: Connect) -> None:
    m = connect()
    customer = m.customers.create(name="A")
    subscription = subscribe(m, customer=customer.id)
    other = subscribe(m)

    m.customers.delete(customer.id)

    deleted = metering.DeletedCustomer(id=customer.id)
    assert m.customers.retrieve(customer.id) == deleted
    assert m.subscriptions.retrieve(subscription.id).status == "canceled"
    assert m.subscriptions.retrieve(other.id).status == "active"
    assert m.customers.list() == []
    for method in (m.customers.delete, m.customers.update):
        with refused("resource_missing", "id", f"No such customer: '{customer.id}'"):
            method(customer.id)
    with refused("resource_missing", "customer"):
        subscribe(m, customer=customer.id)
    assert m.verify().ok


def test_usage_of_a_deleted_customer_is_accepted(store: metering.Metering) -> None:
    create_meter(store)
    customer = store.customers.create()
    store.customers.delete(customer.id)

    payload = {"stripe_customer_id": customer.id, "value": "1"}
    assert create_event(store, payload=payload).position > 0


def test_customers_are_listed_newest_first(connect: Connect) -> None:
    clock = metering.FixedClock(NOW)
    m = connect(clock=clock)
    made = []
    for email in ("a@example.com", "b@example.com", "a@example.com"):
        made.append(m.customers.create(email=email))
        clock.advance(timedelta(seconds=1))
    first, second, third = made

    page = m.customers.list(limit=2)

    assert list(page) == [third, second]
    assert list(page.auto_paging_iter()) == [third, second, first]
    assert list(m.customers.list(email="a@example.com")) == [third, first]
    assert list(m.customers.list(created={"gt": NOW})) == [third, second]
    assert list(m.customers.list(ending_before=second.id)) == [third]
    with refused("resource_missing", "starting_after"):
        m.customers.list(starting_after="cus_x")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"name": ""}, "name"),
        ({"email": "x" * 513}, "email"),
        ({"address": {"street": "a"}}, "address[street]"),
        ({"shipping": {"name": "a"}}, "shipping[address]"),
        ({"tax_exempt": "some"}, "tax_exempt"),
        ({"preferred_locales": "de"}, "preferred_locales"),
        ({"metadata": {"x" * 41: "1"}}, "metadata"),
    ],
)
def test_what_is_malformed_is_refused(
    store: metering.Metering, given: dict[str, Any], param: str
) -> None:
    with refused(None, param):
        store.customers.create(**given)

    assert store.position == 0
