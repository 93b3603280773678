"""The race of the demo: two callers want the last credit, and one of them gets it.

Repeated, each is answered as the first time: the winner's hold is there, and what it drew
is not there for the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import metering
from metering.cli.demo.stages import DemoStage
from metering.cli.screens.credits import money_of
from metering.cli.screens.money import money_text
from metering.cli.screens.screen import Column, show, show_table

_CUSTOMER = "cus_last_dollar"
_CURRENCY = "usd"
_GRANTED = 1_00
_HELD = 80
_COST = 60
_JOBS = ("job_demo_1", "job_demo_2")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """What a caller was answered: its hold, or why it has none."""

    job: str
    hold: metering.CreditHold | None
    refusal: str | None


def raced(m: metering.Metering) -> DemoStage:
    """Let two callers hold more than half of what is left at the same time."""
    _grant(m)
    start = Barrier(len(_JOBS))

    def call(job: str) -> _Caller:
        start.wait()
        try:
            hold = m.credit_holds.create(id=job, customer=_CUSTOMER, amount=_usd(_HELD))
        except metering.InvalidRequestError as error:
            return _Caller(job=job, hold=None, refusal=error.code)
        return _Caller(job=job, hold=hold, refusal=None)

    with ThreadPoolExecutor(len(_JOBS)) as threads:
        callers = list(threads.map(call, _JOBS))
    settled = [
        m.credit_holds.settle(each.job, amount=_COST) for each in callers if each.hold
    ]
    balance = m.credit_balance_summary.retrieve(customer=_CUSTOMER)

    def show_it() -> None:
        title = f"Two AI calls hold {_text(_HELD)} each of the last {_text(_GRANTED)}"
        show(title, style="bold")
        show_table(_columns(), callers)
        for each in settled:
            drawn, back = money_of(each.amount_drawn), money_of(each.amount_released)
            show(f"{each.id} is settled: {drawn} drawn, {back} went back")

    document = {
        "customer": _CUSTOMER,
        "holds": settled,
        "refused": {
            each.job: each.refusal for each in callers if each.refusal is not None
        },
        "balance": balance,
    }
    return DemoStage("raced", document, show_it, is_right=len(settled) == 1)


def _grant(m: metering.Metering) -> None:
    """Grant the last dollar, unless an earlier run did."""
    if not m.credit_grants.list(_CUSTOMER):
        m.credit_grants.create(
            customer=_CUSTOMER,
            amount=_usd(_GRANTED),
            applicability_config={"scope": {"price_type": "metered"}},
            name="The last dollar",
        )


def _usd(value: int) -> metering.CreditAmountParams:
    return {"type": "monetary", "monetary": {"currency": _CURRENCY, "value": value}}


def _text(value: int) -> str:
    return money_text(value, _CURRENCY)


def _columns() -> list[Column[_Caller]]:
    return [
        Column("call", lambda each: each.job),
        Column("held", lambda each: _text(_HELD) if each.hold else None),
        Column("refused with", lambda each: each.refusal),
    ]
