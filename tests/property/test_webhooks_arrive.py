"""Each endpoint is told what it wanted when it happened, in order, and nothing else.

Whoever delivers when, whatever receivers answer meanwhile, and however often tables are
made anew, what arrives in the end is what a naive oracle names, on both databases.
"""

from collections import Counter

from hypothesis import event, example, given, settings

from tests.conftest import StoreTargets
from tests.property.two_connections import Upkeep
from tests.property.webhook_histories import (
    AddEndpoint,
    Behave,
    ChangeEndpoint,
    ChangeMeter,
    CreateMeter,
    DeleteEndpoint,
    Delivered,
    History,
    Wait,
    webhook_histories,
)
from tests.webhook_receiver import running_receiver

EVENTFUL: History = [
    (0, AddEndpoint(types=(0,))),
    (1, AddEndpoint(types=(1, 2))),
    (0, CreateMeter()),
    (1, Behave(number=1, status=500)),
    (1, Upkeep(verb="deliver")),
    (0, ChangeEndpoint(number=1, types=(2,), is_disabled=None)),
    (0, CreateMeter()),
    (1, ChangeMeter(back=0, is_switched=False)),
    (0, ChangeEndpoint(number=0, types=None, is_disabled=True)),
    (0, ChangeMeter(back=1, is_switched=True)),
    (1, Upkeep(verb="rebuild")),
    (0, Wait(seconds=120)),
    (0, Upkeep(verb="deliver")),
    (1, AddEndpoint(types=(3,))),
    (0, ChangeMeter(back=0, is_switched=True)),
    (0, Upkeep(verb="reopen")),
    (0, Upkeep(verb="deliver")),
    (1, DeleteEndpoint(number=2)),
]


def test_what_arrives_is_what_the_oracle_names(store_targets: StoreTargets) -> None:
    reached: Counter[str] = Counter()

    # Deliveries are sent for real, which takes a while.
    @settings(max_examples=settings().max_examples // 2)
    @example(EVENTFUL)
    @given(webhook_histories())
    def agree(history: History) -> None:
        with (
            store_targets() as target,
            running_receiver() as receiver,
            Delivered(target, receiver) as both,
        ):
            both.live(history)
            both.deliver_the_rest()

            for each in both.wanted:
                arrived = both.arrived(each)
                first_arrivals = list(dict.fromkeys(arrived))
                assert first_arrivals == sorted(first_arrivals)
                if each.is_deleted:
                    assert set(arrived) <= set(each.positions)
                    reached["deleted"] += bool(arrived)
                else:
                    assert first_arrivals == each.positions
                    assert both.attempts(each) == Counter(arrived)
                    reached["again"] += len(arrived) > len(first_arrivals)
                    reached["told"] += bool(arrived)
            both.assert_equal_bytes()
            assert "/elsewhere" not in both.paths()
            event(f"{min(len(receiver.received), 10)} arrivals")

    agree()

    assert all(reached[each] for each in ("deleted", "again", "told"))


def test_the_comparison_sees_what_is_missing(store_targets: StoreTargets) -> None:
    with (
        store_targets() as target,
        running_receiver() as receiver,
        Delivered(target, receiver) as both,
    ):
        both.live(EVENTFUL)
        both.deliver_the_rest()
        first, *_ = both.wanted
        assert sorted(set(both.arrived(first))) == first.positions

        first.happened("billing.meter.updated", 99)

        assert sorted(set(both.arrived(first))) != first.positions
