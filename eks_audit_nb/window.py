"""Time windows: relative ("-24h"), ISO 8601 or "now"; always UTC, whole milliseconds, both ends inclusive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eks_audit_nb.errors import WindowError

_RELATIVE = re.compile(r"-(?P<number>\d+)\s*(?P<unit>ms|s|m|h|d|w)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Window:
    """From `start_ms` to `end_ms`, milliseconds since 1970 in UTC, both inclusive as CloudWatch counts them."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.end_ms < self.start_ms:
            raise WindowError(
                f"The window ends ({to_text(self.end_ms)}) before it starts ({to_text(self.start_ms)}). "
                "Give a start that is earlier than the end."
            )

    @property
    def start(self) -> datetime:
        """The first instant, tz-aware UTC."""
        return from_milliseconds(self.start_ms)

    @property
    def end(self) -> datetime:
        """The last instant, tz-aware UTC."""
        return from_milliseconds(self.end_ms)

    def __str__(self) -> str:
        return f"{to_text(self.start_ms)} to {to_text(self.end_ms)} UTC"


def parse_window(start: str, end: str, *, now: datetime, default_start: datetime) -> Window:
    """Read two ends: an empty start means `default_start`, an empty end means `now`.

    Args:
        start: "", "now", "-24h" (units ms s m h d w), or ISO 8601; without a zone it is UTC.
        end: The same. A date without a time means the day's first millisecond in both places.
        now: What relative times count from, tz-aware.
        default_start: What an empty start means, tz-aware.

    Raises:
        WindowError: A text that is none of these, or an end before the start.
    """
    first = _instant(start, now, default_start, "start")
    last = _instant(end, now, now, "end")
    return Window(to_milliseconds(first), to_milliseconds(last))


def to_milliseconds(instant: datetime) -> int:
    """Milliseconds since 1970, rounded down; exact, never by way of a float."""
    return (instant - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """The instant, tz-aware UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_text(milliseconds: int) -> str:
    """The instant as Logs Insights prints `@timestamp`: `YYYY-MM-DD HH:MM:SS.mmm`."""
    return from_milliseconds(milliseconds).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _instant(text: str, now: datetime, default: datetime, which: str) -> datetime:
    text = text.strip()
    if not text:
        return default
    if text.lower() == "now":
        return now
    relative = _RELATIVE.fullmatch(text)
    try:
        if relative:
            return now - int(relative["number"]) * _UNITS[relative["unit"]]
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WindowError(
            f"The {which} {text!r} is not a time. "
            'Write "-24h" (units ms s m h d w), "2026-11-24", "2026-11-24T22:30:00Z", or "now".'
        ) from None
