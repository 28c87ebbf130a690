"""Audit-log files: read once into memory, then asked with the embedded engine."""

from __future__ import annotations

from importlib.resources import files

from eks_audit_nb import frames
from eks_audit_nb.engine.store import Answer, EventStore
from eks_audit_nb.insights import order, parse
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.base import SAMPLE, Result, Statistics, limit_note
from eks_audit_nb.sources.lines import Tally, find_files, read_events
from eks_audit_nb.window import Window, parse_window


class FileSource:
    """A file, a folder, a glob, or the log that ships with the package ("sample")."""

    is_remote = False

    def __init__(self, where: str) -> None:
        self.name = where
        path = str(files("eks_audit_nb.sample").joinpath("audit.jsonl.gz")) if where == SAMPLE else where
        self.files = find_files(path)
        self.tally = Tally()
        self._store = EventStore(read_events(self.files, self.tally))

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Answer a query; see `Source.run`. Relative times count from the last event."""
        prepared = prepare(query, parameters)
        tree = parse(prepared.text)
        window = self.window(start, end)
        answer = self._store.ask(tree, window)
        typed = frames.from_columns(answer.values, answer.columns)
        return Result(
            frame=typed.frame,
            query=prepared.text,
            name=prepared.name,
            source=self.name,
            window=window,
            statistics=Statistics(answer.events_scanned, answer.bytes_scanned),
            reasons=self._reasons(answer),
            notes=(*answer.warnings, *typed.notes, *limit_note(order.effective(tree).limit, answer.rows)),
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

    def _reasons(self, answer: Answer) -> tuple[str, ...]:
        reasons = []
        if answer.unreadable:
            reasons.append(f"{answer.unreadable:,} lines of the window are no JSON; filters cannot see their fields.")
        if answer.truncated:
            reasons.append(f"{answer.truncated:,} events of the window were cut short when they were written.")
        reasons += [
            f"The compressed data of {name} is cut or damaged; what follows is missing."
            for name in self.tally.broken_files
        ]
        return tuple(reasons)
