"""Files of raw rows: events with their times, in the order of time, and the service's counts of them by bin.

A raw file has the columns of `RAW`, and `line`, the place in the file. The parts of a case made of events have these
too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from eks_audit_nb.engine.store import TEMPORARY, confined, connected, literal
from eks_audit_nb.window import Window

RAW = ("timestamp_ms", "ingestion_ms", "log_stream", "log", "message")
# Lines of one time stand by log and stream.
ORDER = "timestamp_ms, log, log_stream, line"
PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 2048)"
_MEMORY = "1GB"


@dataclass(frozen=True)
class Stretch:
    """What a file of raw rows, or a part of a case, holds within a window."""

    window: Window
    path: Path


def write_raw(frame: pd.DataFrame, path: Path) -> int:
    """Write the rows of a query of CloudWatch, the newest first, as a raw file; gives the bytes of the messages.

    Args:
        frame: Columns @timestamp and @ingestionTime (datetime64[us, UTC]), @logStream, @log and @message (string).
        path: The file, in a folder that is there.
    """
    given = pd.DataFrame(
        {
            "timestamp_ms": frame["@timestamp"].astype("int64") // 1000,
            "ingestion_ms": frame["@ingestionTime"].fillna(frame["@timestamp"]).astype("int64") // 1000,
            "log_stream": frame["@logStream"].fillna("").astype(object),
            "log": frame["@log"].fillna("").astype(object),
            "message": frame["@message"].fillna("").astype(object),
            "line": range(len(frame), 0, -1),
        }
    )
    with confined(folder=path.parent.absolute()) as connection:
        connection.register("given", given)
        names = ("timestamp_ms", "ingestion_ms", "log_stream", "log", "message")
        made = f"SELECT {', '.join(names)}, row_number() OVER (ORDER BY {ORDER}) AS line FROM given ORDER BY line"
        connection.execute(f"COPY ({made}) TO {literal(str(path.absolute()))} {PARQUET}")
        size = connection.execute("SELECT CAST(coalesce(sum(strlen(message)), 0) AS BIGINT) FROM given").fetchall()
    return int(size[0][0])


def counts_by_bin(stretches: Sequence[Stretch], width: int) -> dict[int, int]:
    """How many rows there are by the beginning of their bin, milliseconds.

    Raises:
        duckdb.Error: A file is missing or damaged.
    """
    found: dict[int, int] = {}
    with reading(stretches) as connection:
        for each in stretches:
            sql = f"SELECT timestamp_ms // {width} * {width}, count(*) FROM {within()} GROUP BY ALL"
            for beginning, count in connection.execute(sql, parameters_of(each)).fetchall():
                found[beginning] = found.get(beginning, 0) + count
    return found


def accounts_of(stretches: Sequence[Stretch]) -> list[str]:
    """The accounts of the rows, sorted, from their @log, "account:group"; those that do not tell it are left out."""
    found: set[str] = set()
    with reading(stretches) as connection:
        for each in stretches:
            sql = f"SELECT DISTINCT split_part(log, ':', 1) FROM {within()}"
            found |= {account for (account,) in connection.execute(sql, parameters_of(each)).fetchall()}
    return sorted(account for account in found if account.isdecimal())


def write_counts(counts: Mapping[int, int], path: Path) -> None:
    """Write the service's counts by bin."""
    frame = pd.DataFrame(sorted(counts.items()), columns=["beginning_ms", "counted"], dtype="int64")
    with confined(folder=path.parent.absolute()) as connection:
        connection.register("given", frame)
        connection.execute(f"COPY given TO {literal(str(path.absolute()))} (FORMAT parquet, COMPRESSION zstd)")


def read_counts(path: Path) -> dict[int, int]:
    """What `write_counts` wrote.

    Raises:
        duckdb.Error: The file is missing or damaged.
    """
    with confined(files=[path.absolute()]) as connection:
        return dict(connection.execute("FROM read_parquet($path)", {"path": str(path.absolute())}).fetchall())


@contextmanager
def reading(stretches: Sequence[Stretch], folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that may read the stretches' files, and write into a folder where one is named."""
    files = [each.path.absolute() for each in stretches]
    where = folder.absolute() if folder else None
    connection = connected(folder=where, files=files, memory_limit=_MEMORY) if where else confined(files=files)
    try:
        yield connection
    finally:
        connection.close()
        if folder:
            shutil.rmtree(folder / TEMPORARY, ignore_errors=True)


def within(suffix: str = "") -> str:
    """The rows of a stretch, by the parameters of `parameters_of` with a suffix behind their names."""
    return f"(SELECT * FROM read_parquet($path{suffix}) WHERE timestamp_ms BETWEEN $start{suffix} AND $end{suffix})"


def parameters_of(stretch: Stretch) -> dict[str, object]:
    """What `within` names."""
    window = stretch.window
    return {"path": str(stretch.path.absolute()), "start": window.start_ms, "end": window.end_ms}
