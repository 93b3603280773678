"""Which object store a URL means, and how it is reached.

Credentials are the environment's, as the users of each cloud expect, and never the
URL's: that is shown in errors, and sent to other machines. For S3 they, and the region,
come from the variables AWS_* and the profile that AWS_PROFILE names, and the endpoint
from AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL.
Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

import importlib
import os
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec
import pyarrow as pa
import pyarrow.fs as pafs

from ledger.errors import SegmentStoreUnavailableError

# A store that cannot be reached must fail within seconds. The first two are of one attempt;
# the time to answer is that without a single byte, so that a slow upload may take long.
_SECONDS_TO_CONNECT = 3
_SECONDS_TO_ANSWER = 5
_ATTEMPTS = 3
_SECONDS_TO_RETRY_GS = 3

_S3_OPTIONS = ("endpoint_override", "region", "scheme", "tls_ca_file_path")
_BUCKETS = {"s3", "gs", "gcs", "abfs", "abfss"}
_OTHERS_OF_ARROW = {"hdfs", "viewfs"}
_SECRET = re.compile(
    "secret|passw|pwd|token|key|sig|sas|cred|auth|connection", re.IGNORECASE
)
# Also before the host of a URL within another one, as fsspec chains them.
_USER = re.compile("//[^/@]*:[^/@]*@")
_MOST_WORDS = 400


class ObjectPlace(msgspec.Struct, frozen=True, kw_only=True):
    """An object store, and where in it the files are.

    Attributes:
        filesystem: reaches it.
        root: bucket and prefix, as the filesystem spells them.
        url: leads to the same place from elsewhere, given credentials.
        bucket: must exist beforehand; None where there is no such thing.
    """

    filesystem: pafs.FileSystem
    root: str
    url: str
    bucket: str | None


def find_objects(url: str) -> ObjectPlace:
    """Find the object store that a URL means; it may not be reached before it is used.

    Raises:
        SegmentStoreUnavailableError: there is none, its software is not installed, or
            the URL has secrets in it.
    """
    parts, options = _without_secrets(url)
    try:
        if parts.scheme == "s3":
            return _s3(url, parts, options)
        if parts.scheme in _BUCKETS | _OTHERS_OF_ARROW:
            return _of_arrow(url, parts, options)
        return _of_fsspec(url)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise SegmentStoreUnavailableError(url, one_line(error)) from error


def one_line(error: Exception) -> str:
    """Return the message of an error as one line of moderate length."""
    words = " ".join(str(error).split()) or type(error).__name__
    shortened = words if len(words) <= _MOST_WORDS else f"{words[:_MOST_WORDS]}…"
    return shortened.rstrip(".")


def _without_secrets(url: str) -> tuple[SplitResult, dict[str, str]]:
    """Split a URL, without ever showing one that may hold a secret."""
    scheme = url.partition("://")[0].lower()
    try:
        parts = urlsplit(url, allow_fragments=False)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        # What failed shows a part of the URL.
        reason = "its URL cannot be read; give one like s3://bucket/prefix"
        raise SegmentStoreUnavailableError(f"{scheme}://…", reason) from None
    # Azure has its container before the @, and Google its word for nobody.
    has_password = _USER.search(url) or (scheme == "s3" and "@" in parts.netloc)
    endpoint = options.get("endpoint_override", "")
    if has_password or "@" in endpoint or any(map(_SECRET.search, options)):
        reason = (
            "its URL has secrets in it, which would be shown in errors; leave them out"
            " and set them in the environment, as AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY"
        )
        raise SegmentStoreUnavailableError(f"{scheme}://…", reason)
    return parts, options


def _s3(url: str, parts: SplitResult, options: Mapping[str, str]) -> ObjectPlace:
    bucket, prefix = parts.netloc, unquote(parts.path).strip("/")
    if not bucket or options.keys() - set(_S3_OPTIONS):
        known = ", ".join(_S3_OPTIONS)
        reason = f"give s3://bucket/prefix, with no options but {known}"
        raise SegmentStoreUnavailableError(url, reason)
    said = _s3_environment() | dict(options)
    if not said.keys() & {"region", "endpoint_override"}:
        said["region"] = pafs.resolve_s3_region(bucket)
    filesystem = pafs.S3FileSystem(
        **said,
        connect_timeout=_SECONDS_TO_CONNECT,
        request_timeout=_SECONDS_TO_ANSWER,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        # One request, where the content is not so large as to need several.
        allow_delayed_open=True,
    )
    said["region"] = filesystem.region
    root = f"{bucket}/{prefix}".rstrip("/")
    query = urlencode(sorted(said.items()), safe=":/")
    return ObjectPlace(
        filesystem=filesystem,
        root=root,
        url=f"s3://{quote(root)}?{query}",
        bucket=bucket,
    )


def _s3_environment() -> dict[str, str]:
    """Read what the environment says of S3 that the filesystem does not ask it for."""
    variables = {
        "endpoint_override": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    }
    found = {
        option: next(filter(None, map(os.environ.get, names)), None)
        for option, names in variables.items()
    }
    return {option: value for option, value in found.items() if value}


def _of_arrow(url: str, parts: SplitResult, options: Mapping[str, str]) -> ObjectPlace:
    if parts.scheme in _BUCKETS and not parts.netloc:
        raise SegmentStoreUnavailableError(url, "its URL names no bucket")
    patience = {}
    if parts.scheme in {"gs", "gcs"} and "retry_limit_seconds" not in options:
        patience["retry_limit_seconds"] = str(_SECONDS_TO_RETRY_GS)
    patient = parts._replace(query=urlencode({**options, **patience}))
    filesystem, path = pafs.FileSystem.from_uri(patient.geturl())
    root = path.rstrip("/")
    bucket = root.split("/")[0] if parts.scheme in _BUCKETS else None
    return ObjectPlace(filesystem=filesystem, root=root, url=url, bucket=bucket)


def _of_fsspec(url: str) -> ObjectPlace:
    try:
        # Installed where a store needs it. Listings are not cached, since other processes
        # put and remove files.
        fsspec = importlib.import_module("fsspec.core")
        found, path = fsspec.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        reason = (
            f"{one_line(error)}; give a directory, s3://…, gs://… or abfs://…, or"
            " install what fsspec needs for others"
        )
        raise SegmentStoreUnavailableError(url, reason) from error
    filesystem = pafs.PyFileSystem(pafs.FSSpecHandler(found))
    return ObjectPlace(
        filesystem=filesystem, root=path.rstrip("/"), url=url, bucket=None
    )
