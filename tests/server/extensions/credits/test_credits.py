"""Credits are applied, previewed and given back, by forms and by JSON alike."""

import json
from typing import Any

import pytest
import stripe

from metering.bodies import body_of, encoded
from tests.server.running import JSON, Server
from tests.server.shapes import TRANSACTION, differences, list_of
from tests.server.usage import MINUTE, create_grant, now, unique

CREDITS = "/metering/v1/credits"
APPLY, PREVIEW, REINSTATE = (
    f"{CREDITS}/{verb}" for verb in ("apply", "preview", "reinstate")
)


@pytest.fixture
def customer(client: stripe.StripeClient) -> str:
    """Somebody with ten dollars of credits."""
    customer = unique("cus")
    create_grant(client, customer)
    return customer


def invoice_of(customer: str, *amounts: int, **more: Any) -> dict[str, Any]:
    lines = [
        {"id": f"il_{number}", "amount": amount, "currency": "usd"}
        for number, amount in enumerate(amounts)
    ]
    return {
        "invoice": unique("in"),
        "customer": customer,
        "period_end": now() + MINUTE,
        "lines": lines,
        **more,
    }


def raw(client: stripe.StripeClient, path: str, params: dict[str, Any]) -> Any:
    response = client.raw_request("post", path, **params)
    return json.loads(response.body)


def amounts(answer: Any) -> list[int]:
    return [
        (each["credit"] or each["debit"])["amount"]["monetary"]["value"]
        for each in answer["data"]
    ]


def test_an_invoice_draws_credits_once_for_stripes_client(
    server: Server, client: stripe.StripeClient, customer: str
) -> None:
    invoice = invoice_of(customer, 300, 900)

    applied = raw(client, APPLY, invoice)

    assert differences(applied, list_of(TRANSACTION)) == []
    assert (applied["url"], applied["has_more"]) == (APPLY, False)
    assert amounts(applied) == [300, 700]
    assert [each["debit"]["credits_applied"] for each in applied["data"]] == [
        {"invoice": invoice["invoice"], "invoice_line_item": "il_0"},
        {"invoice": invoice["invoice"], "invoice_line_item": "il_1"},
    ]
    assert raw(client, APPLY, invoice) == applied
    with server.store() as store:
        made = store.credits.apply(**invoice)
    assert encoded({"data": [body_of(each) for each in made]}) == encoded(
        {"data": applied["data"]}
    )
    listed = client.v1.billing.credit_balance_transactions.list({"customer": customer})
    assert {each["id"] for each in applied["data"]} < {each.id for each in listed.data}


def test_a_form_and_json_are_the_same_invoice(
    server: Server, client: stripe.StripeClient, customer: str
) -> None:
    invoice = invoice_of(customer, 300)
    applied = raw(client, APPLY, invoice)
    assert amounts(applied) == [300]
    as_texts = {
        **invoice,
        "period_end": str(invoice["period_end"]),
        "lines": [{"id": "il_0", "amount": "300", "currency": "USD", "price": None}],
    }

    for body in (invoice, as_texts):
        answered = server.post_json(APPLY, body)

        assert answered.status == 200
        assert answered.json == applied
        assert int(answered.headers["metering-position"]) > 0


def test_a_preview_is_what_would_be_and_records_nothing(
    server: Server, client: stripe.StripeClient, customer: str
) -> None:
    invoice = invoice_of(customer, 2_000, period_end="2100-01-01T00:00:00.5Z")
    before = client.v1.billing.credit_balance_transactions.list({"customer": customer})

    previewed = server.post_json(PREVIEW, invoice, Idempotency_Key=unique("key"))

    assert differences(previewed.json, list_of(TRANSACTION)) == []
    assert previewed.json["data"][0]["id"] == "cbtxn_tmp_1"
    assert amounts(previewed.json) == [1_000]
    again = client.v1.billing.credit_balance_transactions.list({"customer": customer})
    assert [each.id for each in again.data] == [each.id for each in before.data]
    with server.store() as store:
        assert previewed.headers["metering-position"] == str(store.position)


def test_grants_are_expanded_in_what_was_drawn(
    client: stripe.StripeClient, customer: str
) -> None:
    body = {**invoice_of(customer, 1), "expand": ["data.credit_grant"]}

    applied = raw(client, APPLY, body)

    assert applied["data"][0]["credit_grant"]["customer"] == customer


def test_credits_are_given_back_once(
    client: stripe.StripeClient, customer: str
) -> None:
    invoice = invoice_of(customer, 300)
    raw(client, APPLY, invoice)

    reinstated = raw(client, REINSTATE, {"invoice": invoice["invoice"]})

    assert differences(reinstated, list_of(TRANSACTION)) == []
    assert amounts(reinstated) == [300]
    [given_back] = reinstated["data"]
    assert given_back["credit"]["type"] == "credits_application_invoice_voided"
    assert raw(client, REINSTATE, {"invoice": invoice["invoice"]}) == reinstated
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, APPLY, invoice)
    assert refused.value.code == "invoice_reinstated"


def test_an_invoice_of_other_content_is_a_conflict_that_names_it(
    client: stripe.StripeClient, customer: str
) -> None:
    invoice = invoice_of(customer, 300)
    raw(client, APPLY, invoice)

    for path in (APPLY, PREVIEW):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            raw(client, path, {**invoice, "customer": "cus_other", "period_end": 1})

        assert refused.value.http_status == 400
        assert refused.value.code == "invoice_conflict"
        assert refused.value.param == "invoice"
        assert "customer, period_end" in str(refused.value.user_message)


def test_an_idempotency_key_gives_the_answer_again(
    server: Server, client: stripe.StripeClient, customer: str
) -> None:
    invoice, key = invoice_of(customer, 300), unique("key")
    first = server.post_json(APPLY, invoice, Idempotency_Key=key)
    raw(client, REINSTATE, {"invoice": invoice["invoice"]})

    again = server.post_json(APPLY, invoice, Idempotency_Key=key)
    other = server.post_json(APPLY, invoice_of(customer, 1), Idempotency_Key=key)

    assert (again.status, again.body) == (200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert other.status == 400
    assert other.error["type"] == "idempotency_error"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"invoice": None}, "parameter_missing", "invoice"),
        ({"invoice": "i" * 256}, None, "invoice"),
        ({"invoice": 7}, None, "invoice"),
        ({"customer": None}, "parameter_missing", "customer"),
        ({"period_end": None}, "parameter_missing", "period_end"),
        ({"period_end": "soon"}, "timestamp_invalid", "period_end"),
        ({"period_end": 1.0}, None, "period_end"),
        ({"lines": None}, "parameter_missing", "lines"),
        ({"lines": []}, None, "lines"),
        ({"lines": {}}, None, "lines"),
        ({"lines": "il_1"}, None, "lines"),
        ({"lines": [{}]}, "parameter_missing", "lines[0][amount]"),
        ({"foo": "1"}, "parameter_unknown", "foo"),
    ],
    ids=str,
)
def test_what_is_wrong_with_an_invoice_is_named(
    server: Server, change: dict[str, Any], code: str | None, param: str
) -> None:
    body = {**invoice_of("cus_1", 1), **change}

    for path in (APPLY, PREVIEW):
        refused = server.post_json(path, body)

        assert refused.status == 400
        assert refused.error.get("code") == code
        assert refused.error["param"] == param


@pytest.mark.parametrize("amount", [1.0, 1e2, -1, 10**12, 1.5, "1.0", "1e2", True, []])
def test_an_amount_is_a_whole_number_of_minor_units(
    server: Server, amount: object
) -> None:
    line = {"id": "il_1", "amount": amount, "currency": "usd"}

    refused = server.post_json(APPLY, invoice_of("cus_1", lines=[line]))

    assert refused.status == 400
    assert refused.error["param"] == "lines[0][amount]"


def test_what_is_neither_a_form_nor_json_is_refused(server: Server) -> None:
    body = json.dumps(invoice_of("cus_1", 1))

    for kind in ("text/plain", "application/xml", "application/x-ndjson"):
        refused = server.ask("POST", APPLY, body, Content_Type=kind)
        assert refused.status == 400
    broken = server.ask("POST", APPLY, body[:-1], Content_Type=JSON)
    assert broken.status == 400


def test_an_invoice_that_drew_nothing_cannot_be_given_back(server: Server) -> None:
    refused = server.post_json(REINSTATE, {"invoice": unique("in")})

    assert refused.status == 400
    assert (refused.error["code"], refused.error["param"]) == (
        "resource_missing",
        "invoice",
    )


def test_a_grant_pays_an_invoice_of_its_own_second(
    server: Server, client: stripe.StripeClient, customer: str
) -> None:
    granted = client.v1.billing.credit_grants.list({"customer": customer}).data[0]
    invoice = invoice_of(customer, 100, period_end=granted.effective_at)

    applied = raw(client, APPLY, invoice)

    assert amounts(applied) == [100]


@pytest.mark.parametrize("replace", [True, "true"])
def test_an_invoice_is_corrected(
    server: Server, client: stripe.StripeClient, customer: str, replace: object
) -> None:
    wrong = invoice_of(customer, 300, 500)
    raw(client, APPLY, wrong)
    right = {**wrong, "lines": wrong["lines"][:1], "replace": replace}

    previewed = server.post_json(PREVIEW, right)
    replaced = server.post_json(APPLY, right, Idempotency_Key=unique("key"))

    assert differences(replaced.json, list_of(TRANSACTION)) == []
    assert amounts(previewed.json) == amounts(replaced.json) == [300]
    assert server.post_json(APPLY, right).json == replaced.json
    assert raw(client, APPLY, {**right, "replace": "false"}) == replaced.json
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, APPLY, wrong)
    assert refused.value.code == "invoice_conflict"
    listed = client.v1.billing.credit_balance_transactions.list({"customer": customer})
    types = [
        (each.credit or each.debit).type  # type: ignore[union-attr]  # it is one of the two
        for each in listed.data
    ]
    assert types == [
        "credits_applied",
        *["credits_application_invoice_voided"] * 2,
        *["credits_applied"] * 2,
        "credits_granted",
    ]


@pytest.mark.parametrize("replace", [1, 0, "yes", "", [], {}])
def test_whether_an_invoice_is_replaced_is_true_or_false(
    server: Server, replace: object
) -> None:
    refused = server.post_json(APPLY, invoice_of("cus_1", 1, replace=replace))

    assert refused.status == 400
    assert refused.error["param"] == "replace"


@pytest.mark.parametrize("name", ["invoice", "customer", "period_end", "lines"])
def test_a_boolean_is_nothing_else(server: Server, name: str) -> None:
    refused = server.post_json(APPLY, {**invoice_of("cus_1", 1), name: True})

    assert refused.status == 400
    assert refused.error["param"] == name


def test_many_invoices_give_their_credits_back(
    server: Server, client: stripe.StripeClient, customer: str
) -> None:
    invoices = [invoice_of(customer, 100), invoice_of(customer, 200)]
    applied = [raw(client, APPLY, each)["data"][0] for each in invoices]
    names = [each["invoice"] for each in invoices]
    unknown = unique("in")

    answered = server.post_json(
        f"{CREDITS}/reinstate_many", {"invoices": [*names, unknown, names[0]]}
    )

    receipt = answered.json
    assert answered.status == 200
    assert receipt["object"] == "metering.reinstatement_receipt"
    assert (receipt["reinstated"], receipt["repeated"], receipt["rejected"]) == (
        2,
        0,
        1,
    )
    assert [
        (each["invoice"], each["amount"], each["credit_grant"], each["type"])
        for each in receipt["transactions"]
    ] == [
        (name, amount, drew["credit_grant"], "credits_application_invoice_voided")
        for name, amount, drew in zip(names, (100, 200), applied, strict=True)
    ]
    [rejection] = receipt["rejections"]
    assert (rejection["row"], rejection["invoice"]) == (2, unknown)
    assert rejection["code"] == "resource_missing"
    again = raw(client, f"{CREDITS}/reinstate_many", {"invoices": names})
    assert (again["reinstated"], again["repeated"]) == (0, 2)
    assert again["transactions"] == receipt["transactions"]
