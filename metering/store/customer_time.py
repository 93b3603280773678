"""The time of a customer: that of its test clock, or the log's.

It is asked wherever something that belongs to a customer is decided or shown. What a
clocked customer does is recorded at its clock's time: the commit begins with the fact that
says which. A customer without a clock costs a look into a dictionary, mostly empty.
"""

from collections.abc import Collection
from typing import TypeVar

from msgspec.structs import replace

from ledger.appending.writing import Writing
from ledger.facts.test_clocks import TestClockTime
from ledger.facts.union import is_of_clocks
from metering.arguments.ids import found_by_id
from metering.bodies import ResourceObject
from metering.errors import (
    InvalidRequestError,
    ResourceMissingError,
    TestClockAdvancingError,
)
from projections.kernels.test_clocks import ClockDefinition, ClockStatus, FrozenTime
from projections.test_clocks.clocked import (
    ClockedCatalog,
    ClockedCustomers,
    Seeing,
)

ResourceT = TypeVar("ResourceT", bound=ResourceObject)


def go_by_its_clock(
    writing: Writing, clocked: ClockedCustomers, customers: Collection[str]
) -> None:
    """Let a write transaction go by the clock of the customers it is about, if any.

    Raises:
        TestClockAdvancingError: the clock is being moved on.
        ResourceMissingError: the clock of one is deleted, and so is the customer.
        InvalidRequestError: they do not live by one time.
    """
    time = shared_time(clocked, customers)
    if time is None:
        return
    if time.is_advancing:
        raise TestClockAdvancingError(time.test_clock_id)
    writing.go_by(TestClockTime(test_clock_id=time.test_clock_id, instant=time.instant))


def clock_at_rest(seen: Seeing, test_clock_id: object) -> ClockDefinition:
    """Return a test clock that is not being moved on.

    Raises:
        ResourceMissingError: there is no such clock, or it was deleted.
        TestClockAdvancingError: it is being moved on.
    """
    found = clock_known(seen, test_clock_id)
    if found.status is ClockStatus.ADVANCING:
        raise TestClockAdvancingError(found.test_clock_id)
    return found


def clock_known(
    seen: Seeing, test_clock_id: object, param: str = "test_clock"
) -> ClockDefinition:
    """Return a test clock that is not deleted, or refuse the parameter that holds its id."""
    from projections.test_clocks.queries import ClockQueries

    find = ClockQueries(seen.connection).clock
    found = found_by_id(find, test_clock_id, "test clock", param)
    if found.is_deleted:
        raise ResourceMissingError("test clock", test_clock_id, param=param)
    return found


def shared_time(
    clocked: ClockedCustomers, customers: Collection[str]
) -> FrozenTime | None:
    """Return the clock that some customers live by; None where it is the log's time.

    Raises:
        ResourceMissingError: the clock of one is deleted, and so is the customer.
        InvalidRequestError: they do not live by one time.
    """
    if not clocked:
        return None
    times = [(each, clocked.times.get(each)) for each in customers]
    for customer, time in times:
        if time is not None and time.is_deleted:
            raise ResourceMissingError("customer", customer, param="customer")
    ids = {time and time.test_clock_id for _, time in times}
    if len(ids) > 1:
        raise InvalidRequestError(
            "Customers of a test clock and others do not live by one time; give those of"
            " one clock, or those of none",
            code="test_clocks_differ",
            param="customers",
        )
    return times[0][1] if times else None


def present_of(clocked: ClockedCustomers, customers: Collection[str], now: int) -> int:
    """Return the time at which customers are shown: their clock's if they share one.

    Raises:
        ResourceMissingError: the clock of one is deleted, and so is the customer.
    """
    instants = {_shown(clocked, each, now) for each in customers} if clocked else ()
    return instants.pop() if len(instants) == 1 else now


def _shown(clocked: ClockedCustomers, customer: str, now: int) -> int:
    time = clocked.times.get(customer)
    if time is None:
        return now
    if time.is_deleted:
        raise ResourceMissingError("customer", customer, param="customer")
    return time.instant


def follow_clocks(known: ClockedCatalog, before: int, writing: Writing) -> None:
    """Go on from what this process committed, so that nobody looks again.

    Args:
        known: who lives by a clock.
        before: position of the last fact before what is committed.
        writing: that is committed.
    """
    commit = writing.commit
    assert commit is not None, "it is committed"
    if not any(map(is_of_clocks, commit.single_facts)):
        known.follow(before, writing.head.facts_position)


def with_clock(
    clocked: ClockedCustomers, shown: ResourceT, customer: str | None
) -> ResourceT:
    """Return a resource with the id of its customer's test clock, where it has one."""
    clock = None if customer is None else clocked.clock_of(customer)
    return shown if clock is None else replace(shown, test_clock=clock)
