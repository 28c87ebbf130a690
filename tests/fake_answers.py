"""What a query finds in log groups: by the project's own engine, and the plainest questions straight from the list.

The plain ones are those that a fetch asks a thousand times: system fields, filters of the log stream, counts by bin.
They get the same answer as from the engine (tests/test_fake_cloudwatch.py), and need no database to be filled.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from eks_audit_nb.engine.store import Event, EventStore, _fill
from eks_audit_nb.insights import order, schema, tree
from eks_audit_nb.window import Window, to_text

from fake_log_groups import LogGroup

Row = tuple[str | None, ...]
POINTER = "@ptr"
_TEXTS: dict[str, Callable[[Event], str]] = {
    "@message": lambda event: event.message,
    "@logStream": lambda event: event.log_stream,
    "@log": lambda event: event.log,
    POINTER: lambda event: event.pointer,
}
_SYSTEM: dict[str, Callable[[Event], str]] = {
    **_TEXTS,
    "@timestamp": lambda event: to_text(event.timestamp_ms),
    "@ingestionTime": lambda event: to_text(event.ingestion_ms),
}
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True)
class Found:
    """The rows of a query before any cap, how many events matched, and what was read for it."""

    names: tuple[str, ...]
    rows: Sequence[Row]
    matched: int
    events_scanned: int
    bytes_scanned: int


class Table(EventStore):
    """An engine whose events are exchanged: opening one takes longer than asking it."""

    def __init__(self) -> None:
        super().__init__([])
        self._held: object = None

    def hold(self, events: Sequence[Event], key: object) -> None:
        """Have these events; the key tells whether they are there already."""
        if key != self._held:
            self._connection.execute("DELETE FROM events")
            _fill(self._connection, events)
            self._held = key


@cache
def _table() -> Table:
    return Table()


def find(query: tree.Query, groups: Sequence[LogGroup], window: Window, delivered_ms: int | None = None) -> Found:
    """Answer a query over the events of a window that have arrived.

    Raises:
        QueryError: The query asks for what the engine cannot answer.
    """
    query = with_pointer(replace(query, commands=tuple(c for c in query.commands if not isinstance(c, tree.Limit))))
    if len(groups) == 1 and (store := groups[0].store) is not None and delivered_ms is None:
        return _asked(query, store, window)
    events = list(groups[0].within(window, delivered_ms))
    for group in groups[1:]:
        events = sorted([*events, *group.within(window, delivered_ms)], key=lambda event: event.timestamp_ms)
    scanned = sum(group.size_within(window, delivered_ms) for group in groups)
    if plain := plainly(query, events):
        return Found(*plain, len(events), scanned)
    table = _table()
    with table._lock:
        # The groups themselves are kept in the key, so that no other one can take their place in memory.
        table.hold([e for g in groups for e in g.within(_ALWAYS, delivered_ms)], (tuple(groups), delivered_ms))
        return _asked(query, table, window)


_ALWAYS = Window(-(2**62), 2**62)


def with_pointer(query: tree.Query) -> tree.Query:
    """The query with @ptr as its last column, which the service adds to every row that is an event."""
    if any(isinstance(command, tree.Stats | tree.Estimate | tree.Unanswered) for command in query.commands):
        return query
    names = dict.fromkeys([*(column.name for column in schema.columns(query)), POINTER])
    fields = (tree.Selection(query.span, tree.Field(query.span, name), name, is_aliased=False) for name in names)
    return replace(query, commands=(*query.commands, tree.Display(query.span, tuple(fields))))


def limit_of(query: tree.Query) -> int | None:
    """The limit in the text."""
    return order.effective(query).limit


def _asked(query: tree.Query, store: EventStore, window: Window) -> Found:
    answer = store.ask(query, window)
    rows: Sequence[Row] = list(zip(*answer.values.values(), strict=True))
    matched = answer.rows
    steps = order.effective(query).steps
    first = next((i for i, step in enumerate(steps) if isinstance(step, tree.Stats)), None)
    if first is not None:
        matched = store.ask(with_pointer(replace(query, commands=steps[:first])), window).rows
    is_estimate = any(isinstance(command, tree.Estimate) for command in query.commands)
    size = 0 if is_estimate else answer.scanned.bytes  # an estimate costs nothing
    return Found(tuple(answer.values), rows, matched, 0 if is_estimate else answer.scanned.events, size)


def plainly(query: tree.Query, events: Sequence[Event]) -> tuple[tuple[str, ...], Sequence[Row], int] | None:
    """Names, rows and how many events matched, of events by time; None for what only the engine can answer."""
    kept, is_ascending = list(events), False
    for command in query.commands:
        match command:
            case tree.Filter(is_index=False):
                condition = _predicate(command.condition)
                if condition is None:
                    return None
                kept = [event for event in kept if condition(event)]
            case tree.Fields() | tree.Display():
                if any(item.is_aliased or not _is_system(item.expression) for item in command.selections):
                    return None
            case tree.Sort(keys=(tree.SortKey(expression=tree.Field(name="@timestamp"), name=""),)):
                is_ascending = command.keys[0].direction is tree.Direction.ASCENDING
            case tree.Stats() if command is query.commands[-1]:
                counted = _counts(command, kept)
                return counted and (*counted, len(kept))
            case _:
                return None
    # The service's order is that of time, newest first; the engine gives the later line first at equal times.
    newest = kept[::-1]
    if is_ascending:
        newest.sort(key=lambda event: event.timestamp_ms)
    names = tuple(column.name for column in schema.columns(query))
    getters = [_SYSTEM[name] for name in names]
    return names, [tuple(get(event) for get in getters) for event in newest], len(kept)


def _is_system(node: tree.Node) -> bool:
    return isinstance(node, tree.Field) and node.name in _SYSTEM


def _counts(command: tree.Stats, events: Sequence[Event]) -> tuple[tuple[str, ...], Sequence[Row]] | None:
    match command:
        case tree.Stats(
            aggregates=(tree.Selection(expression=tree.Call(name=count, arguments=(tree.Star(),)), name=counted),),
            offset=None,
        ) if count.lower() == "count":
            pass
        case _:
            return None
    match command.groups:
        case ():
            return (counted,), [(str(len(events)),)]
        case (tree.Selection(expression=tree.Call(name=by, arguments=(tree.Period() as period,)), name=label),) if (
            by.lower() == "bin" and period.unit in _UNITS and period.number > 0
        ):
            width = period.number * _UNITS[period.unit]
            found = Counter(event.timestamp_ms // width * width for event in events)
            return (label, counted), [(to_text(time), str(number)) for time, number in sorted(found.items())]
    return None


Predicate = Callable[[Event], bool]


def _predicate(node: tree.Node) -> Predicate | None:
    """A condition on system fields that hold text, compared with text that cannot be read as a number."""
    match node:
        case tree.Compared(operator="=" | "!=", left=tree.Field(name=name), right=tree.String(value=value)) if _is_word(
            name, value
        ):
            return _negated(lambda event: _TEXTS[name](event) == value, node.operator == "!=")
        case tree.Like(operand=tree.Field(name=name), pattern=tree.String(value=value)) if _is_word(name, value):
            return _negated(lambda event: value in _TEXTS[name](event), node.is_negated)
        case tree.Like(operand=tree.Field(name=name), pattern=tree.Regex(pattern=value)) if _is_word(
            name, value.removeprefix("^")
        ) and re.fullmatch(r"\^?[\w-]+", value):
            found = re.compile(value)
            return _negated(lambda event: found.search(_TEXTS[name](event)) is not None, node.is_negated)
        case tree.In(operand=tree.Field(name=name), members=members):
            values = {member.value for member in members if isinstance(member, tree.String)}
            if len(values) < len(members) or not all(_is_word(name, value) for value in values):
                return None
            return _negated(lambda event: _TEXTS[name](event) in values, node.is_negated)
        case tree.Not(operand=operand):
            inner = _predicate(operand)
            return inner and _negated(inner, True)
        case tree.AllOf(terms=terms) | tree.AnyOf(terms=terms):
            predicates = [_predicate(term) for term in terms]
            holds: Any = all if isinstance(node, tree.AllOf) else any
            if None in predicates:
                return None
            return lambda event: holds(predicate(event) for predicate in predicates if predicate)
    return None


def _negated(predicate: Predicate, is_negated: bool) -> Predicate:
    return (lambda event: not predicate(event)) if is_negated else predicate


def _is_word(name: str, value: str) -> bool:
    return name in _TEXTS and re.fullmatch(r"[A-Za-z/][\w./:-]*", value, re.ASCII) is not None
