"""The table of functions: what each makes of its arguments, and how long a period is."""

from __future__ import annotations

from contextlib import closing

import pytest

from eks_audit_nb.engine.aggregates import AGGREGATES
from eks_audit_nb.engine.calls import FUNCTIONS, milliseconds
from eks_audit_nb.engine.chain import Chain, Context
from eks_audit_nb.engine.expressions import compile_expression
from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.engine.values import Kind
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, parse, tree
from eks_audit_nb.insights.functions import Returns
from eks_audit_nb.window import Window

KINDS = {
    Returns.TEXT: {Kind.TEXT, Kind.STRUCTURE},
    Returns.INTEGER: {Kind.NUMBER, Kind.BOOLEAN},
    Returns.NUMBER: {Kind.NUMBER},
    Returns.TIME: {Kind.TIME},
    Returns.FIRST: {Kind.TEXT},  # of fields
}

# Calls whose arguments are not all fields.
WRITTEN = {
    "bin": "bin(5m)",
    "datefloor": "datefloor(a, 5m)",
    "dateceil": "dateceil(a, 5m)",
    "parseDate": "parseDate(a, 'yyyy')",
    "formatDate": "formatDate(a, '%Y')",
    "regexReplace": "regexReplace(a, 'x', b)",
    "pct": "pct(a, 95)",
    "topk": "topk(3, a)",
    "rate": "rate(a, 5m)",
    "histogram": "histogram(a, 3)",
}


def expression_of(name: str) -> tuple[tree.Query, tree.Node]:
    """A query that calls a function, and the call."""
    function = functions.find(name)
    assert function is not None
    call = WRITTEN.get(name, f"{name}({', '.join('abcd'[: function.least])})")
    query = parse(f"{'stats' if function.is_aggregate else 'fields'} {call}")
    return query, next(node for node in query.walk() if isinstance(node, tree.Call))


def test_no_name_stands_in_both_tables() -> None:
    """A function is an aggregate or not, in the language as in the engine."""
    assert not set(FUNCTIONS) & set(AGGREGATES)
    assert set(AGGREGATES) == {
        name for name in functions.names() if (found := functions.find(name)) and found.is_aggregate
    }


@pytest.mark.parametrize("name", functions.names())
def test_kinds_agree_with_types(name: str) -> None:
    """What a function yields in SQL is of the type that the language gives to its column."""
    query, call = expression_of(name)
    function = functions.find(name)
    assert function is not None
    kind = compile_expression(call, Chain(query, Context(Window(0, 1), 0))).kind
    of_text = {Kind.TEXT} if name in ("min", "max") else set()  # times in ISO 8601 stay text
    assert kind in KINDS[function.returns] | of_text


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        (5, "ms", 5),
        (5, "s", 5_000),
        (90, "m", 3_600_000),
        (1, "h", 3_600_000),
        (2, "d", 172_800_000),
        (1, "w", 604_800_000),
    ],
)
def test_lengths_of_periods(number: int, unit: str, expected: int) -> None:
    """A period up to weeks has a length, with the caps of the service."""
    assert milliseconds(tree.Period(tree.Span(0, 0), number, unit)) == expected


@pytest.mark.parametrize("unit", ["mo", "q", "y"])
def test_months_have_no_length(unit: str) -> None:
    """Months, quarters and years are not all alike."""
    assert milliseconds(tree.Period(tree.Span(0, 0), 1, unit)) is None


@pytest.mark.parametrize(
    ("query", "place", "words"),
    [
        ('fields formatDate(@timestamp, "yyyy-MM-dd")', '"yyyy-MM-dd"', 'as in "%Y-%m-%d"'),
        ('fields formatDate(@timestamp, "date")', '"date"', 'as in "%Y-%m-%d %H:%M:%S"'),
        ('filter isIpInSubnet(ip, "10.0.0/8")', '"10.0.0/8"', 'As in "10.0.0.0/8"'),
        ('filter isIpv4InSubnet(ip, "10.0.0.0/33")', '"10.0.0.0/33"', 'As in "10.0.0.0/8"'),
        ("stats count(*) as n by bin(5m) | stats max(n) by bin(1h)", "1h", "datefloor(@t, 1h)"),
        ("stats count(*) as n by verb | stats max(n) by bin(1h)", "1h", "max(@timestamp) as @t"),
    ],
)
def test_constants_that_mean_nothing(query: str, place: str, words: str) -> None:
    """A pattern without letters of a date, a block that is none and a time that is gone are refused with an example."""
    with closing(EventStore([])) as store, pytest.raises(QueryError) as caught:
        store.ask(parse(query), None)
    assert query[caught.value.start : caught.value.end] == place
    assert words in caught.value.hint


def test_the_time_that_is_carried_along_is_binned() -> None:
    """What the hint for bin() behind stats says to write is answered."""
    query = "stats count(*) as n, max(@timestamp) as @t by verb | stats max(n) by datefloor(@t, 1h)"
    with closing(EventStore([])) as store:
        assert store.ask(parse(query), None).rows == 0
