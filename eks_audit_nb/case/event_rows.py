"""Events that Python has read, to the rows of a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from eks_audit_nb.engine import rows
from eks_audit_nb.engine.store import Event, literal
from eks_audit_nb.reading import lines as reader

# What every file of rows holds; `message` and `document` are NULL where the line itself is both.
GIVEN = "line, timestamp_ms, ingestion_ms, log_stream, log, pointer, condition, size, message, document"
_PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)"
_NUMBERS = ("line", "timestamp_ms", "ingestion_ms")
_TEXTS = ("log_stream", "log", "pointer", "condition", "message", "document")


def write_events(connection: duckdb.DuckDBPyConnection, events: Sequence[Event], path: Path) -> None:
    """Write events as a file of rows, in the order of their lines."""
    frame = pd.DataFrame(events, dtype=object)
    cast = [f"CAST({name} AS BIGINT) AS {name}" for name in _NUMBERS]
    cast += [f"CAST({name} AS VARCHAR) AS {name}" for name in _TEXTS]
    given = f"SELECT {', '.join(cast)}, strlen(message) AS size FROM given"
    pointers = rows.EVERY_READING.pointers
    taken = f"SELECT *, TRY(json_extract_string(document, $pointers)) AS found FROM ({given})"
    fields = rows.EVERY_READING.sql("document", "found", pointers)
    made = f"SELECT {GIVEN}, {fields} FROM ({taken}) ORDER BY line"
    with connection.cursor() as own:
        own.register("given", frame)
        own.execute(f"COPY ({made}) TO {literal(str(path))} {_PARQUET}", {"pointers": pointers})
        own.unregister("given")


def timed(events: Iterable[tuple[Event, bool]], before: Iterable[tuple[int, int | None]]) -> Iterator[Event]:
    """Events without a time of their own get that of the event before them, 1970 where none has any.

    Args:
        events: Each with whether it has a time.
        before: For each the line and the time of the last plain line before it.
    """
    last: tuple[int, int | None] = (-1, None)
    for (event, has_time), plain in zip(events, before, strict=True):
        if plain[0] > last[0] or last[1] is None:
            last = plain
        if has_time:
            last = (event.line, event.timestamp_ms)
            yield event
        else:
            yield reader.at_time(event, last[1] or 0)
