"""Requests about meters, and the objects that callers pass in them.

Source: https://docs.stripe.com/api/billing/meter/create and its neighbours.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.pages import WholeListRequest
from metering.arguments.strings import CustomerId, Name
from metering.arguments.times import Time
from metering.arguments.words import FormulaName, GroupingWindowName

LONGEST_DISPLAY_NAME = 250

DisplayName = Annotated[str, Meta(min_length=1, max_length=LONGEST_DISPLAY_NAME)]


class DefaultAggregationParams(TypedDict):
    """How the values of a window become one number.

    Attributes:
        formula: how the values of a window become one number.
    """

    formula: FormulaName


class CustomerMappingParams(TypedDict):
    """Which payload key names the customer.

    Attributes:
        event_payload_key: payload key of the customer.
    """

    event_payload_key: Name
    type: NotRequired[Literal["by_id"] | None]


class ValueSettingsParams(TypedDict):
    """Which payload key holds the value.

    Attributes:
        event_payload_key: payload key of the value.
    """

    event_payload_key: Name


class MeterCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a meter is created with.

    Attributes:
        display_name: for people.
        event_name: of the events that it measures.
        default_aggregation: what becomes of values.
        customer_mapping: where the customer is; stripe_customer_id if left out.
        value_settings: where the value is; value if left out.
        event_time_window: count only the last event of each customer and UTC hour or
            day.
    """

    display_name: DisplayName
    event_name: Name
    default_aggregation: DefaultAggregationParams
    customer_mapping: CustomerMappingParams | None = None
    value_settings: ValueSettingsParams | None = None
    event_time_window: GroupingWindowName | None = None


class MeterUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a meter can be changed.

    Attributes:
        display_name: for people.
    """

    display_name: DisplayName | UnsetType = UNSET


class MeterList(WholeListRequest, frozen=True, kw_only=True):
    """Which meters are listed.

    Attributes:
        status: only those in this state.
    """

    status: Literal["active", "inactive"] | None = None


class EventSummaryList(WholeListRequest, frozen=True, kw_only=True):
    """Which usage is aggregated.

    Attributes:
        customer: whose usage.
        start_time: inclusive.
        end_time: exclusive.
        value_grouping_window: split the usage by UTC hour or day; those without usage
            are left out.
    """

    customer: CustomerId
    start_time: Time
    end_time: Time
    value_grouping_window: GroupingWindowName | None = None
