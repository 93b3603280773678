"""The store of objects: found through the environment, and clear when it is not."""

import subprocess
import sys
from pathlib import Path
from socket import socket
from time import monotonic

import pyarrow as pa
import pytest
from werkzeug import Request, Response

from ledger.errors import SegmentMissingError, SegmentStoreUnavailableError
from ledger.segments.store import SegmentStore, open_segment_store
from tests.conftest import use_s3_environment
from tests.object_server import Answer, ObjectServer

NAME = "epoch-000000000000000-000000000000012-0123456789abcdef.parquet"
CONTENT = pa.py_buffer(b"content")
# More than one request takes: this one is uploaded in parts.
IN_PARTS = pa.py_buffer(b"0123456789abcdef" * (11 << 16))

PUTTING = """
import sys
import pyarrow as pa
from ledger.segments.store import open_segment_store
store = open_segment_store(sys.argv[1])
store.put("a", pa.py_buffer(b"content"))
file = store.open("a")
print(store.names(""))
"""


@pytest.fixture
def store(s3_url: str) -> SegmentStore:
    return open_segment_store(s3_url)


@pytest.fixture
def closed_port() -> int:
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def test_the_url_says_what_the_environment_said_but_no_secrets(
    s3_url: str, object_server: ObjectServer
) -> None:
    store = open_segment_store(s3_url)

    assert store.url == (
        f"{s3_url}?endpoint_override={object_server.endpoint}&region=eu-central-1"
    )


def test_the_endpoint_for_s3_goes_before_the_general_one(
    s3_url: str, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", object_server.endpoint)

    store = open_segment_store(s3_url)

    assert f"endpoint_override={object_server.endpoint}" in store.url


def test_the_url_goes_before_the_environment(
    s3_url: str, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    host = object_server.endpoint.removeprefix("http://")

    store = open_segment_store(
        f"{s3_url}/?region=us-west-2&scheme=http&endpoint_override={host}"
    )

    query = f"endpoint_override={host}&region=us-west-2&scheme=http"
    assert store.url == f"{s3_url}?{query}"


@pytest.mark.parametrize(
    ("profile", "access_key"),
    [(None, "of-the-default"), ("billing", "of-billing")],
)
def test_credentials_come_from_the_profile_that_is_named(
    s3_url: str,
    object_server: ObjectServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    profile: str | None,
    access_key: str,
) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id=of-the-default\naws_secret_access_key=secret\n"
        "[billing]\naws_access_key_id=of-billing\naws_secret_access_key=secret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    seen = list[str]()

    def note(request: Request, answer: Answer) -> Response:
        seen.append(request.headers["Authorization"])
        return answer()

    with object_server.misbehaving(note):
        open_segment_store(s3_url).put(NAME, CONTENT)

    assert seen
    assert all(f"Credential={access_key}/" in each for each in seen)


def test_the_token_of_a_session_is_sent(
    s3_url: str, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-a-test")
    seen = set[str | None]()

    def note(request: Request, answer: Answer) -> Response:
        seen.add(request.headers.get("X-Amz-Security-Token"))
        return answer()

    with object_server.misbehaving(note):
        store = open_segment_store(s3_url)

    assert seen == {"token-of-a-test"}
    assert "token-of-a-test" not in store.url


@pytest.mark.dialect
@pytest.mark.parametrize(
    "url",
    [
        "s3://access:hidden@bucket/usage",
        "s3://hidden@bucket/usage",
        "S3://hidden@bucket/usage",
        "s3://bucket/usage?secret_key=hidden",
        "s3://bucket/usage?endpoint_override=http://access:hidden@host",
        "abfs://container:hidden@account.dfs.core.windows.net/usage",
        "abfs://account.blob.core.windows.net/container?sig=hidden",
        "sftp://user:hidden@host/usage",
        "postgresql://user:hidden@host/usage",
        "s3://[hidden",
    ],
)
def test_a_url_with_secrets_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SegmentStoreUnavailableError) as caught:
        open_segment_store(url)

    assert "hidden" not in caught.value.message
    assert caught.value.__cause__ is None or "hidden" not in str(caught.value.__cause__)


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "give s3://bucket/prefix"),
        ("s3:///usage", "give s3://bucket/prefix"),
        ("s3://bucket/usage?color=red", "with no options but endpoint_override"),
        ("gs:///usage", "its URL names no bucket"),
        ("postgresql://host/usage", "give a directory, s3://"),
        ("teleport://host/usage", "give a directory, s3://"),
    ],
)
def test_a_url_of_something_else_is_refused(url: str, words: str) -> None:
    with pytest.raises(SegmentStoreUnavailableError) as caught:
        open_segment_store(url)

    assert f"The segment store {url} cannot be used: " in caught.value.message
    assert words in caught.value.message


@pytest.mark.slow
@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/usage?endpoint_override=http://127.0.0.1:{port}",
        "gs://anonymous@bucket?endpoint_override=127.0.0.1:{port}&scheme=http",
    ],
)
def test_a_store_that_cannot_be_reached_is_told_within_seconds(
    url: str, closed_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_s3_environment(monkeypatch, tmp_path)
    url = url.format(port=closed_port)
    began = monotonic()

    with pytest.raises(SegmentStoreUnavailableError) as caught:
        open_segment_store(url)

    assert monotonic() - began < 20
    assert url in caught.value.message
    assert "ould not connect to server" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_bucket_that_does_not_exist_is_told(s3_url: str) -> None:
    del s3_url

    with pytest.raises(SegmentStoreUnavailableError) as caught:
        open_segment_store("s3://no-such-bucket/usage")

    assert caught.value.reason == "there is no bucket no-such-bucket; create it first"


def test_a_refusal_is_told_and_shows_no_secret(
    store: SegmentStore, object_server: ObjectServer
) -> None:
    def refuse(_: Request, __: Answer) -> Response:
        words = "<Error><Code>AccessDenied</Code><Message>Denied.</Message></Error>"
        return Response(words, 403)

    for refused in (
        lambda: open_segment_store(store.url),
        lambda: store.put(NAME, CONTENT),
        lambda: store.open(NAME),
        lambda: store.size(NAME),
        lambda: store.names(""),
        lambda: store.remove(NAME),
    ):
        with (
            object_server.misbehaving(refuse),
            pytest.raises(SegmentStoreUnavailableError) as caught,
        ):
            refused()

        assert "ACCESS_DENIED" in caught.value.message
        assert store.url in caught.value.message
        assert "secret-of-a-test" not in caught.value.message
        assert not caught.value.message.endswith(".")
    store.put(NAME, CONTENT)
    assert store.names("") == [NAME]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "part"), [(CONTENT, None), (IN_PARTS, "1"), (IN_PARTS, "2")]
)
def test_an_upload_that_fails_leaves_nothing_to_be_seen(
    store: SegmentStore, object_server: ObjectServer, content: pa.Buffer, part: str
) -> None:
    def fail(request: Request, answer: Answer) -> Response:
        is_doomed = request.method == "PUT" and request.args.get("partNumber") == part
        return Response(status=500) if is_doomed else answer()

    with (
        object_server.misbehaving(fail),
        pytest.raises(SegmentStoreUnavailableError),
    ):
        store.put(NAME, content)

    assert store.names("") == []
    assert store.size(NAME) is None
    store.put(NAME, content)
    assert store.names("") == [NAME]


def test_what_is_read_back_otherwise_than_written_is_no_segment(
    store: SegmentStore, object_server: ObjectServer
) -> None:
    def damage(request: Request, answer: Answer) -> Response:
        response = answer()
        if request.method == "GET" and request.path.endswith(NAME):
            response.set_data(b"CONTENT")
            # The server knows nothing of it.
            del response.headers["x-amz-checksum-crc64nvme"]
        return response

    with (
        object_server.misbehaving(damage),
        pytest.raises(SegmentStoreUnavailableError, match="something else was read"),
    ):
        store.put(NAME, CONTENT)

    assert store.names("") == []


def test_other_objects_are_not_of_the_store(s3_url: str) -> None:
    store = open_segment_store(s3_url)
    for beside in (f"{s3_url}-of-others", f"{s3_url}/deeper", s3_url[:-6]):
        open_segment_store(beside).put("foreign", CONTENT)

    store.put(NAME, CONTENT)

    assert store.names("") == [NAME]
    with pytest.raises(SegmentMissingError):
        store.open("foreign")
    assert store.size("deeper") is None


@pytest.mark.parametrize("prefix", ["", "/", "/a b/100%25/", "/deep/er"])
def test_a_prefix_may_be_any_path(s3_url: str, prefix: str) -> None:
    bucket_url = s3_url.removesuffix("/usage")

    store = open_segment_store(f"{bucket_url}{prefix}")
    store.put(NAME, CONTENT)

    again = open_segment_store(store.url)
    assert again.url == store.url
    assert again.names("") == [NAME]


def test_there_is_no_local_file(store: SegmentStore) -> None:
    store.put(NAME, CONTENT)

    assert store.path(NAME) is None


def test_a_process_that_used_objects_ends_as_any_other(s3_url: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PUTTING, s3_url],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "['a']\n", "")
