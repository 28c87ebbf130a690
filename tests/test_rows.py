"""Lines taken apart in SQL: columns say what a query would see, and what SQL cannot read is marked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.case.blocks import BlockWriter
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.columns import Columns, Peculiar, Peculiarities
from eks_audit_nb.engine.narrowing import literals
from eks_audit_nb.engine.rows import ODD, Segment
from eks_audit_nb.engine.store import Event, EventStore, connected
from eks_audit_nb.insights import parse
from eks_audit_nb.insights.parameters import fill

from conftest import audit_event

Draw = Any
PLAIN = json.dumps(audit_event(), separators=(",", ":"))
TEN = 1_795_514_400_123  # its stageTimestamp


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of lines that every example writes anew."""
    return tmp_path_factory.mktemp("rows") / "lines.zst"


@pytest.fixture(scope="module")
def connection(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connected(folder=path.parent) as connection:
        yield connection


def written(path: Path, lines: Sequence[str]) -> BlockWriter:
    writer = BlockWriter(path, 0)
    writer.write("".join(f"{line}\n" for line in lines).encode(), len(lines))
    writer.close()
    return writer


def rows_of(
    connection: duckdb.DuckDBPyConnection, path: Path, lines: Sequence[str], what: str, **options: Any
) -> list[tuple[Any, ...]]:
    """Some columns of the rows of these lines, in their order."""
    longest = written(path, lines).longest
    given = {"first_line": 0, "segments": [Segment(0, "/logs/a.jsonl", "stream a")], **options}
    sql, parameters = rows.of_lines("x", str(path), longest=longest, **given)
    return connection.execute(f"SELECT {what} FROM ({sql}) ORDER BY line", parameters).fetchall()  # noqa: S608


# --- rows -----------------------------------------------------------------------------------------------------------


def test_rows(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """A plain line is a row with its number, its time as both times, its length in bytes and its text."""
    line = json.dumps(audit_event(userAgent="ä"), ensure_ascii=False)
    what = "line, timestamp_ms, ingestion_ms, condition, size, json"
    assert rows_of(connection, path, [f"  {line}\r", PLAIN], what, first_line=70) == [
        (70, TEN, TEN, "", len(line.encode()), line),
        (71, TEN, TEN, "", len(PLAIN), PLAIN),
    ]


@pytest.mark.parametrize("columns", [rows.NO_COLUMNS, rows.EVERY_READING])
def test_segments(connection: duckdb.DuckDBPyConnection, path: Path, columns: Columns) -> None:
    """Each line has the log and the stream of the input that it came from; inputs may have no line at all."""
    segments = [Segment(first, f"log {name}", f"stream {name}") for first, name in ((10, "a"), (12, "b"), (12, "c"))]
    options = {"first_line": 10, "segments": segments, "columns": columns}
    found = rows_of(connection, path, [PLAIN] * 4, "line, log, log_stream", **options)
    names = ["a", "a", "c", "c"]
    assert found == [(10 + place, f"log {name}", f"stream {name}") for place, name in enumerate(names)]


def test_many_lines_keep_their_order(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Lines are numbered as they stand in the file, however many there are."""
    lines = [PLAIN.replace("alice", f"user {number}") for number in range(20_000)]
    assert rows_of(connection, path, lines, "line, json") == list(enumerate(lines))


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        (PLAIN, ""),
        (json.dumps(audit_event()), ""),
        (json.dumps(dict(reversed(audit_event().items()))), ""),
        (json.dumps(audit_event(annotations={"audit.k8s.io/truncated": "true"})), "truncated"),
        (json.dumps(audit_event(annotations={"audit.k8s.io/truncated": "false"})), ""),
        (json.dumps(audit_event(requestObject={"annotations": {"audit.k8s.io/truncated": "true"}})), ""),
        (PLAIN[:-1] + ',"requestObject":"\\ud83d\\ude00"}', ODD),
        (PLAIN[:-1] + ',"requestObject":"\\ud83d"}', ODD),
        (PLAIN[:200] + "[Truncated...]", ODD),
        (PLAIN[:-1], ODD),
        (PLAIN + PLAIN, ODD),
        (f"[{PLAIN}]", ODD),
        ("text", ODD),
        ("{}", ODD),
        (json.dumps(audit_event(auditID=None)), ODD),
        (json.dumps(audit_event(auditID=7)), ODD),
        (json.dumps(audit_event(auditID=None, requestObject={"auditID": "x"})), ODD),
        (json.dumps(audit_event(stageTimestamp=None)), ODD),
        (json.dumps(audit_event(stageTimestamp=None, requestObject={"stageTimestamp": "2026-11-24T10:00:00Z"})), ODD),
        (PLAIN.replace("alice", "a\x01b"), ODD),
    ],
)
def test_conditions(connection: duckdb.DuckDBPyConnection, path: Path, line: str, condition: str) -> None:
    """A whole event with its time is plain, one with the mark is truncated, and anything else is odd."""
    for columns in (rows.NO_COLUMNS, rows.NESTED, rows.EVERY_READING):
        found = rows_of(connection, path, [PLAIN, line, PLAIN], "condition", columns=columns)
        assert found == [("",), (condition,), ("",)]


@pytest.mark.parametrize(
    ("written_time", "timestamp_ms"),
    [
        ("2026-11-24T10:00:00.123456Z", TEN),
        ("2026-11-24T10:00:00.123999Z", TEN),
        ("2026-11-24T10:00:00.123Z", TEN),
        ("2026-11-24T10:00:00.1Z", TEN - 23),
        ("2026-11-24T10:00:00Z", TEN - 123),
        ("1970-01-01T00:00:00Z", 0),
        ("2999-12-31T23:59:59.999999Z", 32_503_679_999_999),
        ("2028-02-29T00:00:00Z", 1_835_395_200_000),
        *(
            (text, None)
            for text in (
                *("2026-11-24T10:00:00.123456789Z", "2026-11-24T10:00:00", "2026-11-24T10:00:00+00:00"),
                *("2026-11-24 10:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T10:00:60Z", "2026-11-24T10:00:00.Z"),
                *("2026-02-29T10:00:00Z", "2026-13-01T10:00:00Z", "1969-12-31T23:59:59Z", "now", "", " "),
                *("2026-11-24T10:00:00Z\n", "2026-11-24T10:00:00z", "infinity", "1795514400123"),
            )
        ),
    ],
)
def test_times(connection: duckdb.DuckDBPyConnection, path: Path, written_time: str, timestamp_ms: int | None) -> None:
    """A time as the API server writes it is cut to milliseconds, and a line with any other is odd."""
    line = json.dumps(audit_event(stageTimestamp=written_time))
    expected = (timestamp_ms, "") if timestamp_ms is not None else (0, ODD)
    assert rows_of(connection, path, [line], "timestamp_ms, condition") == [expected]


# --- columns --------------------------------------------------------------------------------------------------------

leaves = st.sampled_from(
    [
        *("x", "alice", "", " ", "403", "-1.50", "true", "null", "{x", "[1", '["a"]', '{"a":1}', 'say "x"', "a\\b"),
        *("ä😀", "a/b", "<&>", "\n", "a\x00b", "0", "1e3", True, False, None, 0, 403, -7, 1.5, 1e300, 2**60, 10**25),
        *([], {}, ["a"], {"0": "a"}, {"a": 1}, ["a", ["b"]], [{"b": "c"}], [None, "a"]),
    ]
)


@st.composite
def dotted_events(draw: Draw) -> dict[str, Any]:
    """An event in which fields lie where any reading of their dotted names can find them, several at once."""
    event: dict[str, Any] = {"auditID": "x", "stageTimestamp": "2026-11-24T10:00:00.123456Z"}
    names = [name for name in rows.FIELDS if name != "auditID"]
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=10)):
        parts = name.split(".")
        keys = [parts[0]]
        for part in parts[1:]:
            if draw(st.booleans()):
                keys.append(part)
            else:
                keys[-1] += f".{part}"
        _put(event, keys, draw(leaves))
    keys = draw(st.permutations(sorted(event)))
    return {key: event[key] for key in keys}


def _put(branch: dict[str, Any], keys: list[str], value: object) -> None:
    *way, last = keys
    for key, following in zip(way, keys[1:], strict=True):
        below = branch.get(key)
        if isinstance(below, list) and following == "0":
            below[:1] = [value]
            return
        if not isinstance(below, dict):
            below = branch[key] = {}
        branch = below
    if last == "0" or not isinstance(branch.get(last), dict):
        branch[last] = value


def go_json(value: object) -> str:
    """JSON as Go's encoder writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


@settings(max_examples=15)
@given(st.lists(dotted_events(), min_size=1, max_size=15), st.sampled_from([go_json, json.dumps]))
def test_columns(connection: duckdb.DuckDBPyConnection, path: Path, events: list[dict[str, Any]], write: Any) -> None:
    """A column has what a query extracts from the text, whichever reading of its name finds it.

    Lines without a key that joins names have the same with fewer readings.
    """
    lines = [write(event) for event in events]
    what = ", ".join(("condition", *rows.COLUMNS.values()))
    found = rows_of(connection, path, lines, what, columns=rows.EVERY_READING)
    peculiar = Peculiar()
    Peculiarities(rows.EVERY_READING).add("\n".join(lines).encode(), peculiar)
    if not peculiar.has_joined_keys:
        assert rows_of(connection, path, lines, what, columns=rows.NESTED) == found
    store = EventStore(
        Event(number, 0, 0, line, line, "stream", "log", str(number), "") for number, line in enumerate(lines)
    )
    names = ", ".join(f"`{name}`" for name in rows.FIELDS)
    values = store.ask(parse(f"fields {names} | sort @ptr asc | limit 10000"), None).values
    store.close()
    expected = list(zip(*(values[name] for name in rows.FIELDS), strict=True))
    assert len(found) == len(expected)
    for line, (condition, *columns), cells in zip(lines, found, expected, strict=True):
        if condition != ODD:
            assert dict(zip(rows.FIELDS, columns, strict=True)) == dict(zip(rows.FIELDS, cells, strict=True)), line


def test_every_field_has_a_column_and_no_other() -> None:
    """Columns have names of their own, which are none of a query's."""
    assert len(set(rows.COLUMNS.values())) == len(rows.FIELDS) == len(set(rows.FIELDS))
    wanted = rows.pointers_of(rows.EVERY_READING)
    assert len(set(wanted)) == len(wanted)


# --- lines that cannot count ----------------------------------------------------------------------------------------


@st.composite
def escaped(draw: Draw, text: str) -> str:
    """A JSON string of a text, each sign written in any way that JSON has for it."""
    written = []
    for sign in text:
        number = "".join(f"\\u{unit:04x}" for unit in _units(sign))
        ways = [json.dumps(sign, ensure_ascii=False)[1:-1]] * 3 + [number, number.upper().replace("\\U", "\\u")]
        ways += ["\\/"] if sign == "/" else []
        written.append(draw(st.sampled_from(ways)))
    return f'"{"".join(written)}"'


def _units(sign: str) -> list[int]:
    data = sign.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


values = st.one_of(
    st.text(st.sampled_from("ab/<>&ä😀\\\x7f\u2028 :.-_0{}[]'\t"), min_size=1, max_size=12).filter(
        lambda text: not re.search(r"\\(?:['\\]|\Z)", text)  # what no text of a query says
    ),
    st.sampled_from(["system:admin", "arn:aws:iam::111122223333:role/x", "a<b>c&d", "/api/v1/secrets", "ä😀日本"]),
)


@given(values, st.data(), st.sampled_from(["=", "like", "in"]), st.booleans())
def test_a_line_that_fulfils_the_condition_can_count(
    connection: duckdb.DuckDBPyConnection, value: str, data: Any, operator: str, has_more: bool
) -> None:
    """However an event writes the value that a filter asks for, its line is not passed over."""
    more = data.draw(st.text(st.sampled_from("xy/<"), max_size=3)) if operator == "like" else ""
    written_value = data.draw(escaped(more + value + more))
    line = PLAIN.replace('"alice"', written_value)
    assert json.loads(line)["user"]["username"] == more + value + more
    condition = {"=": "= {{value}}", "like": "like {{value}}", "in": 'in ["nobody", {{value}}]'}[operator]
    text = f"filter user.username {condition}{' and verb = {{verb}}' if has_more else ''}"
    query = parse(fill(text, {"value": value, **({"verb": "get"} if has_more else {})}).text)
    sql, parameters = rows.can_count("$line", literals(query), "x")
    assert connection.execute(f"SELECT {sql}", {"line": line, **parameters}).fetchall() == [(True,)]


@pytest.mark.parametrize(
    ("line", "literal", "expected"),
    [
        ('{"a":"alice"}', "alice", True),
        ('{"a":"bob"}', "alice", False),
        (r'{"a":"bob \u003c \u003e \u0026 \" \\ \n"}', "alice", False),
        (r'{"a":"\/"}', "alice", True),
        (r'{"a":"\u0061"}', "alice", True),
        (r'{"a":"\u003C"}', "alice", True),
        (r'{"a":"\u2028"}', "alice", True),
        (r'{"a":"\u0027"}', "alice", True),
        (r'{"a":"\u0036"}', "alice", True),
        ("", "alice", False),
    ],
)
def test_lines_that_cannot_count(
    connection: duckdb.DuckDBPyConnection, line: str, literal: str, expected: bool
) -> None:
    """A line without the text is passed over, unless it writes a sign in a way that Go's encoder does not."""
    sql, parameters = rows.can_count("$line", [[literal]], "x")
    assert connection.execute(f"SELECT {sql}", {"line": line, **parameters}).fetchall() == [(expected,)]


@pytest.mark.parametrize(
    ("entries", "kept"),
    [
        ([], [0, 1, 2, 3]),
        ([["alice"]], [0, 2]),
        ([["alice", "bob"]], [0, 1, 2]),
        ([["alice", "bob"], ["web"]], [0, 1]),
        ([["carol"]], []),
        ([["it's $x 'y' --"]], []),
    ],
)
def test_lines_without_the_texts_are_left_out(
    connection: duckdb.DuckDBPyConnection, path: Path, entries: list[list[str]], kept: list[int]
) -> None:
    """A line is kept if it has a text of each entry, and has the number that it has among all lines."""
    lines = [
        PLAIN,
        PLAIN.replace("alice", "bob"),
        PLAIN.replace("web", "x"),
        PLAIN.replace("web", "x").replace("alice", "x"),
    ]
    assert rows_of(connection, path, lines, "line", literals=entries) == [(line,) for line in kept]


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1, max_size=12))
def test_needles(text: str) -> None:
    """What is searched for is an end of the text, and no sign that could begin it is rarer than its first."""
    needle = rows._needle(text)
    assert text.endswith(needle)
    assert len(needle) >= min(len(text), 4)
    assert rows.rarity(needle[0]) == max(map(rows.rarity, text[: max(1, len(text) - 3)]))
