"""The events of one source in DuckDB, and how they are asked."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from eks_audit_nb.engine.chain import Context
from eks_audit_nb.engine.compiler import Statement, compile_query
from eks_audit_nb.engine.lookups import LookupTable
from eks_audit_nb.engine.macros import MACROS
from eks_audit_nb.engine.python_functions import register
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, schema, tree
from eks_audit_nb.window import Window

# One row an event. `line` counts over all files; `document` is the message where it is JSON that can be taken apart,
# NULL where it cannot; `size` is the message's in bytes.
EVENTS = """CREATE TABLE events (
    line BIGINT, timestamp_ms BIGINT, ingestion_ms BIGINT, message VARCHAR, document VARCHAR,
    log_stream VARCHAR, log VARCHAR, pointer VARCHAR, condition VARCHAR, size BIGINT)"""
_BATCH = 20_000
# Where a connection with a folder puts what does not fit into memory.
TEMPORARY = "tmp"


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
class Scanned:
    """What a window holds: events, the bytes of their messages, and how many of the events are not whole."""

    events: int = 0
    bytes: int = 0
    unreadable: int = 0
    truncated: int = 0
    foreign: int = 0


@dataclass(frozen=True)
class Answer:
    """What a query gives: text by column (`None` where missing), the columns, and what was read for it."""

    values: dict[str, list[str | None]]
    columns: tuple[schema.Column, ...]
    rows: int
    scanned: Scanned
    warnings: tuple[str, ...]


class Store(ABC):
    """Events that a connection can reach, as a subclass says where; usable from several threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Path] | None = None) -> None:
        """Teach the connection the language.

        Args:
            connection: Locked down by who opened it; see `connected`.
            tables: CSV files with a header, by the name under which `lookup` and `cidrlookup` know them.

        Raises:
            SourceError: A table that cannot be read.
        """
        self._connection = connection
        self._lock = threading.RLock()
        register(connection)
        self._tables = _lookup_tables(connection, tables or {})
        connection.execute("SET lock_configuration = true")

    @abstractmethod
    def span(self) -> Window | None:
        """From the first event to the last one; None without events."""

    @abstractmethod
    def scanned(self, window: Window | None) -> Scanned:
        """What a window holds; None means everything."""

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
        span = self.span()
        # What a query calls now is the last event's time, so that a file says the same whenever it is asked.
        context = Context(
            window or span or Window(0, 0),
            span.end_ms if span else 0,
            tables=self._tables,
            field_cap=field_cap,
            is_strict=is_strict,
        )
        with self._lock, self.prepared(query, context) as statement:
            try:
                found = self._connection.execute(statement.sql, statement.parameters).fetchall()
            except duckdb.DataError as error:
                raise QueryError(
                    f"A value is beyond what can be computed: {_first_line(error)}",
                    query.text,
                    query.span.start,
                    query.span.end,
                    "Leave the rows with such values out with a filter.",
                ) from None
        by_column: Sequence[tuple[str | None, ...]] = list(zip(*found, strict=True)) or [()] * len(statement.columns)
        values = {column.name: list(cells) for column, cells in zip(statement.columns, by_column, strict=True)}
        return Answer(values, statement.columns, len(found), self.scanned(window), statement.warnings)

    @contextmanager
    def prepared(self, query: tree.Query, context: Context) -> Iterator[Statement]:
        """The statement that answers a query, while what it reads is there."""
        yield compile_query(query, context)

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._connection.close()

    def _check_patterns(self, query: tree.Query) -> None:
        for node in (node for each in query.queries() for node in each.walk()):
            pattern, place = "", node
            if isinstance(node, tree.Regex):
                pattern = node.pattern
            elif isinstance(node, tree.Call) and functions.of(node).name == "regexReplace":
                place = node.arguments[1]
                pattern = place.value if isinstance(place, tree.String) else ""
            if pattern:
                try:
                    self._one("SELECT regexp_matches('', $pattern)", {"pattern": regex.groups(pattern).pattern})
                except duckdb.Error as error:
                    raise QueryError(
                        f"The regular expression is not valid: {_first_line(error)}",
                        query.text,
                        place.span.start,
                        place.span.end,
                        "RE2 syntax: no look-around and no back-references; a name is written (?<name>...).",
                    ) from None

    def _one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        with self._lock:
            return tuple(self._connection.execute(sql, dict(parameters or {})).fetchall()[0])


class EventStore(Store):
    """Events in memory, which are only read once they are there."""

    def __init__(self, events: Iterable[Event], tables: Mapping[str, Path] | None = None) -> None:
        """Fill the table; see `Store`."""
        connection = connected()
        connection.execute(EVENTS)
        _fill(connection, events)
        super().__init__(connection, tables)

    def span(self) -> Window | None:
        """From the first event to the last one; None without events."""
        first, last = self._one("SELECT min(timestamp_ms), max(timestamp_ms) FROM events")
        return None if first is None else Window(first, last)

    def scanned(self, window: Window | None) -> Scanned:
        """What a window holds; None means everything."""
        return Scanned(*self._one(*scanned_sql("events", window)))


def connected(
    *, folder: Path | None = None, files: Sequence[Path] = (), memory_limit: str = ""
) -> duckdb.DuckDBPyConnection:
    """A connection that knows the language's functions, and reaches no more than that of `confined`."""
    connection = confined(folder=folder, files=files, memory_limit=memory_limit)
    for macro in MACROS:
        connection.execute(macro)
    return connection


def confined(
    *, folder: Path | None = None, files: Sequence[Path] = (), memory_limit: str = ""
) -> duckdb.DuckDBPyConnection:
    """A connection that downloads nothing, and reads no file through SQL but these and those in a folder."""
    settings: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(":memory:", config=settings)
    if memory_limit:
        connection.execute(f"SET memory_limit = {literal(memory_limit)}")
    if folder is not None:
        connection.execute(f"SET temp_directory = {literal(str(folder / TEMPORARY))}")
        connection.execute(f"SET allowed_directories = [{literal(str(folder))}]")
    if files:
        connection.execute(f"SET allowed_paths = [{', '.join(literal(str(path)) for path in files)}]")
    connection.execute("SET enable_external_access = false")  # the last one, which forbids to change these
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def literal(text: str) -> str:
    """A text as SQL has it where no parameter can stand: in SET and behind COPY."""
    return "'" + text.replace("'", "''") + "'"


def scanned_sql(relation: str, window: Window | None) -> tuple[str, dict[str, Any]]:
    """The fields of `Scanned` over a relation of events."""
    sql = f"""SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT),
        count(*) FILTER (WHERE condition = 'unreadable'), count(*) FILTER (WHERE condition = 'truncated'),
        count(*) FILTER (WHERE condition = 'foreign') FROM {relation}"""
    if window is None:
        return sql, {}
    return f"{sql} WHERE timestamp_ms BETWEEN $start AND $end", {"start": window.start_ms, "end": window.end_ms}


def _lookup_tables(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Path]) -> dict[str, LookupTable]:
    if not tables:
        return {}
    from eks_audit_nb.engine.tables import load_table  # which needs pandas

    return {
        name: load_table(connection, f"lookup_{number}", path) for number, (name, path) in enumerate(tables.items())
    }


def _fill(connection: duckdb.DuckDBPyConnection, events: Iterable[Event]) -> None:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) >= _BATCH:
            _append(connection, batch)
            batch = []
    if batch:
        _append(connection, batch)


def _append(connection: duckdb.DuckDBPyConnection, batch: list[Event]) -> None:
    import pandas as pd

    frame = pd.DataFrame(batch, dtype=object)
    connection.register("batch", frame)
    connection.execute("INSERT INTO events SELECT *, strlen(message) FROM batch")
    connection.unregister("batch")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("Invalid Input Error: ").removeprefix("Out of Range Error: ")
