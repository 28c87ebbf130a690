"""Rows on a terminal, as CSV, or as one JSON object a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any, TextIO

import pandas as pd

from eks_audit_nb.terminal import cleaned, replace_controls

# What a spreadsheet takes for a formula; such text is led by an apostrophe. Source: OWASP, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WIDEST_CELL = 60


def write_rows(frame: pd.DataFrame, form: str, out: TextIO) -> None:
    """Write a frame.

    Args:
        frame: Columns of the types that `frames` gives.
        form: "table" for people (long cells are cut), "csv" (formulas defused), or "jsonl" (types kept, times as
            ISO 8601 in UTC, missing values as null).
        out: Where to.
    """
    match form:
        case "csv":
            writer = csv.writer(_UnixLines(out), lineterminator="\r\n")
            # A file gets what the log holds; a terminal, nothing that could drive it.
            shown = cleaned if out.isatty() else str
            writer.writerow([shown(_defused(name)) for name in frame.columns])
            writer.writerows([shown(_defused(value)) for value in row] for row in _rows(frame))
        case "jsonl":
            for row in _rows(frame):
                line = json.dumps(dict(zip(frame.columns, row, strict=True)), ensure_ascii=False)
                # JSON itself escapes only the controls of ASCII; to a reader of JSON the escaped ones are the same.
                out.write(replace_controls(line, lambda sign: json.dumps(sign)[1:-1]) + "\n")
        case _:
            _write_table(frame, out)


class _UnixLines:
    """Takes csv's rows and ends them as Unix does; csv quotes only those line ends that its own rows have."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, row: str) -> None:
        """Write one row."""
        self._out.write(row.removesuffix("\r\n") + "\n")


def _rows(frame: pd.DataFrame) -> Iterator[list[Any]]:
    for row in frame.itertuples(index=False, name=None):
        yield [_value(value) for value in row]


def _value(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return None if pd.isna(value) else float(value)
    return int(value)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _defused(value: Any) -> str:
    text = _plain(value)
    if not isinstance(value, str) or not text.startswith(_FORMULA_STARTS):
        return text
    is_number = text.replace(".", "", 1).replace("-", "", 1).isdecimal()
    return text if is_number else f"'{text}"


def _write_table(frame: pd.DataFrame, out: TextIO) -> None:
    lines = [[_cell(name) for name in frame.columns], *([_cell(value) for value in row] for row in _rows(frame))]
    widths = [max(len(line[i]) for line in lines) for i in range(len(frame.columns))]
    for number, line in enumerate(lines):
        out.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
        if number == 0:
            out.write("  ".join("-" * width for width in widths) + "\n")


def _cell(value: Any) -> str:
    text = cleaned(_plain(value))
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"
