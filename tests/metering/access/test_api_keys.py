"""API keys: made once, known by a hash, revoked for good."""

import hashlib
from datetime import timedelta

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW


def test_a_secret_key_may_do_everything(store: metering.Metering) -> None:
    key = store.api_keys.create(name="billing")

    assert key.secret is not None
    assert key == metering.ApiKey(
        id=key.id,
        name="billing",
        kind="secret",
        scopes=("ingest", "read", "admin"),
        livemode=False,
        created=NOW,
        last_four=key.secret[-4:],
        secret=key.secret,
        revoked_at=None,
    )
    assert key.secret.startswith("sk_test_")
    # 32 bytes in hexadecimal digits.
    assert len(key.secret) == len("sk_test_") + 64


def test_a_restricted_key_may_do_what_its_scopes_say(store: metering.Metering) -> None:
    key = store.api_keys.create(name="gateway", scopes=["read", "ingest", "read"])

    assert key.kind == "restricted"
    assert key.scopes == ("ingest", "read")
    assert (key.secret or "").startswith("rk_test_")


@pytest.mark.dialect
def test_keys_of_live_mode_say_so(connect: Connect, clock: metering.FixedClock) -> None:
    live, test = connect(clock=clock, livemode=True), connect(clock=clock)

    key = live.api_keys.create(name="live")

    assert (key.secret or "").startswith("sk_live_")
    assert [each.id for each in live.internals.keys_by_digest().values()] == [key.id]
    assert test.internals.keys_by_digest() == {}


def test_a_secret_is_told_once_and_its_hash_is_kept(store: metering.Metering) -> None:
    key = store.api_keys.create(name="billing")

    [listed] = store.api_keys.list()

    assert listed.secret is None
    assert listed.last_four == key.last_four
    digest = hashlib.sha256((key.secret or "").encode()).digest()
    assert [each.id for each in store.internals.keys_by_digest().values()] == [key.id]
    assert list(store.internals.keys_by_digest()) == [digest]


def test_keys_are_no_part_of_the_log(store: metering.Metering) -> None:
    store.api_keys.create(name="billing")

    assert store.position == 0


@pytest.mark.dialect
def test_a_revoked_key_stays_revoked_from_when_it_was(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    key = store.api_keys.create(name="billing")
    clock.advance(timedelta(hours=1))

    revoked = store.api_keys.revoke(key.id)
    clock.advance(timedelta(hours=1))
    again = store.api_keys.revoke(key.id)

    assert revoked.revoked_at == again.revoked_at == NOW + timedelta(hours=1)
    store.rebuild()
    [listed] = connect(clock=clock).api_keys.list()
    assert listed.revoked_at == NOW + timedelta(hours=1)


def test_keys_are_listed_newest_first(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    first = store.api_keys.create(name="first")
    clock.advance(timedelta(seconds=1))
    second = store.api_keys.create(name="second")

    assert [each.id for each in store.api_keys.list()] == [second.id, first.id]


def test_a_key_that_is_not_there_cannot_be_revoked(store: metering.Metering) -> None:
    with pytest.raises(metering.ResourceMissingError, match="No such API key"):
        store.api_keys.revoke("key_none")


@pytest.mark.parametrize(
    ("scopes", "param"),
    [([], "scopes"), (["write"], "scopes[0]"), ("read", "scopes"), (True, "scopes")],
)
def test_scopes_are_some_of_three(
    store: metering.Metering, scopes: list[str], param: str
) -> None:
    with refused(param=param):
        store.api_keys.create(name="billing", scopes=scopes)
