"""Real servers with real workers, under load, killed and ended: what they acknowledge."""

import pytest

from tests.metering.integrations.backends import (
    EXAMPLES,
    Clients,
    assert_once,
    recorded,
    serving,
)
from tests.profiles import PROFILE

SERVERS = {
    "fastapi": (
        *("uvicorn", f"{EXAMPLES}.fastapi_backend:app", "--workers", "2"),
        *("--port", "PORT", "--log-level", "warning"),
    ),
    "django": (
        *("gunicorn", f"{EXAMPLES}.django_backend:application", "-w", "1"),
        *("-c", f"python:{EXAMPLES}.django_gunicorn_conf", "--threads", "4"),
        *("-b", "127.0.0.1:PORT", "--log-level", "warning"),
    ),
    "flask": (
        *("gunicorn", f"{EXAMPLES}.flask_backend:app", "--preload"),
        *("-c", f"python:{EXAMPLES}.gunicorn_conf"),
        *("-b", "127.0.0.1:PORT", "--log-level", "warning"),
    ),
}
ROUNDS = 20 if PROFILE.is_thorough else 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVERS)
def test_what_a_server_acknowledged_is_there_once(name: str, store_target: str) -> None:
    acknowledged: list[str] = []

    with serving(store_target, *SERVERS[name]) as (backend, port):
        for number in range(ROUNDS):
            with Clients(port, f"killed-{number}") as killed:
                killed.wait_for(10)
                backend.kill_worker()
                killed.wait_for(10)
            acknowledged += killed.acknowledged
        with Clients(port, "ended") as ended:
            ended.wait_for(10)
            backend.terminate()

    assert_once(recorded(store_target, "tokens"), acknowledged + ended.acknowledged)
    if name != "flask":
        # Middleware records them after the response: a kill loses the latest.
        assert_once(recorded(store_target, "requests"), ended.acknowledged)
