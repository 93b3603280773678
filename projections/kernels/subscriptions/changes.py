"""What a subscription is after each fact about it."""

from dataclasses import replace
from typing import Any

import msgspec
from msgspec.structs import asdict

from ledger.facts.subscriptions import (
    Cancellation,
    ItemTerms,
    Phase,
    PhaseKind,
    SubscriptionCanceled,
    SubscriptionChange,
    SubscriptionCreated,
    SubscriptionEnded,
    SubscriptionItemCreated,
    SubscriptionPaused,
    SubscriptionResumed,
    SubscriptionTrialEnded,
    SubscriptionUpdated,
)
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    ItemPrice,
    SubscriptionDefinition,
)


def subscription_created(
    fact: SubscriptionCreated, position: int, recorded_at: int
) -> SubscriptionDefinition:
    """Return a subscription as it was created."""
    start = fact.phases[0].since
    is_asked = fact.cancel_at is not None
    fields = asdict(fact) | {
        "items": tuple(_item(each, recorded_at, start, position) for each in fact.items)
    }
    return SubscriptionDefinition(
        **fields,
        position=position,
        start=start,
        trial_start=None if fact.trial_end is None else start,
        canceled_at=recorded_at if is_asked else None,
        cancellation=Cancellation(comment=None, feedback=None),
        ended=None,
        created=recorded_at,
    )


def subscription_changed(
    subscription: SubscriptionDefinition,
    fact: SubscriptionChange,
    position: int,
    recorded_at: int,
) -> SubscriptionDefinition:
    """Return a subscription as it is after a change."""
    changes: dict[str, Any]
    match fact:
        case SubscriptionUpdated():
            changes = _updated(subscription, fact, position, recorded_at)
        case SubscriptionItemCreated():
            added = _item(fact.item, recorded_at, recorded_at, position)
            changes = {"items": (*subscription.items, added)}
        case SubscriptionPaused():
            changes = {"phases": phases_paused(subscription, recorded_at)}
        case SubscriptionResumed():
            changes = {"phases": fact.phases}
        case SubscriptionCanceled():
            changes = {
                "canceled_at": recorded_at,
                "cancellation": fact.cancellation,
                "ended": recorded_at,
            }
        case SubscriptionTrialEnded():
            end = _come(subscription.trial_end, recorded_at)
            changes = {"trial_end_noticed": end}
        case SubscriptionEnded():
            changes = {"end_noticed": _come(subscription.cancel_at, recorded_at)}
    return replace(subscription, **changes)


def item_terms(item: ItemDefinition) -> ItemTerms:
    """Return what an item is now, as a fact says it."""
    price = item.price
    return ItemTerms(
        item_id=item.item_id,
        price_id=price.price_id,
        quantity=price.quantity,
        interval=price.interval,
        interval_count=price.interval_count,
        metadata=item.metadata,
    )


def phases_from(since: int, anchor: int, trial_end: int | None) -> tuple[Phase, ...]:
    """Return the phases of a subscription that is billed from an instant on.

    Args:
        since: the instant.
        anchor: where periods begin behind the trial.
        trial_end: None where there is no trial, or where it is over by then.
    """
    if trial_end is None or trial_end <= since:
        return (Phase(since, PhaseKind.ACTIVE, anchor),)
    return (
        Phase(since, PhaseKind.TRIAL, anchor),
        Phase(trial_end, PhaseKind.ACTIVE, anchor),
    )


def phases_begun(
    subscription: SubscriptionDefinition, instant: int
) -> tuple[Phase, ...]:
    """Return the phases that have begun by an instant, also those of no time at all.

    Periods may have ended where one began.
    """
    return tuple(each for each in subscription.phases if each.since <= instant)


def phases_paused(
    subscription: SubscriptionDefinition, instant: int
) -> tuple[Phase, ...]:
    """Return the phases of a subscription that is paused from an instant on."""
    paused = Phase(instant, PhaseKind.PAUSED, subscription.anchor)
    return (*phases_begun(subscription, instant), paused)


def _updated(
    subscription: SubscriptionDefinition,
    fact: SubscriptionUpdated,
    position: int,
    recorded_at: int,
) -> dict[str, Any]:
    wanted = {each.item_id: each for each in fact.items}
    known = {each.item_id for each in subscription.items}
    kept = [
        _item_changed(each, wanted.get(each.item_id), recorded_at, position)
        for each in subscription.items
    ]
    added = [
        _item(each, recorded_at, recorded_at, position)
        for each in fact.items
        if each.item_id not in known
    ]
    canceled_at = subscription.canceled_at
    if fact.cancel_at != subscription.cancel_at:
        canceled_at = None if fact.cancel_at is None else recorded_at
    noticed = subscription.trial_end_noticed
    if fact.trial_end != subscription.trial_end:
        # The change that ends a trial now says so itself.
        noticed = _come(fact.trial_end, recorded_at) or noticed
    return asdict(fact) | {
        "trial_end_noticed": noticed,
        "items": (*kept, *added),
        "canceled_at": canceled_at,
    }


def _come(end: int | None, instant: int) -> int | None:
    """Return an end that has come; by a time that was wrong, it may have been ahead."""
    return None if end is None or end > instant else end


def _item(terms: ItemTerms, created: int, since: int, position: int) -> ItemDefinition:
    return ItemDefinition(
        item_id=terms.item_id,
        created=created,
        ended=None,
        prices=(_price(terms, since, position),),
        metadata=terms.metadata,
    )


def _item_changed(
    item: ItemDefinition, terms: ItemTerms | None, instant: int, position: int
) -> ItemDefinition:
    """Return an item as it is from an instant on; without terms it has ended by then."""
    if terms is None:
        ended = instant if item.ended is None else item.ended
        return msgspec.structs.replace(item, ended=ended)
    price, known = _price(terms, instant, position), item.price
    prices = item.prices
    if (price.price_id, price.quantity) != (known.price_id, known.quantity):
        # One that held for no time is kept: with its interval, periods ended here.
        prices = (*prices, price)
    return msgspec.structs.replace(item, prices=prices, metadata=terms.metadata)


def _price(terms: ItemTerms, since: int, position: int) -> ItemPrice:
    return ItemPrice(
        price_id=terms.price_id,
        quantity=terms.quantity,
        since=since,
        interval=terms.interval,
        interval_count=terms.interval_count,
        position=position,
    )
