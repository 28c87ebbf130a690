"""What the rows of a case come to, for its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from eks_audit_nb.engine import rows


@dataclass(frozen=True)
class Contents:
    """How many events there are, their bytes, first and last time, and their numbers by condition, level and stage."""

    events: int
    bytes: int
    first_ms: int
    last_ms: int
    conditions: dict[str, int]
    levels: dict[str, int]
    stages: dict[str, int]


def contents(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> Contents:
    """Count the rows of files that hold at least one event.

    Raises:
        duckdb.Error: A file is missing or damaged.
    """
    given = {"paths": list(paths)}
    every = f"(SELECT * FROM read_parquet($paths) WHERE condition <> '{rows.ODD}')"  # odd ones are in a file beside

    def counts(column: str) -> dict[str, int]:
        sql = f"SELECT coalesce({column}, ''), count(*) FROM {every} GROUP BY 1 ORDER BY 1"
        return {str(name): count for name, count in connection.execute(sql, given).fetchall()}

    total = (
        f"SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT), min(timestamp_ms), max(timestamp_ms) FROM {every}"
    )
    ((events, size, first, last),) = connection.execute(total, given).fetchall()
    by = [counts(column) for column in ("condition", rows.COLUMNS["level"], rows.COLUMNS["stage"])]
    return Contents(events, size, first, last, *by)
