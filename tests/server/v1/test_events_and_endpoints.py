"""Events and webhook endpoints, by Stripe's own client."""

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import (
    ALERT_TRIGGERED,
    BY_OBJECT,
    DELETED,
    ENDPOINT,
    EVENT,
    NEW_ENDPOINT,
    check_shape,
    differences,
    list_of,
)
from tests.server.usage import create_alert, create_event, create_grant, create_meter


def catch_up(server: Server) -> None:
    with server.store() as store:
        store.catch_up()


def test_every_kind_of_event_is_listed_and_retrieved(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    client.v1.billing.meters.update(meter.id, {"display_name": "Other"})
    client.v1.billing.meters.deactivate(meter.id)
    client.v1.billing.meters.reactivate(meter.id)
    create_alert(client, meter)
    create_event(client, meter, "12.5")
    grant = create_grant(client)
    client.v1.billing.credit_grants.void_grant(grant.id)
    catch_up(server)

    events = client.v1.events.list({"limit": 100})

    plain = check_shape(events, list_of(EVENT))
    assert plain["url"] == "/v1/events"
    assert {each["type"] for each in plain["data"]} == {
        "billing.alert.triggered",
        "billing.credit_balance_transaction.created",
        "billing.credit_grant.created",
        "billing.credit_grant.updated",
        "billing.meter.created",
        "billing.meter.deactivated",
        "billing.meter.reactivated",
        "billing.meter.updated",
    }
    for each in plain["data"]:
        told = each["data"]["object"]
        assert differences(told, BY_OBJECT[told["object"]]) == []
    one = client.v1.events.retrieve(plain["data"][0]["id"])
    assert check_shape(one, EVENT) == plain["data"][0]


def test_a_triggered_alert_is_an_event_with_its_alert(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    alert = create_alert(client, meter)
    create_event(client, meter, "11")
    catch_up(server)

    events = client.v1.events.list({"type": "billing.alert.triggered", "limit": 1})

    [event] = check_shape(events, list_of(EVENT))["data"]
    told = event["data"]["object"]
    assert differences(told, ALERT_TRIGGERED) == []
    assert told["alert"]["id"] == alert.id
    assert (told["customer"], told["value"]) == ("cus_1", 11)


def test_events_are_listed_by_when_they_were_created(
    client: stripe.StripeClient,
) -> None:
    create_meter(client)
    [newest] = client.v1.events.list({"limit": 1}).data

    at = client.v1.events.list({"created": newest.created, "limit": 1}).data
    after = client.v1.events.list({"created": {"gt": newest.created}}).data
    up_to = client.v1.events.list({"created": {"lte": newest.created}, "limit": 1}).data
    before = client.v1.events.list({"created": {"lt": newest.created}}).data

    assert [each.id for each in at] == [each.id for each in up_to] == [newest.id]
    assert newest.id not in {each.id for each in (*after, *before)}


def test_events_are_listed_by_stripes_other_filters(
    client: stripe.StripeClient,
) -> None:
    create_meter(client)
    create_grant(client)
    types = ["billing.meter.created", "billing.credit_grant.created"]
    everything = client.v1.events.list({"limit": 100}).data

    of_types = client.v1.events.list({"types": types, "limit": 100}).data
    of_group = client.v1.events.list({"type": "billing.meter.*", "limit": 100}).data
    first = client.v1.events.list({"types": types, "limit": 1})
    # There is no endpoint that would not have taken them.
    taken = client.v1.events.list({"delivery_success": True, "limit": 100}).data
    others = client.v1.events.list({"delivery_success": False}).data

    assert of_types == [each for each in everything if each.type in types] != []
    assert list(first.auto_paging_iter())[: len(of_types)] == of_types
    assert {each.type.rpartition(".")[0] for each in of_group} == {"billing.meter"}
    assert (taken, others) == (everything, [])


def test_an_endpoint_is_made_changed_and_deleted(client: stripe.StripeClient) -> None:
    endpoints = client.v1.webhook_endpoints

    made = endpoints.create(
        {
            "url": "https://127.0.0.1/hooks",
            "enabled_events": ["billing.meter.created"],
            "description": "Billing",
            "metadata": {"a": "1"},
        }
    )

    plain = check_shape(made, NEW_ENDPOINT)
    assert plain["secret"].startswith("whsec_")
    assert plain["enabled_events"] == ["billing.meter.created"]
    assert (plain["status"], plain["description"]) == ("enabled", "Billing")
    changed = endpoints.update(
        made.id,
        {
            "url": "https://127.0.0.1/other",
            "enabled_events": ["*"],
            "description": "",
            "metadata": "",
            "disabled": True,
        },
    )
    plain = check_shape(changed, ENDPOINT)
    assert (plain["url"], plain["enabled_events"]) == ("https://127.0.0.1/other", ["*"])
    assert (plain["description"], plain["metadata"]) == (None, {})
    assert plain["status"] == "disabled"
    assert check_shape(endpoints.retrieve(made.id), ENDPOINT) == plain
    assert check_shape(endpoints.list(), list_of(ENDPOINT))["data"][0] == plain
    assert check_shape(endpoints.delete(made.id), DELETED)["deleted"] is True
    with pytest.raises(stripe.InvalidRequestError) as missing:
        endpoints.retrieve(made.id)
    assert missing.value.http_status == 404
