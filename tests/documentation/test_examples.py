"""Every example of every page runs as it stands there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from tests.documentation.examples import PORT, Reader, free_port
from tests.documentation.pages import LANGUAGES, PAGES, blocks, name_of

_READ = [page for page in PAGES if blocks(page, "python", "shell", "console")]


@pytest.fixture
def reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Reader]:
    """A reader in an empty directory, for whom everything that a page names is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("METERING_STORE", raising=False)
    port = free_port()

    def asked(fixture: str) -> Callable[[], str]:
        return lambda: str(request.getfixturevalue(fixture))

    reader = Reader(
        tmp_path,
        {
            PORT: lambda: port,
            "postgresql://…": asked("postgresql_url"),
            "s3://bucket/usage": asked("s3_url"),
            "tcp://scheduler:8786": asked("cluster_address"),
        },
    )
    yield reader
    reader.close()


@pytest.fixture
def cluster_address() -> Iterator[str]:
    """The address of a cluster's scheduler, in this process."""
    with LocalCluster(  # type: ignore[no-untyped-call]  # untyped
        n_workers=1, processes=False, dashboard_address=""
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
@pytest.mark.parametrize("page", _READ, ids=name_of)
def test_examples_of_a_page_run_in_order_in_an_empty_directory(
    page: Path, reader: Reader
) -> None:
    reader.read(page)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_language_that_is_run_or_is_a_picture(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES.keys()
