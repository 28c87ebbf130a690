"""Rows as a table for people, as CSV for spreadsheets, and as one JSON object a line."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.printing import write_rows


def printed(frame: pd.DataFrame, form: str) -> str:
    out = io.StringIO()
    write_rows(frame, form, out)
    return out.getvalue()


def texts(*values: str | None, name: str = "x") -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(list(values), dtype="string")})


@pytest.fixture
def mixed() -> pd.DataFrame:
    """A value and a missing one of every type that a result has."""
    times = pd.Series(pd.to_datetime(["2026-11-24T10:00:00.123Z", None])).astype("datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "@timestamp": times,
            "verb": pd.Series(["get", None], dtype="string"),
            "n": pd.Series([7, None], dtype="Int64"),
            "avg(x)": pd.Series([-0.5, None], dtype="Float64"),
        }
    )


EMPTY = pd.DataFrame({"verb": pd.Series(dtype="string"), "n": pd.Series(dtype="Int64")})


# --- JSON lines -----------------------------------------------------------------------------------------------------


def test_jsonl(mixed: pd.DataFrame) -> None:
    """In JSON lines values keep their types, times are ISO 8601 in UTC, and what is missing is null."""
    assert [json.loads(line) for line in printed(mixed, "jsonl").splitlines()] == [
        {"@timestamp": "2026-11-24T10:00:00.123000Z", "verb": "get", "n": 7, "avg(x)": -0.5},
        {"@timestamp": None, "verb": None, "n": None, "avg(x)": None},
    ]


def test_jsonl_of_whole_numbers() -> None:
    """A whole number is written without a fraction, and large ones exactly."""
    frame = pd.DataFrame({"n": pd.Series([2**53 - 1, 0], dtype="Int64")})
    assert printed(frame, "jsonl") == '{"n": 9007199254740991}\n{"n": 0}\n'


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_jsonl_keeps_any_text(values: list[str]) -> None:
    """Whatever a text holds, line ends too, a row is one line and gives the same text back."""
    lines = printed(texts(*values), "jsonl").split("\n")[:-1]
    assert [json.loads(line)["x"] for line in lines] == values


def test_jsonl_escapes_what_drives_a_terminal() -> None:
    """Controls beyond ASCII, which JSON would let through, are escaped, and a reader of JSON gets them back."""
    text = "\x1b[31m \x9b31m \x7f \u202e \U000e0041 \ud800 \u00e9"
    line = printed(texts(text), "jsonl")
    assert {unicodedata.category(character)[0] for character in line if character != "\n"}.isdisjoint({"C"})
    assert "\u00e9" in line
    assert json.loads(line)["x"] == text


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_csv(mixed: pd.DataFrame) -> None:
    """In CSV missing values are empty and numbers stay numbers, negative ones too."""
    assert list(csv.reader(io.StringIO(printed(mixed, "csv")))) == [
        ["'@timestamp", "verb", "n", "avg(x)"],
        ["2026-11-24T10:00:00.123000Z", "get", "7", "-0.5"],
        ["", "", "", ""],
    ]


@pytest.mark.parametrize("number", [-1.5, -1e-7, -1e300, 1e300, 0.1])
def test_csv_numbers(number: float) -> None:
    """No number is taken for a formula, however it is written."""
    frame = pd.DataFrame({"n": pd.Series([number], dtype="Float64")})
    assert float(printed(frame, "csv").splitlines()[1]) == number


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("-", "'-"),
        ("-1e5|cmd", "'-1e5|cmd"),
        ("-12", "-12"),
        ("-1.5", "-1.5"),
        ("12", "12"),
        ("a=1", "a=1"),
        ("", ""),
        ("'=1", "'=1"),
    ],
)
def test_csv_formulas(text: str, cell: str) -> None:
    """Text that a spreadsheet would take for a formula is led by an apostrophe, and other text is not touched."""
    assert list(csv.reader(io.StringIO(printed(texts(text, "z"), "csv"), newline=""))) == [["x"], [cell], ["z"]]


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))), max_size=5))
def test_csv_keeps_rows_and_cells(rows: list[tuple[str, str]]) -> None:
    """Whatever a text holds, quotes, commas and line ends too, it stays in its cell."""
    frame = pd.DataFrame({"a": texts(*(a for a, _ in rows))["x"], "b": texts(*(b for _, b in rows))["x"]})
    read = list(csv.reader(io.StringIO(printed(frame, "csv"), newline="")))
    assert [(a.removeprefix("'"), b.removeprefix("'")) for a, b in read[1:]] == [
        (a.removeprefix("'"), b.removeprefix("'")) for a, b in rows
    ]
    assert not any(cell.startswith(("=", "@", "+", "\t", "\r", "\n")) for row in read for cell in row)


def test_csv_on_a_terminal() -> None:
    """On a terminal a cell of CSV holds nothing that could drive it, and in a file what the log holds."""
    master, slave = os.openpty()
    with os.fdopen(master) as screen, os.fdopen(slave, "w", encoding="utf-8") as terminal:
        write_rows(texts("\x1b]0;owned\x07"), "csv", terminal)
        terminal.flush()
        assert [screen.readline(), screen.readline()] == ["x\n", " ]0;owned \n"]
    assert printed(texts("\x1b]0;owned\x07"), "csv") == "x\n\x1b]0;owned\x07\n"


# --- tables ---------------------------------------------------------------------------------------------------------


def test_table(mixed: pd.DataFrame) -> None:
    """A table has a heading, a rule, and its columns one below the other."""
    assert printed(mixed, "table").splitlines() == [
        "@timestamp                   verb  n  avg(x)",
        "---------------------------  ----  -  ------",
        "2026-11-24T10:00:00.123000Z  get   7  -0.5",
        "",
    ]


def test_table_cuts_long_cells() -> None:
    """A cell that is too long for a line is cut, and the cut is shown."""
    line = printed(texts("y" * 5000), "table").splitlines()[2]
    assert line == "y" * 59 + "…"
    assert printed(texts("y" * 60), "table").splitlines()[2] == "y" * 60


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
def test_tables_hold_no_control_characters(name: str, value: str) -> None:
    """No character of a log or of a column's name can drive the terminal or turn the direction of writing."""
    out = printed(texts(value, name=name), "table")
    assert {unicodedata.category(character)[0] for character in out if character != "\n"}.isdisjoint({"C"})
    assert out.count("\n") == 3


# --- empty results --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "expected"), [("table", "verb  n\n----  -\n"), ("csv", "verb,n\n"), ("jsonl", "")], ids=lambda it: it[:5]
)
def test_no_rows(form: str, expected: str) -> None:
    """Without rows the headings are still there, where the form has headings."""
    assert printed(EMPTY, form) == expected
