"""Own the histories of webhooks: what may happen, what must arrive, and living through it.

The oracle knows what each endpoint wanted when something happened; it does not know when
anybody delivered, which receiver failed, or what was made anew.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

import metering
from tests.property.two_connections import TwoConnections, Upkeep
from tests.webhook_receiver import Receiver, answering

TYPES = (
    "*",
    "billing.meter.created",
    "billing.meter.updated",
    "billing.meter.deactivated",
    "billing.meter.reactivated",
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SECONDS = (1, 10, 120, 3_600)


@dataclass(frozen=True, kw_only=True)
class CreateMeter:
    """A meter is created."""


@dataclass(frozen=True, kw_only=True)
class ChangeMeter:
    """A meter, counted from the newest, is renamed, or switched off or on."""

    back: int
    is_switched: bool


@dataclass(frozen=True, kw_only=True)
class AddEndpoint:
    types: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ChangeEndpoint:
    """What an endpoint wants is changed, or whether it is disabled, or both."""

    number: int
    types: tuple[int, ...] | None
    is_disabled: bool | None


@dataclass(frozen=True, kw_only=True)
class DeleteEndpoint:
    number: int


@dataclass(frozen=True, kw_only=True)
class Behave:
    """The receiver of an endpoint answers with a status from now on."""

    number: int
    status: int


@dataclass(frozen=True, kw_only=True)
class Wait:
    seconds: int


Operation = (
    CreateMeter
    | ChangeMeter
    | AddEndpoint
    | ChangeEndpoint
    | DeleteEndpoint
    | Behave
    | Wait
)
History = list[tuple[int, Operation | Upkeep]]


def webhook_histories() -> st.SearchStrategy[History]:
    """Histories of two connections; each begins with an endpoint."""
    number = st.integers(0, 2)
    types = st.lists(
        st.integers(0, len(TYPES) - 1), min_size=1, max_size=2, unique=True
    ).map(tuple)
    deliver = st.just(Upkeep(verb="deliver"))
    changes = st.builds(ChangeMeter, back=st.integers(0, 2), is_switched=st.booleans())
    operations: st.SearchStrategy[Operation | Upkeep] = st.one_of(
        st.just(CreateMeter()),
        changes,
        changes,
        st.builds(AddEndpoint, types=types),
        st.builds(
            ChangeEndpoint,
            number=number,
            types=st.none() | types,
            is_disabled=st.none() | st.booleans(),
        ),
        st.builds(DeleteEndpoint, number=number),
        st.builds(
            Behave, number=number, status=st.sampled_from([204, 200, 302, 429, 500])
        ),
        st.builds(Wait, seconds=st.sampled_from(_SECONDS)),
        deliver,
        deliver,
        st.builds(Upkeep, verb=st.sampled_from(["rebuild", "reopen"])),
    )
    start: History = [(0, AddEndpoint(types=(0,))), (0, CreateMeter())]
    steps = st.lists(st.tuples(st.integers(0, 1), operations), max_size=25)
    return steps.map(lambda more: [*start, *more])


@dataclass(kw_only=True)
class Wanted:
    """An endpoint as the oracle knows it, with the positions of what it must be told."""

    endpoint_id: str
    path: str
    types: set[str]
    is_disabled: bool = False
    is_deleted: bool = False
    positions: list[int] = field(default_factory=list)

    def happened(self, event_type: str, position: int) -> None:
        is_wanted = not self.types.isdisjoint({"*", event_type})
        if is_wanted and not self.is_disabled and not self.is_deleted:
            self.positions.append(position)


class Delivered(TwoConnections):
    """Two connections to a store, a receiver, and the oracle."""

    def __init__(self, target: str, receiver: Receiver) -> None:
        super().__init__(target, NOW, allow_private_webhooks=True)
        self._receiver = receiver
        self.wanted: list[Wanted] = []
        self._meters: list[metering.Meter] = []

    def act(self, actor: int, operation: Operation) -> None:
        store = self.connections[actor]
        match operation:
            case CreateMeter():
                self._create_meter(store)
            case ChangeMeter():
                self._change_meter(store, operation)
            case AddEndpoint():
                self._add_endpoint(store, operation)
            case ChangeEndpoint() | DeleteEndpoint() | Behave():
                self._change_endpoint(store, operation)
            case Wait(seconds=seconds):
                self.clock.advance(timedelta(seconds=seconds))

    def _happened(self, store: metering.Metering, event_type: str) -> None:
        for each in self.wanted:
            each.happened(event_type, store.position)

    def _create_meter(self, store: metering.Metering) -> None:
        made = store.meters.create(
            display_name="A meter",
            event_name=f"meter {len(self._meters)}",
            default_aggregation={"formula": "sum"},
        )
        self._meters.append(made)
        self._happened(store, "billing.meter.created")

    def _change_meter(self, store: metering.Metering, change: ChangeMeter) -> None:
        index = max(len(self._meters) - 1 - change.back, 0)
        meter = self._meters[index]
        if not change.is_switched:
            name = f"Renamed at {store.position}"
            changed = store.meters.update(meter.id, display_name=name)
            verb = "updated"
        elif meter.status == "active":
            changed, verb = store.meters.deactivate(meter.id), "deactivated"
        else:
            changed, verb = store.meters.reactivate(meter.id), "reactivated"
        self._meters[index] = changed
        self._happened(store, f"billing.meter.{verb}")

    def _add_endpoint(self, store: metering.Metering, added: AddEndpoint) -> None:
        if len(self.wanted) == 3:
            return
        path = f"/{len(self.wanted)}"
        types = [TYPES[each] for each in added.types]
        made = store.webhook_endpoints.create(
            url=self._receiver.url + path, enabled_events=types
        )
        self.wanted.append(Wanted(endpoint_id=made.id, path=path, types=set(types)))

    def _change_endpoint(
        self,
        store: metering.Metering,
        change: ChangeEndpoint | DeleteEndpoint | Behave,
    ) -> None:
        known = self.wanted[change.number : change.number + 1]
        for each in known:
            match change:
                case Behave(status=status):
                    headers = {"Location": f"{self._receiver.url}/elsewhere"}
                    self._receiver.behaviours[each.path] = answering(status, headers)
                case _ if each.is_deleted:
                    pass
                case DeleteEndpoint():
                    store.webhook_endpoints.delete(each.endpoint_id)
                    each.is_deleted = True
                case ChangeEndpoint(types=types, is_disabled=is_disabled):
                    if types is not None:
                        each.types = {TYPES[number] for number in types}
                    if is_disabled is not None:
                        each.is_disabled = is_disabled
                    store.webhook_endpoints.update(
                        each.endpoint_id,
                        enabled_events=sorted(each.types),
                        disabled=each.is_disabled,
                    )

    def deliver_the_rest(self) -> None:
        """Let every receiver work and every endpoint be enabled, and wait."""
        self._receiver.behaviours.clear()
        for number in range(len(self.wanted)):
            enabled = ChangeEndpoint(number=number, types=None, is_disabled=False)
            self.do(0, enabled)
        for actor in (1, 0):
            self.clock.advance(timedelta(hours=6))
            self.do(actor, Upkeep(verb="deliver"))

    def arrived(self, each: Wanted) -> list[int]:
        """The positions of the events that arrived, as often as they did."""
        return [
            int(json.loads(received.body)["id"].split("_")[2], 16)
            for received in self._receiver.at(each.path)
        ]

    def attempts(self, each: Wanted) -> Counter[int]:
        """How often a store says that it tried each event, all of them delivered."""
        deliveries = self.connections[0].webhook_endpoints.deliveries(
            each.endpoint_id, limit=100
        )
        assert {delivery.status for delivery in deliveries} <= {"delivered"}
        return Counter(
            {
                int(delivery.event.split("_")[2], 16): len(delivery.attempts)
                for delivery in deliveries
            }
        )

    def assert_equal_bytes(self) -> None:
        """Check that an event was the same to whomever and whenever it was sent."""
        bodies: dict[str, set[bytes]] = {}
        for received in self._receiver.received:
            body = received.body
            bodies.setdefault(json.loads(body)["id"], set()).add(body)
        assert all(len(each) == 1 for each in bodies.values())

    def paths(self) -> Sequence[str]:
        return [received.path for received in self._receiver.received]
