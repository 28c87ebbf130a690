"""Rules that are worked once for each distinct value: a million rows hold a few hundred callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column of text; all missing where the frame has none of that name."""
    if name in frame:
        return frame[name]
    return pd.Series(pd.array([None], dtype="string").take(np.zeros(len(frame), np.intp)), index=frame.index)


def worked_once(
    columns: Sequence[pd.Series], work: Callable[..., Sequence[Any]], names: Mapping[str, str]
) -> dict[str, pd.Series]:
    """Work a rule once for each distinct row of some columns, and give every row its result.

    Args:
        columns: Equally long, at least one.
        work: Takes a value of each column, None where it is missing, and gives a value for each of `names`.
        names: Names and dtypes of the results.

    Returns:
        One series a name, with the index of the first column.
    """
    codes, first = _numbered(columns)
    distinct = [_with_none(column.iloc[first]) for column in columns]
    rows = [work(*values) for values in zip(*distinct, strict=True)]
    results = {}
    for place, (name, dtype) in enumerate(names.items()):
        values = pd.Series([row[place] for row in rows], dtype=dtype)
        results[name] = pd.Series(values.array.take(codes), index=columns[0].index, name=name)
    return results


def _with_none(column: pd.Series) -> list[Any]:
    return [None if is_missing else value for value, is_missing in zip(column.tolist(), column.isna(), strict=True)]


def _numbered(columns: Sequence[pd.Series]) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's combination of values, and the first row of each number."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        own, values = pd.factorize(column)
        # Numbered anew after each column, the numbers stay below the square of the rows, which fits.
        codes = pd.factorize(codes * (len(values) + 1) + own + 1)[0]
    first = np.empty(int(codes.max()) + 1 if len(codes) else 0, np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return codes, first
