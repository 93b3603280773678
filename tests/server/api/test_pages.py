"""Lists are paged in both directions, and expanded, as Stripe's client does it."""

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import ALERT, GRANT, METER, TRANSACTION, check_shape, list_of
from tests.server.usage import create_alert, create_grant, create_meter

COUNT = 5


@pytest.fixture(scope="module")
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return create_meter(client)


@pytest.fixture(scope="module")
def alerts(client: stripe.StripeClient, meter: stripe.billing.Meter) -> list[str]:
    """Their ids, newest first."""
    return [create_alert(client, meter).id for _ in range(COUNT)][::-1]


@pytest.fixture(scope="module")
def grants(client: stripe.StripeClient) -> list[str]:
    """Those of cus_pages, newest first."""
    return [create_grant(client, "cus_pages").id for _ in range(COUNT)][::-1]


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_alerts_are_paged_to_their_end(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    alerts: list[str],
    limit: int,
) -> None:
    page = client.v1.billing.alerts.list(
        {"meter": meter.id, "alert_type": "usage_threshold", "limit": limit}
    )

    assert check_shape(page, list_of(ALERT))["url"] == "/v1/billing/alerts"
    assert page.has_more == (limit < COUNT)
    assert [each.id for each in page.auto_paging_iter()] == alerts


def test_grants_are_paged_backwards(
    client: stripe.StripeClient, grants: list[str]
) -> None:
    page = client.v1.billing.credit_grants.list(
        {"customer": "cus_pages", "limit": 2, "ending_before": grants[-1]}
    )

    assert check_shape(page, list_of(GRANT))["url"] == "/v1/billing/credit_grants"
    # The page right before the cursor, the newest first as ever.
    assert [each.id for each in page.data] == grants[2:4]
    assert page.has_more
    assert [each.id for each in page.auto_paging_iter()] == grants[:-1][::-1]


def test_meters_are_paged_in_both_directions(client: stripe.StripeClient) -> None:
    made = [create_meter(client).id for _ in range(COUNT)][::-1]
    meters = client.v1.billing.meters

    after = meters.list({"limit": 2, "starting_after": made[0]})
    before = meters.list({"limit": 2, "ending_before": made[-1]})
    newest = meters.list({"limit": 2, "ending_before": made[1]})

    assert [each.id for each in after.data] == made[1:3]
    assert [each.id for each in before.data] == made[2:4]
    assert (after.has_more, before.has_more) == (True, True)
    assert [each.id for each in newest.data] == made[:1]
    assert not newest.has_more
    everything = [each.id for each in meters.list({"limit": 3}).auto_paging_iter()]
    assert everything[:COUNT] == made
    assert len(everything) == len(set(everything))


def test_transactions_and_events_are_paged(
    client: stripe.StripeClient, grants: list[str]
) -> None:
    transactions = client.v1.billing.credit_balance_transactions.list(
        {"customer": "cus_pages", "limit": 2}
    )
    events = client.v1.events.list({"type": "billing.credit_grant.created", "limit": 2})

    assert [each.credit_grant for each in transactions.auto_paging_iter()] == grants
    told = [each.data.object["id"] for each in events.auto_paging_iter()]
    assert told == grants


def test_ten_are_listed_where_nothing_is_said(client: stripe.StripeClient) -> None:
    for _ in range(11):
        create_meter(client)

    page = client.v1.billing.meters.list()

    assert len(page.data) == 10
    assert page.has_more


@pytest.mark.parametrize("limit", ["0", "101", "x", ""])
def test_a_limit_out_of_bounds_is_refused(server: Server, limit: str) -> None:
    answered = server.ask("GET", f"/v1/billing/meters?limit={limit}")

    assert answered.status == 400
    assert answered.error["param"] == "limit"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/billing/meters?",
        "/v1/billing/alerts?",
        "/v1/billing/credit_grants?",
        "/v1/billing/credit_balance_transactions?customer=cus_pages&",
        "/v1/events?",
        "/v1/webhook_endpoints?",
    ],
)
def test_a_cursor_is_one_id_that_is_there(server: Server, path: str) -> None:
    for cursor in ("starting_after", "ending_before"):
        missing = server.ask("GET", f"{path}{cursor}=none")
        assert missing.status == 400
        assert missing.error["code"] == "resource_missing"
        assert missing.error["param"] == cursor
    both = server.ask("GET", f"{path}starting_after=a&ending_before=b")
    assert both.status == 400
    assert both.error["code"] == "parameters_exclusive"


def test_an_id_is_expanded_in_one_and_in_each_of_a_list(
    client: stripe.StripeClient, meter: stripe.billing.Meter, alerts: list[str]
) -> None:
    one = client.v1.billing.alerts.retrieve(
        alerts[0], {"expand": ["usage_threshold.meter"]}
    )
    listed = client.v1.billing.alerts.list(
        {"meter": meter.id, "expand": ["data.usage_threshold.meter"], "limit": 2}
    )

    expanded = check_shape(one, ALERT)["usage_threshold"]["meter"]
    assert expanded["id"] == meter.id
    assert set(expanded) == set(METER)
    for each in check_shape(listed, list_of(ALERT))["data"]:
        assert each["usage_threshold"]["meter"] == expanded


def test_a_grant_is_expanded_in_its_transactions(
    client: stripe.StripeClient, grants: list[str]
) -> None:
    transactions = client.v1.billing.credit_balance_transactions.list(
        {
            "credit_grant": grants[0],
            "expand": ["data.credit_grant", "data.test_clock"],
        }
    )

    [told] = check_shape(transactions, list_of(TRANSACTION))["data"]
    assert told["credit_grant"]["id"] == grants[0]


@pytest.mark.parametrize(
    ("path", "expanded"),
    [
        ("/v1/billing/meters", "data.id"),
        ("/v1/billing/meters", "id"),
        ("/v1/billing/meters", "data.a.b.c.d"),
        ("/v1/billing/alerts", "usage_threshold.meter"),
        ("/v1/billing/alerts", "data.usage_threshold.filters.customer"),
        ("/v1/billing/credit_grants", "data.customer"),
        (
            "/v1/billing/credit_balance_summary?customer=a&filter[type]=credit_grant",
            "x",
        ),
    ],
)
def test_what_cannot_be_expanded_is_refused(
    server: Server, path: str, expanded: str
) -> None:
    separator = "&" if "?" in path else "?"

    answered = server.ask("GET", f"{path}{separator}expand[]={expanded}")

    assert answered.status == 400
    words = "This property cannot be expanded"
    if expanded.count(".") >= 4:
        words = "You cannot expand more than 4 levels of a property"
    assert answered.error == {
        "type": "invalid_request_error",
        "message": f"{words} ({expanded}).",
        "param": "expand",
    }
