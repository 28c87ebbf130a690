"""Lines of audit-log files to events: nothing is dropped, what cannot be read is kept and marked."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import SourceError
from eks_audit_nb.window import to_milliseconds

_SUFFIXES = (".jsonl", ".json", ".log", ".ndjson")
_GZIP_MAGIC = b"\x1f\x8b"
# What EKS writes at the end of an event that CloudWatch cannot hold whole.
_TRUNCATED_END = "[Truncated...]"
_TRUNCATED_ANNOTATION = "audit.k8s.io/truncated"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_TIME = re.compile(r'"(?:stageTimestamp|requestReceivedTimestamp)"\s*:\s*"([^"]{19,35})"')


@dataclass
class Tally:
    """What was met while reading; `broken_files` names files that end in the middle of their compressed data."""

    events: int = 0
    unreadable: int = 0
    truncated: int = 0
    broken_files: tuple[str, ...] = ()


def find_files(where: str) -> list[Path]:
    """The files that a path, a folder or a glob names, sorted.

    Raises:
        SourceError: Nothing there.
    """
    path = Path(where).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.is_file() and _is_log(p)]
        wanted = f"a file that ends in {', '.join(_SUFFIXES)} or one of these with .gz"
    elif any(sign in where for sign in "*?["):
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found = [p for p in anchor.glob(pattern) if p.is_file()]
        wanted = "a file that the pattern matches"
    else:
        raise SourceError(
            f"There is no file or folder {where!r}. "
            'Give a file, a folder, a glob in quotes, "sample", or "cloudwatch:CLUSTER".'
        )
    if not found:
        raise SourceError(f"{where!r} holds no audit log: expected {wanted}.")
    return sorted(found)


def read_events(files: list[Path], tally: Tally) -> Iterator[Event]:
    """Every line of the files as an event, in order; `tally` is filled on the way.

    A line that is no JSON object takes its time from the line before it, and is marked.

    Raises:
        SourceError: A file that cannot be opened, or one without a single audit event.
    """
    number = 0
    for path in files:
        stream = log_stream_name(path)
        found = 0
        waiting: list[Event] = []  # lines before the first one with a time
        last_ms: int | None = None
        for text in _lines(path, tally):
            event, timestamp_ms = _event(text, number, path, stream)
            number += 1
            tally.events += 1
            tally.unreadable += event.condition == "unreadable"
            tally.truncated += event.condition == "truncated"
            found += _is_audit(event)
            last_ms = timestamp_ms if timestamp_ms is not None else last_ms
            if last_ms is None:
                waiting.append(event)
                continue
            yield from (_at(each, last_ms) for each in waiting)
            waiting = []
            yield _at(event, last_ms)
        if not found:
            raise SourceError(_nothing_found(path, tally))
    return


def log_stream_name(path: Path) -> str:
    """A stream name such as EKS gives, made from the file's name: kube-apiserver-audit- and 32 hex digits."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return f"kube-apiserver-audit-{digest}"


def _is_log(path: Path) -> bool:
    name = path.name.removesuffix(".gz")
    return not path.name.startswith(".") and (name.endswith(_SUFFIXES))


def _lines(path: Path, tally: Tally) -> Iterator[str]:
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            stream: BinaryIO = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if compressed else raw
            yield from _decoded(stream, path, tally)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None


def _decoded(stream: BinaryIO, path: Path, tally: Tally) -> Iterator[str]:
    first = True
    while True:
        try:
            line = stream.readline()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            # What could be unpacked has been given; the file's end is missing, and the result will say so.
            tally.broken_files += (str(path),)
            return
        if not line:
            return
        if first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            first = False
        line = line.strip(b"\r\n \t")
        if line:
            yield line.decode("utf-8", "replace")


def _event(text: str, number: int, path: Path, stream: str) -> tuple[Event, int | None]:
    parsed = _parsed(text)
    document: str | None = text if parsed is not None else None
    if document is not None and _SURROGATE.search(document):
        # A lone surrogate is no character; JSON readers other than Python's refuse the whole line for it.
        document = json.dumps(_scrubbed(parsed), ensure_ascii=False)
    timestamp_ms = _timestamp(parsed) if parsed is not None else _timestamp_in(text)
    condition = ""
    if text.endswith(_TRUNCATED_END) or _is_marked_truncated(parsed):
        condition = "truncated"
    elif parsed is None:
        condition = "unreadable"
    pointer = f"{path.name}:{number}"
    return Event(number, 0, 0, text, document, stream, str(path), pointer, condition), timestamp_ms


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_scrubbed(key): _scrubbed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_scrubbed(each) for each in value]
    return value


def _timestamp(event: dict[str, Any]) -> int | None:
    for name in ("stageTimestamp", "requestReceivedTimestamp"):
        value = event.get(name)
        if isinstance(value, str) and (instant := _instant(value)) is not None:
            return instant
    return None


def _timestamp_in(text: str) -> int | None:
    """The time of a line that is not whole JSON, where one can be made out."""
    times = [instant for found in _TIME.findall(text) if (instant := _instant(found)) is not None]
    return max(times, default=None)


def _instant(text: str) -> int | None:
    try:
        instant = datetime.fromisoformat(text)
        return to_milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _is_marked_truncated(event: dict[str, Any] | None) -> bool:
    annotations = event.get("annotations") if event else None
    return isinstance(annotations, dict) and annotations.get(_TRUNCATED_ANNOTATION) == "true"


def _is_audit(event: Event) -> bool:
    return '"auditID"' in event.message


def _at(event: Event, timestamp_ms: int) -> Event:
    return replace(event, timestamp_ms=timestamp_ms, ingestion_ms=timestamp_ms)


def _nothing_found(path: Path, tally: Tally) -> str:
    with_content = f"{tally.events:,} lines were read and none is an audit event" if tally.events else "it is empty"
    return (
        f"{path} holds no audit events: {with_content}. "
        "Expected one JSON object a line, each with an auditID, as the API server writes them."
    )
