"""Rows of text become typed columns; the types come from the query and never from what the rows hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.frames import Typed, from_columns, from_rows
from eks_audit_nb.insights import parse, schema
from eks_audit_nb.insights.schema import Column, ColumnType

TEXT, INTEGER, NUMBER, TIME = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.TIME
ALL_TYPES = [TEXT, INTEGER, NUMBER, TIME]
Row = list[dict[str, str]]


def one(kind: ColumnType, *values: str | None) -> Typed:
    """A frame of one column named x."""
    return from_columns({"x": list(values)}, [Column("x", kind)])


def row(**cells: str) -> Row:
    """A row as the service sends it."""
    return [{"field": field, "value": value} for field, value in cells.items()]


def columns_of(query: str) -> Sequence[Column]:
    return schema.columns(parse(query))


# --- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_TYPES)
@pytest.mark.parametrize("values", [[], [None, None], ["1"], ["x"], ["1", "x", None]])
def test_types_do_not_depend_on_the_content(kind: ColumnType, values: list[str | None]) -> None:
    """A column has the dtype that its type says, whether its values are good, bad, missing or not there at all."""
    frame = one(kind, *values).frame
    assert str(frame["x"].dtype) == kind.value
    assert frame["x"].dtype == {TEXT: "string", INTEGER: "Int64", NUMBER: "Float64", TIME: "datetime64[us, UTC]"}[kind]
    assert len(frame) == len(values)


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("fields @timestamp, @message, verb", [TIME, TEXT, TEXT]),
        ("filter verb = 'get'", [TIME, TEXT]),
        ("fields responseStatus.code, stageTimestamp, requestReceivedTimestamp", [INTEGER, TIME, TIME]),
        ("fields responseStatus.reason, objectRef.name", [TEXT, TEXT]),
        (
            "fields strlen(verb) as n, abs(x) as a, tolower(verb) as t, ispresent(x) as p",
            [INTEGER, NUMBER, TEXT, INTEGER],
        ),
        (
            "stats count(*) as n, avg(x) as a, max(@timestamp) as t by verb, bin(5m)",
            [TEXT, TIME, INTEGER, NUMBER, TIME],
        ),
        ("stats earliest(verb) as v, latest(responseStatus.code) as c by level", [TEXT, TEXT, INTEGER]),
    ],
)
def test_types_go_by_name_and_function(query: str, types: list[ColumnType]) -> None:
    """A column's type follows from the field's name or the function that makes it."""
    columns = columns_of(query)
    assert [column.type for column in columns] == types
    frame = from_rows([], columns).frame
    assert [str(dtype) for dtype in frame.dtypes] == [kind.value for kind in types]


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-3", -3), ("403", 403), ("403.0", 403), ("1e3", 1000), ("9007199254740991", 2**53 - 1)],
)
def test_whole_numbers(text: str, value: int) -> None:
    """A whole number is read however it is written."""
    typed = one(INTEGER, text)
    assert typed.frame["x"].tolist() == [value]
    assert typed.notes == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0.0), ("-1.5", -1.5), ("2.5e-3", 0.0025), ("12345678901234567890", 12345678901234567890.0)],
)
def test_numbers(text: str, value: float) -> None:
    """A number is read as a double."""
    typed = one(NUMBER, text)
    assert typed.frame["x"].tolist() == [value]
    assert typed.notes == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-24 22:30:00.123", "2026-11-24T22:30:00.123000Z"),
        ("2026-11-24T22:30:00.123456Z", "2026-11-24T22:30:00.123456Z"),
        ("2026-11-24T22:30:00+02:00", "2026-11-24T20:30:00Z"),
        ("2026-11-24", "2026-11-24T00:00:00Z"),
        ("1795559400123", "2026-11-24T22:30:00.123000Z"),
    ],
)
def test_times(text: str, value: str) -> None:
    """A time is read from CloudWatch's form, ISO 8601 or milliseconds since 1970, and is UTC."""
    typed = one(TIME, text)
    assert typed.frame["x"].tolist() == [pd.Timestamp(value)]
    assert typed.notes == ()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((INTEGER, text) for text in ("1.5", "abc", "", "nan", "inf", "1e400", "0x10", "1_000", "True", "2026-11-24")),
        *((NUMBER, text) for text in ("abc", "", "nan", "inf", "-Infinity", "1e400", "0x10", "1,5", "1_000")),
        *(
            (TIME, text)
            for text in ("abc", "", "now", "today", "NaT", "10:00", "2026-13-45", "7", "24/11/2026", "2026")
        ),
    ],
)
def test_values_of_the_wrong_type(kind: ColumnType, text: str) -> None:
    """A value that is none of its column's type becomes missing, and a note names the column and the value."""
    good = {INTEGER: "1", NUMBER: "1", TIME: "2026-11-24"}[kind]
    typed = one(kind, good, text, None)
    assert typed.frame["x"].isna().tolist() == [False, True, True]
    (note,) = typed.notes
    assert note.startswith("1 values of x are no ")
    assert repr(text) in note


def test_notes_are_short() -> None:
    """A note counts the values and shows only the beginning of the first."""
    typed = one(NUMBER, "y" * 5000, "z", "1")
    assert typed.notes == (f"2 values of x are no number and are shown as missing, such as {'y' * 40!r}.",)


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=20)))
def test_text_is_not_touched(values: list[str | None]) -> None:
    """Text arrives as it was, whatever it looks like, and empty text is not missing."""
    typed = one(TEXT, *values)
    assert typed.frame["x"].fillna("\0missing").tolist() == ["\0missing" if v is None else v for v in values]
    assert typed.notes == ()


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1)))
def test_integers_are_exact(values: list[int]) -> None:
    """Every whole number that a double can hold is read exactly."""
    assert one(INTEGER, *map(str, values)).frame["x"].tolist() == values


@given(st.lists(st.integers(0, 4_102_444_799_999)))
def test_times_are_exact(milliseconds: list[int]) -> None:
    """Every millisecond of an @timestamp survives, also as a number."""
    expected = [pd.Timestamp(each, unit="ms", tz="UTC") for each in milliseconds]
    printed = [each.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] for each in expected]
    assert one(TIME, *printed).frame["x"].tolist() == expected
    since_2001 = [each for each in milliseconds if each > 10**12]
    assert one(TIME, *map(str, since_2001)).frame["x"].tolist() == [e for e in expected if e.value > 10**18]


# --- columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("fields verb, @timestamp, auditID", ["verb", "@timestamp", "auditID"]),
        ("fields verb | fields level, verb", ["verb", "level"]),
        ("fields verb | display level, @message", ["level", "@message"]),
        ("stats count(*), avg(x) by verb, bin(5m)", ["verb", "bin(5m)", "count(*)", "avg(x)"]),
        ("filter verb = 'x'", ["@timestamp", "@message"]),
    ],
)
def test_column_order(query: str, names: list[str]) -> None:
    """Columns stand in the order of the query, whatever order and gaps the rows have, and also without any row."""
    columns = columns_of(query)
    assert list(from_rows([], columns).frame.columns) == names
    rows = [[{"field": name, "value": "1"} for name in reversed(names)], [{"field": names[-1], "value": "1"}], []]
    assert list(from_rows(rows, columns).frame.columns) == names
    assert list(from_columns({name: ["1"] for name in names[::-1]}, columns).frame.columns) == names


def test_system_fields_keep_their_names() -> None:
    """A field named message and the system field @message are two columns that never take each other's values."""
    columns = columns_of("fields @message, message, @@message")
    frame = from_rows([row(**{"message": "a", "@message": "b"}), row(message="c")], columns).frame
    assert list(frame.columns) == ["@message", "message", "@@message"]
    assert frame.fillna("-").to_numpy().tolist() == [["b", "a", "-"], ["-", "c", "-"]]


def test_absent_cells_are_missing() -> None:
    """A field that a row does not carry is missing in that row, and a field that was not asked for is left out."""
    typed = from_rows([row(verb="get", **{"@ptr": "xyz"}), row(), row(verb="")], [Column("verb", TEXT)])
    assert list(typed.frame.columns) == ["verb"]
    assert typed.frame["verb"].fillna("-").tolist() == ["get", "-", ""]


def test_both_forms_agree() -> None:
    """Columns of text and rows of cells give the same frame."""
    columns = columns_of("fields verb, responseStatus.code, @timestamp")
    values: dict[str, list[Any]] = {
        "verb": ["get", None],
        "responseStatus.code": [None, "403"],
        "@timestamp": ["2026-11-24 10:00:00.000", "2026-11-24 10:00:00.001"],
    }
    rows = [
        [{"field": name, "value": values[name][i]} for name in values if values[name][i] is not None] for i in range(2)
    ]
    pd.testing.assert_frame_equal(from_rows(rows, columns).frame, from_columns(values, columns).frame)


def test_rows_without_columns() -> None:
    """The number of rows survives where the query names no column that the rows have."""
    assert len(from_rows([row(a="1"), row()], [Column("b", TEXT)]).frame) == 2
