"""Lines of audit-log files to events: nothing is dropped, what cannot be read is kept and marked."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import SourceError
from eks_audit_nb.events import parse_cut_event, parse_event, without_surrogates
from eks_audit_nb.window import to_milliseconds

_SUFFIXES = (".jsonl", ".json", ".log", ".ndjson")
_SOURCES = 'Give a file, a folder, a glob in quotes, "sample", or "cloudwatch:CLUSTER".'
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
# What EKS writes at the end of an event that CloudWatch cannot hold whole.
_TRUNCATED_END = "[Truncated...]"
_TRUNCATED_ANNOTATION = "audit.k8s.io/truncated"
_CHUNK = 8192


@dataclass
class Tally:
    """What was met while reading.

    `broken_files` names files whose compressed data is cut or damaged; `without_events` those that hold no audit event,
    with the number of their lines.
    """

    events: int = 0
    unreadable: int = 0
    truncated: int = 0
    broken_files: tuple[str, ...] = ()
    without_events: dict[Path, int] = field(default_factory=dict)


def find_files(where: str) -> list[Path]:
    """The files that a path, a folder or a glob names, sorted.

    Raises:
        SourceError: Nothing there.
    """
    try:
        return _found_files(where)
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be read, a wrong pattern
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{where[:200]!r} cannot be read: {reason}. {_SOURCES}") from None


def read_events(files: list[Path], tally: Tally) -> Iterator[Event]:
    """Every line of the files as an event, in order; `tally` is filled on the way.

    A line without a time takes that of the line before it, and one that is no audit event is marked. Where no line has
    a time, all stand at the beginning of 1970.

    Raises:
        SourceError: A file that cannot be opened, or no audit event in any of them.
    """
    number = 0
    last_ms: int | None = None
    waiting: list[Event] = []  # lines before the first one with a time
    for path in files:
        stream = log_stream_name(path)
        first_number, found = number, 0
        for text in _lines(path, tally):
            event, timestamp_ms = _event(text, number, path, stream)
            number += 1
            tally.events += 1
            tally.unreadable += event.condition == "unreadable"
            tally.truncated += event.condition == "truncated"
            found += event.condition != "foreign" and '"auditID"' in event.message
            last_ms = timestamp_ms if timestamp_ms is not None else last_ms
            if last_ms is None:
                waiting.append(event)
                continue
            yield from (_at(each, last_ms) for each in waiting)
            waiting = []
            yield _at(event, last_ms)
        if not found:
            tally.without_events[path] = number - first_number
    if len(tally.without_events) == len(files):
        path, lines = next(iter(tally.without_events.items()))
        raise SourceError(_nothing_found(path, lines, str(path) in tally.broken_files))
    yield from (_at(each, 0) for each in waiting)


def log_stream_name(path: Path) -> str:
    """A stream name such as EKS gives, made from the file's name: kube-apiserver-audit- and 32 hex digits."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return f"kube-apiserver-audit-{digest}"


def _found_files(where: str) -> list[Path]:
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
        raise SourceError(f"There is no file or folder {where!r}. {_SOURCES}")
    if not found:
        raise SourceError(f"{where!r} holds no audit log: expected {wanted}.")
    return sorted(found)


def _is_log(path: Path) -> bool:
    name = path.name.removesuffix(".gz")
    return not path.name.startswith(".") and (name.endswith(_SUFFIXES))


def _lines(path: Path, tally: Tally) -> Iterator[str]:
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            stream = cast("BufferedReader", gzip.GzipFile(fileobj=raw)) if compressed else raw
            for number, line in enumerate(_split(_chunks(stream, path, tally))):
                text = (line.removeprefix(_BOM) if number == 0 else line).strip(b"\r\n \t")
                if text:
                    yield from _unpacked(text.decode("utf-8", "replace"))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None


def _unpacked(text: str) -> Iterator[str]:
    """The events of a line: one, or those of an EventList or of an array that stands on one line."""
    if text[0] not in "[{" or not (text[0] == "[" or '"EventList"' in text):
        yield text
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield text
        return
    items = value.get("items") if isinstance(value, dict) and value.get("kind") == "EventList" else value
    if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
        yield from (json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
    else:
        yield text


def _chunks(stream: BufferedReader, path: Path, tally: Tally) -> Iterator[bytes]:
    """The bytes of a file as they can be had: what was unpacked before a damaged place is not lost."""
    while True:
        try:
            chunk = stream.read1(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            tally.broken_files += (str(path),)  # the result will say so
            return
        if not chunk:
            return
        yield chunk


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    for chunk in chunks:
        head, *lines = chunk.split(b"\n")
        pieces.append(head)
        for line in lines:
            yield b"".join(pieces)
            pieces = [line]
    yield b"".join(pieces)


def _event(text: str, number: int, path: Path, stream: str) -> tuple[Event, int | None]:
    parsed = parse_event(text)
    # JSON readers other than Python's refuse a whole line for a lone surrogate.
    document = without_surrogates(text) if parsed else None
    condition = ""
    if text.endswith(_TRUNCATED_END) or _is_marked_truncated(parsed):
        condition = "truncated"
    elif not parsed:
        condition = "unreadable"
    elif not isinstance(parsed.get("auditID"), str):
        condition = "foreign"
    pointer = f"{path.name}:{number}"
    event = Event(number, 0, 0, text, document, stream, str(path), pointer, condition)
    return event, _timestamp(parsed or parse_cut_event(text))


def _timestamp(event: dict[str, Any]) -> int | None:
    for name in ("stageTimestamp", "requestReceivedTimestamp"):
        value = event.get(name)
        if isinstance(value, str) and (instant := _instant(value)) is not None:
            return instant
    return None


def _instant(text: str) -> int | None:
    try:
        instant = datetime.fromisoformat(text)
        return to_milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _is_marked_truncated(event: dict[str, Any]) -> bool:
    annotations = event.get("annotations")
    return isinstance(annotations, dict) and annotations.get(_TRUNCATED_ANNOTATION) == "true"


def _at(event: Event, timestamp_ms: int) -> Event:
    return replace(event, timestamp_ms=timestamp_ms, ingestion_ms=timestamp_ms)


def _nothing_found(path: Path, lines: int, is_broken: bool) -> str:
    seen = f"{lines:,} lines were read and none is an audit event" if lines else "it is empty"
    if is_broken:
        seen += ", and its compressed data is cut or damaged"
    return (
        f"{path} holds no audit events: {seen}. "
        "Expected one JSON object a line, each with an auditID, as the API server writes them."
    )
