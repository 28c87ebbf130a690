"""One query of the service, from StartQuery to its last page: whole, or an error, or too long or too much for one.

The recipe of a lossless answer: rows count only at Complete; pages are fetched until there is no token; their rows
have to be as many as the service counted, and no row may come twice; a query that failed is started again; one that
timed out, and one that gave as many rows as it may, are told to the caller, who asks for less.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.base import size_text
from eks_audit_nb.sources.cloudwatch.calling import Caller
from eks_audit_nb.sources.cloudwatch.pacing import pause
from eks_audit_nb.window import Window

# The most rows that one query can return, since 2026. A limit in the text is respected instead.
MAX_ROWS = 100_000
# And the most where it is not told how many, or takes no notice.
DEFAULT_ROWS = 10_000
# The service adds it to each row that is an event.
POINTER = "@ptr"
# Stands for a page as a whole.
PAGE = "*"
_PENDING = {"Scheduled", "Running", "Unknown"}
_ADVICE = {
    "Failed": "The service could not run it; run it again, or over a shorter window.",
    "Cancelled": "Somebody stopped it; run it again.",
}
# How many different values are kept once for all rows that have them; a column of names repeats itself.
_KEPT_ONCE = 10_000


class TooLongError(Exception):
    """A query ran into the service's limit of 60 minutes; over less it may be done."""


class Columns:
    """Rows of GetQueryResults, lists of `{field, value}`, as lists of text by column; None where a row lacks one."""

    def __init__(self, names: Iterable[str] | None, key: str = "") -> None:
        """Begin with no row; without names the columns are those that the rows have. For the key see `Asker.ask`."""
        self.values: dict[str, list[str | None]] = {name: [] for name in names or ()}
        self.rows = 0
        self.is_doubled = False  # whether a value of the key came twice, or a page
        self._is_open = names is None
        self._key, self._keys = key, set[str]()
        self._kept: dict[str, str] = {}

    def add(self, rows: Sequence[Sequence[Mapping[str, str]]]) -> None:
        """Add the rows of a page."""
        count = len(rows)
        if self._is_open:
            for name in {cell["field"]: None for row in rows for cell in row if cell["field"] != POINTER}:
                self.values.setdefault(name, [None] * self.rows)
        page: dict[str, list[str | None]] = {name: [None] * count for name in self.values}
        keys: list[str] = []
        kept = self._kept
        for index, row in enumerate(rows):
            for cell in row:
                name, value = cell["field"], cell.get("value")
                if name == self._key and value is not None:
                    keys.append(value)
                column = page.get(name)
                if column is not None and value is not None:
                    column[index] = kept.setdefault(value, value) if len(kept) < _KEPT_ONCE else kept.get(value, value)
        for name, cells in page.items():
            self.values[name] += cells
        if self._key == PAGE:
            keys.append(hashlib.sha256(json.dumps([*page.values()]).encode()).hexdigest())
        self.rows += count
        before = len(self._keys)
        self._keys.update(keys)
        self.is_doubled |= len(self._keys) - before < len(keys)


@dataclass(frozen=True)
class Answered:
    """What one query gave: its id, the rows, and the service's own counts (`matched` None where it does not say)."""

    query_id: str
    columns: Columns
    matched: int | None
    scanned: int
    skipped: int


class Asker:
    """The queries of one run: what they scan is added up, and all of them end when the run is ended."""

    def __init__(
        self,
        caller: Caller,
        groups: Mapping[str, Any],
        *,
        max_rows: int = MAX_ROWS,
        max_bytes: int | None = None,
    ) -> None:
        """Begin a run.

        Args:
            caller: Calls the service.
            groups: How StartQuery is told the log groups.
            max_rows: The most rows that the service gives for one query.
            max_bytes: No query is started once so many were scanned.
        """
        self._caller = caller
        self._groups = groups
        self.max_rows = max_rows
        self._max_bytes = max_bytes
        self._bytes: dict[str, int] = {}
        self._halt = threading.Event()

    @property
    def bytes_scanned(self) -> int:
        """By all queries so far, those that failed or were stopped among them."""
        return sum(list(self._bytes.values()))

    def halt(self) -> None:
        """End the run: every thread that waits stops its query in the service and leaves."""
        self._halt.set()

    def ask(
        self,
        text: str,
        window: Window,
        columns: Iterable[str] | None,
        *,
        has_limit: bool = False,
        key: str = "",
        is_free: bool = False,
    ) -> Answered:
        """Ask one query over one window.

        Args:
            text: The query.
            window: Both ends inclusive, sent in milliseconds.
            columns: The names to keep; None for all.
            has_limit: Whether the text has a limit; none is sent beside it.
            key: The column of which no value may come twice, `POINTER` where each row is an event of its own; `PAGE`
                where two rows may look alike, and no two pages.
            is_free: Whether the service scans nothing for it, as for `estimate`.

        Raises:
            TooLongError: It timed out.
            CloudWatchError: Anything else by which there is no whole answer; the query's id is in the message.
            QueryError: The service refuses the text.
        """
        patience = self._caller.pacer.patience
        names = None if columns is None else tuple(columns)
        for attempt in range(patience.attempts):
            if attempt:
                pause(patience.jittered(attempt), self._halt)
            with self._caller.pacer.slots.held(self._halt):
                query_id = self._start(text, window, has_limit=has_limit)
                try:
                    page = self._wait(query_id, is_free=is_free)
                    if page["status"] == "Complete":
                        answered = self._fetched(query_id, page, names, key)
                        self._caller.pacer.slots.was_answered()
                        return answered
                except BaseException as error:
                    self._caller.stop(query_id)
                    if isinstance(error, CloudWatchError) and query_id not in str(error):
                        raise CloudWatchError(f"{error} The query was {query_id}.") from None
                    raise
            status = page["status"]
            if status == "Timeout":
                raise TooLongError(query_id)
            if status != "Failed":
                break
        tried = f" It was tried {patience.attempts} times." if status == "Failed" and patience.attempts > 1 else ""
        advice = _ADVICE.get(status, "")
        raise CloudWatchError(f"The query {query_id} ended with the status {status}.{tried} {advice}".strip())

    def _start(self, text: str, window: Window, *, has_limit: bool) -> str:
        if self._max_bytes is not None and self.bytes_scanned >= self._max_bytes > 0:
            raise CloudWatchError(
                f"{size_text(self.bytes_scanned)} were scanned, and max_bytes allows {size_text(self._max_bytes)}. "
                "Allow more, or ask for a shorter window."
            )
        request: dict[str, Any] = {
            **self._groups,
            "startTime": window.start_ms,
            "endTime": window.end_ms,
            "queryString": text,
        }
        if not has_limit:
            request["limit"] = self.max_rows
        return self._caller.start(self._halt, **request)

    def _wait(self, query_id: str, *, is_free: bool) -> dict[str, Any]:
        patience = self._caller.pacer.patience
        number, began = 0, time.monotonic()
        while True:
            page = self._caller.read(self._halt, queryId=query_id)
            if not is_free:
                self._bytes[query_id] = max(_count(page, "bytesScanned") or 0, self._bytes.get(query_id, 0))
            if page["status"] not in _PENDING:
                return page
            if time.monotonic() - began > patience.waits_at_most:
                raise CloudWatchError(
                    f"The query {query_id} has the status {page['status']} for {patience.waits_at_most / 60:.0f} "
                    "minutes, and was stopped. Run it again, or over a shorter window."
                )
            pause(patience.pause(number), self._halt)
            number += 1

    def _fetched(self, query_id: str, first: dict[str, Any], names: Sequence[str] | None, key: str) -> Answered:
        """All pages; they are kept for days, so that what arrived wrong is fetched again at no cost."""
        patience = self._caller.pacer.patience
        page, problem = first, ""
        for attempt in range(patience.attempts):
            if attempt:
                pause(patience.jittered(attempt), self._halt)
                page = self._caller.read(self._halt, queryId=query_id)
            columns = Columns(names, key)
            page, problem = self._pages(query_id, page, columns)
            if not problem:
                return Answered(
                    query_id,
                    columns,
                    _count(page, "recordsMatched"),
                    _count(page, "recordsScanned") or 0,
                    _count(page, "estimatedRecordsSkipped") or 0,
                )
        raise CloudWatchError(f"The query {query_id} {problem}. Run it again.")

    def _pages(self, query_id: str, page: dict[str, Any], columns: Columns) -> tuple[dict[str, Any], str]:
        """Add the rows of a page and of all behind it; gives the last one, and what is wrong with them."""
        tokens: set[str] = set()
        while True:
            if page["status"] != "Complete":
                return page, f"gave a page with the status {page['status']}"
            rows = page.get("results", ())
            columns.add(rows)
            expected, token = _count(page, "resultCount"), page.get("nextToken")
            if columns.is_doubled:
                return page, "gave a row twice"
            is_over = expected is not None and columns.rows > expected
            if is_over or (not token and expected not in (None, columns.rows)):
                return page, f"has {expected:,} rows and {columns.rows:,} arrived"
            if not token:
                return page, ""
            if token in tokens or not rows:
                return page, "came to the same page twice" if rows else "gave an empty page before its last one"
            tokens.add(token)
            page = self._caller.read(self._halt, queryId=query_id, nextToken=token)


def _count(page: Mapping[str, Any], name: str) -> int | None:
    value = page.get("statistics", {}).get(name)
    return None if value is None else int(value)
