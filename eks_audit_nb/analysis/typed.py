"""Rows made one by one, as a frame whose columns have their types even where every value is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pandas as pd


def typed_frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """The rows as a frame with just these columns and dtypes; what a row does not have is missing."""
    rows = list(rows)
    # Column by column: a frame of rows would guess a type first, and a column of missing times would lose its zone.
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=dtype) for name, dtype in columns.items()}
    )


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries, for work that goes row by row."""
    return cast("list[dict[str, Any]]", frame.astype(object).to_dict("records"))
