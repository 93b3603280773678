"""Own a crowd of clients on one store of a server, and what must be there after them."""

from collections import defaultdict
from collections.abc import Collection
from multiprocessing.context import ForkServerContext

from tests.faults import credits as settled
from tests.faults.delivering import LATER, PATHS, add_endpoints, event_ids, told
from tests.faults.histories import Verdict
from tests.faults.servers.clients import (
    EVENTS,
    INVOICES,
    METERS,
    Done,
    append,
    deliver,
    settle,
)
from tests.faults.usage import (
    create_meter,
    expected_totals,
    numbers_by_position,
    open_store,
    totals,
)
from tests.processes import Child, said
from tests.webhook_receiver import Receiver

_AMOUNT = 1_000_000_000
# Numbers are seconds into the past, of which a store takes 35 days.
_APART = 1_000_000


def prepare_store(target: str, receiver: Receiver) -> None:
    """Make what the clients need."""
    with open_store(target) as store:
        # First, so that they receive all that happens.
        add_endpoints(store, receiver)
    create_meter(target)
    settled.create_grants(target, _AMOUNT)


class Crowd:
    """Clients that append, settle and deliver at once, each in a process of its own.

    Attributes:
        refusals: how often one of them was refused.

    Args:
        target: where they find the store.
    """

    def __init__(self, processes: ForkServerContext, target: str, seed: int) -> None:
        self.refusals = 0
        self._done: defaultdict[str, list[int]] = defaultdict(list)
        self._children = [
            Child(processes, append, target, 0, seed),
            Child(processes, append, target, _APART, seed + 1),
            Child(processes, settle, target, seed + 2),
            Child(processes, deliver, target),
        ]

    @property
    def is_at_work(self) -> bool:
        """Whether each kind of client has had something acknowledged."""
        return self._done.keys() == {EVENTS, INVOICES, METERS}

    def hear(self, until: float | None) -> None:
        """Hear what is done, until an instant of the monotonic clock, or their end."""
        for done in said(*self._children, until=until):
            assert isinstance(done, Done)
            self._done[done.what] += done.numbers
            self.refusals += done.refusals

    def end(self) -> None:
        """Let them end, and hear what is still done."""
        for child in self._children:
            child.pipe.send("end")
        self.hear(None)
        assert [child.exit_code() for child in self._children] == [0, 0, 0, 0]

    def judged(self, target: str, receiver: Receiver) -> Verdict:
        """Compare what they were told with what is there.

        Args:
            target: where the store is found by who was never cut off.
        """
        with open_store(target, LATER) as store:
            store.deliver()
            received = receiver.received
            kept = list(numbers_by_position(store).values())
            paid = settled.paid(store)
            made = [each.event_name for each in store.meters.list()]
            happened = event_ids(store)
            lost: dict[str, Collection[object]] = {
                EVENTS: set(self._done[EVENTS]) - set(kept),
                INVOICES: {f"in_{each}" for each in self._done[INVOICES]} - set(paid),
                METERS: {f"meter {each}" for each in self._done[METERS]} - set(made),
            }
            lost |= {
                f"deliveries to {path}": set(happened) - set(told(received, path))
                for path in PATHS
            }
            doubled = {
                EVENTS: len(kept) - len(set(kept)),
                METERS: len(made) - len(set(made)),
                INVOICES: sum(paid[name] != total_of(name) for name in paid),
            }
            problems = [f"lost {what}: {them}" for what, them in lost.items() if them]
            problems += [f"doubled {what}" for what, count in doubled.items() if count]
            problems += store.verify().problems
            if totals(store) != expected_totals(kept):
                problems.append("the totals are not those of the events")
        return Verdict(
            lost=sum(len(them) for them in lost.values()),
            doubled=sum(doubled.values()),
            finding="; ".join(problems),
        )


def total_of(name: str) -> int:
    return settled.total(int(name.removeprefix("in_")))
