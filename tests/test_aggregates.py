"""Aggregates over several groups, over no rows, and over times that rows share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.insights import functions, parse

FIRST = 1_795_514_400_000  # 2026-11-24 10:00:00 UTC
EVENTS: list[tuple[int, dict[str, Any]]] = [
    (0, {"g": "a", "v": 10}),
    (0, {"g": "a", "v": 20}),
    (60_000, {"g": "a", "v": 40, "w": "x"}),
    (0, {"g": "b", "v": "text"}),
    (0, {"g": "c"}),
]


@pytest.fixture(scope="module")
def store() -> Iterator[EventStore]:
    """The events above."""
    found = EventStore(
        Event(i, FIRST + when, FIRST, json.dumps(document), json.dumps(document), "stream", "log", f"log:{i}", "")
        for i, (when, document) in enumerate(EVENTS)
    )
    yield found
    found.close()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("count(*)", ["3", "1", "1"]),
        ("count(v)", ["3", "1", "0"]),
        ("count_distinct(v)", ["3", "1", "0"]),
        ("sum(v)", ["70", None, None]),
        ("min(v)", ["10", "text", None]),
        ("round(variance(v), 3)", ["155.556", None, None]),
        ("values(v)", ['["10","20","40"]', '["text"]', None]),
        ("earliest(v)", ["10", "text", None]),
        ("latest(v)", ["40", "text", None]),
        ("rate(v, 1m)", ["30", None, None]),
        ("histogram(v, 3)", ['{"10-20":1,"20-30":1,"30-40":1}', None, None]),
        ("sortsLast(v)", ["40", "text", None]),
        ("topk(1, v)", ['["10"]', '["text"]', None]),
    ],
)
def test_groups_are_apart(store: EventStore, expression: str, expected: list[str | None]) -> None:
    """An aggregate is computed for each group from the values of that group alone."""
    assert store.ask(parse(f"stats {expression} as found by g | sort g"), None).values["found"] == expected


@pytest.mark.parametrize(
    "name", [name for name in functions.names() if (found := functions.find(name)) and found.is_aggregate]
)
def test_nothing_gives_nothing(store: EventStore, name: str) -> None:
    """Over no rows a count is 0 and every other aggregate is missing."""
    call = {"pct": "pct(v, 5)", "topk": "topk(5, v)", "rate": "rate(v, 1m)", "histogram": "histogram(v, 5)"}
    answer = store.ask(parse(f"filter g = 'none' | stats {call.get(name, f'{name}(v)')} as found"), None)
    assert answer.values["found"] == ["0" if "count" in name else None]


def test_conditions_of_nothing(store: EventStore) -> None:
    """The earliest of a condition is 1 or 0, and missing over no rows."""
    query = "stats earliest(v > 10) as e, latest(v > 10) as l"
    assert store.ask(parse(query), None).values == {"e": ["0"], "l": ["1"]}
    assert store.ask(parse(f"filter g = 'none' | {query}"), None).values == {"e": [None], "l": [None]}


def test_times_that_rows_share(store: EventStore) -> None:
    """Of rows of one time the earlier line is the earliest and the later one the latest."""
    answer = store.ask(parse("filter not ispresent(w) and g = 'a' | stats earliest(v) as e, latest(v) as l"), None)
    assert answer.values == {"e": ["10"], "l": ["20"]}


def test_aggregates_of_a_moment(store: EventStore) -> None:
    """The earliest and the latest time are times again, and a change in no time has no rate."""
    answer = store.ask(parse("filter not ispresent(w) | stats latest(@timestamp) as t, rate(v, 1m) as r"), None)
    assert answer.values == {"t": ["2026-11-24 10:00:00.000"], "r": [None]}
