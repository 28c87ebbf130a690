"""Lookup tables: CSV files with a header, as CloudWatch takes them."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pandas as pd

from eks_audit_nb.engine.lookups import LookupTable
from eks_audit_nb.errors import SourceError

# The largest table that the service takes. Source: CloudWatch Logs User Guide, "lookup".
MAX_BYTES = 10_000_000


def load_table(connection: duckdb.DuckDBPyConnection, relation: str, path: Path) -> LookupTable:
    """Read a CSV file in UTF-8 with a header row into a relation; every value is text, an empty one is missing.

    Raises:
        SourceError: A file that cannot be read, is too large, or has no header or ragged rows.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"The lookup table {path} is larger than {MAX_BYTES // 1_000_000} MB. Make it shorter.")
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.reader(lines, strict=True))
    except OSError as error:
        raise SourceError(f"The lookup table {path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"The lookup table {path} is not CSV in UTF-8: {error}.") from None
    rows = [row for row in rows if row]
    if not rows or len(set(rows[0])) != len(rows[0]):
        raise SourceError(f"The lookup table {path} has no header with distinct column names in its first row.")
    names, *values = rows
    ragged = next((number for number, row in enumerate(values, 2) if len(row) != len(names)), None)
    if ragged is not None:
        raise SourceError(
            f"Row {ragged} of the lookup table {path} does not have {len(names)} values as its header has."
        )
    frame = pd.DataFrame(
        [[number, *(value or None for value in row)] for number, row in enumerate(values)],
        columns=["row", *(f"k{i}" for i in range(len(names)))],
        dtype=object,
    )
    columns = ", ".join(f"k{i} VARCHAR" for i in range(len(names)))
    connection.execute(f"CREATE TABLE {relation} (row BIGINT, {columns})")
    connection.register("rows", frame)
    connection.execute(f"INSERT INTO {relation} SELECT * FROM rows")
    connection.unregister("rows")
    return LookupTable(relation, tuple(names))
