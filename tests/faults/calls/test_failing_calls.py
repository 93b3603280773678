"""A system call fails, or the process dies before it: nothing is lost, nothing doubled."""

from collections.abc import Iterator, Sequence
from multiprocessing.context import ForkServerContext
from typing import Literal

import pytest

from tests.faults.calls.attempts import CHANGES, Attempts, faults
from tests.faults.histories import HISTORIES, Verdict, deliveries_to
from tests.figures import Figures
from tests.profiles import budget, drawing, memory_directory, taken
from tests.webhook_receiver import running_receiver

pytestmark = [pytest.mark.slow, pytest.mark.sweep]
WEBHOOKS = "webhooks"
FAULTS = 120
KILLS = 60
FINDINGS_MAX = 3
_LONG_EVERY = 10


@pytest.fixture(scope="module", params=taken([*HISTORIES, WEBHOOKS]))
def attempts(
    request: pytest.FixtureRequest, interposed: ForkServerContext
) -> Iterator[Attempts]:
    """Each history in turn, to be lived through again and again."""
    name: str = request.param
    with running_receiver() as receiver, memory_directory() as original:
        histories = HISTORIES | {WEBHOOKS: deliveries_to(receiver.url)}
        yield Attempts(name, histories[name], interposed, original)


def test_a_system_call_that_fails_loses_and_doubles_nothing(
    attempts: Attempts, figures: Figures
) -> None:
    """A system call that fails, falls short or is interrupted is at most a clear error.

    Any call on a file of the store or on a socket, once or from then on. What is raised is
    an error of the product, what is logged has no traceback, and nothing hangs.
    """
    generator = drawing(attempts.name)
    findings = list[str]()

    for number, fault in enumerate(
        faults(attempts.counts(), budget(FAULTS), generator)
    ):
        verdict = attempts.failing(fault, is_long=number % _LONG_EVERY == 0)
        findings += noted(verdict, "faults", str(fault), figures)
        if len(findings) == FINDINGS_MAX:
            break

    assert not findings, "\n".join(findings)


def test_a_kill_before_any_system_call_loses_and_doubles_nothing(
    attempts: Attempts, figures: Figures
) -> None:
    """A process can be killed before any system call that changes anything."""
    generator = drawing(attempts.name)
    counts = attempts.counts()
    calls = range(1, sum(counts[call] for call in CHANGES))
    findings = list[str]()

    for number, nth in enumerate(
        generator.sample(calls, min(budget(KILLS), len(calls)))
    ):
        verdict = attempts.killed(nth, is_long=number % _LONG_EVERY == 0)
        findings += noted(verdict, "kills", f"before call {nth}", figures)
        if len(findings) == FINDINGS_MAX:
            break

    assert not findings, "\n".join(findings)


def noted(
    verdict: Verdict | None,
    kind: Literal["faults", "kills"],
    name: str,
    figures: Figures,
) -> Sequence[str]:
    """Count what was tried, and return what was wrong."""
    if verdict is None:
        # The process took another way this time, and never came to the call.
        return []
    figures.add(kind, lost=verdict.lost, doubled=verdict.doubled)
    return [f"{name}: {verdict.finding}"] if verdict.finding else []
