"""The events of one source in DuckDB, and how they are asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from eks_audit_nb.engine.chain import Context
from eks_audit_nb.engine.compiler import compile_query
from eks_audit_nb.engine.macros import MACROS
from eks_audit_nb.engine.python_functions import register
from eks_audit_nb.engine.tables import load_table
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, schema, tree
from eks_audit_nb.window import Window

# One row an event. `line` counts over all files; `document` is the message where it is JSON that can be taken apart,
# NULL where it cannot.
_EVENTS = """CREATE TABLE events (
    line BIGINT, timestamp_ms BIGINT, ingestion_ms BIGINT, message VARCHAR, document VARCHAR,
    log_stream VARCHAR, log VARCHAR, pointer VARCHAR, condition VARCHAR)"""
_BATCH = 20_000

# Nothing is downloaded, and no file is read through SQL.
_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
}


@dataclass(frozen=True)
class Event:
    """One line of a log as it is stored; `condition` is "", "unreadable", "truncated" or "foreign"."""

    line: int
    timestamp_ms: int
    ingestion_ms: int
    message: str
    document: str | None
    log_stream: str
    log: str
    pointer: str
    condition: str


@dataclass(frozen=True)
class Answer:
    """What a query gives: text by column (`None` where missing), the columns, and what was read for it."""

    values: dict[str, list[str | None]]
    columns: tuple[schema.Column, ...]
    rows: int
    events_scanned: int
    bytes_scanned: int
    unreadable: int
    truncated: int
    foreign: int
    warnings: tuple[str, ...]


class EventStore:
    """A table of events that is filled once and then only read; usable from several threads."""

    def __init__(self, events: Iterable[Event], tables: Mapping[str, Path] | None = None) -> None:
        """Fill the table.

        Args:
            events: What is asked.
            tables: CSV files with a header, by the name under which `lookup` and `cidrlookup` know them.

        Raises:
            SourceError: A table that cannot be read.
        """
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        self._lock = threading.Lock()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute(_EVENTS)
        self._fill(events)
        for macro in MACROS:
            self._connection.execute(macro)
        register(self._connection)
        self._tables = {
            name: load_table(self._connection, f"lookup_{number}", path)
            for number, (name, path) in enumerate((tables or {}).items())
        }
        self._connection.execute("SET lock_configuration = true")

    def ask(
        self, query: tree.Query, window: Window | None, *, field_cap: int | None = None, is_strict: bool = False
    ) -> Answer:
        """Answer a query over the events of a window; None means all of them.

        Args:
            query: What is asked.
            window: Both ends inclusive.
            field_cap: How many fields of an event are discovered, in the order of its text; the service stops at 200.
            is_strict: Refuse what the documentation calls invalid, instead of a warning.

        Raises:
            QueryError: The query asks for what the engine cannot answer.
        """
        self._check_patterns(query)
        whole = window or self.span() or Window(0, 0)
        statement = compile_query(query, Context(whole, self._now(), self._tables, field_cap, is_strict))
        try:
            with self._lock:
                frame = self._connection.execute(statement.sql, statement.parameters).df()
        except duckdb.DataError as error:
            raise QueryError(
                f"A value is beyond what can be computed: {_first_line(error)}",
                query.text,
                query.span.start,
                query.span.end,
                "Leave the rows with such values out with a filter.",
            ) from None
        scanned = self._scanned(window)
        values = {
            column.name: [None if pd.isna(value) else value for value in frame[f"o{index}"]]
            for index, column in enumerate(statement.columns)
        }
        return Answer(values, statement.columns, len(frame), *scanned, statement.warnings)

    def _now(self) -> int:
        """The time that a query calls now: the last event's, so that a file says the same whenever it is asked."""
        span = self.span()
        return span.end_ms if span else 0

    def span(self) -> Window | None:
        """From the first event to the last one; None without events."""
        first, last = self._one("SELECT min(timestamp_ms), max(timestamp_ms) FROM events")
        return None if first is None else Window(first, last)

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._connection.close()

    def _fill(self, events: Iterable[Event]) -> None:
        batch: list[Event] = []
        for event in events:
            batch.append(event)
            if len(batch) >= _BATCH:
                self._append(batch)
                batch = []
        if batch:
            self._append(batch)

    def _append(self, batch: list[Event]) -> None:
        frame = pd.DataFrame(batch, dtype=object)
        self._connection.register("batch", frame)
        self._connection.execute("INSERT INTO events SELECT * FROM batch")
        self._connection.unregister("batch")

    def _scanned(self, window: Window | None) -> tuple[int, int, int, int, int]:
        sql = """SELECT count(*), coalesce(sum(strlen(message)), 0), count(*) FILTER (WHERE condition = 'unreadable'),
            count(*) FILTER (WHERE condition = 'truncated'), count(*) FILTER (WHERE condition = 'foreign')
            FROM events"""
        parameters = {}
        if window is not None:
            sql += " WHERE timestamp_ms BETWEEN $start AND $end"
            parameters = {"start": window.start_ms, "end": window.end_ms}
        events, size, unreadable, truncated, foreign = self._one(sql, parameters)
        return int(events), int(size), int(unreadable), int(truncated), int(foreign)

    def _check_patterns(self, query: tree.Query) -> None:
        for node in (node for each in query.queries() for node in each.walk()):
            if isinstance(node, tree.Regex):
                pattern = node.pattern
            elif isinstance(node, tree.Call) and functions.of(node).name == "regexReplace":
                pattern = node.arguments[1].value if isinstance(node.arguments[1], tree.String) else ""
            else:
                pattern = ""
            if pattern:
                try:
                    self._one("SELECT regexp_matches('', $pattern)", {"pattern": regex.groups(pattern).pattern})
                except duckdb.Error as error:
                    raise QueryError(
                        f"The regular expression is not valid: {_first_line(error)}",
                        query.text,
                        node.span.start,
                        node.span.end,
                        "RE2 syntax: no look-around and no back-references; a name is written (?<name>...).",
                    ) from None

    def _one(self, sql: str, parameters: dict[str, Any] | None = None) -> tuple[Any, ...]:
        with self._lock:
            row = self._connection.execute(sql, parameters or {}).fetchone()
        return row or ()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("Invalid Input Error: ").removeprefix("Out of Range Error: ")
