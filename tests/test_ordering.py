"""Rows that came in parts are put into the order that the service would have given them all at once."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.insights import parse
from eks_audit_nb.insights.tree import Direction
from eks_audit_nb.sources.cloudwatch.ordering import ordered, permutation
from eks_audit_nb.window import Window

from conftest import audit_event
from fake_answers import find
from fake_cloudwatch import LogGroup, delivered

T = 1_795_514_400_000
CODES = ("200", "403", "abc", "A9876fghj", "a12345hfh", "0#", "5A", "111A", "01", "1", "-3", "1e3", "", None)


def events(seed: int) -> LogGroup:
    """40 events with names of every kind."""
    dice = random.Random(seed)  # noqa: S311
    found = []
    for number in range(40):
        name = dice.choice(CODES)
        reference = {"resource": dice.choice(["pods", "secrets"])} | ({} if name is None else {"name": name})
        found.append((T + dice.randrange(1000), json.dumps(audit_event(auditID=f"id-{number}", objectRef=reference))))
    return LogGroup("/aws/eks/prod/cluster", delivered(sorted(found)))


TEXTS = [
    "fields auditID, objectRef.name",
    "fields auditID | sort @timestamp asc",
    "fields auditID | sort @timestamp desc, objectRef.name",
    "fields auditID, objectRef.name | sort objectRef.name asc",
    "fields auditID, objectRef.name as n | sort n desc",
    "fields auditID | sort objectRef.resource desc, objectRef.name asc",
    "sort strlen(objectRef.name) desc",
    "display auditID | sort objectRef.name desc",
    "fields objectRef.name as n, auditID | display n, toupper(auditID), auditID | sort objectRef.resource, n desc",
    "fields auditID | sort objectRef.name as n desc",
]


@pytest.mark.parametrize("text", TEXTS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 999), max_size=4, unique=True))
def test_the_order_of_the_whole(text: str, seed: int, cuts: list[int]) -> None:
    """Whatever is sorted by, shown or not, parts put together are the rows of one query, in its order."""
    group, query = events(seed), parse(text)
    whole = find(query, [group], Window(T, T + 999))
    arranged = ordered(query)
    edges = [T, *(T + cut for cut in sorted(cuts)), T + 1000]
    parts = [find(parse(arranged.text), [group], Window(start, end - 1)) for start, end in pairwise(edges)]
    rows = [row for part in (parts if arranged.is_ascending else reversed(parts)) for row in part.rows]
    names = parts[0].names
    assert set(arranged.columns) <= set(names)
    if arranged.keys:
        places = [names.index(name) for name, _ in arranged.keys]
        found = permutation([[row[place] for row in rows] for place in places], [way for _, way in arranged.keys])
        rows = [rows[place] for place in found]
    kept = [names.index(name) for name in whole.names]
    assert [tuple(row[place] for place in kept) for row in rows] == list(whole.rows)


def test_the_fixture_of_the_documentation() -> None:
    """AWS's own example of the order: all that is no number first, runs of digits by length and value, then numbers."""
    values = [
        "!",
        "#",
        "*%04",
        "0#",
        "5A",
        "111A",
        "2345_",
        "@",
        "@_",
        "A",
        "A9876fghj",
        "a12345hfh",
        "0",
        "01",
        "1",
        "2",
        "3",
    ]
    shuffled = random.Random(7).sample(values, len(values))  # noqa: S311
    up = permutation([shuffled], [Direction.ASCENDING])
    assert [shuffled[place] for place in up] == values
    down = permutation([shuffled], [Direction.DESCENDING])
    assert [shuffled[place] for place in down] == values[::-1]


def test_nothing_is_added_to_a_text_in_the_order_of_time() -> None:
    """The user's own text is asked where its order is that of the windows."""
    for text in TEXTS[:2]:
        assert ordered(parse(text)).text == text
