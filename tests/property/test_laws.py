"""Laws that every metering engine obeys, whatever the numbers: no oracle is asked.

Each relates two runs of the same engine (metamorphic testing, Chen et al., HKUST-CS98-01)
and names where the law is from.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import event, given
from hypothesis import strategies as st

import metering
from tests.oracles.usage import Row, floor
from tests.property.answers import (
    DAY,
    cancel,
    create,
    ingest,
    key_of,
    listing,
    store_of,
    totals,
)
from tests.property.sources import FORMS, as_source, cut
from tests.strategies import START, Usage, cuts, faulty_rows, usages


@given(usages(), cuts(), st.data())
def test_replaying_the_log_gives_the_answers_it_gave_before(
    usage: Usage, sizes: tuple[int, ...], data: st.DataObject
) -> None:
    """At every prefix, derived state rebuilt from the log equals the incremental one.

    Source: Fowler, Event Sourcing, "Complete Rebuild",
    https://martinfowler.com/eaaDev/EventSourcing.html.
    """
    known, sent = usage

    with store_of(known) as store:
        for batch in cut(sent, sizes):
            ingest(store, batch)
            cancel(store, data.draw(st.sampled_from(batch)))
            before = totals(store), listing(store)

            store.rebuild()

            assert (totals(store), listing(store)) == before
        assert store.verify().ok


@given(usages(), st.data(), cuts())
def test_cutting_a_batch_anywhere_changes_no_answer(
    usage: Usage, data: st.DataObject, sizes: tuple[int, ...]
) -> None:
    """Folding in any pieces equals folding at once, refusals and repeats included.

    Source: Gray et al., Data Cube, 1997: distributive aggregates.
    """
    known, sent = usage
    faulty = st.lists(faulty_rows(known), max_size=4)
    named = [replace(row, identifier="faulty") for row in data.draw(faulty)]
    repeated = data.draw(st.lists(st.sampled_from(sent), max_size=4))
    mixed = data.draw(st.permutations(sent + repeated + named))
    event(f"cut into {len(list(cut(mixed, sizes)))}")

    with store_of(known, mixed) as whole, store_of(known, *cut(mixed, sizes)) as pieces:
        assert totals(whole) == totals(pieces)
        assert listing(whole) == listing(pieces)
        assert whole.position == pieces.position


@given(usages(), st.data())
def test_a_cancelled_event_counts_as_one_never_sent(
    usage: Usage, data: st.DataObject
) -> None:
    """Cancelling withdraws an event from every total, and restores what it replaced.

    Source: https://docs.stripe.com/api/billing/meter-event-adjustment.
    """
    known, sent = usage
    chosen = data.draw(st.sets(st.sampled_from(range(len(sent))), min_size=1))
    kept = [row for number, row in enumerate(sent) if number not in chosen]

    with store_of(known, sent) as cancelling, store_of(known, kept) as never:
        before = totals(cancelling)
        for number in chosen:
            cancel(cancelling, sent[number])
        event("a total changed" if totals(cancelling) != before else "no total changed")

        assert totals(cancelling) == totals(never)


@given(usages(), st.data(), cuts())
def test_an_event_sent_again_counts_once(
    usage: Usage, data: st.DataObject, sizes: tuple[int, ...]
) -> None:
    """Delivery at least once, identified, has the effect of delivery exactly once.

    Source: Helland, Idempotence Is Not a Medical Condition, ACM Queue 2012.
    """
    known, sent = usage
    again = data.draw(st.lists(st.sampled_from(sent), min_size=1, max_size=8))

    with store_of(known, sent) as once, store_of(known, sent) as repeatedly:
        duplicates = sum(
            ingest(repeatedly, batch).duplicates for batch in cut(again, sizes)
        )

        assert duplicates == len(again)
        assert totals(once) == totals(repeatedly)
        assert listing(once) == listing(repeatedly)


@given(usages(), st.timedeltas(min_value=timedelta(0), max_value=30 * DAY))
def test_a_late_event_counts_as_one_on_time(usage: Usage, delay: timedelta) -> None:
    """A total depends on when usage happened, not on when it was reported.

    Source: Akidau et al., The Dataflow Model, VLDB 2015: event time.
    """
    known, sent = usage

    def when(row: Row) -> datetime:
        return row.timestamp or START

    on_time = sorted(sent, key=when)
    clock = metering.FixedClock(when(on_time[0]))

    with (
        store_of(known, clock=clock) as prompt,
        store_of(known, clock=metering.FixedClock(START + delay)) as late,
    ):
        assert ingest(late, on_time).accepted == len(sent)
        for row in on_time:
            clock.set(when(row))
            create(prompt, row)

        assert totals(prompt) == totals(late)


@given(usages(), cuts())
def test_dicts_and_arrow_and_single_creates_give_equal_answers(
    usage: Usage, sizes: tuple[int, ...]
) -> None:
    """How a batch is spelled says nothing about the usage.

    Source: https://arrow.apache.org/docs/format/Columnar.html: one logical table has
    many physical ones.
    """
    known, sent = usage

    with store_of(known) as singly:
        for row in sent:
            create(singly, row)
        expected = totals(singly), listing(singly)

    for form in FORMS:
        with store_of(known) as store:
            receipt = store.meter_events.ingest(
                as_source(sent, form, sizes), timezone="UTC"
            )

            assert receipt.accepted == len(sent), form
            assert (totals(store), listing(store)) == expected, form


@given(usages())
def test_only_the_last_received_of_a_pre_aggregated_hour_or_day_counts(
    usage: Usage,
) -> None:
    """Sending only the survivors of each UTC hour or day gives the same totals.

    Source: https://docs.stripe.com/api/billing/meter/object, `event_time_window`.
    """
    known, sent = usage
    windowed = {meter.event_name: meter.event_time_window for meter in known}
    survivors: dict[object, Row] = {}
    for number, row in enumerate(sent):
        window, moment = windowed[row.event_name], row.timestamp or START
        slot = floor(moment, window) if window else number
        customer = row.payload[key_of(known, row)]
        survivors.pop((row.event_name, customer, slot), None)
        survivors[row.event_name, customer, slot] = row
    event(f"{len(sent) - len(survivors)} overwritten")

    remaining = list(survivors.values())
    with (
        store_of(known, sent) as all_sent,
        store_of(known, remaining) as only_survivors,
    ):
        assert totals(all_sent) == totals(only_survivors)
