"""Objects as files: fetched ahead of their reader, several at once, and gone from the disk when they have been read."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from io import BufferedReader, FileIO
from pathlib import Path, PurePosixPath
from typing import Any, Literal, overload

from eks_audit_nb.case.manifest import Input
from eks_audit_nb.errors import S3Error
from eks_audit_nb.reading.finding import is_log
from eks_audit_nb.reading.log_file import LogFile
from eks_audit_nb.sources.s3.bucket import CONNECTIONS, Bucket, OddAnswerError, StoppedError
from eks_audit_nb.sources.s3.listing import Entry
from eks_audit_nb.window import to_milliseconds

ACTION = "s3:GetObject"
# How far ahead of the reader: so many objects, or so many bytes, whatever is reached first.
_AHEAD, _AHEAD_BYTES = 4 * CONNECTIONS, 256 * 1024 * 1024
_PIECE = 256 * 1024


class S3File:
    """An object in S3 with the names that it has there; its bytes are on the disk while it is read."""

    def __init__(self, bucket: Bucket, entry: Entry, local: Path) -> None:
        self.entry = entry
        self.size = entry.size
        self._bucket = bucket
        self._local = local
        self._has_arrived = False
        self._input: Input | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What stands behind the last slash of its key."""
        return PurePosixPath(self.entry.key).name

    @property
    def parent(self) -> PurePosixPath:
        """What stands before it, which in an export ends with the log stream."""
        return PurePosixPath(self.entry.key).parent

    def __str__(self) -> str:
        return self._bucket.uri(self.entry.key)

    @overload
    def open(self, mode: Literal["rb"], buffering: Literal[0]) -> FileIO: ...

    @overload
    def open(self, mode: Literal["rb"]) -> BufferedReader: ...

    def open(self, mode: Literal["rb"], buffering: Literal[-1, 0] = -1) -> FileIO | BufferedReader:
        """Its bytes, fetched where they are not here.

        Raises:
            S3Error: They cannot be had.
        """
        self.fetch()
        return self._local.open(mode) if buffering else self._local.open(mode, buffering)

    def fetch(self) -> None:
        """Bring its bytes here, unless they are.

        Raises:
            S3Error: They cannot be had, or are not those that were listed.
            StoppedError: They are not wanted any more.
        """
        with self._lock:
            if not self._has_arrived:
                self._input = _Download(self._bucket, self.entry, self._local).run()
                self._has_arrived = True

    def drop(self) -> None:
        """Free the disk."""
        with self._lock:
            self._local.unlink(missing_ok=True)
            self._has_arrived = False

    @property
    def input(self) -> Input:
        """What a manifest says about it, once it was here."""
        assert self._input is not None  # noqa: S101
        return self._input


class S3Files(Collection[LogFile]):
    """Objects in the order in which they are read; each is on the disk until the next one is asked for."""

    def __init__(
        self,
        bucket: Bucket,
        entries: Sequence[Entry],
        scratch: Path,
        *,
        named: str = "",
        on_read: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            bucket: Where they lie.
            entries: What was listed.
            scratch: An empty folder.
            named: The key of an object that is read whatever its name and its first bytes are.
            on_read: Called with the size of each that was read.
        """
        self._bucket = bucket
        self._files = [S3File(bucket, entry, scratch / str(number)) for number, entry in enumerate(entries)]
        self._by_name = {str(file): file for file in self._files}
        self._named, self._on_read = named, on_read
        self._pool = ThreadPoolExecutor(CONNECTIONS)
        self.not_logs: list[str] = []

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, file: object) -> bool:
        return str(file) in self._by_name

    def __iter__(self) -> Iterator[LogFile]:
        """The objects that are logs, which their first bytes tell where their names do not.

        Raises:
            S3Error: One cannot be had, or none is a log.
        """
        self.not_logs = []
        for file in self._fetched():
            if file.entry.key == self._named or is_log(file):
                yield file
            else:
                self.not_logs.append(str(file))
        if len(self.not_logs) == len(self._files):
            raise S3Error(f"{self.not_logs[0]} is no log, by its first bytes, and there is no other object.")

    def input_of(self, file: LogFile) -> Input:
        """What a manifest says about one that was read."""
        return self._by_name[str(file)].input

    def close(self) -> None:
        """Stop what is under way, and wait until it has stopped."""
        self._bucket.stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def _fetched(self) -> Iterator[S3File]:
        waiting = deque(self._files)
        ahead: deque[tuple[S3File, Future[None]]] = deque()
        size = 0
        try:
            while waiting or ahead:
                while waiting and len(ahead) < _AHEAD and (not ahead or size + waiting[0].size <= _AHEAD_BYTES):
                    file = waiting.popleft()
                    size += file.size
                    ahead.append((file, self._pool.submit(file.fetch)))
                file, future = ahead.popleft()
                future.result()
                yield file
                file.drop()
                size -= file.size
                self._on_read(file.size)
        finally:
            for file, future in ahead:
                if future.cancel() or future.done():
                    file.drop()


class _Download:
    """The bytes of one object on their way to a file: where the connection is lost, the next one goes on from there."""

    def __init__(self, bucket: Bucket, entry: Entry, path: Path) -> None:
        self._bucket = bucket
        self._entry = entry
        self._path = path
        self._received = 0
        self._sha256 = hashlib.sha256()
        self._version_id = ""

    def run(self) -> Input:
        """Write the file.

        Raises:
            S3Error: S3 refuses, or the object is not what was listed.
            StoppedError: It is not wanted any more.
        """
        with self._path.open("wb") as file:
            self._bucket.ask(lambda: self._go_on(file), ACTION, self._entry.key, lambda: self._received)
        entry = self._entry
        return Input(
            self._bucket.uri(entry.key),
            entry.size,
            to_milliseconds(entry.modified) * 1_000_000,
            self._sha256.hexdigest(),
            entry.etag.strip('"'),
            self._version_id,
        )

    def _go_on(self, file: Any) -> None:
        entry = self._entry
        request: dict[str, Any] = {"Bucket": self._bucket.name, "Key": entry.key}
        if entry.etag:
            request["IfMatch"] = entry.etag
        if self._received:
            request["Range"] = f"bytes={self._received}-"
        answer = self._bucket.client.get_object(**request)
        with closing(answer["Body"]) as body:
            begin = re.match(r"bytes (\d+)-", answer.get("ContentRange", ""))
            if self._received and (not begin or int(begin[1]) != self._received):
                self._begin_anew(file)
            size = self._received + answer["ContentLength"]
            if answer.get("ETag", "") != entry.etag or (size != entry.size and not entry.etag):
                raise S3Error(f"{self._bucket.uri(entry.key)} was replaced after it was listed. Collect again.")
            if size != entry.size:
                raise OddAnswerError(f"it has {entry.size:,} bytes, and {size:,} were announced")
            self._version_id = answer.get("VersionId", "")
            while piece := body.read(_PIECE):
                if self._bucket.stopping.is_set():
                    raise StoppedError
                file.write(piece)
                self._sha256.update(piece)
                self._received += len(piece)

    def _begin_anew(self, file: Any) -> None:
        file.seek(0)
        file.truncate()
        self._received, self._sha256 = 0, hashlib.sha256()
