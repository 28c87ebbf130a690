"""Which queries are asked in parts, and that their parts and counts are those of the whole."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from eks_audit_nb.insights import order, parse
from eks_audit_nb.sources.cloudwatch import splitting
from eks_audit_nb.sources.cloudwatch.asking import PAGE, POINTER
from eks_audit_nb.sources.cloudwatch.splitting import PERIODS
from eks_audit_nb.window import Window

from conftest import audit_event
from fake_answers import find
from fake_cloudwatch import LogGroup, delivered

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
WINDOW = Window(T, T + 3_599_999)
VERBS = ("get", "list", "watch")
GROUP = LogGroup(
    "/aws/eks/prod/cluster",
    delivered(
        (
            T + 40_000 * number,
            json.dumps(
                audit_event(auditID=f"id-{number}", verb=VERBS[number % 3], sourceIPs=["198.51.100.1"] * (number % 4))
            ),
            f"audit-{number % 2}",
        )
        for number in range(80)
    ),
)

SPLIT = [
    "fields @timestamp, verb",
    "fields @timestamp, verb | filter verb = 'get'",
    'filter verb = "get" # why\n and auditID like /1/ | sort auditID desc',
    "filter verb != 'get' | display auditID",
    "fields concat(verb, '!') as loud | filter loud = 'get!'",
    "parse @message '\"verb\": \"*\"' as found | filter found = 'list' | display found",
    "unnest sourceIPs into address | filter address like '198' | fields address",
    "parse @message /(?<digit>\\d)/ multi | display digit",
]
WHOLE = [
    "stats count(*)",
    "fields verb | dedup verb",
    "fields verb | limit 5",
    "fields verb | sort verb | limit 5",
    "fields verb | filter verb in (filter verb = 'get' | fields verb)",
    "fields now() as when",
    "fields queryStartTime() as when",
    "fields verb | pattern @message",
    "fields requestReceivedTimestamp as `@timestamp`",
    'parse @message \'"stage":"*"\' as @timestamp',
    "source logGroups(namePrefix: ['/aws']) | fields verb",
    "fields verb | estimate",
]


@pytest.mark.parametrize("text", SPLIT)
def test_rows_that_stand_for_themselves(text: str) -> None:
    """The rows of two halves of a window are those of the window, and so are the counts by bin and by log stream."""
    query = parse(text)
    assert splitting.may_be_split(query)
    whole = Counter(find(query, [GROUP], WINDOW).rows)
    middle = T + 1_234_567
    halves = [find(query, [GROUP], half).rows for half in (Window(T, middle), Window(middle + 1, WINDOW.end_ms))]
    assert Counter(halves[0]) + Counter(halves[1]) == whole
    rows = sum(whole.values())
    assert rows
    for counted in (splitting.counted_by_bin(query, PERIODS[14]), splitting.counted_by_stream(query)):
        found = find(parse(counted), [GROUP], WINDOW)
        assert sum(int(row[1] or 0) for row in found.rows) == rows
        assert len(found.rows) > 1
    streams = [splitting.of_stream(query, text, f"audit-{number}") for number in range(2)]
    assert sum(len(find(parse(each), [GROUP], WINDOW).rows) for each in streams) == rows


@pytest.mark.parametrize("text", WHOLE)
def test_rows_that_do_not(text: str) -> None:
    """Aggregates, dedup, limits, queries in lists, the query's own time and what is the service's own are one query."""
    assert not splitting.may_be_split(parse(text))


@pytest.mark.parametrize(
    "text", ["display verb as v | filter v = 'get'", "sort verb as v | filter v = 'get' | display v"]
)
def test_what_cannot_be_counted(text: str) -> None:
    """Where a name is made by a command that a count leaves out, there is no count."""
    assert splitting.counted_by_bin(parse(text), PERIODS[0]) == ""


def test_rows_of_their_own() -> None:
    """An event gives one row, but for commands that give a row for each item or match."""
    assert splitting.has_own_rows(parse("parse @message /(?<a>x)/ | fields a"))
    for text in ("unnest sourceIPs into address", "expand sourceIPs", "parse @message /(?<a>x)/ multi"):
        assert not splitting.has_own_rows(parse(text))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("fields verb | dedup auditID | limit 7", POINTER),
        ("unnest sourceIPs into address", ""),
        ("stats count(*)", ""),
        ("stats count(*) as n by verb | sort n desc | filter n > 1", PAGE),
        ("stats count(*) as n by verb | display n", ""),
        ("stats count(*) as n by verb, stage | stats max(n) by verb", PAGE),
        ("stats count(*) as n by verb | stats max(n)", ""),
    ],
)
def test_what_comes_once(text: str, key: str) -> None:
    """Rows that are events have pointers of their own, and groups that are shown make no two pages alike."""
    assert splitting.key_of(parse(text)) == key


@pytest.mark.parametrize("stream", ['a"b', "a\\b"])
def test_streams_that_cannot_be_named(stream: str) -> None:
    """A log stream whose name would need an escape is not asked for by it."""
    query = parse("fields verb")
    assert splitting.of_stream(query, query.text, stream) == ""


def test_long_texts() -> None:
    """What would be longer than the service takes is not asked."""
    text = f"filter verb = '{'x' * 9_975}'"
    query = parse(text)
    assert splitting.counted_by_bin(query, PERIODS[0]) == splitting.of_stream(query, text, "audit") == ""


@pytest.mark.parametrize(
    ("milliseconds", "most", "text"),
    [
        *((1, 20_000, "1ms"), (19_999, 20_000, "1ms"), (20_000, 20_000, "2ms"), (3_600_000, 20_000, "200ms")),
        *((86_400_000, 20_000, "5s"), (30 * 86_400_000, 20_000, "5m"), (10**13, 20_000, "24h"), (3_600_000, 10, "10m")),
    ],
)
def test_periods(milliseconds: int, most: int, text: str) -> None:
    """Bins are as narrow as their number allows, and no number is above the cap of its unit."""
    assert splitting.period_for(Window(T, T + milliseconds - 1), most).text == text
    lengths = [period.milliseconds for period in PERIODS]
    assert lengths == sorted(lengths)


def test_an_estimate_of_any_text() -> None:
    """The estimate stands at the end of the text, behind a comment and a last pipe too."""
    for text in ("fields verb", "fields verb # all", "fields verb |", "fields verb | sort verb\n"):
        query = parse(splitting.estimated(text))
        assert type(query.commands[-1]).__name__ == "Estimate"
        assert order.effective(query).keys == ()
        assert len(find(query, [GROUP], WINDOW).rows) == 1
