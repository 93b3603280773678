"""Test clocks: what may be done to them.

A customer is attached to a clock when either is created, and for good.
Source: https://docs.stripe.com/billing/testing/test-clocks
"""

from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockCreated,
)
from metering.arguments.clock import at_microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.refusals import invalid
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.errors import (
    InvalidRequestError,
    ResourceMissingError,
    TestClockAdvancingError,
)
from metering.store.customer_time import clock_known
from metering.store.engine import Engine
from metering.test_clocks.advancing import finish_advancing
from metering.test_clocks.deleting import delete_clock
from metering.test_clocks.limits import check_reach
from metering.test_clocks.requests import (
    TestClockAdvance,
    TestClockCreate,
    TestClockList,
)
from metering.test_clocks.resources import TestClock
from metering.test_clocks.shown import clock_resource
from projections.credits.queries import CreditQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.customers.queries import CustomerQueries
from projections.kernels.test_clocks import ClockDefinition, ClockStatus
from projections.pools.queries import PoolQueries
from projections.subscriptions.queries import SubscriptionQueries
from projections.test_clocks.clocked import Seeing
from projections.test_clocks.queries import ClockQueries


class TestClocks:
    """The test clocks of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        frozen_time: Time,
        name: str | None = None,
        customer: str | None = None,
    ) -> TestClock:
        """Create a test clock, which is stopped at a time.

        Everything of the customers that live by it follows it: what they use and are
        granted, their subscriptions and statements, alerts, and what webhooks say of
        them. Others never see it.

        Args:
            frozen_time: what it shows, from 1970 on.
            name: up to 300 characters, for people.
            customer: id of one that there is, to live by it from now on. Others are
                created with ``test_clock=``.

        Raises:
            ResourceMissingError: there is no such customer.
            InvalidRequestError: an argument is malformed, or the customer has a clock.
        """
        asked = checked(
            TestClockCreate, frozen_time=frozen_time, name=name, customer=customer
        )
        created = TestClockCreated(
            test_clock_id=self._engine.new_id("clock"),
            frozen_time=_frozen(asked.frozen_time),
            name=asked.name,
            customer=asked.customer,
        )

        with self._engine.writing() as writing:
            if asked.customer is not None:
                _check_free(writing, asked.customer)
            writing.record([created])
        return self._shown(created.test_clock_id)

    def advance(self, test_clock: str, *, frozen_time: Time) -> TestClock:
        """Advance a test clock, and record all that falls due until then.

        It goes from one due instant to the next: grants of schedules, what expires,
        trials and subscriptions that end, and the alerts of each. A process that is
        killed meanwhile leaves the clock advancing; `retrieve` and the worker go on.

        Args:
            test_clock: id of the clock.
            frozen_time: what it is to show, later than what it shows.

        Raises:
            ResourceMissingError: there is no such clock.
            InvalidRequestError: the time is not later, the clock is advancing, or
                it failed to before.
        """
        asked = checked(TestClockAdvance, frozen_time=frozen_time)
        target = _frozen(asked.frozen_time)
        with self._engine.log.read() as connection:
            known = clock_known(ClockQueries(connection), test_clock, "id")
        _check_may_advance(known, target)
        # What the usage so far triggers happens before the clock moves, if it does.
        self._engine.evaluator.evaluate()

        with self._engine.writing() as writing:
            clock = clock_known(writing, test_clock, "id")
            _check_may_advance(clock, target)
            if self._engine.settings.strict:
                clocked = self._engine.clocked(writing, writing.head)
                check_reach(writing, clock, clocked.of_clock(test_clock), target)
            writing.record(
                [TestClockAdvancing(test_clock_id=test_clock, target=target)]
            )
        finish_advancing(self._engine, test_clock)
        return self._shown(test_clock)

    def delete(self, test_clock: str) -> None:
        """Delete a test clock with its customers, and cancel their usage.

        No answer has any of them any more, nor what belongs to them: they are as
        customers that never were, and nothing more of them is accepted. The log keeps
        what was recorded, and so do events.

        Raises:
            ResourceMissingError: there is no such clock, or it was deleted.
        """
        delete_clock(self._engine, test_clock)

    def retrieve(self, test_clock: str) -> TestClock:
        """Return a test clock by its id; one that is advancing goes on.

        Raises:
            ResourceMissingError: there is no such clock, or it was deleted.
        """
        with self._engine.log.read() as connection:
            found = clock_known(ClockQueries(connection), test_clock, "id")
        if found.status is not ClockStatus.ADVANCING:
            return clock_resource(found, livemode=self._engine.settings.livemode)
        finish_advancing(self._engine, test_clock)
        return self._shown(test_clock)

    def list(
        self,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[TestClock]:
        """Return the test clocks, newest first.

        Args:
            limit: 1 to 100.
            starting_after: id of the clock before the first one to list.
            ending_before: id of the clock behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no clock.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                TestClockList,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: TestClockList) -> ListObject[TestClock]:
        with self._engine.log.read() as connection:
            seen = ClockQueries(connection)
            page = page_of(asked, lambda each, at: clock_known(seen, each, at).position)
            found = seen.page(page)
        livemode = self._engine.settings.livemode
        return listed(
            asked,
            [clock_resource(each, livemode=livemode) for each in found],
            self._page,
        )

    def _shown(self, test_clock: str) -> TestClock:
        with self._engine.log.read() as connection:
            found = ClockQueries(connection).clock(test_clock)
        assert found is not None, "no clock is ever forgotten"
        return clock_resource(found, livemode=self._engine.settings.livemode)


class TestHelpers:
    """The place of test clocks in Stripe's libraries.

    Attributes:
        test_clocks: those of the store.
    """

    def __init__(self, test_clocks: TestClocks) -> None:
        self.test_clocks = test_clocks


def _frozen(time: Time) -> int:
    found = instant(time, "frozen_time")
    if found < 0:
        raise invalid(
            "frozen_time", at_microseconds(found).isoformat(), "1970 or later"
        )
    return found


def _check_free(seen: Seeing, customer: str) -> None:
    """Check that a customer has no clock, and nothing that goes by the log's time."""
    find = CustomerQueries(seen.connection).customer
    found = found_by_id(find, customer, "customer", "customer")
    if found.is_deleted:
        raise ResourceMissingError("customer", customer, param="customer")
    if found.test_clock is not None:
        raise InvalidRequestError(
            f"Customer {customer} lives by the test clock {found.test_clock} already, and"
            " does so for good",
            code="test_clock_attached",
            param="customer",
        )
    connection = seen.connection
    if (
        SubscriptionQueries(connection).of_customer(customer)
        or CreditQueries(connection).grants_of(customer)
        or ScheduleQueries(connection).count_of(customer)
        or PoolQueries(connection).members_among([customer])
    ):
        raise InvalidRequestError(
            f"Customer {customer} has subscriptions or credits, which go by the log's time;"
            " create a customer with test_clock=",
            code="test_clock_attached",
            param="customer",
        )


def _check_may_advance(clock: ClockDefinition, target: int) -> None:
    if clock.status is ClockStatus.ADVANCING:
        raise TestClockAdvancingError(clock.test_clock_id)
    if clock.status is ClockStatus.FAILED:
        raise InvalidRequestError(
            f"Test clock {clock.test_clock_id} failed to advance before, and cannot any"
            " more; delete it, and create another one",
            code="test_clock_failed",
        )
    if target <= clock.frozen_time:
        shown = at_microseconds(clock.frozen_time).isoformat()
        raise invalid(
            "frozen_time",
            at_microseconds(target).isoformat(),
            f"a time after {shown}, which the clock shows",
        )
