"""``metering diff``: where two stores differ, for people and for programs."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, lines, run
from tests.metering.usual_usage import NOW, batch, create_event, create_meter


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A store that commands find, and a branch of it with one more event."""
    origin, branch = tmp_path / "store", tmp_path / "branch"
    monkeypatch.setenv("METERING_STORE", str(origin))
    with metering.connect(origin, clock=metering.FixedClock(NOW)) as m:
        create_meter(m)
        m.meter_events.ingest(batch(0, 10))
        with m.branch(branch) as made:
            create_event(made, timestamp=NOW)
    return origin, branch


def test_differences_are_shown_and_counted(stores: tuple[Path, Path]) -> None:
    _, branch = stores

    shown = run("diff", branch, "--total")
    [row] = lines("diff", branch)

    assert shown.exit_code == 0
    assert "Differing: 1 usage total; of 1 customer" in shown.stdout
    assert (row["customer"], row["subject"]) == ("cus_1", "tokens")
    assert (row["a"], row["b"], row["difference"]) == (3, 4, 1)


def test_the_exit_code_says_so_where_it_is_asked_for(
    stores: tuple[Path, Path],
) -> None:
    origin, branch = stores

    assert run("diff", branch, "--exit-code").exit_code == 1
    alike = run("diff", branch, branch, "--exit-code")
    assert (alike.exit_code, alike.stdout) == (0, "Nothing differs.\n")
    assert run("diff", branch, origin, "--json").exit_code == 0


def test_what_cannot_be_compared_is_refused(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    _, branch = stores

    assert_only_fails(run("diff", tmp_path / "absent"), "absent")
    assert run("diff", branch, branch, branch).exit_code == 2
    assert run("diff", branch, "--total", "--window", "day").exit_code == 2
