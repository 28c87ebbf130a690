"""Audit-log files: read once into memory, then asked with the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from eks_audit_nb import frames
from eks_audit_nb.engine.store import Answer, EventStore
from eks_audit_nb.events import FIELDS
from eks_audit_nb.insights import order, parse
from eks_audit_nb.insights.advice import advice
from eks_audit_nb.insights.parser import MAX_QUERY_LENGTH
from eks_audit_nb.insights.spelling import misspelt
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.base import SAMPLE, Result, Statistics, limit_note
from eks_audit_nb.sources.lines import Tally, find_files, read_events
from eks_audit_nb.window import Window, parse_window


class FileSource:
    """A file, a folder, a glob, or the log that ships with the package ("sample")."""

    is_remote = False

    def __init__(
        self,
        where: str,
        *,
        tables: Mapping[str, str | Path] | None = None,
        field_cap: int | None = None,
        is_strict: bool = False,
    ) -> None:
        """Read all events into memory.

        Args:
            where: "sample", a file, a folder or a glob.
            tables: CSV files with a header, by the name under which `lookup` and `cidrlookup` know them.
            field_cap: How many fields of an event are discovered; None for all. The service stops at 200.
            is_strict: Refuse queries that the documentation calls invalid, instead of a note.

        Raises:
            SourceError: Nothing there, or no audit event in it.
        """
        self.name = where
        path = str(files("eks_audit_nb.sample").joinpath("audit.jsonl.gz")) if where == SAMPLE else where
        self.files = find_files(path)
        self.tally = Tally()
        self._field_cap, self._is_strict = field_cap, is_strict
        paths = {name: Path(path) for name, path in (tables or {}).items()}
        self._store = EventStore(read_events(self.files, self.tally), paths)

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Answer a query; see `Source.run`. Relative times count from the last event."""
        prepared = prepare(query, parameters)
        tree = parse(prepared.text, max_length=MAX_QUERY_LENGTH if self._is_strict else None)
        window = self.window(start, end)
        answer = self._store.ask(tree, window, field_cap=self._field_cap, is_strict=self._is_strict)
        typed = frames.from_columns(answer.values, answer.columns)
        return Result(
            frame=typed.frame,
            query=prepared.text,
            name=prepared.name,
            source=self.name,
            window=window,
            statistics=Statistics(answer.events_scanned, answer.bytes_scanned),
            reasons=self._reasons(answer, window),
            notes=(
                *self._notes(window),
                *advice(tree),
                *misspelt(tree, FIELDS),
                *answer.warnings,
                *typed.notes,
                *limit_note(order.effective(tree).limit, answer.rows),
            ),
        )

    def window(self, start: str = "", end: str = "") -> Window | None:
        """The window that two texts mean here; the whole file where both are empty."""
        span = self._store.span()
        if span is None:
            return None
        if not start and not end:
            return span
        # A relative time counts from the last event, so that a case says the same whenever it is opened.
        return parse_window(start, end, now=span.end, default_start=span.start)

    def close(self) -> None:
        """Give the memory back."""
        self._store.close()

    def _notes(self, window: Window | None) -> list[str]:
        notes = [f"{path} is empty." for path, lines in self.tally.without_events.items() if not lines]
        span = self._store.span()
        if window and span and (window.start_ms < span.start_ms or window.end_ms > span.end_ms):
            notes.append(f"The log's own events reach from {span}.")
        return notes

    def _reasons(self, answer: Answer, window: Window | None) -> tuple[str, ...]:
        reasons = []
        if window and not answer.events_scanned:
            reasons.append(f"No event of the log lies in this window; they reach from {self._store.span()}.")
        if answer.foreign:
            reasons.append(f"{answer.foreign:,} lines of the window are JSON and no audit events.")
        if answer.unreadable:
            reasons.append(f"{answer.unreadable:,} lines of the window are no JSON; filters cannot see their fields.")
        if answer.truncated:
            reasons.append(f"{answer.truncated:,} events of the window were cut short when they were written.")
        reasons += [
            f"The compressed data of {name} is cut or damaged; what follows is missing."
            for name in self.tally.broken_files
        ]
        return (*reasons, *self.tally.doubts)
