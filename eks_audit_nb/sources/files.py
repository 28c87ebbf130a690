"""Audit-log files: taken apart once into a case, then asked with the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from eks_audit_nb import frames
from eks_audit_nb.case.manifest import Manifest, doubts_of, is_case, read_manifest
from eks_audit_nb.engine.store import Answer, Scanned
from eks_audit_nb.events import FIELDS
from eks_audit_nb.insights import order, parse, tree
from eks_audit_nb.insights.advice import advice
from eks_audit_nb.insights.parser import MAX_QUERY_LENGTH
from eks_audit_nb.insights.spelling import misspelt
from eks_audit_nb.queries import prepare
from eks_audit_nb.reading.finding import find_files
from eks_audit_nb.sources.base import CLOUDWATCH, SAMPLE, Result, Statistics, limit_note
from eks_audit_nb.window import Window, parse_window

if TYPE_CHECKING:
    from eks_audit_nb.case.store import CaseStore
    from eks_audit_nb.sources.cloudwatch import CloudWatchSource


_PASSED_OVER = (
    "Lines without the texts that are asked for were passed over and not checked; eks-audit collect checks every line."
)


class FileSource:
    """A file, a folder, a glob, a case, or the log that ships with the package ("sample")."""

    is_remote = False

    def __init__(
        self,
        where: str,
        *,
        tables: Mapping[str, str | Path] | None = None,
        field_cap: int | None = None,
        is_strict: bool = False,
        is_asked_once: bool = False,
        is_live: bool = False,
    ) -> None:
        """Make the files' case in the cache, or open the one that is there.

        Args:
            where: "sample", a file, a folder, a glob, or a case.
            tables: CSV files with a header, by the name under which `lookup` and `cidrlookup` know them.
            field_cap: How many fields of an event are discovered; None for all. The service stops at 200.
            is_strict: Refuse queries that the documentation calls invalid, instead of a note.
            is_asked_once: Make no case where the one question can be answered sooner by passing over the files.
            is_live: For a case from CloudWatch: whether the cluster itself may be asked for what is not in its log.

        Raises:
            SourceError: Nothing there, or no audit event in it.
        """
        path = str(files("eks_audit_nb.sample").joinpath("audit.jsonl.gz")) if where == SAMPLE else where
        self._case = Path(path).expanduser() if is_case(Path(path).expanduser()) else None
        collected = read_manifest(self._case) if self._case else None
        is_from_cluster = collected is not None and collected.collected is not None
        self.name = f"{collected.source}, collected in {where}" if collected and is_from_cluster else where
        self._is_live = is_live and is_from_cluster
        self.files = [] if self._case else find_files(path)
        self._field_cap, self._is_strict, self._is_asked_once = field_cap, is_strict, is_asked_once
        self._tables = {name: Path(path) for name, path in (tables or {}).items()}
        if not is_asked_once:
            self._store  # noqa: B018  # so that files that cannot be read are an error here

    @property
    def manifest(self) -> Manifest:
        """What is known about the log as a whole."""
        return self._store.manifest

    @cached_property
    def cluster(self) -> CloudWatchSource | None:
        """The log groups that a case came from, where they may be asked; None elsewhere."""
        collected = self.manifest.collected
        if not self._is_live or collected is None:
            return None
        import boto3

        from eks_audit_nb.sources.cloudwatch import CloudWatchSource

        groups = self.manifest.source.removeprefix(CLOUDWATCH)
        return CloudWatchSource(groups, session=boto3.Session(region_name=collected.region))

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Answer a query; see `Source.run`. Relative times count from the last event."""
        prepared = prepare(query, parameters)
        with prepared.as_written():
            parsed = parse(prepared.text, max_length=MAX_QUERY_LENGTH if self._is_strict else None)
            scanned = None if start or end else self._scan(parsed)
            window = None if scanned else self.window(start, end)
            answer = scanned or self._store.ask(parsed, window, field_cap=self._field_cap, is_strict=self._is_strict)
        typed = frames.from_columns(answer.values, answer.columns)
        return Result(
            frame=typed.frame,
            query=prepared.text,
            name=prepared.name,
            source=self.name,
            window=window,
            statistics=Statistics(answer.scanned.events, answer.scanned.bytes),
            reasons=(*_reasons(answer.scanned), *(() if scanned else self._doubts(answer, window))),
            notes=(
                *((_PASSED_OVER,) if scanned else self._notes(window)),
                *self._cap_note(),
                *advice(parsed),
                *misspelt(parsed, FIELDS),
                *answer.warnings,
                *typed.notes,
                *limit_note(order.effective(parsed).limit, answer.rows),
            ),
        )

    def window(self, start: str = "", end: str = "") -> Window | None:
        """The window that two texts mean here; the whole log where both are empty."""
        span = self._store.span()
        if span is None:
            return None
        if not start and not end:
            return span
        # A relative time counts from the last event, so that a case says the same whenever it is opened.
        return parse_window(start, end, now=span.end, default_start=span.start)

    def close(self) -> None:
        """Give the memory back."""
        if "_store" in self.__dict__:
            self._store.close()
        if (cluster := self.__dict__.get("cluster")) is not None:
            cluster.close()

    @cached_property
    def _store(self) -> CaseStore:
        from eks_audit_nb.case.cache import cached_case
        from eks_audit_nb.case.store import CaseStore
        from eks_audit_nb.case.writer import write_case

        folder = self._case or cached_case(
            self.files, lambda begun: write_case(self.files, begun, self.name, with_hashes=False)
        )
        return CaseStore(folder, self._tables)

    def _scan(self, query: tree.Query) -> Answer | None:
        """The answer without a case, where that is possible and wanted."""
        if not self._is_asked_once or self._case or "_store" in self.__dict__:
            return None
        from eks_audit_nb.case.cache import has_case
        from eks_audit_nb.case.scan import ScanStore, UnscannableError

        if has_case(self.files):
            return None
        try:
            store = ScanStore(self.files, query, self._tables, self._field_cap)
        except UnscannableError:
            return None
        try:
            return store.ask(query, None, field_cap=self._field_cap, is_strict=self._is_strict)
        finally:
            store.close()

    def _notes(self, window: Window | None) -> list[str]:
        notes = [f"{path} is empty." for path, lines in self.manifest.without_events.items() if not lines]
        span = self._store.span()
        if window and span and (window.start_ms < span.start_ms or window.end_ms > span.end_ms):
            notes.append(f"The log's own events reach from {span}.")
        collected = self.manifest.collected
        if window and collected and collected.unsettled_ms is not None and window.end_ms >= collected.unsettled_ms:
            notes.append(collected.unsettled())
        return notes

    def _cap_note(self) -> tuple[str, ...]:
        if self._field_cap is None:
            return ()
        return (f"Only the first {self._field_cap:,} fields of each event are seen, as asked.",)

    def _doubts(self, answer: Answer, window: Window | None) -> list[str]:
        nothing = []
        if window and not answer.scanned.events:
            nothing.append(f"No event of the log lies in this window; they reach from {self._store.span()}.")
        return [*nothing, *doubts_of(self.manifest)]


def _reasons(scanned: Scanned) -> list[str]:
    """What of the events that were read is not whole."""
    reasons = []
    if scanned.foreign:
        reasons.append(f"{_lines(scanned.foreign)} of the window {_are(scanned.foreign)} JSON and no audit event.")
    if scanned.unreadable:
        lines = f"{_lines(scanned.unreadable)} of the window {_are(scanned.unreadable)}"
        reasons.append(f"{lines} no JSON; filters cannot see their fields.")
    if scanned.truncated:
        events = "1 event was" if scanned.truncated == 1 else f"{scanned.truncated:,} events were"
        reasons.append(f"{events} cut short when written, in this window.")
    return reasons


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
