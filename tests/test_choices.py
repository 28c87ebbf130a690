"""What AWS leaves open and what is done here: each row of the table in `eks_audit_nb.insights` has its own query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from eks_audit_nb import insights
from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights.parameters import fill

START = 1_795_514_400_000  # 2026-11-24 10:00:00 UTC, a Tuesday
_ROW = re.compile(r"\| (.+?) \| (.+) \| `(.+)` \|")
ROWS: list[tuple[str, ...]] = [
    found.groups() for line in (insights.__doc__ or "").splitlines() if (found := _ROW.fullmatch(line))
]
REFUSED = "refused"

A: tuple[Any, ...] = ({"v": "a"},)
ABC: tuple[Any, ...] = ({"v": "c", "n": 1}, {"v": "a", "n": 2}, {"v": "b", "n": 3})
GAP: tuple[Any, ...] = ({"v": "a"}, {}, {"v": "b"})
TWICE = '{"v": 1, "v": 2}'
BIG: tuple[Any, ...] = ('{"n": 9007199254740993}',)
FLAGS: tuple[Any, ...] = ({"v": True}, {"v": "true"}, {"v": 1}, {"v": "yes"})

# A point, a query, the events, and its first column, with words of a warning where there is one.
SHOWN: list[tuple[str, str, Iterable[Any], Any]] = [
    ("`limit` or `sort` before a filter or stats", "limit 1 | filter n > 2 | fields n", ABC, ["3"]),
    ("a filter of events behind `stats`", "stats count(*) as c | filter n > 1", ABC, ["2"]),
    ("a filter of events behind `stats`", "stats count(*) as counts | filter count > 1", ABC, REFUSED),
    ("several limits, several sorts", "fields n | sort n | limit 3 | sort n desc | limit 2", ABC, ["3", "2"]),
    ("no `limit`", "fields v | stats count(*) as n by @ptr | stats count(*)", [{}] * 10_001, ["10001"]),
    ("escapes in quoted text", r"""fields "a\"b\\c\d" as x""", A, [r'a"b\c\d']),
    ("a text behind `=~`", 'filter v =~ "^.$" | fields v', A, ["a"]),
    ("default direction of `sort`", "fields n | sort v", ABC, ["2", "3", "1"]),
    ("the period `1M`", "stats count(*) by bin(1M)", A, REFUSED),
    ("a number or a text where a condition stands", "filter v = 'a' or 'b'", A, REFUSED),
    ("two columns of `stats` with one name", "stats count(*) as v by v", A, REFUSED),
    ("a name that is given twice elsewhere", "fields n as x, v as x | sort x", ABC, ["a", "b", "c"]),
    ("a `*` at the end of a glob", 'parse "x=*" as x | display x', ("x=1\n2",), ["1\n2"]),
    ("a `not` comparison on a missing field", "filter v not like 'a' and v not in ['a'] | stats count(*)", GAP, ["2"]),
    ("a map or a list in a comparison", "fields jsonParse('{}') as m | display m != 1", A, ["0"]),
    ("`true` and `false` without quotes in a comparison", "filter v = true | stats count(*)", FLAGS, ["3"]),
    ("the values of a query in parentheses", "filter n in (fields '2.0' as x) | display n", ABC, ["2"]),
    ("the sign of `%`", "fields concat((0 - 5) % 3, ' ', 5 % (0 - 3)) as x", A, ["-2 2"]),
    ("missing values in a sort", "fields v | sort v", GAP, [None, "a", "b"]),
    ("missing values in a sort", "fields v | sort v desc", GAP, ["b", "a", None]),
    ("ties, and rows without any sort", "fields n | sort 1", ABC, ["3", "2", "1"]),
    ("rows of `stats` without a sort, and ties there", "stats count(*) by v", ABC, ["a", "b", "c"]),
    (
        "a map or a list in `sort`, `dedup` and the groups of `stats`",
        "fields jsonParse('[]') as m | dedup m | display v",
        A,
        ["a"],
    ),
    ("what `estimate` counts", "filter v = 'no' | estimate", A, [str(len(json.dumps(A[0])))]),
    ("`now()` over files", "fields now() as t | limit 1", ABC, [str(START // 1000 + 2)]),
    ("several readings of a dotted name", "fields a.b", ({"a": {"b": 1}, "a.b": 2}, {"a.b": 2}), ["2", "1"]),
    (
        "which texts are numbers",
        "fields jsonStringify(concat('[', isNumeric('+1e2'), isNumeric('.5'), isNumeric('1.'), isNumeric('0x1'), ']'))",
        A,
        ["[1100]"],
    ),
    ("whole numbers beyond 2^53", "filter n = 9007199254740992 | fields n", BIG, ["9007199254740993"]),
    ("whole numbers", "fields concat(2 * 1.5, ' ', 10 ^ 18, ' ', 10 ^ 19) as x", A, ["3 1000000000000000000 1e+19"]),
    ("objects and arrays as a field", "fields v", ({"v": {"a": 1}}, {"v": [1]}), [None, None]),
    ("a key that stands twice in JSON", "fields v", (TWICE,), ["1"]),
    ("JSON's true and false", "fields v", ({"v": True}, {"v": False}), ["0", "1"]),
    ("times before the year 1 or after 9999", "fields fromMillis(10 ^ 15) as t", A, [None]),
    ("a missing argument of `concat`, `greatest` and `least`", "fields concat(v, x, greatest(1, x)) as y", A, ["a1"]),
    ("a missing argument of other functions of text and numbers", "fields split(v, x) as y", A, [None]),
    ("`bin` and `datefloor`", "fields datefloor(fromMillis(0 - 1), 1d) as t", A, ["1969-12-31 00:00:00.000"]),
    ("where weeks begin", "fields bin(1w) as t", A, ["2026-11-19 00:00:00.000"]),
    ("`log`", "fields round(log(100), 3) as x", A, ["4.605"]),
    ("`round` of a half", "fields concat(round(2.5), ' ', round(-2.5)) as x", A, ["3 -3"]),
    ("`formatDate` without a `%`", "fields formatDate(@timestamp, 'yyyy') as x", A, REFUSED),
    ("a block of addresses that is none", "fields isIpInSubnet('10.0.0.1', '10.0.0/8') as x", A, REFUSED),
    ("a block of addresses that is none", "fields isIpInSubnet('10.0.0.1', v) as x", A, ["0"]),
    (
        "a backslash and a digit in the replacement of `regexReplace`",
        r"fields regexReplace('ab', '(a)(b)', '\2\1') as x",
        A,
        ["ba"],
    ),
    (
        "a group of a regular expression that takes no part in its match",
        "parse v /(?<p>a)(?<q>b)?/ | display concat('[', q, ']', ispresent(q)) as x",
        A,
        ["[]1"],
    ),
    ("the offset of `stats`", "stats count(*) by bin(1h) offset 2h", A, ["2026-11-24 12:00:00.000"]),
    (
        "`OUTPUTNEW` over a name not visible behind `stats`",
        "stats count(*) by v | lookup t key as v OUTPUTNEW n | display n",
        ({"v": "a", "n": 9},),
        ["1"],
    ),
    ("several rows of a table with the same key", "lookup t key as v OUTPUT n | display n", A, ["1"]),
    ("several blocks that hold an address", "cidrlookup b v OUTPUT n | display n", ({"v": "10.0.0.1"},), ["2"]),
    ("`min` and `max`", "stats concat(min(v), max(v)) as x", ({"v": "b"}, {"v": 2}, {"v": 1}), ["12"]),
    ("`min` and `max`", "stats concat(min(v), max(v)) as x", ABC, ["ac"]),
    (
        "`earliest`, `latest` and `rate` at equal times",
        "fields bin(1h) as @timestamp | stats concat(earliest(v), latest(v)) as x",
        ABC,
        ["cb"],
    ),
    ("an aggregate over no value", "stats concat(ispresent(sum(x)), count(x)) as y", A, ["00"]),
    ("`stddev`", "stats concat(stddev(n) ^ 2, ' ', variance(n)) as x", ({"n": 1}, {"n": 3}), ["1 1"]),
    ("`pct` between two values", "stats pct(n, 25)", ({"n": 1}, {"n": 3}), ["1.5"]),
    ("the order of `values`", "stats values(v)", ({"v": "b"}, {"v": "B"}, {"v": "a"}), ['["B","a","b"]']),
    ("equally frequent values in `topk`", "stats topk(2, v)", ABC, ['["a","b"]']),
    ("the ranges of `histogram`", "stats histogram(n, 2)", ABC, ['{"1-2":1,"2-3":2}']),
    (
        "private, public and reserved addresses",
        "fields concat(isPrivateIP('10.0.0.1'), isPublicIP('8.8.8.8'), isReservedIP('::1'), isReservedIP(v)) as x",
        ({"v": "fc00::1"}, {"v": "224.0.0.1"}),
        ["1111", "1111"],
    ),
    ("a key that stands twice in logfmt", "parse @message logfmt as m | display m.k", ("k=1 k=2",), ["2"]),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two lookup tables."""
    folder = tmp_path_factory.mktemp("tables")
    texts = {"t": "key,n\na,1\na,2\n", "b": "block,n\n10.0.0.0/8,1\n10.0.0.0/24,2\n10.0.0.0/24,3\n"}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name: folder / name for name in texts}


@pytest.mark.parametrize(("point", "query", "events", "expected"), SHOWN)
def test_choices(tables: dict[str, Path], point: str, query: str, events: Iterable[Any], expected: Any) -> None:
    """What the table says is what the engine does."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in events]
    rows = (
        Event(i, START + 1000 * i, START, text, text if text.startswith("{") else None, "s", "log", f"log:{i}", "")
        for i, text in enumerate(lines)
    )
    with closing(EventStore(rows, tables)) as store:
        if expected == REFUSED:
            with pytest.raises(QueryError):
                store.ask(insights.parse(query), None)
        else:
            found = store.ask(insights.parse(query), None)
            assert next(iter(found.values.values())) == expected


def test_a_parameter_is_a_literal() -> None:
    """A text is quoted where one can stand, and stands as it is behind limit, as the table says."""
    assert fill("filter n = {{a}} | limit {{a}}", {"a": "5"}).text == 'filter n = "5" | limit 5'


def test_every_row_is_shown() -> None:
    """The table has each point once, and each has a query here."""
    points = [point for point, _, _ in ROWS]
    assert len(points) == len(set(points)) > 50
    assert {"a parameter of a saved query", *(point for point, *_ in SHOWN)} == set(points)


@pytest.mark.parametrize("where", sorted({where for _, _, where in ROWS}))
def test_every_module_is_there(where: str) -> None:
    """The table names modules of `insights`, or of the engine by their package."""
    assert find_spec(f"eks_audit_nb.{where}" if "." in where else f"eks_audit_nb.insights.{where}")
