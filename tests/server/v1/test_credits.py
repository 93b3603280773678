"""Credit grants, balances and transactions, by Stripe's own client."""

from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import (
    BALANCE_SUMMARY,
    GRANT,
    TRANSACTION,
    check_shape,
    list_of,
)
from tests.server.usage import DAY, create_grant, now, unique

METERED: Any = {
    "type": "applicability_scope",
    "applicability_scope": {"price_type": "metered"},
}


def test_a_grant_is_created(client: stripe.StripeClient) -> None:
    tomorrow = now() + DAY

    grant = client.v1.billing.credit_grants.create(
        {
            "customer": "cus_1",
            "name": "Purchased Credits",
            "category": "promotional",
            "priority": 10,
            "amount": {
                "type": "monetary",
                "monetary": {"currency": "USD", "value": 1000},
            },
            "applicability_config": {
                "scope": {"prices": [{"id": "price_1"}, {"id": "price_2"}]}
            },
            "effective_at": tomorrow,
            "expires_at": tomorrow + DAY,
            "metadata": {"order": "6735", "ä": "ö"},
        }
    )

    plain = check_shape(grant, GRANT)
    assert plain["id"].startswith("credgr_test_")
    assert plain["amount"]["monetary"] == {"currency": "usd", "value": 1000}
    assert plain["applicability_config"]["scope"] == {
        "price_type": None,
        "prices": [{"id": "price_1"}, {"id": "price_2"}],
    }
    assert plain["category"] == "promotional"
    assert (plain["effective_at"], plain["expires_at"]) == (tomorrow, tomorrow + DAY)
    assert plain["metadata"] == {"order": "6735", "ä": "ö"}
    assert (plain["name"], plain["priority"]) == ("Purchased Credits", 10)


def test_a_grant_has_the_usual_settings(client: stripe.StripeClient) -> None:
    grant = create_grant(client)

    plain = check_shape(grant, GRANT)
    assert plain["applicability_config"]["scope"]["price_type"] == "metered"
    assert (plain["category"], plain["priority"]) == ("paid", 50)
    assert plain["effective_at"] == plain["created"] == plain["updated"]
    assert (plain["expires_at"], plain["voided_at"], plain["name"]) == (None,) * 3
    assert plain["metadata"] == {}


def test_a_grant_is_updated(client: stripe.StripeClient) -> None:
    grant = create_grant(client, metadata={"a": "1", "b": "2"})
    grants, tomorrow = client.v1.billing.credit_grants, now() + DAY

    changed = grants.update(
        grant.id, {"expires_at": tomorrow, "metadata": {"a": "", "c": "3"}}
    )

    plain = check_shape(changed, GRANT)
    assert plain["expires_at"] == tomorrow
    assert plain["metadata"] == {"b": "2", "c": "3"}
    unsets: Any = {"expires_at": "", "metadata": ""}
    unset = grants.update(grant.id, unsets)
    plain = check_shape(unset, GRANT)
    assert (plain["expires_at"], plain["metadata"]) == (None, {})
    assert grants.retrieve(grant.id) == unset


def test_a_grant_is_expired_or_voided(client: stripe.StripeClient) -> None:
    grants = client.v1.billing.credit_grants

    expired = grants.expire(create_grant(client).id)
    voided = grants.void_grant(create_grant(client).id)

    assert abs(check_shape(expired, GRANT)["expires_at"] - now()) < 60
    assert abs(check_shape(voided, GRANT)["voided_at"] - now()) < 60


def test_the_balance_of_a_customer_is_what_is_left(client: stripe.StripeClient) -> None:
    customer = unique("cus")
    grant = create_grant(client, customer)
    create_grant(client, customer, effective_at=now() + DAY)

    summary = client.v1.billing.credit_balance_summary.retrieve(
        {"customer": customer, "filter": METERED}
    )

    plain = check_shape(summary, BALANCE_SUMMARY)
    assert plain["customer"] == customer
    [balance] = plain["balances"]
    assert balance["available_balance"]["monetary"]["value"] == 1_000
    assert balance["ledger_balance"]["monetary"]["value"] == 2_000
    of_one: Any = {"type": "credit_grant", "credit_grant": grant.id}
    summary = client.v1.billing.credit_balance_summary.retrieve(
        {"customer": customer, "filter": of_one}
    )
    [balance] = check_shape(summary, BALANCE_SUMMARY)["balances"]
    assert balance["ledger_balance"]["monetary"]["value"] == 1_000


def test_a_customer_without_credits_has_no_balances(
    client: stripe.StripeClient,
) -> None:
    summary = client.v1.billing.credit_balance_summary.retrieve(
        {"customer": unique("cus"), "filter": METERED}
    )

    assert check_shape(summary, BALANCE_SUMMARY)["balances"] == []


def test_transactions_tell_of_all_that_happened_to_credits(
    server: Server, client: stripe.StripeClient
) -> None:
    customer = unique("cus")
    grant = create_grant(client, customer)
    with server.store() as store:
        store.credits.apply(
            invoice=unique("in"),
            customer=customer,
            period_end=now() + 60,
            lines=[{"id": "il_1", "amount": 300, "currency": "usd", "price": "price"}],
        )
    client.v1.billing.credit_grants.expire(grant.id)
    transactions = client.v1.billing.credit_balance_transactions

    listed = transactions.list({"customer": customer, "credit_grant": grant.id})

    plain = check_shape(listed, list_of(TRANSACTION))
    told = [
        (each["type"], (each["credit"] or each["debit"])["type"])
        for each in plain["data"]
    ]
    assert told == [
        ("debit", "credits_expired"),
        ("debit", "credits_applied"),
        ("credit", "credits_granted"),
    ]
    applied = plain["data"][1]["debit"]
    assert applied["amount"]["monetary"] == {"currency": "usd", "value": 300}
    assert applied["credits_applied"]["invoice_line_item"] == "il_1"
    one = transactions.retrieve(plain["data"][1]["id"])
    assert check_shape(one, TRANSACTION) == plain["data"][1]


@pytest.mark.parametrize("currency", ["iqd", "clf", "xau", "ISK9", "syp"])
def test_a_currency_that_stripe_does_not_take_is_refused(
    client: stripe.StripeClient, currency: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as grant:
        create_grant(client, amount=money(1_000, currency))
    with pytest.raises(stripe.InvalidRequestError) as alert:
        client.raw_request("post", "/v1/billing/alerts", **low(currency))

    assert grant.value.param == "amount[monetary][currency]"
    assert "usd" in str(grant.value)
    assert alert.value.param == "credit_balance_threshold[lte][monetary][currency]"


def test_amounts_follow_the_currency(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as odd:
        create_grant(client, amount=money(1_050, "ISK"))
    grant = create_grant(client, amount=money(1_100, "ISK"))

    assert odd.value.param == "amount[monetary][value]"
    assert grant.amount.monetary is not None
    assert grant.amount.monetary.currency == "isk"


def money(value: int, currency: str) -> Any:
    return {"type": "monetary", "monetary": {"currency": currency, "value": value}}


def low(currency: str) -> Any:
    threshold = "credit_balance_threshold[lte]"
    return {
        "title": "Low",
        "alert_type": "credit_balance_threshold",
        f"{threshold}[balance_type]": "monetary",
        f"{threshold}[monetary][currency]": currency,
        f"{threshold}[monetary][value]": 1_000,
    }
