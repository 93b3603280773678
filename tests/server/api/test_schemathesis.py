"""Whatever the OpenAPI document allows, and what it does not, has an answer.

Schemathesis makes requests of the document that the server itself gives.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from metering.server.table import ROUTES
from tests.profiles import PROFILE
from tests.server.forms import form_of
from tests.server.running import FORM, Answered
from tests.server.usage import one_of_each
from tests.server.witness import Witness, witnessed_server

pytestmark = [pytest.mark.slow, pytest.mark.sweep]

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@schemathesis.serializer(FORM)
def write_form(_: Any, value: Any) -> bytes:
    """Nest as Stripe's clients do, which OpenAPI leaves open for lists."""
    return form_of(value)


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    with witnessed_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Asks for cases.

    Attributes:
        ids: what there is of each resource, by the beginning of its path.
        token: of a session of the stream.
    """

    witness: Witness
    ids: Mapping[str, str]
    token: str

    def ask(self, case: schemathesis.Case[Any]) -> None:
        # It would be waited for, seconds long.
        case.headers.pop("Metering-Min-Position", None)
        self._name(case)
        path = case.operation.path
        before = self.witness.look()

        response = case.call(headers={"Authorization": f"Bearer {self._key(path)}"})

        case.validate_response(response, checks=CHECKS)
        headers = {name: values[0] for name, values in response.headers.items()}
        answered = Answered(
            status=response.status_code, headers=headers, body=response.content
        )
        self.witness.check(answered, path, before)

    def _key(self, path: str) -> str:
        is_stream = path == "/v2/billing/meter_event_stream"
        return self.token if is_stream else self.witness.server.key

    def _name(self, case: schemathesis.Case[Any]) -> None:
        """Ask for what there is in some cases: otherwise its name alone is judged."""
        for beginning, known in self.ids.items():
            if case.operation.path.startswith(beginning + "{"):
                drawn = str(case.path_parameters["id"]).encode(errors="surrogatepass")
                if zlib.crc32(drawn) % 2:
                    case.path_parameters["id"] = known


@pytest.fixture(scope="module")
def asking(witness: Witness) -> Asking:
    ids, token = one_of_each(witness.server)
    return Asking(witness=witness, token=token, ids=ids)


@pytest.fixture(scope="module")
def described(witness: Witness) -> Any:
    return schemathesis.openapi.from_url(f"{witness.server.url}/openapi.json")


def operations() -> Iterator[Any]:
    for each in ROUTES:
        for mode in schemathesis.GenerationMode:
            name = f"{each.method} {each.path} {mode.value}"
            yield pytest.param(each.method, each.path, mode, id=name)


@pytest.mark.parametrize(("method", "path", "mode"), list(operations()))
def test_what_is_asked_by_the_document_is_answered_as_it_says(
    method: str,
    path: str,
    mode: schemathesis.GenerationMode,
    described: Any,
    asking: Asking,
) -> None:
    operation = described[path][method]

    @settings(
        # Drawing from a schema takes long: where all steps are taken, more are drawn.
        max_examples=max(6 // PROFILE.stride, settings().max_examples // 4),
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        asking.ask(case)

    ask()
