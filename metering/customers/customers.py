"""Customers: which there are, and what may be done to them.

Usage, credits and subscriptions of a string that names none of them are accepted all the
same: a backend has customers of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from ledger.appending.writing import Writing
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerUpdated,
    PostalAddress,
    ShippingDetails,
    TaxExemption,
)
from ledger.facts.subscriptions import Cancellation, SubscriptionCanceled
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.arguments.times import CreatedBounds, Time, created_within
from metering.customers.requests import (
    AddressParams,
    CustomerCreate,
    CustomerList,
    CustomerUpdate,
    ShippingParams,
    TaxExemptName,
)
from metering.customers.resources import Customer, DeletedCustomer
from metering.customers.shown import customer_resource
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.store.customer_time import clock_at_rest, clock_known
from metering.store.engine import Engine
from projections.customers.queries import CustomerFilter, CustomerQueries
from projections.kernels.customers import CustomerDefinition
from projections.kernels.test_clocks import ClockDefinition
from projections.subscriptions.queries import SubscriptionQueries
from projections.test_clocks.queries import ClockQueries

CLOCK_CUSTOMERS_MAX = 3
"""Customers of one test clock, where the connection is strict."""

_NO_REASON = Cancellation(comment=None, feedback=None)


class Customers:
    """The customers of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a customer have names
        self,
        *,
        name: str | None = None,
        email: str | None = None,
        description: str | None = None,
        phone: str | None = None,
        address: AddressParams | None = None,
        shipping: ShippingParams | None = None,
        preferred_locales: Sequence[str] = (),
        tax_exempt: TaxExemptName = "none",
        metadata: Mapping[str, str] | None = None,
        test_clock: str | None = None,
    ) -> Customer:
        """Create a customer.

        Args:
            name: up to 256 characters, for people.
            email: up to 512 characters.
            description: for the caller alone.
            phone: up to 64 characters.
            address: ``{"city", "country", "line1", "line2", "postal_code", "state"}``,
                of which all may be left out.
            shipping: ``{"name": …, "address": {…}, "phone": …}``.
            preferred_locales: languages, the preferred one first.
            tax_exempt: ``"none"``, ``"exempt"`` or ``"reverse"``.
            metadata: up to 50 strings of the caller's own.
            test_clock: id of the test clock that it lives by, for good; None is the time
                of the log.

        Raises:
            ResourceMissingError: there is no such clock.
            TestClockAdvancingError: the clock is being advanced.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(
            CustomerCreate,
            name=name,
            email=email,
            description=description,
            phone=phone,
            address=address,
            shipping=shipping,
            preferred_locales=preferred_locales,
            tax_exempt=tax_exempt,
            metadata=metadata,
            test_clock=test_clock,
        )
        created = CustomerCreated(
            customer_id=self._engine.new_id("cus"),
            name=asked.name,
            email=asked.email,
            description=asked.description,
            phone=asked.phone,
            address=_address(asked.address),
            shipping=_shipping(asked.shipping),
            preferred_locales=tuple(asked.preferred_locales),
            tax_exempt=TaxExemption(asked.tax_exempt),
            metadata=merge_metadata({}, asked.metadata or None),
            test_clock=asked.test_clock,
        )

        with self._engine.writing() as writing:
            if asked.test_clock is not None:
                clock = clock_at_rest(writing, asked.test_clock)
                if self._engine.settings.strict:
                    _check_count(ClockQueries(writing.connection), clock)
                writing.go_by(clock.time)
            writing.record([created])
        return self._shown(created.customer_id)

    def update(  # noqa: PLR0913  # the attributes of a customer have names
        self,
        customer_id: str,
        *,
        name: str | UnsetType | None = UNSET,
        email: str | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        phone: str | UnsetType | None = UNSET,
        address: AddressParams | UnsetType | None = UNSET,
        shipping: ShippingParams | UnsetType | None = UNSET,
        preferred_locales: Sequence[str] | UnsetType | None = UNSET,
        tax_exempt: TaxExemptName | UnsetType = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> Customer:
        """Change a customer.

        The arguments are those of `create`; what is left out stays as it is, and None or
        ``""`` takes a value away. Metadata is merged into the customer's own.

        Args:
            customer_id: of the customer.
            name: for people.
            email: address for mail.
            description: for the caller alone.
            phone: number.
            address: the whole of it.
            shipping: the whole of it.
            preferred_locales: languages, the preferred one first.
            tax_exempt: whether the customer is exempt from tax.
            metadata: an empty string removes its key; None removes every pair.

        Raises:
            ResourceMissingError: there is no such customer, or it was deleted.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(
            CustomerUpdate,
            name=name,
            email=email,
            description=description,
            phone=phone,
            address=address,
            shipping=shipping,
            preferred_locales=preferred_locales,
            tax_exempt=tax_exempt,
            metadata=metadata,
        )

        with self._engine.writing() as writing:
            self._follow(writing, customer_id)
            known = customer_of(CustomerQueries(writing.connection), customer_id)
            updated = _updated(known, asked)
            if updated != _updated(known, CustomerUpdate()):
                writing.record([updated])
        return self._shown(customer_id)

    def delete(self, customer_id: str) -> None:
        """Delete a customer, and end its subscriptions now.

        Usage and credits of it stay as they are, and more of them is accepted.

        Raises:
            ResourceMissingError: there is no such customer, or it was deleted.
        """
        with self._engine.writing() as writing:
            self._follow(writing, customer_id)
            customer_of(CustomerQueries(writing.connection), customer_id)
            subscriptions = SubscriptionQueries(writing.connection)
            canceled = [
                SubscriptionCanceled(
                    subscription_id=each.subscription_id, cancellation=_NO_REASON
                )
                for each in subscriptions.of_customer(customer_id)
                if not each.is_ended(writing.now)
            ]
            writing.record([*canceled, CustomerDeleted(customer_id=customer_id)])

    def retrieve(self, customer_id: str) -> Customer | DeletedCustomer:
        """Return a customer by its id; of a deleted one, that it was.

        Raises:
            ResourceMissingError: there never was such a customer.
        """
        with self._engine.log.read() as connection:
            known = CustomerQueries(connection).customer
            found = found_by_id(known, customer_id, "customer")
        if found.is_deleted:
            return DeletedCustomer(id=found.customer_id)
        return customer_resource(found, livemode=self._engine.settings.livemode)

    def list(
        self,
        email: str | None = None,
        *,
        created: Time | CreatedBounds | None = None,
        test_clock: str | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Customer]:
        """Return customers that are not deleted, newest first.

        Those that live by a test clock are left out unless it is named.

        Args:
            email: with exactly this address; None is any.
            created: at a time, or within bounds: ``{"gte": …, "lt": …}``.
            test_clock: id of a test clock, whose customers are listed.
            limit: 1 to 100.
            starting_after: id of the customer before the first one to list.
            ending_before: id of the customer behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no customer.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                CustomerList,
                email=email,
                created=created,
                test_clock=test_clock,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: CustomerList) -> ListObject[Customer]:
        wanted = CustomerFilter(
            email=asked.email,
            created=created_within(asked.created),
            test_clock=asked.test_clock,
        )
        with self._engine.log.read() as connection:
            seen = CustomerQueries(connection)
            if asked.test_clock is not None:
                clock_known(seen, asked.test_clock)
            page = page_of(
                asked,
                lambda each, at: (
                    found_by_id(seen.customer, each, "customer", at).position
                ),
            )
            found = seen.customers(wanted, page)
        livemode = self._engine.settings.livemode
        customers = [customer_resource(each, livemode=livemode) for each in found]
        return listed(asked, customers, self._page)

    def _follow(self, writing: Writing, customer_id: object) -> None:
        """Go by the test clock of a customer; one that is deleted is missing."""
        if isinstance(customer_id, str):
            self._engine.follow(writing, customer_id)

    def _shown(self, customer_id: str) -> Customer:
        with self._engine.log.read() as connection:
            found = CustomerQueries(connection).customer(customer_id)
        assert found is not None, "no customer is ever forgotten"
        return customer_resource(found, livemode=self._engine.settings.livemode)


def customer_of(
    seen: CustomerQueries, customer_id: object, param: str = "id"
) -> CustomerDefinition:
    """Return a customer that is not deleted, or refuse the parameter that holds its id."""
    found = found_by_id(seen.customer, customer_id, "customer", param)
    if found.is_deleted:
        raise ResourceMissingError("customer", customer_id, param=param)
    return found


def _check_count(seen: ClockQueries, clock: ClockDefinition) -> None:
    """Check that one more customer may live by a clock, as the reference limits it."""
    if seen.customer_count(clock.test_clock_id) >= CLOCK_CUSTOMERS_MAX:
        raise InvalidRequestError(
            f"Test clock {clock.test_clock_id} has {CLOCK_CUSTOMERS_MAX} customers, and"
            " may have no more where the connection is strict",
            code="test_clock_limit_reached",
            param="test_clock",
        )


def _updated(known: CustomerDefinition, asked: CustomerUpdate) -> CustomerUpdated:
    """Return a customer as it is asked to be, where that is said."""
    fields: dict[str, Any] = {
        name: getattr(known, name) for name in CustomerUpdated.__struct_fields__
    }
    for name in ("name", "email", "description", "phone"):
        value = getattr(asked, name)
        if not isinstance(value, UnsetType):
            fields[name] = value
    if not isinstance(asked.address, UnsetType):
        fields["address"] = _address(asked.address)
    if not isinstance(asked.shipping, UnsetType):
        fields["shipping"] = _shipping(asked.shipping)
    if not isinstance(asked.preferred_locales, UnsetType):
        fields["preferred_locales"] = tuple(asked.preferred_locales or ())
    if not isinstance(asked.tax_exempt, UnsetType):
        fields["tax_exempt"] = TaxExemption(asked.tax_exempt)
    if not isinstance(asked.metadata, UnsetType):
        fields["metadata"] = merge_metadata(known.metadata, asked.metadata)
    return CustomerUpdated(**fields)


def _address(given: AddressParams | None) -> PostalAddress | None:
    return None if given is None else _place(given)


def _place(given: Mapping[str, Any]) -> PostalAddress:
    return PostalAddress(
        **{name: given.get(name) or None for name in PostalAddress.__struct_fields__}
    )


def _shipping(given: ShippingParams | None) -> ShippingDetails | None:
    if given is None:
        return None
    return ShippingDetails(
        address=_place(given["address"]), name=given["name"], phone=given.get("phone")
    )
