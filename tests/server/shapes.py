"""Own what every resource looks like on the wire: its fields, their types, what is null.

Written down from Stripe's documentation and SDK, not from this project's resources.
"""

import json
from decimal import Decimal
from typing import Any

Shape = Any
"""A type; a tuple of alternatives; a list of one; a dict by field; or a literal text."""

TEXT_OR_NULL, NUMBER_OR_NULL = (str, None), (int, None)
AMOUNT = {"type": "monetary", "monetary": ({"currency": str, "value": int}, None)}
LINE_ITEM = ({"invoice": str, "invoice_line_item": str}, None)

METER = {
    "id": str,
    "object": "billing.meter",
    "created": int,
    "updated": int,
    "customer_mapping": {"event_payload_key": str, "type": "by_id"},
    "default_aggregation": {"formula": ("count", "last", "sum")},
    "display_name": str,
    "event_name": str,
    "event_time_window": ("day", "hour", None),
    "livemode": bool,
    "status": ("active", "inactive"),
    "status_transitions": {"deactivated_at": NUMBER_OR_NULL},
    "value_settings": {"event_payload_key": str},
}
METER_EVENT = {
    "object": "billing.meter_event",
    "created": int,
    "event_name": str,
    "identifier": str,
    "livemode": bool,
    "payload": dict,
    "timestamp": int,
}
ADJUSTMENT = {
    "object": "billing.meter_event_adjustment",
    "cancel": ({"identifier": TEXT_OR_NULL}, None),
    "event_name": str,
    "livemode": bool,
    "status": ("complete", "pending"),
    "type": "cancel",
}
SUMMARY = {
    "id": str,
    "object": "billing.meter_event_summary",
    "aggregated_value": (int, Decimal),
    "start_time": int,
    "end_time": int,
    "meter": str,
    "livemode": bool,
}
ALERT = {
    "id": str,
    "object": "billing.alert",
    "alert_type": "usage_threshold",
    "livemode": bool,
    "status": ("active", "archived", "inactive", None),
    "title": str,
    "usage_threshold": (
        {
            "gte": int,
            "meter": (str, METER),
            "recurrence": "one_time",
            "filters": ([{"type": "customer", "customer": TEXT_OR_NULL}], None),
        },
        None,
    ),
}
CREDIT_ALERT = {
    **ALERT,
    "alert_type": "credit_balance_threshold",
    "usage_threshold": None,
    "credit_balance_threshold": {
        "lte": {
            "balance_type": "monetary",
            "monetary": {"currency": str, "value": int},
        },
        "filters": ([{"type": "customer", "customer": TEXT_OR_NULL}], None),
    },
}
"""As of the preview."""
SPEND_ALERT = {
    **ALERT,
    "alert_type": "spend_threshold",
    "usage_threshold": None,
    "spend_threshold": {
        "gte": int,
        "currency": str,
        "prices": [str],
        "recurrence": str,
        "timezone": str,
        "filters": None,
    },
}
"""Of the type that the preview has, with prices of our own."""
ALERT_TRIGGERED = {
    "object": "billing.alert_triggered",
    "alert": ALERT,
    "created": int,
    "customer": str,
    "livemode": bool,
    "value": (int, Decimal),
}
GRANT = {
    "id": str,
    "object": "billing.credit_grant",
    "amount": AMOUNT,
    "applicability_config": {
        "scope": {"price_type": ("metered", None), "prices": ([{"id": str}], None)}
    },
    "category": ("paid", "promotional"),
    "created": int,
    "updated": int,
    "customer": str,
    "customer_account": TEXT_OR_NULL,
    "effective_at": NUMBER_OR_NULL,
    "expires_at": NUMBER_OR_NULL,
    "livemode": bool,
    "metadata": dict,
    "name": TEXT_OR_NULL,
    "priority": NUMBER_OR_NULL,
    "test_clock": TEXT_OR_NULL,
    "voided_at": NUMBER_OR_NULL,
}
PRODUCT = {
    "id": str,
    "object": "product",
    "active": bool,
    "created": int,
    "default_price": TEXT_OR_NULL,
    "description": TEXT_OR_NULL,
    "images": [str],
    "livemode": bool,
    "marketing_features": [{"name": str}],
    "metadata": dict,
    "name": str,
    "package_dimensions": None,
    "shippable": (bool, None),
    "statement_descriptor": TEXT_OR_NULL,
    "tax_code": TEXT_OR_NULL,
    "tax_details": None,
    "type": ("good", "service"),
    "unit_label": TEXT_OR_NULL,
    "updated": int,
    "url": TEXT_OR_NULL,
}
PRICE = {
    "id": str,
    "object": "price",
    "active": bool,
    "billing_scheme": ("per_unit", "tiered"),
    "created": int,
    "currency": str,
    "custom_unit_amount": None,
    "livemode": bool,
    "lookup_key": TEXT_OR_NULL,
    "metadata": dict,
    "nickname": TEXT_OR_NULL,
    "product": (str, PRODUCT),
    "recurring": (
        {
            "interval": ("day", "month", "week", "year"),
            "interval_count": int,
            "meter": TEXT_OR_NULL,
            "trial_period_days": NUMBER_OR_NULL,
            "usage_type": ("licensed", "metered"),
        },
        None,
    ),
    "tax_behavior": ("exclusive", "inclusive", "unspecified"),
    "tiers_mode": ("graduated", "volume", None),
    "transform_quantity": ({"divide_by": int, "round": ("down", "up")}, None),
    "type": ("one_time", "recurring"),
    "unit_amount": NUMBER_OR_NULL,
    "unit_amount_decimal": TEXT_OR_NULL,
}
PRICE_TIER = {
    "flat_amount": NUMBER_OR_NULL,
    "flat_amount_decimal": TEXT_OR_NULL,
    "unit_amount": NUMBER_OR_NULL,
    "unit_amount_decimal": TEXT_OR_NULL,
    "up_to": NUMBER_OR_NULL,
}
CURRENCY_OPTION = {
    "custom_unit_amount": None,
    "tax_behavior": ("exclusive", "inclusive", "unspecified"),
    "unit_amount": NUMBER_OR_NULL,
    "unit_amount_decimal": TEXT_OR_NULL,
}
BALANCE_SUMMARY = {
    "object": "billing.credit_balance_summary",
    "balances": [{"available_balance": AMOUNT, "ledger_balance": AMOUNT}],
    "customer": str,
    "customer_account": TEXT_OR_NULL,
    "livemode": bool,
}
TRANSACTION = {
    "id": str,
    "object": "billing.credit_balance_transaction",
    "created": int,
    "effective_at": int,
    "credit_grant": (str, GRANT),
    "type": ("credit", "debit", None),
    "livemode": bool,
    "test_clock": TEXT_OR_NULL,
    "credit": (
        {
            "amount": AMOUNT,
            "type": ("credits_granted", "credits_application_invoice_voided"),
            "credits_application_invoice_voided": LINE_ITEM,
        },
        None,
    ),
    "debit": (
        {
            "amount": AMOUNT,
            "type": ("credits_applied", "credits_expired", "credits_voided"),
            "credits_applied": LINE_ITEM,
        },
        None,
    ),
}
EVENT = {
    "id": str,
    "object": "event",
    "api_version": TEXT_OR_NULL,
    "created": int,
    "data": ({"object": dict}, {"object": dict, "previous_attributes": dict}),
    "livemode": bool,
    "pending_webhooks": int,
    "request": ({"id": TEXT_OR_NULL, "idempotency_key": TEXT_OR_NULL}, None),
    "type": str,
}
ENDPOINT = {
    "id": str,
    "object": "webhook_endpoint",
    "api_version": TEXT_OR_NULL,
    "application": TEXT_OR_NULL,
    "created": int,
    "description": TEXT_OR_NULL,
    "enabled_events": [str],
    "livemode": bool,
    "metadata": dict,
    "status": str,
    "url": str,
}
NEW_ENDPOINT = {**ENDPOINT, "secret": str}
DELETED = {"id": str, "object": "webhook_endpoint", "deleted": bool}

BY_OBJECT = {
    shape["object"]: shape
    for shape in (METER, ALERT_TRIGGERED, GRANT, TRANSACTION)
    if isinstance(shape["object"], str)
}
"""What events can tell of."""


def list_of(shape: Shape) -> Shape:
    return {"object": "list", "data": [shape], "has_more": bool, "url": str}


V2_METER_EVENT = {
    **METER_EVENT,
    "object": "v2.billing.meter_event",
    "created": str,
    "timestamp": str,
}
V2_ADJUSTMENT = {
    **ADJUSTMENT,
    "id": str,
    "object": "v2.billing.meter_event_adjustment",
    "cancel": {"identifier": str},
    "created": str,
}
V2_SESSION = {
    "id": str,
    "object": "v2.billing.meter_event_session",
    "authentication_token": str,
    "created": str,
    "expires_at": str,
    "livemode": bool,
}
_SAMPLE = {"error_message": str, "request": {"identifier": str}}
_ERROR_TYPE = {"code": str, "error_count": int, "sample_errors": [_SAMPLE]}
_THIN_EVENT = {
    "id": str,
    "object": "v2.core.event",
    "context": None,
    "created": str,
    "data": {
        "developer_message_summary": str,
        "reason": {"error_count": int, "error_types": [_ERROR_TYPE]},
        "validation_start": str,
        "validation_end": str,
    },
    "livemode": bool,
    "reason": None,
}
ERROR_REPORT_TRIGGERED = {
    **_THIN_EVENT,
    "type": "v1.billing.meter.error_report_triggered",
    "related_object": {"id": str, "type": "billing.meter", "url": str},
}
NO_METER_FOUND = {**_THIN_EVENT, "type": "v1.billing.meter.no_meter_found"}


def check_shape(resource: Any, shape: Shape) -> Any:
    """Check what Stripe's client was answered, byte for byte, and give it plain."""
    plain = json.loads(resource.last_response.body, parse_float=Decimal)
    assert differences(plain, shape) == []
    return plain


def differences(value: Any, shape: Shape, path: str = "") -> list[str]:
    match shape:
        case tuple():
            found = [differences(value, each, path) for each in shape]
            return [] if [] in found else min(found, key=len)
        case dict():
            return _of_object(value, shape, path)
        case [inner] if isinstance(value, list):
            return [
                difference
                for at, each in enumerate(value)
                for difference in differences(each, inner, f"{path}[{at}]")
            ]
        case [_]:
            return [f"{path}: {value!r} is no list"]
        case type():
            is_it = type(value) is shape
            return [] if is_it else [f"{path}: {value!r} is no {shape.__name__}"]
        case _:
            return [] if value == shape else [f"{path}: {value!r} is not {shape!r}"]


def _of_object(value: Any, shape: dict[str, Shape], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object"]
    found = [f"{path}.{name} is missing" for name in shape.keys() - value.keys()]
    found += [f"{path}.{name} is too much" for name in value.keys() - shape.keys()]
    for name in shape.keys() & value.keys():
        found += differences(value[name], shape[name], f"{path}.{name}")
    return found
