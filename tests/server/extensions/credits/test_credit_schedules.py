"""Credit schedules over HTTP: made, changed, paused, resumed, canceled."""

import pytest
import stripe

from tests.server.extensions.credits.test_credit_holds import raw
from tests.server.usage import unique

SCHEDULES = "/metering/v1/credit_schedules"
USD = {"type": "monetary", "monetary": {"currency": "usd", "value": 500}}


def test_a_schedule_grants_changes_and_ends_for_stripes_client(
    client: stripe.StripeClient,
) -> None:
    customer, schedule_id = unique("cus"), unique("plan")
    given = {
        "id": schedule_id,
        "customer": customer,
        "amount": USD,
        "applicability_config": {"scope": {"price_type": "metered"}},
        "interval": "month",
        "rollover": {"type": "percent", "percent": 50},
    }
    made = raw(client, "post", SCHEDULES, **given)
    path = f"{SCHEDULES}/{schedule_id}"

    assert (made["object"], made["status"]) == ("metering.credit_schedule", "active")
    assert made["rollover"] == {"type": "percent", "percent": 50, "max_amount": None}
    [grant] = client.v1.billing.credit_grants.list({"customer": customer}).data
    assert (grant["schedule"], grant["schedule_period"]) == (schedule_id, 0)
    assert raw(client, "post", SCHEDULES, **given) == made
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, "post", SCHEDULES, **{**given, "interval": "week"})
    assert (refused.value.code, refused.value.param) == (
        "credit_schedule_conflict",
        "id",
    )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, "post", SCHEDULES, **{**given, "rollover": {"type": "percent"}})
    assert refused.value.param == "rollover[percent]"

    changed = raw(client, "post", path, rollover={"type": "none"}, expires_after=2)
    assert (changed["rollover"]["type"], changed["expires_after"]) == ("none", 2)
    assert raw(client, "post", path, expires_after="")["expires_after"] is None
    assert raw(client, "post", f"{path}/pause")["next_grant_at"] is None
    resumed = raw(client, "post", f"{path}/resume")
    assert resumed["next_grant_at"] == made["next_grant_at"]
    assert raw(client, "get", path) == resumed
    assert raw(client, "get", SCHEDULES, customer=customer)["data"] == [resumed]
    assert raw(client, "post", f"{path}/cancel")["status"] == "canceled"
