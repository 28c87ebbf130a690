"""The forms in which audit events are handed on: text in, records out.

An event stands by itself, or in an envelope that other tools put around it:

- a JSON array or an EventList, on one line or printed over many, and values that follow each other;
- the replies of GetQueryResults, FilterLogEvents and GetLogEvents;
- the objects of a subscription filter (Firehose, Kinesis), plain or as base64 of gzip;
- the lines of a CloudWatch export to S3, which begin with the time;
- what the Logs Insights console downloads, JSON or CSV.

A record keeps the event's own text: values are found in the text and cut out of it, never decoded and written again.
So a body made to break readers (numbers, depth, keys that come twice) stays as it was, and where a text breaks off,
what stands before that place is read.
"""

from __future__ import annotations

import base64
import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping

from eks_audit_nb.events import without_surrogates
from eks_audit_nb.reading import spans
from eks_audit_nb.reading.records import Envelope, Record, from_answer, from_log_event, milliseconds
from eks_audit_nb.reading.spans import Span

EXPECTED = (
    "Expected one JSON object a line, each with an auditID, as the API server writes them; or a JSON array or "
    "EventList of these, a reply of GetQueryResults, FilterLogEvents or GetLogEvents, a CloudWatch export to S3, "
    "objects of a subscription or of Firehose, or the JSON or CSV that Logs Insights exports."
)
# The lists of an EventList, of GetQueryResults, of FilterLogEvents and GetLogEvents, and of a subscription.
_LISTS = ("items", "results", "events", "logEvents")
_REPLIES = ("results", "events")
_TOKENS = ("nextToken", "NextToken")  # of the service, and of the aws command with --max-items
_LOG_EVENT = {"message", "timestamp", "ingestionTime", "logStreamName", "eventId", "id"}
_CELLS = re.compile(r'\[\s*\{\s*"(?:field|value)"\s*:')
_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S.*)", re.DOTALL)
_BASE64_OF_GZIP = "H4sI"
_MAX_HEADER = 10_000
_MAX_FIELD = 2**31 - 1


def records(text: str) -> Iterator[Record | Envelope]:
    """The records of a text, one JSON value or line after the other.

    Raises:
        MissingMessageError: The text is the answer to a query without @message.
    """
    position = 0
    while position < len(text):
        if text[position] in "{[":
            span = spans.at(text, position, len(text))
            yield from (_array if text[position] == "[" else _object)(text, span)
        else:
            span = spans.line(text, position)
            yield from _line(text[span.start : span.end])
        position = spans.skip(text, span.end)


def document_records(text: str) -> Iterator[Record | Envelope]:
    """The records of a file whose first line leaves a JSON value open.

    Raises:
        MissingMessageError: As for `records`.
    """
    first = spans.at(text, 0, len(text))
    if first.is_whole or first.end == len(text):
        yield from records(text)
    else:  # the first line is damaged, and others follow
        for line in text.split("\n"):
            yield from records(line.strip(" \t"))


def table_records(lines: Iterable[str]) -> Iterator[Record]:
    """The records of a CSV file, the header first.

    Raises:
        MissingMessageError: There is no column @message.
    """
    rows = _rows(f"{line}\n" for line in lines)
    header = next(rows)
    for row in rows:
        yield from_answer(dict(zip(header, row, strict=True))) if len(row) == len(header) else Record(",".join(row))


def is_open(line: str) -> bool:
    """Whether a line begins a JSON value that does not end on it."""
    return line.startswith(("{", "[")) and not spans.at(line, 0, len(line)).is_whole


def is_table(line: str) -> bool:
    """Whether a line is the header of a CSV file that Logs Insights exported."""
    if line.startswith(("{", "[")) or len(line) > _MAX_HEADER:
        return False
    return not {"@message", "@timestamp"}.isdisjoint(next(_rows([line]), []))


def described(text: str) -> str:
    """What a text looks like, for an error: the keys of an object, or how it begins."""
    if text.startswith("{"):
        span = spans.at(text, 0, len(text))
        names = [name for name, _ in spans.members(text, span)]
        if span.is_whole and names:
            return f"an object with the keys {', '.join(map(ascii, names[:12]))[:200]}"
    return f"text that begins with {text[:60]!a}"


def _array(text: str, span: Span) -> Iterator[Record | Envelope]:
    if _CELLS.match(text, span.start, span.end):
        yield _row(text, span)
        return
    elements = list(spans.elements(text, span))
    whole = [element for element in elements if element.is_whole]
    if not whole or not all(_may_be_listed(text, element) for element in whole):
        yield _itself(text, span)
        return
    for element in elements:
        yield from _object(text, element, {}) if text[element.start] == "{" else [_row(text, element)]
    yield Envelope(is_cut=not span.is_whole)


def _object(text: str, span: Span, envelope: Mapping[str, str] | None = None) -> Iterator[Record | Envelope]:
    members = dict(spans.members(text, span))
    name = next((name for name in _LISTS if name in members and text.startswith("[", members[name].start)), "")
    said = _texts(text, {key: member for key, member in members.items() if key != name}) if name else {}
    is_other_list = name == "items" and said.get("kind", "EventList") != "EventList"
    if not name or "auditID" in members or is_other_list:
        yield _entry(text, span, members, envelope)
        return
    is_control = said.get("messageType") == "CONTROL_MESSAGE"
    found = [] if is_control else list(spans.elements(text, members[name]))
    for element in found:
        yield _element(text, element, said)
    has_more = _has_more(said, bool(found)) if name in _REPLIES else None
    yield Envelope(said.get("status", ""), has_more, is_cut=not span.is_whole)


def _has_more(reply: Mapping[str, str], has_events: bool) -> bool:
    # GetLogEvents gives a token on the last page too: only a page without events is known to be the last one.
    return any(map(reply.get, _TOKENS)) or (has_events and "nextForwardToken" in reply)


def _may_be_listed(text: str, span: Span) -> bool:
    return text[span.start] == "{" or bool(_CELLS.match(text, span.start, span.end))


def _element(text: str, span: Span, envelope: Mapping[str, str]) -> Record:
    if text[span.start] == "{":
        return _entry(text, span, dict(spans.members(text, span)), envelope)
    return _row(text, span)


def _entry(text: str, span: Span, members: Mapping[str, Span], envelope: Mapping[str, str] | None) -> Record:
    """An object that holds one event or is one; `envelope` is what stands around it, None where it stands alone."""
    if "auditID" in members or not span.is_whole:
        return _itself(text, span)
    fields = _texts(text, members)
    if "@message" in fields or (envelope is not None and any(name.startswith("@") for name in fields)):
        return from_answer(fields)
    if {"message", "timestamp"} <= fields.keys() <= _LOG_EVENT:
        return from_log_event(fields, envelope or {})
    return _itself(text, span)


def _row(text: str, span: Span) -> Record:
    """A row of GetQueryResults: an array of objects with a field and a value each."""
    if not span.is_whole or not _CELLS.match(text, span.start, span.end):
        return _itself(text, span)
    cells = [_texts(text, dict(spans.members(text, cell))) for cell in spans.elements(text, span)]
    return from_answer({cell.get("field", ""): cell.get("value", "") for cell in cells})


def _line(text: str) -> Iterator[Record | Envelope]:
    """A line that is no JSON object or array: one of an export to S3, a record of Kinesis, or anything else."""
    if stamped := _STAMPED.fullmatch(text):
        yield Record(stamped[2], milliseconds(stamped[1]))
    elif text.startswith(_BASE64_OF_GZIP) and (unpacked := _unpacked(text)):
        yield from records(unpacked)
    else:
        yield Record(text)


def _unpacked(text: str) -> str:
    try:
        return gzip.decompress(base64.b64decode(text, validate=True)).decode("utf-8", "replace").strip()
    except (ValueError, OSError, EOFError, zlib.error):
        return ""


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    reader = csv.reader(lines)
    while True:
        # The module has one limit for everybody, and a large event is beyond it: it is lifted while a row is read.
        limit = csv.field_size_limit(_MAX_FIELD)
        try:
            row = next(reader, None)
        except csv.Error as error:
            row = [f"a row that is no CSV: {error}"]
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        yield row


def _itself(text: str, span: Span) -> Record:
    return Record(spans.compact(text, span))


def _texts(text: str, members: Mapping[str, Span]) -> dict[str, str]:
    """Members as text: strings decoded, everything else as it is written; null is left out."""
    return {
        name: _decoded(text[span.start : span.end]) if text[span.start] == '"' else spans.compact(text, span)
        for name, span in members.items()
        if span.is_whole and not text.startswith("null", span.start)
    }


def _decoded(string: str) -> str:
    return str(json.loads(without_surrogates(string)))
