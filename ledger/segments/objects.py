"""A segment store in an object store, each file one object.

An object becomes visible when its upload is completed, never before: what an interrupted
upload leaves is invisible, and for the bucket's lifecycle rule to remove.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa
import pyarrow.fs as pafs

from ledger.errors import SegmentMissingError, SegmentStoreUnavailableError
from ledger.segments.names import check_name, is_name
from ledger.segments.object_places import ObjectPlace, find_objects, one_line


class ObjectStore:
    """Objects under one prefix; what else is there is left alone.

    Sent to another process it opens itself again there, with that one's credentials.
    """

    def __init__(self, place: ObjectPlace) -> None:
        self._place = place
        self._filesystem = place.filesystem

    def __reduce__(self) -> tuple[Callable[[str], "ObjectStore"], tuple[str]]:
        """Pickle as a place, without the credentials that opened it here."""
        return open_object_store, (self.url,)

    @property
    def url(self) -> str:
        """Opens the same store elsewhere."""
        return self._place.url

    def put(self, name: str, content: pa.Buffer) -> None:
        """Store an object; it becomes visible as a whole or not at all."""
        path = self._path_of(name)
        with self._translated():
            with self._filesystem.open_output_stream(path) as stream:
                stream.write(content)
            with self._filesystem.open_input_file(path) as stored:
                is_equal = stored.read_buffer().equals(pa.py_buffer(content))
            if not is_equal:
                self._filesystem.delete_file(path)
        if not is_equal:
            reason = f"of {name} something else was read back than was written"
            raise SegmentStoreUnavailableError(self.url, reason)

    def open(self, name: str) -> pa.NativeFile:
        """Open an object for reading anywhere in it."""
        path = self._path_of(name)
        with self._translated():
            try:
                return self._filesystem.open_input_file(path)
            except FileNotFoundError as error:
                raise SegmentMissingError(self.url, name) from error

    def path(self, name: str) -> None:
        """There are no local files."""
        check_name(name)

    def address(self, name: str) -> str:
        """Return the URL by which other programs read an object."""
        scheme, _, _ = self.url.partition("://")
        return f"{scheme}://{self._path_of(name)}"

    def size(self, name: str) -> int | None:
        """Find how many bytes an object has; None where it is absent."""
        path = self._path_of(name)
        with self._translated():
            found = self._filesystem.get_file_info(path)
        return found.size if found.is_file else None

    def names(self, prefix: str) -> list[str]:
        """List the names with a prefix, sorted."""
        selector = pafs.FileSelector(self._place.root, allow_not_found=True)
        with self._translated():
            found = self._filesystem.get_file_info(selector)
        return sorted(
            each.base_name
            for each in found
            if each.is_file
            and each.base_name.startswith(prefix)
            and is_name(each.base_name)
        )

    def remove(self, name: str) -> None:
        """Remove an object; it may be absent."""
        path = self._path_of(name)
        with self._translated(), suppress(FileNotFoundError):
            self._filesystem.delete_file(path)

    def sweep(self) -> None:
        """Nothing that is visible is ever left behind."""

    def check(self) -> None:
        """Check that the bucket can be reached and exists.

        Raises:
            SegmentStoreUnavailableError: it cannot, or does not.
        """
        bucket = self._place.bucket
        if bucket is None:
            return
        with self._translated():
            found = self._filesystem.get_file_info(bucket)
        if found.type == pafs.FileType.NotFound:
            reason = f"there is no bucket {bucket}; create it first"
            raise SegmentStoreUnavailableError(self.url, reason)

    def _path_of(self, name: str) -> str:
        check_name(name)
        return f"{self._place.root}/{name}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException, ValueError) as error:
            raise SegmentStoreUnavailableError(self.url, one_line(error)) from error


def open_object_store(url: str) -> ObjectStore:
    """Open the object store at a URL, and make sure that it is there.

    Raises:
        SegmentStoreUnavailableError: there is none that can be reached, or the URL has
            secrets in it.
    """
    store = ObjectStore(find_objects(url))
    store.check()
    return store
