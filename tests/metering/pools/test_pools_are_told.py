"""What becomes of a pool and of its members is told once, in order."""

from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.usual_credits import DAY, money, usd
from tests.metering.usual_usage import NOW


def test_each_change_of_a_pool_is_an_event_told_once(connect: Connect) -> None:
    clock = metering.FixedClock(NOW)
    m = connect(clock=clock)
    pools = m.credit_pools
    pools.create(id="team", cap=money(7))
    pools.add_member("team", customer="seat_1")
    pools.add_member("team", customer="seat_2", cap=money(9))
    clock.advance(DAY)
    pools.update("team", cap=None, name="Seats")
    pools.remove_member("team", customer="seat_1")
    clock.advance(DAY)
    m.deliver()
    pools.add_member("team", customer="seat_1", cap=money(5))
    pools.archive("team")
    m.deliver()
    m.deliver()

    events = list(m.events.list(limit=100))[::-1]
    assert [
        (each.type.removeprefix("metering.credit_pool."), *told_of(each))
        for each in events
    ] == [
        ("created", "active", usd(7)),
        ("member_added", "seat_1", None, None),
        ("member_added", "seat_2", usd(9), None),
        ("updated", "active", None),
        ("member_removed", "seat_1", None, NOW + DAY),
        ("member_added", "seat_1", usd(5), None),
        ("archived", "archived", None),
    ]
    assert [each.data.previous_attributes for each in events] == [
        None,
        None,
        None,
        {"cap": usd(7), "name": None, "updated": NOW},
        {"left_at": None},
        None,
        {"archived_at": None, "status": "active", "updated": NOW + DAY},
    ]
    removed = m.events.retrieve(events[4].id)
    assert removed.data == events[4].data


def told_of(event: metering.Event) -> tuple[Any, ...]:
    """The state and cap of a pool, or who a member is, its cap and when it left."""
    told = event.data.object
    if isinstance(told, metering.CreditPoolMember):
        return told.customer, told.cap, told.left_at
    assert isinstance(told, metering.CreditPool)
    return told.status, told.cap
