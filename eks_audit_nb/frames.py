"""Rows of strings to a typed DataFrame; types come from the query (insights.schema), never from the content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from eks_audit_nb.insights.schema import Column, ColumnType


@dataclass(frozen=True)
class Typed:
    """A frame, and a sentence for each column in which a value could not be read as its type."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


def from_columns(values: Mapping[str, Sequence[str | None]], columns: Sequence[Column]) -> Typed:
    """Give each column its type; the columns are those of the query, in its order, even where no row has a value.

    Args:
        values: The text of each column, row by row; None where the row has no such field. Equally long.
        columns: Names and types, from `insights.columns`.

    Returns:
        A frame with dtypes string, Int64, Float64 and datetime64[us, UTC]. A value that is no number or no time
        becomes missing, and the notes say how many and which.
    """
    rows = max((len(column) for column in values.values()), default=0)
    notes: list[str] = []
    typed: dict[str, pd.Series] = {}
    for column in columns:
        text = pd.Series(list(values.get(column.name, [None] * rows)), dtype="string")
        typed[column.name] = converted = _convert(text, column.type)
        lost = text.notna() & converted.isna()
        if lost.any():
            notes.append(
                f"{int(lost.sum())} values of {column.name} are no {_WORDS[column.type]} and are shown as missing, "
                f"such as {str(text[lost].iloc[0])[:40]!r}."
            )
    return Typed(pd.DataFrame(typed, index=pd.RangeIndex(rows)), tuple(notes))


def from_rows(rows: Sequence[Sequence[Mapping[str, str]]], columns: Sequence[Column]) -> Typed:
    """The same from the `results` of GetQueryResults: lists of `{field, value}`, in which missing fields are absent."""
    values: dict[str, list[str | None]] = {column.name: [None] * len(rows) for column in columns}
    for index, row in enumerate(rows):
        for cell in row:
            column = values.get(cell["field"])
            if column is not None:
                column[index] = cell.get("value")
    return from_columns(values, columns)


def _numbers(text: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(text, errors="coerce").astype("Float64")
    return numbers.where(numbers.abs() < float("inf"))


_WORDS = {ColumnType.INTEGER: "whole number", ColumnType.NUMBER: "number", ColumnType.TIME: "time"}


def _convert(text: pd.Series, kind: ColumnType) -> pd.Series:
    match kind:
        case ColumnType.TIME:
            # `format="ISO8601"` takes both "2026-11-24 22:30:00.123" and "2026-11-24T22:30:00.123456Z", and words such
            # as "now", which are no times here.
            dated = text.where(text.str.match(r"\d{4}-\d{2}-\d{2}", na=False))
            times = pd.to_datetime(dated, utc=True, format="ISO8601", errors="coerce").astype("datetime64[us, UTC]")
            # How the service prints max(@timestamp) is not documented: milliseconds since 1970 are a time too.
            since_1970 = pd.to_numeric(text.where(text.str.fullmatch(r"\d{12,14}", na=False))).astype("Int64")
            counted = pd.to_datetime(since_1970, unit="ms", utc=True, errors="coerce").astype("datetime64[us, UTC]")
            return times.fillna(counted)
        case ColumnType.NUMBER:
            return _numbers(text)
        case ColumnType.INTEGER:
            numbers = _numbers(text)
            whole = numbers.where((numbers % 1 == 0) & (numbers.abs() < 2**53))
            return whole.astype("Int64")
        case _:
            return text
