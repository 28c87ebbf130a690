"""Lookup tables: which CSV files are taken, what their values become, and what is said of the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from eks_audit_nb.engine import tables
from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.engine.tables import load_table
from eks_audit_nb.errors import QueryError, SourceError
from eks_audit_nb.insights import parse

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a table and gives its path."""

    def write_bytes(content: bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        return path

    return write_bytes


def rows(path: Path) -> tuple[tuple[str, ...], list[tuple[str | None, ...]]]:
    """The columns of a table and its rows in order."""
    connection = duckdb.connect(":memory:")
    table = load_table(connection, "hosts", path)
    found = connection.execute("SELECT * EXCLUDE (row) FROM hosts ORDER BY row").fetchall()
    connection.close()
    return table.columns, found


@pytest.mark.parametrize(
    ("content", "columns", "expected"),
    [
        (b"ip,name\n10.0.0.1,web\n", ("ip", "name"), [("10.0.0.1", "web")]),
        (b"\xef\xbb\xbfip,name\r\n10.0.0.1,web\r\n", ("ip", "name"), [("10.0.0.1", "web")]),
        (b'ip,name\n10.0.0.1,"a, ""b"""\n', ("ip", "name"), [("10.0.0.1", 'a, "b"')]),
        (b'ip,name\n10.0.0.1,"two\nlines"\n', ("ip", "name"), [("10.0.0.1", "two\nlines")]),
        (b"ip,name\n\n10.0.0.1,\n\n,x\n", ("ip", "name"), [("10.0.0.1", None), (None, "x")]),
        (b"n,t\n007,1e3\n", ("n", "t"), [("007", "1e3")]),
        ("größe\nü\n".encode(), ("größe",), [("ü",)]),
        (b'"a b","x""; DROP TABLE hosts; --"\n1,2\n', ("a b", 'x"; DROP TABLE hosts; --'), [("1", "2")]),
        (b"ip,name\n", ("ip", "name"), []),
    ],
)
def test_values_are_text(
    write: Write, content: bytes, columns: tuple[str, ...], expected: list[tuple[str | None, ...]]
) -> None:
    """Values are the text that stands in the file, empty ones are missing, and a byte order mark is none of it."""
    assert rows(write(content)) == (columns, expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no header with distinct column names"),
        (b"\n\n", "has no header with distinct column names"),
        (b"ip,ip\n1,2\n", "has no header with distinct column names"),
        (b"ip,name\n10.0.0.1\n", "Row 2"),
        (b"ip,name\n1,2\n1,2,3\n", "Row 3"),
        (b"ip,name\n1,\xff\n", "is not CSV in UTF-8"),
        (b'ip,name\n1,"open\n', "is not CSV in UTF-8"),
        (b'ip,name\n1,"a"b\n', "is not CSV in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(write: Write, content: bytes, words: str) -> None:
    """A file without a header, with ragged rows, open quotes or other bytes is refused by name with what is wrong."""
    path = write(content)
    with pytest.raises(SourceError, match=re.escape(words)) as caught:
        rows(path)
    assert str(path) in str(caught.value)


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """A file that is missing, or a folder, is refused with the reason that the system gives."""
    with pytest.raises(SourceError, match="No such file"):
        rows(tmp_path / "missing.csv")
    with pytest.raises(SourceError, match="directory"):
        rows(tmp_path)


def test_large_tables_are_refused(write: Write) -> None:
    """A table may be as large as the service takes, and one byte more is refused."""
    header = b"name\n"
    largest = header + (b"x" * 99 + b"\n") * ((tables.MAX_BYTES - len(header)) // 100)
    assert len(rows(write(largest))[1]) == (tables.MAX_BYTES - len(header)) // 100
    with pytest.raises(SourceError, match="larger than 10 MB"):
        rows(write(largest.ljust(tables.MAX_BYTES + 1, b"\n")))


def test_a_store_refuses_a_bad_table(write: Write) -> None:
    """A store with a table that cannot be read is not opened."""
    with pytest.raises(SourceError, match="Row 2"):
        EventStore([], {"hosts": write(b"a,b\n1\n")})


@pytest.mark.parametrize(
    ("query", "place", "hint"),
    [
        ("lookup host ip OUTPUT name", "host", "Did you mean 'hosts'? Known: hosts."),
        ("lookup hosts IP as src OUTPUT name", "IP", "Did you mean 'ip'? It has: ip, name."),
        ("lookup hosts ip as src OUTPUT nmae as n", "nmae", "Did you mean 'name'? It has: ip, name."),
        ("fields verb | cidrlookup hosts src AS block OUTPUT name", "block", "It has: ip, name."),
    ],
)
def test_wrong_names_are_told(write: Write, query: str, place: str, hint: str) -> None:
    """A table or a column that is not there is refused at its name, with the nearest one."""
    with closing(EventStore([], {"hosts": write(b"ip,name\n1,2\n")})) as store, pytest.raises(QueryError) as caught:
        store.ask(parse(query), None)
    assert query[caught.value.start : caught.value.end] == place
    assert caught.value.hint.startswith(hint)
