"""Events that come with their times from elsewhere, in files of raw rows, to parts of a case.

The database takes the messages apart; the few that it cannot read are read by the reader of everything, as those of
files are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from eks_audit_nb.case.contents import contents
from eks_audit_nb.case.hashing import sha256
from eks_audit_nb.case.manifest import BLOCKS, Collected, Manifest, Part
from eks_audit_nb.case.raw import ORDER, PARQUET, RAW, Stretch, parameters_of, reading, within
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.store import confined, literal
from eks_audit_nb.reading.lines import message_event

# A part is what is worked on at one time.
_PART_BYTES = 16 * 1024 * 1024  # with its columns and its fields it takes ten times that in memory


def write_parts(
    stretches: Sequence[Stretch], folder: Path, *, first_line: int = 0, first_number: int = 1
) -> list[Part]:
    """Make parts of a case of stretches that do not overlap and come in the order of time.

    Args:
        stretches: Where the rows are.
        folder: Where the parts go.
        first_line: The number of the first line.
        first_number: The number in the name of the first part.

    Raises:
        duckdb.Error: A file is missing or damaged, or the disk is full.
    """
    parts: list[Part] = []
    with reading(stretches, folder) as connection:
        for number, batch in enumerate(_batches(connection, stretches), first_number):
            path = folder / Part(f"part-{number:05}", 0, 0, 0, 0).odd
            with connection.cursor() as own:  # whose tables go with it
                own.execute("SET TimeZone = 'UTC'")
                parts.append(_write_part(own, batch, path, first_line))
            first_line += parts[-1].lines
    return parts


def manifest_of(
    folder: Path,
    parts: Sequence[Part],
    source: str,
    collected: Collected,
    doubts: Sequence[str],
    known: Mapping[str, str],
    made_by: str,
) -> Manifest:
    """The manifest of parts made of events; it is not written yet.

    Args:
        folder: Where the files of the parts are.
        parts: At least one.
        source: What the user called it.
        collected: How it came here.
        doubts: What may be missing.
        known: The SHA-256 of files that are there from before.
        made_by: Which version makes it.
    """
    paths = [str((folder / name).absolute()) for part in parts for name in part.tables]
    with confined(folder=folder.absolute()) as connection:
        found = contents(connection, paths)
    names = [name for part in parts for name in part.tables] + [
        BLOCKS,
        *([collected.counts] if collected.counts else []),
    ]
    hashes = {name: known.get(name) or sha256(folder / name) for name in sorted(names)}
    return Manifest(
        source=source,
        inputs=(),
        parts=tuple(parts),
        events=found.events,
        bytes=found.bytes,
        first_ms=found.first_ms,
        last_ms=found.last_ms,
        conditions=found.conditions,
        levels=found.levels,
        stages=found.stages,
        doubts=tuple(doubts),
        sha256=hashes,
        made_by=made_by,
        collected=collected,
    )


def _batches(connection: duckdb.DuckDBPyConnection, stretches: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    """The stretches in groups of about a part's bytes."""
    batch: list[Stretch] = []
    held = 0
    for each in stretches:
        sql = f"SELECT CAST(coalesce(sum(strlen(message)), 0) AS BIGINT), count(*) FROM {within()}"
        ((size, count),) = connection.execute(sql, parameters_of(each)).fetchall()
        if batch and held + size > _PART_BYTES:
            yield batch
            batch, held = [], 0
        if count:
            batch.append(each)
        held += size
    if batch:
        yield batch


def _write_part(connection: duckdb.DuckDBPyConnection, batch: Sequence[Stretch], path: Path, first_line: int) -> Part:
    parameters: dict[str, object] = {}
    selected = []
    for number, each in enumerate(batch):
        parameters |= {f"{key}_{number}": value for key, value in parameters_of(each).items()}
        selected.append(f"SELECT {', '.join(RAW)}, line FROM {within(f'_{number}')}")
    # Sorted first, while the rows are small.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sorted AS FROM ({' UNION ALL '.join(selected)}) ORDER BY {ORDER}", parameters
    )
    pointers = rows.pointers_of(rows.EVERY_READING)
    state = rows.condition("message", "found")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE batch AS SELECT *, {state} AS condition "
        "FROM (SELECT *, TRY(json_extract_string(message, $pointers)) AS found FROM sorted)",
        {"pointers": pointers},
    )
    connection.execute("DROP TABLE sorted")
    made, given = _columns(connection, first_line, pointers)
    connection.execute(f"COPY ({made}) TO {literal(str(path.absolute()))} {PARQUET}", given)
    counted = "SELECT count(*), min(timestamp_ms), max(timestamp_ms) FROM batch"
    ((count, first, last),) = connection.execute(counted).fetchall()
    return Part(path.name.partition(".")[0], first_line, count, first, last)


def _columns(
    connection: duckdb.DuckDBPyConnection, first_line: int, pointers: Sequence[str]
) -> tuple[str, dict[str, object]]:
    """The rows of a case for those of the batch, and the parameters that they name."""
    number = f"batch.rowid + {first_line}"
    given = (
        f"{number} AS line, timestamp_ms, ingestion_ms, log_stream, log, log_stream || ':' || ({number}) AS pointer, "
        "CAST(strlen(message) AS BIGINT) AS size, message"
    )
    every = f"SELECT {given}, condition, message AS document, found FROM batch"
    names = "line, timestamp_ms, ingestion_ms, log_stream, log, pointer, condition, size, message, document"
    fields = rows.EVERY_READING.sql("document", "found", pointers)
    odd = _odd(connection)
    if not len(odd):  # they are in order as they lie there, and need not be sorted again
        return f"SELECT {names}, {fields} FROM ({every})", {}
    connection.register("odd", odd)
    mended = (
        f"SELECT {given}, odd.condition, document, TRY(json_extract_string(document, $pointers)) AS found "
        "FROM batch JOIN odd ON place = batch.rowid"
    )
    both = f"{every} WHERE condition <> '{rows.ODD}' UNION ALL {mended}"
    return f"SELECT {names}, {fields} FROM ({both}) ORDER BY line", {"pointers": pointers}


def _odd(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The rows that SQL cannot read, read by the reader of everything: their places, conditions and documents."""
    found = connection.execute(
        f"SELECT rowid, message, timestamp_ms FROM batch WHERE condition = '{rows.ODD}' ORDER BY rowid"
    ).fetchall()
    read = [(place, message_event(message, time)) for place, message, time in found]
    return pd.DataFrame(
        {
            "place": pd.Series([place for place, _ in read], dtype="int64"),
            "condition": pd.Series([event.condition for _, event in read], dtype=object),
            "document": pd.Series([event.document for _, event in read], dtype=object),
        }
    )
