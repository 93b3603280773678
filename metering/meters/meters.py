"""Meters: which there are, and what may be done to them."""

from typing import Literal

from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterStatus,
    MeterUpdated,
)
from metering.arguments.clock import at_microseconds, at_or_none
from metering.arguments.ids import found_by_id
from metering.arguments.pages import ListObject, listed, within_page
from metering.arguments.refusals import exclusive, missing
from metering.arguments.schema import checked, checked_value
from metering.arguments.times import Time
from metering.arguments.words import GroupingWindowName
from metering.errors import InvalidRequestError, MeterConflictError
from metering.meters.definitions import definition_of, fields_that_differ
from metering.meters.requests import (
    CustomerMappingParams,
    DefaultAggregationParams,
    DisplayName,
    EventSummaryList,
    MeterCreate,
    MeterList,
    ValueSettingsParams,
)
from metering.meters.resources import (
    CustomerMapping,
    DefaultAggregation,
    Meter,
    MeterEventSummary,
    StatusTransitions,
    ValueSettings,
)
from metering.meters.summaries import event_summaries
from metering.store.engine import Engine
from projections.kernels.meters import MeterDefinition
from projections.kernels.usage.keys import METER_BITS
from projections.meters.catalog import Definitions

METERS_AT_MOST = 1 << METER_BITS


class Meters:
    """The meters of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        display_name: str,
        event_name: str,
        default_aggregation: DefaultAggregationParams,
        customer_mapping: CustomerMappingParams | None = None,
        value_settings: ValueSettingsParams | None = None,
        event_time_window: GroupingWindowName | None = None,
    ) -> Meter:
        """Create a meter for the events of a name.

        Args:
            display_name: 1 to 250 characters, for people.
            event_name: 1 to 100 characters; no other meter, active or not, has it.
            default_aggregation: ``{"formula": "sum" | "count" | "last"}``; beyond those
                of Stripe ``"min"``, ``"max"``, ``"avg"``, rounded half to even to 12
                fraction digits, and ``"unique_count"``, of the strings that the value's
                payload key has.
            customer_mapping: ``{"event_payload_key": …, "type": "by_id"}``; the payload
                key that names the customer, by default ``stripe_customer_id``.
            value_settings: ``{"event_payload_key": …}``; the payload key that holds the
                value, or the string for a unique count, by default ``value``.
            event_time_window: count only the last recorded event of each customer and
                UTC hour or day; None counts all.

        Raises:
            InvalidRequestError: an argument is malformed, or the name is taken.
        """
        wanted = self._wanted(
            display_name=display_name,
            event_name=event_name,
            default_aggregation=default_aggregation,
            customer_mapping=customer_mapping,
            value_settings=value_settings,
            event_time_window=event_time_window,
        )
        if self._existing_or_created(wanted) is not None:
            raise InvalidRequestError(
                f"A meter for event name {wanted.event_name!r} exists already;"
                " names stay taken while a meter is inactive",
                code="resource_already_exists",
                param="event_name",
            )
        return self.retrieve(wanted.meter_id)

    def ensure(
        self,
        *,
        display_name: str,
        event_name: str,
        default_aggregation: DefaultAggregationParams,
        customer_mapping: CustomerMappingParams | None = None,
        value_settings: ValueSettingsParams | None = None,
        event_time_window: GroupingWindowName | None = None,
    ) -> Meter:
        """Return the meter for the events of a name; create it where there is none.

        The arguments are those of `create`. An application calls it whenever it starts,
        in each of its processes, and one meter comes of it. A meter that exists keeps
        its display name, and its status.

        Raises:
            MeterConflictError: the meter of the name measures otherwise.
            InvalidRequestError: an argument is malformed.
        """
        wanted = self._wanted(
            display_name=display_name,
            event_name=event_name,
            default_aggregation=default_aggregation,
            customer_mapping=customer_mapping,
            value_settings=value_settings,
            event_time_window=event_time_window,
        )
        found = self._engine.definitions().by_event_name.get(wanted.event_name)
        found = found or self._existing_or_created(wanted)
        if found is None:
            return self.retrieve(wanted.meter_id)
        differing = fields_that_differ(found, wanted)
        if differing:
            raise MeterConflictError(found.meter_id, wanted.event_name, differing)
        return self._resource(found)

    def update(self, meter_id: str, *, display_name: str) -> Meter:
        """Change the display name of a meter; nothing else of it can change.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: the name is malformed.
        """
        name: str = checked_value(DisplayName, display_name, "display_name")

        with self._engine.writing() as writing:
            definitions = self._engine.catalog.read(writing.connection)
            meter = meter_of(definitions, meter_id)
            if meter.display_name != name:
                writing.record([MeterUpdated(meter_id=meter_id, display_name=name)])
        return self.retrieve(meter_id)

    def deactivate(self, meter_id: str) -> Meter:
        """Stop a meter from taking events; what it has taken stays.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: it is inactive already.
        """
        return self._transition(
            meter_id, MeterStatus.ACTIVE, MeterDeactivated(meter_id=meter_id)
        )

    def reactivate(self, meter_id: str) -> Meter:
        """Let an inactive meter take events again.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: it is active already.
        """
        return self._transition(
            meter_id, MeterStatus.INACTIVE, MeterReactivated(meter_id=meter_id)
        )

    def retrieve(
        self, meter_id: str | None = None, *, event_name: str | None = None
    ) -> Meter:
        """Return a meter by its id, or by the event name that it alone has.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: both are given, or neither.
        """
        if event_name is None:
            if meter_id is None:
                raise missing("id")
            return self._resource(meter_of(self._engine.definitions(), meter_id))
        if meter_id is not None:
            raise exclusive("event_name", "id", "event_name")
        find = self._engine.definitions().by_event_name.get
        meter = found_by_id(find, event_name, "billing meter", "event_name")
        return self._resource(meter)

    def list(
        self,
        status: Literal["active", "inactive"] | None = None,
        *,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Meter]:
        """Return the meters, or those of one status, newest first.

        Args:
            status: of which status; None is both.
            limit: 1 to 100; None is all of them.
            starting_after: id of the meter before the first one to list.
            ending_before: id of the meter behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no meter of the status.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                MeterList,
                status=status,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: MeterList) -> ListObject[Meter]:
        meters = [
            each
            for each in reversed(self._engine.definitions().by_id.values())
            if asked.status in {None, each.status.value}
        ]
        ids = [each.meter_id for each in meters]
        page = within_page(asked, meters, ids, "billing meter")
        return listed(asked, [self._resource(each) for each in page], self._page)

    def event_summaries(  # noqa: PLR0913  # the parts of a question have names
        self,
        meter_id: str,
        *,
        customer: str,
        start_time: Time,
        end_time: Time,
        value_grouping_window: GroupingWindowName | None = None,
        fill: bool = False,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[MeterEventSummary]:
        """Aggregate the usage of a customer on a meter in ``[start_time, end_time)``.

        Args:
            meter_id: an active or inactive meter.
            customer: any; one without usage has a summary of 0.
            start_time: inclusive; any microsecond.
            end_time: exclusive, after `start_time`.
            value_grouping_window: None for one summary; else one for each UTC hour or
                day with usage, cut to the bounds, newest first.
            fill: whether windows without usage are listed too, with a value of 0.
            limit: 1 to 100; None is all of them.
            starting_after: id of the summary before the first one to list.
            ending_before: id of the summary behind the last one to list.

        Raises:
            ResourceMissingError: there is no such meter, or a cursor is the id of no
                summary.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        asked = checked(
            EventSummaryList,
            customer=customer,
            start_time=start_time,
            end_time=end_time,
            value_grouping_window=value_grouping_window,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._summaries(meter_id, asked, fill=fill)

    def _summaries(
        self, meter_id: str, asked: EventSummaryList, *, fill: bool
    ) -> ListObject[MeterEventSummary]:
        head = self._engine.log.catch_up()
        meter = meter_of(self._engine.definitions(head), meter_id)
        found = event_summaries(self._engine, meter, asked, fill=fill)
        ids = [each.id for each in found]
        return listed(
            asked,
            within_page(asked, found, ids, "meter event summary"),
            lambda following: self._summaries(meter_id, following, fill=fill),
        )

    def _wanted(self, **given: object) -> MeterCreated:
        """Return what creates a meter.

        Raises:
            InvalidRequestError: an argument is malformed.
        """
        return definition_of(checked(MeterCreate, **given), self._engine.new_id("mtr"))

    def _existing_or_created(self, wanted: MeterCreated) -> MeterDefinition | None:
        """Return the meter that has the event name; None where it is created now."""
        with self._engine.writing() as writing:
            definitions = self._engine.catalog.read(writing.connection)
            existing = definitions.by_event_name.get(wanted.event_name)
            if existing is not None:
                return existing
            if len(definitions.by_id) >= METERS_AT_MOST:
                raise InvalidRequestError(
                    f"A store holds at most {METERS_AT_MOST} meters",
                    code="meter_limit_reached",
                )
            writing.record([wanted])
        return None

    def _resource(self, meter: MeterDefinition) -> Meter:
        return meter_resource(meter, livemode=self._engine.settings.livemode)

    def _transition(
        self,
        meter_id: str,
        wanted: MeterStatus,
        fact: MeterDeactivated | MeterReactivated,
    ) -> Meter:
        with self._engine.writing() as writing:
            definitions = self._engine.catalog.read(writing.connection)
            meter = meter_of(definitions, meter_id)
            if meter.status is not wanted:
                raise InvalidRequestError(
                    f"Meter {meter_id} is {meter.status.value} already",
                    code="meter_status_invalid",
                    param="id",
                )
            writing.record([fact])
        return self.retrieve(meter_id)


def meter_of(
    definitions: Definitions, meter_id: str, param: str = "id"
) -> MeterDefinition:
    """Return a meter by its id, or refuse the parameter that holds it."""
    return found_by_id(definitions.by_id.get, meter_id, "billing meter", param)


def value_key_of(engine: Engine, event_name: str) -> str | None:
    """Return the payload key that holds the value of the events of a name.

    It never changes. None where no meter has the name, or its formula needs no
    number.
    """
    meter = engine.known_definitions().by_event_name.get(event_name)
    if meter is None:
        meter = engine.definitions().by_event_name.get(event_name)
    return meter.value_payload_key if meter and meter.needs_value else None


def meter_resource(meter: MeterDefinition, *, livemode: bool) -> Meter:
    """Return a meter as a resource."""
    window = meter.event_time_window
    return Meter(
        id=meter.meter_id,
        created=at_microseconds(meter.created),
        updated=at_microseconds(meter.updated),
        display_name=meter.display_name,
        event_name=meter.event_name,
        default_aggregation=DefaultAggregation(formula=meter.formula.value),
        customer_mapping=CustomerMapping(event_payload_key=meter.customer_payload_key),
        value_settings=ValueSettings(event_payload_key=meter.value_payload_key),
        event_time_window=window.value if window else None,
        status=meter.status.value,
        status_transitions=StatusTransitions(
            deactivated_at=at_or_none(meter.deactivated_at)
        ),
        livemode=livemode,
    )
