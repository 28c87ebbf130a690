"""What an envelope holds: messages with what is said about them, and what is said about the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from eks_audit_nb.window import to_milliseconds

_LAST_MS = 253_402_300_799_999  # the end of the year 9999


class Record(NamedTuple):
    """One message, with what its envelope says about it; `event` is the message read as JSON, where it was read."""

    message: str
    timestamp_ms: int | None = None
    ingestion_ms: int | None = None
    log_stream: str = ""
    log: str = ""
    pointer: str = ""
    event: dict[str, Any] | None = None


class Envelope(NamedTuple):
    """What is said at the end of an envelope; `has_more` pages is None where it is no reply of the service."""

    status: str = ""
    has_more: bool | None = None
    is_cut: bool = False


class MissingMessageError(Exception):
    """Rows of a query that did not ask for @message."""

    def __init__(self, fields: Iterable[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(", ".join(self.fields))


def from_answer(row: Mapping[str, str]) -> Record:
    """The message in a row of an Insights query.

    Raises:
        MissingMessageError: It has none.
    """
    if "@message" not in row:
        raise MissingMessageError(row)
    return Record(
        row["@message"],
        milliseconds(row.get("@timestamp", "")),
        milliseconds(row.get("@ingestionTime", "")),
        row.get("@logStream", ""),
        row.get("@log", ""),
        row.get("@ptr", ""),
    )


def from_log_event(event: Mapping[str, str], envelope: Mapping[str, str]) -> Record:
    """The message in a log event of FilterLogEvents, of GetLogEvents, or of a subscription."""
    return Record(
        event["message"],
        milliseconds(event["timestamp"]),
        milliseconds(event.get("ingestionTime", "")),
        event.get("logStreamName") or envelope.get("logStream", ""),
        f"{envelope['owner']}:{envelope['logGroup']}" if {"owner", "logGroup"} <= envelope.keys() else "",
    )


def milliseconds(text: str) -> int | None:
    """Milliseconds since 1970, of a text that is their number or ISO 8601; UTC where it has no zone."""
    try:
        if text.isdecimal():
            return number if (number := int(text)) <= _LAST_MS else None
        instant = datetime.fromisoformat(text)
        return to_milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
