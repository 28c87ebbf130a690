"""The log groups of the service in the tests: events in order of time, and cheap to make from a list."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate

from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.events import parse_event
from eks_audit_nb.window import Window

ACCOUNT, REGION = "111122223333", "eu-west-1"
DAY_MS = 24 * 3600 * 1000
AUDIT_STREAM = "kube-apiserver-audit-" + "0" * 32


class LogGroup:
    """A log group with its events, which are only read once they are there.

    A group that is made of a store asks that one, and reads its events only where a call needs them one by one.
    """

    def __init__(
        self,
        name: str,
        events: Iterable[Event] = (),
        *,
        creation_ms: int = 0,
        retention_days: int | None = None,
        store: EventStore | None = None,
    ) -> None:
        self.name = name
        self.creation_ms = creation_ms
        self.retention_days = retention_days
        self.store = store
        self._given = tuple(events)

    @property
    def arn(self) -> str:
        """As identifiers take it; without the `:*` behind it that policies need."""
        return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.name}"

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All events, by time and then by line."""
        given = self._given if self.store is None else _read(self.store)
        return tuple(sorted(given, key=lambda event: (event.timestamp_ms, event.line)))

    @cached_property
    def by_pointer(self) -> dict[str, Event]:
        """The events by @ptr."""
        return {event.pointer: event for event in self.events}

    def first_ms(self, now_ms: int) -> int:
        """The earliest time that can be asked for: creation, or what retention has left."""
        kept = 0 if self.retention_days is None else now_ms - self.retention_days * DAY_MS
        return max(self.creation_ms, kept)

    def within(self, window: Window, delivered_ms: int | None = None) -> Sequence[Event]:
        """The events of a window by time; `delivered_ms` leaves out those that arrive after it."""
        times = self._times
        found = self.events[bisect_left(times, window.start_ms) : bisect_right(times, window.end_ms)]
        if delivered_ms is None or self._last_delivery <= delivered_ms:
            return found
        return [event for event in found if event.ingestion_ms <= delivered_ms]

    def stored_bytes(self) -> int:
        """The bytes of all messages."""
        return self._sizes[-1]

    def size_within(self, window: Window, delivered_ms: int | None = None) -> int:
        """The bytes of the messages of a window."""
        if delivered_ms is not None and self._last_delivery > delivered_ms:
            return sum(len(event.message.encode()) for event in self.within(window, delivered_ms))
        first, last = bisect_left(self._times, window.start_ms), bisect_right(self._times, window.end_ms)
        return self._sizes[last] - self._sizes[first]

    @cached_property
    def _times(self) -> list[int]:
        return [event.timestamp_ms for event in self.events]

    @cached_property
    def _sizes(self) -> list[int]:
        """The bytes before each event, and of all."""
        return list(accumulate((len(event.message.encode()) for event in self.events), initial=0))

    @cached_property
    def _last_delivery(self) -> int:
        return max((event.ingestion_ms for event in self.events), default=0)


def delivered(
    messages: Iterable[tuple[int, str]] | Iterable[tuple[int, str, str]],
    *,
    group: str = "/aws/eks/prod/cluster",
    delay_ms: int = 0,
) -> list[Event]:
    """Events as CloudWatch holds them, of their times and messages, and the streams where there are several.

    Args:
        messages: (time in ms, message) or (time in ms, message, log stream).
        group: The log group's name.
        delay_ms: How long after its time each one arrives.
    """
    events = []
    for line, (timestamp_ms, message, *stream) in enumerate(messages):
        pointer = base64.b64encode(f"{group}/{line}".encode()).decode()
        log_stream = stream[0] if stream else AUDIT_STREAM
        document = message if parse_event(message) else None
        log = f"{ACCOUNT}:{group}"
        arrival = timestamp_ms + delay_ms
        events.append(Event(line, timestamp_ms, arrival, message, document, log_stream, log, pointer, ""))
    return events


def _read(store: EventStore) -> list[Event]:
    with store._lock:
        # The columns are Event's, in its order.
        rows = store._connection.execute("SELECT COLUMNS(column -> column <> 'size') FROM events").fetchall()
    return [Event(*row) for row in rows]
