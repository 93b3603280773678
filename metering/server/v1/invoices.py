"""The route that previews an invoice: a subscription's current periods, up to now.

Nothing is recorded, and there is no such invoice: its id is made up, and retrieves none.
Source: https://docs.stripe.com/api/invoices/create_preview
"""

from typing import Literal

import msgspec

from metering.arguments.refusals import missing
from metering.arguments.strings import CustomerId, Id
from metering.bodies import Body
from metering.connection import Metering
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1
from metering.server.v1.invoice_lines import invoice_lines, total_credits
from metering.statements.resources import Statement
from metering.subscriptions.resources import Subscription

_PATH = "/v1/invoices/create_preview"
_LINES = "/v1/invoices/upcoming/lines"


class InvoicePreview(msgspec.Struct, frozen=True, kw_only=True):
    """Which invoice is previewed.

    Attributes:
        customer: whose; one that has a single subscription needs no other name.
        subscription: id of the subscription.
        preview_mode: the next invoice, or the recurring one, which is the same here.
    """

    customer: CustomerId | None = None
    subscription: Id | None = None
    preview_mode: Literal["next", "recurring"] = "next"


def _preview(call: Call) -> Answer:
    subscription = _subscription(call)
    try:
        statement = call.m.statements.preview(
            subscription=subscription.id, customer=call.given.get("customer")
        )
    except InvalidRequestError as refusal:
        if refusal.code != "nothing_to_state":
            raise
        raise _none_upcoming(subscription.customer) from refusal
    return Answer(
        body=_invoice(call.m, statement, subscription), position=statement.position
    )


def _subscription(call: Call) -> Subscription:
    """Return the subscription that is asked about.

    Raises:
        InvalidRequestError: none is, or the customer has several, or it has ended.
    """
    named, customer = call.given.get("subscription"), call.given.get("customer")
    if named is not None:
        try:
            found = call.m.subscriptions.retrieve(named)
        except ResourceMissingError as error:
            raise ResourceMissingError(
                "subscription", named, param="subscription"
            ) from error
        if found.status == "canceled":
            raise _none_upcoming(found.customer)
        return found
    if customer is None:
        raise missing("customer")
    living = call.m.subscriptions.list(customer, limit=2)
    if not living:
        raise _none_upcoming(customer)
    if len(living) > 1:
        raise InvalidRequestError(
            f"Customer {customer} has several subscriptions; give subscription",
            code="parameter_missing",
            param="subscription",
        )
    return living[0]


def _none_upcoming(customer: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"No upcoming invoices for customer: {customer}", code="invoice_upcoming_none"
    )


def _invoice(m: Metering, statement: Statement, subscription: Subscription) -> Body:
    prices = {
        price_id: m.prices.retrieve(price_id)
        for price_id in {line.price for line in statement.lines}
    }
    names = {
        product_id: m.products.retrieve(product_id).name
        for product_id in {price.product for price in prices.values()}
    }
    lines = invoice_lines(statement, prices, names)
    due = statement.amount_due
    return {
        **_ABSENT,
        "id": f"upcoming_in_{statement.digest[:24]}",
        "object": "invoice",
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": due,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": None,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": "upcoming",
        "collection_method": subscription.collection_method,
        "created": int(statement.period_end.timestamp()),
        "currency": statement.currency,
        "customer": statement.customer,
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "lines": {
            "object": "list",
            "data": lines,
            "has_more": False,
            "url": _LINES,
        },
        "livemode": statement.livemode,
        "metadata": {},
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription.metadata),
                "subscription": subscription.id,
            },
            "type": "subscription_details",
        },
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": int(statement.period_end.timestamp()),
        "period_start": int(statement.period_start.timestamp()),
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": statement.subtotal,
        "subtotal_excluding_tax": statement.subtotal,
        "total": due,
        "total_discount_amounts": [],
        "total_excluding_tax": due,
        "total_pretax_credit_amounts": total_credits(lines),
        "total_taxes": [],
    }


_ABSENT: Body = dict.fromkeys(
    (
        "account_country",
        "account_name",
        "account_tax_ids",
        "amount_paid_off_stripe",
        "application",
        "automatically_finalizes_at",
        "custom_fields",
        "customer_account",
        "customer_address",
        "customer_email",
        "customer_name",
        "customer_phone",
        "customer_shipping",
        "customer_tax_ids",
        "customer_tax_exempt",
        "default_payment_method",
        "default_source",
        "description",
        "due_date",
        "effective_at",
        "ending_balance",
        "footer",
        "from_invoice",
        "hosted_invoice_url",
        "invoice_pdf",
        "last_finalization_error",
        "latest_revision",
        "next_payment_attempt",
        "number",
        "on_behalf_of",
        "receipt_number",
        "rendering",
        "shipping_cost",
        "shipping_details",
        "statement_descriptor",
        "test_clock",
        "threshold_reason",
        "webhooks_delivered_at",
    )
)

ROUTES = (
    Route(
        method="POST",
        dialect=V1,
        path=_PATH,
        scope="read",
        summary="Preview the next invoice of a subscription, and record nothing.",
        handler=_preview,
        # What it answers is soon another thing; nothing came of it.
        keeps_answers=False,
        takes=InvoicePreview,
    ),
)
