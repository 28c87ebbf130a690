"""The oracle by itself, on cases that are worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions

import oracle
from oracle import RawEvent, answer

T0 = 1_795_514_400_000  # 2026-11-24 10:00:00 UTC


def log(*events: dict[str, Any] | str) -> list[RawEvent]:
    """Events a second apart."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return [(T0 + 1000 * number, "stream", text) for number, text in enumerate(texts)]


def column(query: str, *events: dict[str, Any] | str) -> list[str | None]:
    """The first column of an answer."""
    return [row[0] for row in answer(query, log(*events)).rows]


def value(expression: str, event: dict[str, Any] | str | None = None) -> str | None:
    """One expression over one event."""
    return column(f"display {expression} as x", event if event is not None else {})[0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3.5"),
        ("7 / 0", None),
        ("(0 - 7) % 3", "-1"),
        ("2 ^ 10", "1024"),
        ("n + 1", "3"),
        ("word + 1", None),
        ("abs(0 - 2.5)", "2.5"),
        ("round(2.5)", "3"),
        ("round(0 - 2.5)", "-3"),
        ("round(1234, -2)", "1200"),
        ("greatest(1, missing, 3)", "3"),
        ("sqrt(0 - 1)", None),
        ("log(0)", None),
        ("toInt(3000000000)", None),
        ("toInt(0 - 2.9)", "-2"),
        ("haversine(0, 0, 0, 180)", "20015.086796020572"),
    ],
)
def test_numbers(expression: str, expected: str | None) -> None:
    """Arithmetic goes by numbers, and what has no result is missing."""
    assert value(expression, {"n": "2", "word": "x"}) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('trim("  a ")', "a"),
        ('ltrim("xyZxyfooxyZ", "xyZ")', "fooxyZ"),
        ('substr("abcdef", 2, 3)', "cde"),
        ('strlen("é👍")', "2"),
        ('toupper("straße")', "STRAßE"),
        ('concat("a", missing, 1)', "a1"),
        ('replace("aXbX", "X", "-")', "a-b-"),
        ('regexReplace("a1b22", "[0-9]+", "#")', "a#b#"),
        ('strcontains("Hello", "hell")', "0"),
        ('strcontains("Hello", "hell", true)', "1"),
        ('urlencode("a b/é")', "a%20b%2F%C3%A9"),
        ('urldecode("%ff")', None),
        ('base64decode("YWJj")', "abc"),
        ('split("a,b", ",")', '["a","b"]'),
        ('hexToDec("-0x1F")', "-31"),
        ("decToHex(255.9)", "0xff"),
        ('md5("")', "d41d8cd98f00b204e9800998ecf8427e"),
        ("isempty(missing)", "1"),
        ('isblank(" ")', "1"),
        ('messageSize("é")', "2"),
    ],
)
def test_texts(expression: str, expected: str | None) -> None:
    """Functions of text count characters, and messageSize counts bytes."""
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@timestamp", "2026-11-24 10:00:00.000"),
        ("bin(1h)", "2026-11-24 10:00:00.000"),
        ("datefloor(when, 1mo)", "2024-02-01 00:00:00.000"),
        ("dateceil(when, 1d)", "2024-03-01 00:00:00.000"),
        ("datefloor(when, 300s)", "2024-02-29 12:34:00.000"),
        ("toMillis(when)", "1709210096789"),
        ("fromMillis(0)", "1970-01-01 00:00:00.000"),
        ("now()", "1795514400"),
        ('parseDate("2026-11-24", "yyyy-MM-dd", "Europe/Berlin")', "1795474800000"),
        ('formatDate(0, "%Y/%m/%d %H", "America/New_York")', "1969/12/31 19"),
    ],
)
def test_times(expression: str, expected: str) -> None:
    """Times are rounded in UTC, and print as @timestamp does."""
    assert value(expression, {"when": "2024-02-29T12:34:56.789Z"}) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("code = 403", True),
        ('code in ["401", "403"]', True),
        ('code like "40"', True),
        ('missing != "x"', True),
        ('missing = "x"', False),
        ('missing not in ["x"]', True),
        ("missing < 1", False),
        ('word < "b"', True),
        ("flag = true", True),
        ("flag", True),
        ("not flag and code", False),
        ("word =~ /^A/", False),
        ("word like /(?i)^A/", True),
        ('user = "x" or user != "x"', True),
        ("ispresent(user)", False),
        ("jsonParse(js) != 1", False),
        ('isIpInSubnet("10.1.2.3", "10.0.0.0/8")', True),
        ('isPublicIP("10.1.2.3") or isReservedIP("::1") and isValidIpV6("::1")', True),
        ('jsonArrayContains(js, "1")', True),
    ],
)
def test_conditions(condition: str, expected: bool) -> None:
    """Values compare as numbers where both are, as text otherwise, and only negations hold for what is missing."""
    event = {"code": 403, "word": "abc", "flag": True, "user": {"a": 1}, "js": "[1, 2]"}
    assert bool(column(f"filter {condition}", event)) is expected


@pytest.mark.parametrize(
    ("name", "event", "expected"),
    [
        ("a.b", '{"a": {"b": 1}, "a.b": 2}', "1"),
        ("a.b", '{"a": {"b": null}, "a.b": 2}', "2"),
        ("a.b", '{"a": 1, "a": {"b": 2}}', None),
        ("a", '{"a": 1, "a": 2}', "1"),
        ("a.1", '{"a": ["x", "y"]}', "y"),
        ("a.01", '{"a": ["x", "y"]}', None),
        ("a", '{"a": 1.10}', "1.1"),
        ("a", '{"a": 12345678901234567890123}', "12345678901234567890123"),
        ("a", '{"a": false}', "0"),
        ("`@@k`", '{"@k": "at"}', "at"),
        ("`x/y.z`", '{"x/y": {"z": "in"}}', "in"),
        ("a", "no JSON", None),
        ("a", "[1]", None),
    ],
)
def test_fields(name: str, event: str, expected: str | None) -> None:
    """Of all readings of a name the most nested one with a value counts, and of equal keys the first."""
    assert value(name, event) == expected


def test_natural_order() -> None:
    """An ascending sort gives the documented order: missing values, text by its runs, numbers."""
    texts = ["!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh"]
    ordered = [None, *texts, "0", "01", "1", "2", "3"]
    events: list[dict[str, Any] | str] = [{"x": text} for text in reversed(ordered)]
    assert column("display x | sort x", *events) == ordered
    assert column("display x | sort x desc", *events) == ordered[::-1]


def test_order_without_a_sort() -> None:
    """Without a sort the newest event comes first, and of equal times the later line."""
    events: list[RawEvent] = [(5, "s", '{"n":1}'), (5, "s", '{"n":2}'), (9, "s", '{"n":3}')]
    assert answer("fields n | limit 2", events).rows == [("3",), ("2",)]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("count(*)", "4"),
        ("count(n)", "3"),
        ("count_distinct(n)", "3"),
        ("sum(n)", "6"),
        ("avg(n)", "3"),
        ("min(n)", "1"),
        ("max(w)", "c"),
        ("pct(n, 50)", "3"),
        ("variance(n)", "4"),
        ("values(w)", '["a","c"]'),
        ("topk(1, w)", '["a"]'),
        ("earliest(w)", "a"),
        ("latest(w)", "c"),
        ("sortsFirst(n)", "x"),
        ("sortsLast(n)", "5"),
        ("rate(n, 1s)", "-2"),
        ("histogram(n, 2)", '{"1-3":1,"3-5":1}'),
        ("sum(n) / count(*)", "1.5"),
        ("max(missing)", None),
    ],
)
def test_aggregates(aggregate: str, expected: str | None) -> None:
    """Aggregates pass over what they cannot take, and over nothing they are missing."""
    events: list[dict[str, Any] | str] = [{"n": 5, "w": "a"}, {"n": "x", "w": "a"}, {"n": 1, "w": "c"}, {}]
    assert column(f"stats {aggregate}", *events) == [expected]


def test_groups_and_a_second_stats() -> None:
    """A second stats counts the rows of the first, whose columns are all that is visible."""
    events = [{"v": "a"}, {"v": "a"}, {"v": "b"}, {}]
    found = answer("stats count(*) as n by v | stats max(n), count(*) as groups", log(*events))
    assert (found.columns, found.rows) == (("max(n)", "groups"), [("2", "3")])
    with pytest.raises(QueryError):
        answer("stats count(*) by v | fields w", log(*events))


def test_early_limit_caps_the_final_rows() -> None:
    """A limit before a filter caps the rows at the end."""
    assert column("fields n | limit 1 | filter n < 3", {"n": 1}, {"n": 2}, {"n": 3}) == ["2"]


def test_dedup() -> None:
    """Dedup keeps the first row in the order of the sort, and every row that lacks a key."""
    events: list[dict[str, Any] | str] = [{"k": "a", "n": 1}, {"k": "a", "n": 2}, {"n": 3}, {"n": 4}]
    assert column("fields n | sort n | dedup k", *events) == ["1", "3", "4"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ('parse line "user=*, id=*" as x, y', ["bob"]),
        (r"parse line /id=(?<x>\d)/", ["7"]),
        ("parse line /([a-z]+)=/ as x multi", ["user", "id"]),
        ("parse line /(no)/ as x multi", [None]),
        ("parse line csv as y, x", [" id=7"]),
        ("parse pairs logfmt as m | fields m.msg as x", ["a b"]),
        ("parse pairs logfmt as m | fields m.flag as x", ["1"]),
        ('json field=js "a.1" as x', ["two"]),
        ("unnest list into x", ["1", None, '{"k":2}']),
        ("unnest jsonParse(js).a into x", ["one", "two"]),
        ("fields list as x | expand list", [None, None, None]),
    ],
)
def test_commands_that_take_texts_apart(command: str, expected: list[str | None]) -> None:
    """Parse, json, unnest and expand name what they find, a row for each where there can be several."""
    event = {
        "line": "user=bob, id=7",
        "pairs": 'msg="a b" flag',
        "js": '{"a":["one","two"]}',
        "list": [1, None, {"k": 2}],
    }
    assert column(f"{command} | display x", event) == expected


def test_lookups(tmp_path: Path) -> None:
    """A lookup takes the first row with equal keys, a cidrlookup the narrowest block."""
    (tmp_path / "t.csv").write_text("name,team\nal,red\nal,blue\nbo,\n", encoding="utf-8")
    (tmp_path / "n.csv").write_text("block,zone\n10.0.0.0/8,wide\n10.0.0.0/24,narrow\n", encoding="utf-8")
    tables = {"t": tmp_path / "t.csv", "n": tmp_path / "n.csv"}
    events = log({"u": "al", "ip": "10.0.0.9", "team": "own"}, {"u": "bo", "ip": "10.9.9.9"})
    query = "lookup t name as u OUTPUT{} team | cidrlookup n ip OUTPUT zone | sort u | display team, zone"
    assert answer(query.format(""), events, tables).rows == [("red", "narrow"), (None, "wide")]
    assert answer(query.format("NEW"), events, tables).rows == [("own", "narrow"), (None, "wide")]


def test_query_in_a_list() -> None:
    """A query in parentheses gives the values of a list."""
    query = "filter u in (fields u | filter bad = 1) | display n"
    assert column(query, {"u": "al", "n": 1}, {"u": "bo", "n": 2}, {"u": "al", "bad": 1, "n": 3}) == ["3", "1"]


def test_estimate() -> None:
    """Estimate counts the bytes of all messages, whatever a filter keeps."""
    assert column("filter a = 1 | estimate", "é", "ab") == ["4"]


def test_commands_of_the_service_are_refused() -> None:
    """A command that only the service answers is refused."""
    with pytest.raises(QueryError):
        answer("pattern @message", [])


def test_every_function_is_answered() -> None:
    """The oracle knows every function of the language."""
    named = {*oracle.NUMBERS, *oracle.TEXTS, *oracle.OPEN_TEXTS, *oracle.OVER_NUMBERS}
    source = Path(oracle.__file__).read_text(encoding="utf-8")
    assert [name for name in functions.names() if name not in named and f'"{name}"' not in source] == []
