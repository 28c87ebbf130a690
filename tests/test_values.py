"""What an SQL expression yields, and how each kind reads as text, number, time, condition, and map or list."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from eks_audit_nb.engine import values
from eks_audit_nb.engine.macros import MACROS
from eks_audit_nb.engine.values import Kind, Value

TEXT = Value("CAST('12' AS VARCHAR)", Kind.TEXT)
WORD = Value("CAST('get' AS VARCHAR)", Kind.TEXT)
NUMBER = Value("CAST(12 AS DOUBLE)", Kind.NUMBER)
TRUE = Value("(1 = 1)", Kind.BOOLEAN)
FALSE = Value("(1 = 0)", Kind.BOOLEAN)
TIME = Value("CAST(1795514400123 AS BIGINT)", Kind.TIME)
MAP = Value("CAST('{\"a\": 1}' AS VARCHAR)", Kind.STRUCTURE)
MISSING = Value("CAST(NULL AS VARCHAR)", Kind.TEXT)
EITHER = Value("CAST(NULL AS VARCHAR)", Kind.TEXT, "CAST('[1]' AS VARCHAR)")


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """A connection that knows the rules of the language."""
    found = duckdb.connect(":memory:")
    for macro in MACROS:
        found.execute(macro)
    return found


def computed(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """What an expression gives."""
    row = connection.execute(f"SELECT {sql}").fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    ("value", "text", "number", "printed", "condition"),
    [
        (TEXT, "12", 12, "12", True),
        (WORD, "get", None, "get", False),
        (NUMBER, "12", 12, "12", True),
        (TRUE, "1", 1, "1", True),
        (FALSE, "0", 0, "0", False),
        (TIME, "2026-11-24 10:00:00.123", 1795514400123, "2026-11-24 10:00:00.123", True),
        (MAP, None, None, '{"a": 1}', False),
        (MISSING, None, None, None, False),
        (EITHER, None, None, "[1]", False),
    ],
)
def test_readings(
    connection: duckdb.DuckDBPyConnection,
    value: Value,
    text: str | None,
    number: float | None,
    printed: str | None,
    condition: bool,
) -> None:
    """A value reads as text, as a number and as a condition; a map or a list is printed and is none of these."""
    assert computed(connection, values.text(value)) == text
    assert computed(connection, values.number(value)) == number
    assert computed(connection, values.printed(value)) == printed
    assert computed(connection, values.condition(value)) is condition


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TIME, 1795514400123),
        (NUMBER, 12),
        (WORD, None),
        (MAP, None),
        (MISSING, None),
        (Value("'2026-11-24T10:00:00.123456Z'", Kind.TEXT), 1795514400123),
        (Value("'2026-11-24T12:00:00.123+02:00'", Kind.TEXT), 1795514400123),
        (Value("'infinity'", Kind.TEXT), None),
        (Value("CAST(9e18 AS DOUBLE)", Kind.NUMBER), None),
    ],
)
def test_times(connection: duckdb.DuckDBPyConnection, value: Value, expected: int | None) -> None:
    """A time is a number of milliseconds or text in ISO 8601, within the years that there are."""
    connection.execute("SET TimeZone = 'UTC'")
    assert computed(connection, values.instant(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MAP, '{"a": 1}'),
        (EITHER, "[1]"),
        (WORD, None),
        (TEXT, None),
        (Value("'[1, 2]'", Kind.TEXT), "[1, 2]"),
        (Value("'{broken'", Kind.TEXT), None),
        (Value("'[1'", Kind.TEXT, "CAST(NULL AS VARCHAR)"), None),
    ],
)
def test_structures(connection: duckdb.DuckDBPyConnection, value: Value, expected: str | None) -> None:
    """A map or a list is what a value is, or what its text spells in JSON."""
    assert computed(connection, values.structure(value)) == expected


def test_values_of_one_kind_keep_it() -> None:
    """Values that share a kind keep it, others and conditions become text."""
    assert values.common([NUMBER, NUMBER]) == ([NUMBER.sql, NUMBER.sql], Kind.NUMBER)
    assert values.common([TIME, TIME])[1] is Kind.TIME
    assert values.common([TRUE, FALSE])[1] is Kind.TEXT
    assert values.common([TEXT, NUMBER]) == ([values.text(TEXT), values.text(NUMBER)], Kind.TEXT)
