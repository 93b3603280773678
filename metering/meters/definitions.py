"""What a meter is defined as, and in what two definitions of one event name differ."""

from ledger.facts.meters import EventTimeWindow, Formula, MeterCreated
from metering.arguments.refusals import invalid
from metering.meters.requests import MeterCreate
from projections.kernels.meters import MeterDefinition

_CUSTOMER_KEY = "stripe_customer_id"
_VALUE_KEY = "value"

_PATHS = {
    "formula": "default_aggregation[formula]",
    "customer_payload_key": "customer_mapping[event_payload_key]",
    "value_payload_key": "value_settings[event_payload_key]",
    "event_time_window": "event_time_window",
}
"""What decides how events become a number, by the parameter that says it."""


def definition_of(asked: MeterCreate, meter_id: str) -> MeterCreated:
    """Return the fact that creates a meter.

    Raises:
        InvalidRequestError: customers and values would lie under one payload key.
    """
    customer_key, value_key = _CUSTOMER_KEY, _VALUE_KEY
    if asked.customer_mapping is not None:
        customer_key = asked.customer_mapping["event_payload_key"]
    if asked.value_settings is not None:
        value_key = asked.value_settings["event_payload_key"]
    formula = Formula(asked.default_aggregation["formula"])
    window = asked.event_time_window
    if formula is not Formula.COUNT and customer_key == value_key:
        param = _PATHS["value_payload_key"]
        raise invalid(param, value_key, "another key than the customer's")
    return MeterCreated(
        meter_id=meter_id,
        event_name=asked.event_name,
        display_name=asked.display_name,
        formula=formula,
        customer_payload_key=customer_key,
        value_payload_key=value_key,
        event_time_window=None if window is None else EventTimeWindow(window),
    )


def fields_that_differ(found: MeterDefinition, wanted: MeterCreated) -> list[str]:
    """Return in which parameters a meter measures otherwise than it is wanted to.

    Its display name is for people, who may have changed it.
    """
    return [
        path
        for name, path in _PATHS.items()
        if getattr(found, name) != getattr(wanted, name)
    ]
