"""Webhook endpoints: what may be said of them, what is refused, and how they are listed."""

from datetime import timedelta
from typing import Any

import pytest

import metering
from metering.webhooks.event_rules import EVENT_TYPES
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_meter

URL = "https://example.com/webhooks"


def create(store: metering.Metering, **more: Any) -> metering.WebhookEndpoint:
    return store.webhook_endpoints.create(
        **{"url": URL, "enabled_events": ["*"], **more}
    )


def test_an_endpoint_is_what_was_said_of_it(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    types = ["billing.alert.triggered", "billing.meter.created"]

    made = create(
        store,
        enabled_events=[*types, types[0]],
        description="größe 🚕",
        metadata={"b": "2", "a": "1", "none": ""},
        signature="standard",
    )

    assert made.id.startswith("we_")
    assert made.enabled_events == tuple(types)
    assert (made.url, made.description) == (URL, "größe 🚕")
    assert made.metadata == {"a": "1", "b": "2"}
    assert (made.signature, made.status) == ("standard", "enabled")
    assert (made.created, made.livemode) == (clock.now(), False)
    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    known = store.webhook_endpoints.retrieve(made.id)
    assert known.secret is None
    assert known != made
    assert store.webhook_endpoints.list() == [known]


def test_a_secret_is_in_no_text_but_its_own(store: metering.Metering) -> None:
    made = create(store)
    rotated = store.webhook_endpoints.rotate_secret(made.id)

    for each in (made, rotated):
        assert each.secret is not None
        for text in (repr(each), str(each), repr([each]), repr(each.__rich_repr__())):
            assert each.secret not in text
            assert "secret" not in text
            assert made.id in text


INVALID: list[tuple[str, Any, str, str]] = [
    ("url", "http://example.com/", "url", "begins with https://"),
    ("url", "https://127.0.0.1/", "url", "at a public address"),
    ("url", "https://example.com:0/", "url", "port 443 or 8443"),
    ("url", None, "url", "a URL of 1 to 2048 characters"),
    ("enabled_events", [], "enabled_events", "a list of event types"),
    ("enabled_events", "*", "enabled_events", "a list of event types"),
    ("enabled_events", None, "enabled_events", "a list of event types"),
    ("enabled_events", {"*"}, "enabled_events", "a list of event types"),
    ("enabled_events", ["billing.meter"], "enabled_events", EVENT_TYPES[0]),
    ("enabled_events", ["*", 1], "enabled_events", EVENT_TYPES[0]),
    ("description", 1, "description", "a string of 1 to 5000 characters"),
    ("description", "x" * 5001, "description", "a string of 1 to 5000 characters"),
    ("description", "\x00", "description", "a NUL"),
    ("metadata", 1, "metadata", "an object of up to 50 keys"),
    ("metadata", {1: "a"}, "metadata", "a string of"),
    ("metadata", {"a": 1}, "metadata[a]", "a string of"),
    ("metadata", {"a": "\ud800"}, "metadata[a]", "half a surrogate pair"),
    ("metadata", {f"k{n}": "v" for n in range(51)}, "metadata", "at most 50"),
]


@pytest.mark.parametrize(("name", "value", "param", "right"), INVALID)
def test_what_is_wrong_is_named_and_nothing_is_recorded(
    store: metering.Metering, name: str, value: Any, param: str, right: str
) -> None:
    endpoint = create(store)
    before = store.position
    nothing = {"description": None, "metadata": None}

    with refused(None, param, right):
        create(store, **{name: value})

    if value != nothing.get(name, ...):
        with refused(None, param, right):
            store.webhook_endpoints.update(endpoint.id, **{name: value})
    assert store.position == before


@pytest.mark.parametrize("signature", ["Stripe", "", None, 1])
def test_another_signature_is_refused(
    store: metering.Metering, signature: object
) -> None:
    with pytest.raises(metering.InvalidRequestError, match="stripe, standard"):
        create(store, signature=signature)


@pytest.mark.parametrize("disabled", [None, 1, "true"])
def test_disabled_is_true_or_false(store: metering.Metering, disabled: Any) -> None:
    endpoint = create(store)

    with pytest.raises(metering.InvalidRequestError, match="true or false") as refused:
        store.webhook_endpoints.update(endpoint.id, disabled=disabled)
    assert refused.value.param == "disabled"


@pytest.mark.parametrize(
    "overlap", [timedelta(microseconds=-1), timedelta(days=31), 60, None]
)
def test_an_overlap_is_of_up_to_thirty_days(
    store: metering.Metering, overlap: Any
) -> None:
    endpoint = create(store)

    with refused(param="overlap"):
        store.webhook_endpoints.rotate_secret(endpoint.id, overlap=overlap)


def test_an_update_changes_what_it_names_only(store: metering.Metering) -> None:
    endpoints = store.webhook_endpoints
    made = create(store, description="one", metadata={"a": "1", "b": "2"})

    assert endpoints.update(made.id).metadata == {"a": "1", "b": "2"}
    before = store.position
    assert endpoints.update(made.id, description="one", disabled=False).url == URL
    assert store.position == before

    changed = endpoints.update(made.id, metadata={"a": "", "c": "3"})
    assert changed.metadata == {"b": "2", "c": "3"}
    assert (changed.description, changed.status) == ("one", "enabled")
    changed = endpoints.update(made.id, url=f"{URL}/2", description="", disabled=True)
    assert (changed.url, changed.description) == (f"{URL}/2", None)
    assert (changed.status, changed.created) == ("disabled", made.created)
    assert endpoints.update(made.id, metadata=None).metadata == {}
    store.rebuild()
    assert endpoints.retrieve(made.id) == endpoints.update(made.id)


def test_there_are_sixteen_endpoints_at_most(store: metering.Metering) -> None:
    made = [create(store) for _ in range(16)]
    listed = store.webhook_endpoints.list(limit=100)
    assert [each.id for each in listed] == [each.id for each in reversed(made)]

    with pytest.raises(metering.InvalidRequestError, match="16 webhook endpoints") as e:
        create(store)
    assert e.value.code == "webhook_endpoint_limit_reached"

    store.webhook_endpoints.delete(made[0].id)
    create(store)


@pytest.mark.parametrize("endpoint_id", ["we_none", "", "\x00", None, 1])
def test_an_endpoint_that_is_unknown_is_missing(
    store: metering.Metering, endpoint_id: Any
) -> None:
    for ask in (
        store.webhook_endpoints.retrieve,
        store.webhook_endpoints.update,
        store.webhook_endpoints.rotate_secret,
        store.webhook_endpoints.delete,
        store.webhook_endpoints.deliveries,
    ):
        with pytest.raises(metering.ResourceMissingError, match="webhook endpoint"):
            ask(endpoint_id)


@pytest.mark.dialect
def test_endpoints_are_known_to_every_connection_and_in_the_log(
    connect: Connect, clock: metering.FixedClock
) -> None:
    one, other = connect(clock=clock), connect(clock=clock)
    made = create(one)
    other.webhook_endpoints.update(made.id, disabled=True)
    create_meter(one)

    assert one.webhook_endpoints.retrieve(made.id).status == "disabled"
    other.webhook_endpoints.delete(made.id)
    assert one.webhook_endpoints.list() == []
    assert one.verify().problems == ()
