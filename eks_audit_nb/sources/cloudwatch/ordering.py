"""The order of rows that came in parts: the same as if the service had sorted them all at once.

Parts are disjoint in time or of one millisecond, so that an order by `@timestamp` alone is the order of the parts. For
any other, what is sorted by is fetched as a column of its own where it is not one already, and the rows are sorted here
by the service's rule (CloudWatch Logs User Guide, "sort"): values that are no numbers first, by their runs of digits
and of other signs, then numbers; descending is the exact reverse. Where the service leaves it open: missing values come
before all others, and of equal rows the newer one comes first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eks_audit_nb.insights import order, schema, tree
from eks_audit_nb.insights.tree import Direction

_TIME = "@timestamp"
_RUNS = re.compile("[0-9]+|[^0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_KEY = "eks_audit_key_{}"


@dataclass(frozen=True)
class Ordered:
    """A query's text with a column for each thing that it sorts by.

    `keys` are names of columns and their directions, empty where the order of the parts is the order of the rows;
    `columns` are all that is fetched; `is_ascending` says whether the earliest part comes first.
    """

    text: str
    keys: tuple[tuple[str, Direction], ...]
    columns: tuple[str, ...]
    is_ascending: bool


def ordered(query: tree.Query) -> Ordered:
    """What to ask so that the rows of the parts can be put into the query's order."""
    names = tuple(column.name for column in schema.columns(query))
    keys = order.effective(query).keys
    if not keys or (len(keys) == 1 and _is_time(keys[0])):
        is_ascending = bool(keys) and keys[0].direction is Direction.ASCENDING
        return Ordered(query.text, (), names, is_ascending)
    found: list[tuple[str, Direction]] = []
    added: list[str] = []
    for number, key in enumerate(keys):
        shown = key.expression.name if isinstance(key.expression, tree.Field) else key.name
        if shown not in names:
            added.append(f"{query.source_of(key.expression)} as {_KEY.format(number)}")
            shown = _KEY.format(number)
        found.append((shown, key.direction))
    hidden = tuple(name for name, _ in found if name not in names)
    return Ordered(_with(query, added), tuple(found), (*names, *hidden), is_ascending=False)


def permutation(values: Sequence[Sequence[str | None]], directions: Sequence[Direction]) -> np.ndarray:
    """Where the rows of the sorted result stand in columns of text; equal rows keep their order.

    Args:
        values: What is sorted by, the first thing first; equally long.
        directions: Of each.

    Returns:
        Indices, int64.
    """
    ranks = []
    for column, direction in zip(values, directions, strict=True):
        places = {value: place for place, value in enumerate(sorted(set(column), key=_place))}
        rank = np.fromiter((places[value] for value in column), dtype=np.int64, count=len(column))
        ranks.append(-rank if direction is Direction.DESCENDING else rank)
    return np.lexsort(ranks[::-1])


def _place(value: str | None) -> tuple[object, ...]:
    if value is None:
        return (0,)
    if _NUMBER.fullmatch(value) and abs(number := float(value)) < float("inf"):
        return (2, number, value)
    runs = _RUNS.findall(value)
    return (1, [(ord("0"), len(run), run) if run[0] in "0123456789" else (ord(run[0]), 0, run) for run in runs])


def _is_time(key: tree.SortKey) -> bool:
    return isinstance(key.expression, tree.Field) and key.expression.name == _TIME


def _with(query: tree.Query, added: Sequence[str]) -> str:
    """The text with more columns: the last display counts; without a command that shows, the defaults are named."""
    if not added:
        return query.text
    shown: list[str] = []
    displays = [command for command in query.commands if isinstance(command, tree.Display)]
    if displays:
        shown = [
            f"`{item.name}`" if item.is_aliased else query.source_of(item.expression)
            for item in displays[-1].selections
        ]
    elif not any(isinstance(command, tree.Fields) for command in query.commands):
        shown = list(schema.DEFAULT_NAMES)
    return f"{query.text.rstrip()}\n| {'display' if displays else 'fields'} {', '.join([*shown, *added])}"
