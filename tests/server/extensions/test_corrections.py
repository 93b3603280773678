"""Corrections over HTTP, by Stripe's client: previewed, applied, reverted, refused."""

from typing import Any

import pytest
import stripe

from tests.server.extensions.credits.test_credit_holds import raw
from tests.server.usage import create_event, create_meter, summed

CORRECTIONS = "/metering/v1/corrections"


def test_a_correction_is_previewed_applied_and_reverted(
    client: stripe.StripeClient,
) -> None:
    meter = create_meter(client)
    for _ in range(3):
        create_event(client, meter)
    before = summed(client, meter)
    change: Any = {
        "type": "replace",
        "event_name": meter.event_name,
        "replace": {"customer": "cus_other"},
    }
    given: Any = {"changes": [change]}
    why: Any = {"reason": "wrong", "author": "Ada"}

    impact = raw(client, "post", f"{CORRECTIONS}/preview", **given)
    untouched = summed(client, meter)
    made = raw(client, "post", CORRECTIONS, **given, **why)
    path = f"{CORRECTIONS}/{made['id']}"

    assert (impact["cancelled"], impact["replaced"]) == (3, 3)
    assert [float(each["after"]) for each in impact["usage"]] == [0, before]
    assert (untouched, summed(client, meter)) == (before, 0)
    assert raw(client, "get", path) == made
    assert raw(client, "get", CORRECTIONS)["data"][0] == made
    assert raw(client, "post", f"{path}/revert")["status"] == "reverted"
    assert summed(client, meter) == before
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, "post", f"{path}/revert")
    assert (refused.value.code, refused.value.param) == ("correction_reverted", "id")
    # A file is named to the library and the command line alone.
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, "post", CORRECTIONS, changes="/etc/passwd", **why)
    assert refused.value.param == "changes"
