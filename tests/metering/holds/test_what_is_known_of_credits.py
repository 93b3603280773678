"""What a process knows of credits from one hold to the next, and when it reads again.

Each test holds first, so that the next hold or settlement goes on from what is known.
"""

from datetime import timedelta

import pytest

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import amounts, balances, hold
from tests.metering.limits.usual_limits import limit
from tests.metering.refusals import refused
from tests.metering.usual_credits import METERED, apply, grant, line, money
from tests.metering.usual_usage import NOW

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> metering.FixedClock:
    return metering.FixedClock(NOW)


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


@pytest.fixture
def other(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def test_holds_and_settlements_go_on_from_each_other(m: metering.Metering) -> None:
    grant(m, 500)
    grant(m, 500)

    for number in range(4):
        hold(m, 300, f"job_{number}")
        m.credit_holds.settle(f"job_{number}", amount=200)

    assert balances(m) == (200, 200, 0)
    assert amounts(hold(m, 300, "last", partial=True)) == (200, 0, 0)
    again = m.credit_holds.settle("job_1", amount=200)
    assert amounts(again) == (0, 200, 100)
    with refused(code="settlement_conflict"):
        m.credit_holds.settle("job_1", amount=201)


def test_what_others_record_between_two_holds_counts(
    m: metering.Metering, other: metering.Metering
) -> None:
    grant(m, 1_000)
    hold(m, 100)

    apply(other, "in_1", line(500))
    hold(other, 200, "job_2")
    other.credit_holds.settle("job_1", amount=50)

    with refused(code="insufficient_credits"):
        hold(m, 251, "job_3")
    with refused(code="settlement_conflict"):
        m.credit_holds.settle("job_1", amount=100)
    assert amounts(m.credit_holds.settle("job_2", amount=200)) == (0, 200, 0)
    assert amounts(hold(m, 250, "job_3")) == (250, 0, 0)


def test_time_gives_back_what_was_held_although_nothing_is_recorded(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(m, 500)
    grant(m, 400, expires_at=NOW + 20 * SECOND)
    hold(m, 900, expires_at=NOW + 10 * SECOND)

    clock.advance(9 * SECOND)
    with refused(code="insufficient_credits"):
        hold(m, 1, "job_2")
    clock.advance(1 * SECOND)
    assert amounts(hold(m, 100, "job_3")) == (100, 0, 0)
    clock.advance(10 * SECOND)
    with refused(code="insufficient_credits"):
        hold(m, 501, "job_4")
    assert amounts(hold(m, 500, "job_4")) == (500, 0, 0)


def test_a_limit_that_came_between_is_obeyed(
    m: metering.Metering, other: metering.Metering
) -> None:
    grant(m, 1_000)
    hold(m, 100)

    limit(other, 300)

    with refused(code="spend_limit_reached"):
        hold(m, 201, "job_2")
    assert amounts(hold(m, 200, "job_2")) == (200, 0, 0)
    with refused(code="spend_limit_reached"):
        hold(m, 1, "job_3")


def test_members_of_a_pool_hold_what_the_others_leave_within_their_caps(
    m: metering.Metering,
) -> None:
    m.credit_pools.create(id="team", cap=money(500))
    for member in ("cus_1", "cus_2"):
        m.credit_pools.add_member("team", customer=member)
    m.credit_grants.create(pool="team", amount=money(800), applicability_config=METERED)

    hold(m, 300)
    hold(m, 350, "job_2", customer="cus_2")
    m.credit_holds.settle("job_1", amount=200)

    with refused(code="insufficient_credits"):
        hold(m, 151, "job_3", customer="cus_2")
    with refused(code="insufficient_credits"):
        hold(m, 251, "job_3")
    assert amounts(hold(m, 250, "job_3")) == (250, 0, 0)
