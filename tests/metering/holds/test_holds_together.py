"""Holds that share commits: each caller is told what became of its own."""

import pytest

import metering
from ledger.errors import StoreFullError
from metering.holds.grouping import DecidedHold, Deciding, HoldToCreate
from metering.holds.rating import wanted_hold
from metering.holds.requests import CreditHoldCreate
from tests.metering.limits.usual_limits import limit
from tests.metering.usual_credits import grant, money


class _OnAFullDisk(HoldToCreate):
    """A hold for which the disk is full by the time it is decided."""

    def decided(self, at: Deciding) -> DecidedHold:
        raise StoreFullError("usage.db", "no space left on device")


def test_a_hold_that_an_earlier_commit_recorded_is_answered_though_the_next_one_fails(
    store: metering.Metering,
) -> None:
    grant(store, 1_000)
    # Of a customer with a limit, each is decided in a commit of its own.
    limit(store, 1_000)
    asked = [
        CreditHoldCreate(id=name, customer="cus_1", amount=money(100))
        for name in ("job_1", "job_2")
    ]
    drafts = [
        kind(each, wanted_hold(each), None)
        for kind, each in zip((HoldToCreate, _OnAFullDisk), asked, strict=True)
    ]

    group = store.credit_holds._group  # noqa: SLF001  # threads that meet cannot be timed
    first, second = group._commit(drafts)  # noqa: SLF001  # as above

    assert not isinstance(first, metering.MeteringError)
    assert first.decided.hold.hold_id == "job_1"
    assert isinstance(second, metering.StoreFullError)
    assert [each.id for each in store.credit_holds.list()] == ["job_1"]
    with pytest.raises(metering.StoreFullError):
        group._commit(drafts[1:])  # noqa: SLF001  # as above
