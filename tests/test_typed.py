"""Frames made of rows have their types whatever the rows hold."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from eks_audit_nb.analysis.typed import records, typed_frame

COLUMNS = {"text": "string", "number": "Int64", "time": "datetime64[us, UTC]", "flag": "boolean"}


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{}],
        [{"text": None, "number": None, "time": pd.NaT, "flag": None}] * 2,
        [{"text": "x", "number": 1, "time": pd.Timestamp("2026-11-24T10:00:00Z"), "flag": True, "other": 7}, {}],
    ],
)
def test_types_hold(rows: list[dict[str, Any]]) -> None:
    """The columns are those that were asked for, with their types, also where every value is missing."""
    frame = typed_frame(rows, COLUMNS)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    assert len(frame) == len(rows)
    assert [row["text"] for row in records(frame) if not pd.isna(row["text"])] == [
        row["text"] for row in rows if row.get("text")
    ]
