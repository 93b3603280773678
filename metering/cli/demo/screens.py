"""The demo as people see it: one block for each stage, and what to try next."""

import shlex
from collections.abc import Sequence

from metering.arguments.clock import microseconds
from metering.cli.commands.alerts import show_triggered
from metering.cli.demo.stages import (
    AllMeters,
    Corrected,
    Dispute,
    Prepaid,
    Sent,
    Stage,
    TopCustomers,
    Verified,
    Watched,
)
from metering.cli.demo.traffic import HOURS
from metering.cli.screens.credits import money_of, scope_text
from metering.cli.screens.history import show_plot, steps_by_currency
from metering.cli.screens.money import amount_text
from metering.cli.screens.screen import (
    Column,
    levels,
    show,
    show_command,
    show_pairs,
    show_table,
)
from metering.cli.screens.text import (
    counted,
    moment,
    number,
    program,
    quantities,
    rate,
    second,
    sparkline,
)
from metering.cli.stores import shown_name

_USD = "usd"
_TRIGGERS_SHOWN = 5


def show_title(store: str) -> None:
    """Say what is about to happen."""
    title = f"{HOURS} hours of a language-model API, metered into {shown_name(store)}"
    show(title, style="bold")


def show_stage(stage: Stage) -> None:
    """Show what a stage came to."""
    show()
    match stage:
        case Sent():
            _show_sent(stage)
        case Watched():
            _show_watched(stage)
        case Corrected(cancelled=count):
            show(f"Cancelled {number(count)} events of requests that failed.")
        case TopCustomers() | AllMeters():
            _show_usage(stage)
        case Dispute():
            _show_dispute(stage)
        case Prepaid():
            _show_prepaid(stage)
        case Verified():
            _show_verified(stage)


def show_next_commands(store: str, stages: Sequence[Stage]) -> None:
    """Show commands that work as they are on the store that was made."""
    called, on = program(), _store_option(store)
    commands = [f"meters{on}"]
    for stage in stages:
        if isinstance(stage, Dispute):
            name, customer = stage.event_name, stage.customer
            commands += [
                f"summaries {name} --customer {customer} --by hour{on}",
                f"events --event-name {name} --customer {customer} --limit 5{on}",
                f"events cancel {name} {stage.identifier}{on}",
            ]
        if isinstance(stage, Prepaid):
            customer, end = stage.customer, f"{stage.end_time:%Y-%m-%d}"
            commands += [
                f"credits --customer {customer}{on}",
                f"credits transactions --customer {customer}{on}",
                f"credits history --customer {customer} --end {end}{on}",
            ]
    commands += [f"alerts triggered{on}", f"rebuild{on}", f"verify --json{on}"]
    show()
    show("Try next", style="bold")
    for command in commands:
        show_command(f"{called} {command}")
    if not on:
        show("They find the database if METERING_STORE is its URL.", style="dim")


def _show_usage(usage: TopCustomers | AllMeters) -> None:
    if isinstance(usage, TopCustomers):
        _show_top_customers(usage)
    else:
        _show_all_meters(usage)


def _show_watched(watched: Watched) -> None:
    triggered, title = watched.triggered, watched.alert.title
    if not triggered:
        show(f"The alert at {title} has triggered for nobody.")
        return
    customers = len({each.customer for each in triggered})
    show(
        f"The alert at {title} has triggered, once for each of"
        f" {counted(customers, 'customer')}"
    )
    show_triggered(triggered[:_TRIGGERS_SHOWN])


def _show_sent(sent: Sent) -> None:
    speed = rate(sent.rows, sent.seconds)
    show(
        f"Ingested {number(sent.rows)} rows in {sent.seconds:.2f} s, {speed} rows/s,"
        " durably",
        style="bold green",
    )
    counts = [
        number(count) for count in (sent.accepted, sent.duplicates, sent.rejected)
    ]
    width = max(len(count) for count in counts)
    accepted, duplicates, rejected = (count.rjust(width) for count in counts)
    repeated = "sent again, counted once"
    if not sent.accepted:
        repeated = "all were here from an earlier run, nothing counts twice"
    show_pairs(
        [
            ("accepted", f"{accepted}  new events"),
            ("duplicates", f"{duplicates}  {repeated}"),
            ("rejected", f"{rejected}  the identifier of an event of other usage"),
        ]
    )
    if sent.first_rejection is not None:
        show(f"Such as: {sent.first_rejection}", style="dim")


def _show_top_customers(stage: TopCustomers) -> None:
    tokens = quantities([usage.input_tokens for usage in stage.customers])
    requests = quantities([usage.requests for usage in stage.customers])
    show("Top customers", style="bold")
    show(f"{moment(stage.start_time)} to {moment(stage.end_time)} UTC", style="dim")
    show_table(
        [
            Column(title="customer"),
            Column(title="requests", is_number=True),
            Column(title="input tokens", is_number=True),
            Column(title="by hour", style="cyan"),
        ],
        [
            (
                usage.customer,
                requests[at],
                tokens[at],
                sparkline(usage.input_tokens_by_hour, levels()),
            )
            for at, usage in enumerate(stage.customers)
        ],
    )


def _show_all_meters(stage: AllMeters) -> None:
    values = quantities([meter.value for meter in stage.meters])
    show(f"All meters of {stage.customer}", style="bold")
    show_table(
        [
            Column(title="meter"),
            Column(title="event name"),
            Column(title="formula"),
            Column(title="usage", is_number=True),
        ],
        [
            (meter.display_name, meter.event_name, meter.formula, value)
            for meter, value in zip(stage.meters, values, strict=True)
        ],
    )


def _show_dispute(dispute: Dispute) -> None:
    value, before, after = (
        text.rjust(len(quantities([dispute.before])[0]))
        for each in (dispute.value, dispute.before, dispute.after)
        for text in quantities([each])
    )
    show(f"One of them cancelled: {dispute.customer} disputes a request", style="bold")
    show_pairs(
        [
            ("event", f"{dispute.event_name} {dispute.identifier}"),
            ("time", f"{second(dispute.timestamp)} UTC"),
            ("value", value),
            ("before", before),
            ("after", after),
        ]
    )
    if dispute.was_cancelled:
        show("It was cancelled by an earlier run; again changes nothing.", style="dim")


def _show_prepaid(stage: Prepaid) -> None:
    show(
        f"Paid with credits: {stage.invoice} of {stage.customer}, in USD", style="bold"
    )
    show_table(
        [
            Column(title="grant"),
            Column(title="category"),
            Column(title="usable for"),
            Column(title="amount", is_number=True),
            Column(title="from (UTC)"),
            Column(title="until"),
        ],
        [
            (
                grant.name or grant.id,
                grant.category,
                scope_text(grant),
                amount_text(grant.amount.monetary.value, _USD),
                f"{grant.effective_at:%Y-%m-%d}",
                f"{grant.expires_at:%Y-%m-%d}",
            )
            for grant in stage.grants
        ],
    )
    show()
    _show_draws(stage)
    if stage.was_applied:
        show("It was applied by an earlier run; again draws nothing.", style="dim")
    show()
    balance = next(
        each
        for each in stage.balance.balances
        if each.ledger_balance.monetary.currency == _USD
    )
    show_pairs(
        [
            ("available", money_of(balance.available_balance)),
            ("ledger", f"{money_of(balance.ledger_balance)}, pending credits included"),
        ]
    )
    show()
    show("As it will stand if nothing else happens", style="bold")
    bounds = (microseconds(stage.start_time), microseconds(stage.end_time))
    show_plot(steps_by_currency(stage.history)[_USD], bounds, _USD)


def _show_draws(stage: Prepaid) -> None:
    names = {grant.id: grant.name or grant.id for grant in stage.grants}
    drawn: dict[str, list[tuple[str, int]]] = {line.id: [] for line in stage.lines}
    for each in stage.transactions:
        debit = each.debit
        assert debit is not None, "what an invoice draws is a debit"
        assert debit.credits_applied is not None, "and names its line"
        line = debit.credits_applied.invoice_line_item
        drawn[line].append((names[each.credit_grant], debit.amount.monetary.value))
    rows = []
    for item in stage.lines:
        named = item.id, amount_text(item.amount, _USD)
        for name, amount in drawn[item.id] or [("", 0)]:
            rows.append((*named, amount_text(amount, _USD), name))
            named = "", ""
    show_table(
        [
            Column(title="invoice line"),
            Column(title="amount", is_number=True),
            Column(title="credits", is_number=True),
            Column(title="grant"),
        ],
        rows,
    )


def _show_verified(verified: Verified) -> None:
    for problem in verified.problems:
        show(problem, style="bold red")
    if verified.ok:
        show(
            f"Verified {number(verified.entries)} entries in {number(verified.commits)}"
            " commits: nothing is wrong",
            style="bold green",
        )
    show_pairs([("digest", verified.digest)])


def _store_option(store: str) -> str:
    return f" --store {shlex.quote(store)}" if shown_name(store) == store else ""
