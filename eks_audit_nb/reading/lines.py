"""Audit-log files to events: nothing is dropped, and what cannot be read is kept and marked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, NoReturn

from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import SourceError
from eks_audit_nb.events import parse_cut_event, parse_event, without_surrogates
from eks_audit_nb.reading import envelopes
from eks_audit_nb.reading.log_file import LogFile
from eks_audit_nb.reading.records import Envelope, MissingMessageError, Record, milliseconds
from eks_audit_nb.reading.unpacking import unpacked_lines

# An export has a folder for each log stream, which has the stream's name.
_STREAM = re.compile(r"kube-apiserver-audit-.+|(?:kube-[a-z-]+|authenticator|cloud-controller-manager)-[0-9a-f]{32}")
# What EKS writes at the end of an event that CloudWatch cannot hold whole.
_TRUNCATED_END = "[Truncated...]"
_TRUNCATED_ANNOTATION = "audit.k8s.io/truncated"
_BLANKS = " \t\r\v\f"  # the spaces of C, which databases skip, and no others


@dataclass
class Tally:
    """What was met while reading.

    `broken_files` names files whose compressed data is cut or damaged; `without_events` those that hold no audit event,
    with the number of their lines. `doubts` are sentences: what an envelope says about its own completeness.
    """

    files: int = field(default=0, compare=False)
    events: int = 0
    unreadable: int = 0
    truncated: int = 0
    broken_files: tuple[str, ...] = ()
    without_events: dict[LogFile, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def read_events(
    files: Iterable[LogFile], tally: Tally, *, first_line: int = 0, last_ms: int | None = None, is_whole: bool = True
) -> Iterator[Event]:
    """Every message of the files as an event, in order; `tally` is filled on the way.

    An event has the time, the stream and the log that its envelope gives it. One without a time takes that of the event
    before it, and one that is no audit event is marked. Where none has a time, all stand at the beginning of 1970.

    Args:
        files: In the order in which their events count.
        tally: Filled on the way.
        first_line: The number of the first event.
        last_ms: The time of the event before these files.
        is_whole: Whether these are all files, so that no event in any of them is an error.

    Raises:
        SourceError: A file that cannot be opened, a query's answer without @message, or no audit event in any file.
    """
    waiting: list[Event] = []  # events before the first one with a time
    for event, has_time in _events(files, tally, first_line):
        if has_time:
            last_ms = event.timestamp_ms
            yield from (at_time(each, last_ms) for each in waiting)
            waiting = []
            yield event
        elif last_ms is None:
            waiting.append(event)
        else:
            yield at_time(event, last_ms)
    yield from waiting
    if is_whole and len(tally.without_events) == tally.files:
        refuse_nothing(tally)


def first_time(files: Iterable[LogFile]) -> int | None:
    """The time of the first event that has one.

    Raises:
        SourceError: As for `read_events`.
    """
    return next((event.timestamp_ms for event, has_time in _events(files, Tally(), 0) if has_time), None)


def line_event(text: str, number: int, path: LogFile) -> tuple[Event, bool] | None:
    """The one event of a line, with whether it has a time of its own; None for a line of several or of an envelope."""
    try:
        records = list(_records(text))
    except MissingMessageError:
        return None
    if len(records) != 1 or not isinstance(records[0], Record):
        return None
    return _event(records[0], number, path, log_stream_name(path))


def message_event(message: str, timestamp_ms: int) -> Event:
    """A message that came with its time, as an event; what else is known of it, who asks knows."""
    return _event(Record(message, timestamp_ms=timestamp_ms), 0, Path(), "")[0]


def at_time(event: Event, timestamp_ms: int) -> Event:
    """The event at a time that is not its own."""
    return replace(event, timestamp_ms=timestamp_ms, ingestion_ms=event.ingestion_ms or timestamp_ms)


def refuse_nothing(tally: Tally) -> NoReturn:
    """Say that no file holds an audit event.

    Raises:
        SourceError: Always.
    """
    path, lines = next(iter(tally.without_events.items()))
    raise SourceError(_nothing_found(path, lines, str(path) in tally.broken_files))


def log_stream_name(path: LogFile) -> str:
    """The stream that an export's folder names, or one such as EKS gives, made from the file's name."""
    if _STREAM.fullmatch(path.parent.name):
        return path.parent.name
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return f"kube-apiserver-audit-{digest}"


def _events(files: Iterable[LogFile], tally: Tally, number: int) -> Iterator[tuple[Event, bool]]:
    """The events, each with whether it has a time of its own."""
    pages: dict[PurePath, LogFile] = {}  # by folder, the file whose reply has a token and no page behind it
    for path in files:
        tally.files += 1
        stream = log_stream_name(path)
        first_number, found = number, 0
        for item in _items(path, tally):
            if isinstance(item, Envelope):
                _note(item, path, tally, pages)
                continue
            event, has_time = _event(item, number, path, stream)
            number += 1
            tally.events += 1
            tally.unreadable += event.condition == "unreadable"
            tally.truncated += event.condition == "truncated"
            found += not event.condition or (event.condition != "foreign" and '"auditID"' in event.message)
            yield event, has_time
        if not found:
            tally.without_events[path] = number - first_number
    tally.doubts += [
        f"{path} ends with a token: there may be more pages, which are missing." for path in pages.values()
    ]


def _items(path: LogFile, tally: Tally) -> Iterator[Record | Envelope]:
    try:
        lines = _lines(path, tally)
        first = next(lines, "").lstrip(_BLANKS)
        rest = chain([first] if first else [], lines)
        if envelopes.is_table(first):
            yield from envelopes.table_records(rest)
        elif envelopes.is_open(first) and not first.endswith(_TRUNCATED_END):
            # A printed document is read whole into memory; what is one value a line never is.
            yield from envelopes.document_records("\n".join(rest))
        else:
            for line in rest:
                yield from _records(line.lstrip(_BLANKS))
    except MissingMessageError as error:
        raise SourceError(
            f"{path} holds the answer to a query without @message, which has only: {ascii(error.fields)[:200]}. "
            "Ask again with `fields @timestamp, @message`."
        ) from None


def _records(line: str) -> Iterator[Record | Envelope]:
    event = parse_event(line) if line[0] == "{" else {}
    if "auditID" in event:
        yield Record(line, event=event)
    else:
        yield from envelopes.records(line)


def _lines(path: LogFile, tally: Tally) -> Iterator[str]:
    def on_damage() -> None:
        if str(path) not in tally.broken_files:
            tally.broken_files += (str(path),)

    try:
        yield from unpacked_lines(path, on_damage)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None


def _note(envelope: Envelope, path: LogFile, tally: Tally, pages: dict[PurePath, LogFile]) -> None:
    if envelope.has_more is not None:
        pages.pop(path.parent, None)
    if envelope.has_more:
        pages[path.parent] = path
    doubts = []
    if envelope.status not in ("", "Complete"):
        doubts.append(f"{path} is the reply to a query with status {envelope.status[:40]!a}: rows may be missing.")
    if envelope.is_cut:
        doubts.append(f"The JSON of {path} breaks off: what follows is missing.")
    tally.doubts += [doubt for doubt in doubts if doubt not in tally.doubts]


def _event(record: Record, number: int, path: LogFile, stream: str) -> tuple[Event, bool]:
    text = record.message
    parsed = parse_event(text) if record.event is None else record.event
    # JSON readers other than Python's refuse a whole line for a lone surrogate.
    document = without_surrogates(text) if parsed else None
    condition = ""
    if text.endswith(_TRUNCATED_END) or _is_marked_truncated(parsed):
        condition = "truncated"
    elif not parsed:
        condition = "unreadable"
    elif not isinstance(parsed.get("auditID"), str):
        condition = "foreign"
    time = record.timestamp_ms
    if time is None:
        time = _timestamp(parsed or parse_cut_event(text))
    event = Event(
        number,
        time or 0,
        record.ingestion_ms or time or 0,
        text,
        document,
        record.log_stream or stream,
        record.log or str(path),
        record.pointer or f"{path.name}:{number}",
        condition,
    )
    return event, time is not None


def _timestamp(event: dict[str, Any]) -> int | None:
    for name in ("stageTimestamp", "requestReceivedTimestamp"):
        value = event.get(name)
        if isinstance(value, str) and (instant := milliseconds(value)) is not None:
            return instant
    return None


def _is_marked_truncated(event: dict[str, Any]) -> bool:
    annotations = event.get("annotations")
    mark = annotations.get(_TRUNCATED_ANNOTATION) if isinstance(annotations, dict) else None
    return mark == "true" or mark is True


def _nothing_found(path: LogFile, count: int, is_broken: bool) -> str:
    text = _beginning(path)
    nothing = "there is no event in its envelope" if text else "it is empty"
    one = "1 line was read and it is no audit event"
    lines = one if count == 1 else f"{count:,} lines were read and none is an audit event"
    seen = lines if count else nothing
    seen += ", and its compressed data is cut or damaged" if is_broken else ""
    seen += f"; it holds {envelopes.described(text)}" if text else ""
    return f"{path} holds no audit events: {seen}. {envelopes.EXPECTED}"


def _beginning(path: LogFile) -> str:
    """The first line of a file, or the whole of it where that leaves a JSON value open."""
    lines = _lines(path, Tally())
    first = next(lines, "")
    return "\n".join([first, *lines]) if envelopes.is_open(first) else first
