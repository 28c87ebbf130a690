"""What a query returns: column names in order, and a type for each that goes by name and function, never by content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from eks_audit_nb.insights import functions, tree


class ColumnType(StrEnum):
    """The four types that a column of a result can have."""

    TEXT = "string"
    INTEGER = "Int64"
    NUMBER = "Float64"
    TIME = "datetime64[us, UTC]"


@dataclass(frozen=True)
class Column:
    """One column of a result."""

    name: str
    type: ColumnType


# Fields of a raw event whose type is known. Audit timestamps have microseconds, CloudWatch's own milliseconds.
FIELD_TYPES = {
    "@timestamp": ColumnType.TIME,
    "@ingestionTime": ColumnType.TIME,
    "requestReceivedTimestamp": ColumnType.TIME,
    "stageTimestamp": ColumnType.TIME,
    "responseStatus.code": ColumnType.INTEGER,
}

_RETURNS = {
    functions.Returns.TEXT: ColumnType.TEXT,
    functions.Returns.INTEGER: ColumnType.INTEGER,
    functions.Returns.NUMBER: ColumnType.NUMBER,
    functions.Returns.TIME: ColumnType.TIME,
}

# The column of `estimate`; the service's own name for it is not documented.
ESTIMATE = "estimatedBytesScanned"

# What a query without fields, display or stats returns.
DEFAULT_NAMES = ("@timestamp", "@message")


def columns(query: tree.Query) -> tuple[Column, ...]:
    """The columns of a query's result, in the order in which the query names them.

    A later `display` wins over everything; `stats` gives its groups, then its aggregates; several `fields` add up.
    """
    known = dict(FIELD_TYPES)
    shown: list[Column] = []
    displayed: list[Column] | None = None
    for command in query.commands:
        if isinstance(command, tree.Stats):
            selections = (*command.groups, *command.aggregates)
            shown, known = [], _stats_scope(selections, known)
            shown.extend(Column(item.name, known[item.name]) for item in selections)
            displayed = None
        elif isinstance(command, tree.Fields):
            shown.extend(_typed(command.selections, known))
        elif isinstance(command, tree.Display):
            displayed = list(_typed(command.selections, known))
        elif isinstance(command, tree.Estimate):
            shown, displayed = [Column(ESTIMATE, ColumnType.INTEGER)], None
        elif isinstance(command, tree.Sort):
            known.update({key.name: type_of(key.expression, known) for key in command.keys if key.name})
        else:
            known.update(dict.fromkeys(added(command), ColumnType.TEXT))
    if not shown and displayed is None:
        shown = [Column(name, FIELD_TYPES.get(name, ColumnType.TEXT)) for name in DEFAULT_NAMES]
    unique = {column.name: column for column in (shown if displayed is None else displayed)}
    return tuple(unique.values())


def is_known(query: tree.Query) -> bool:
    """Whether `columns` can tell what a query returns: it cannot for commands that only the service answers."""
    return not any(isinstance(command, tree.Unanswered) for command in query.commands)


def added(command: tree.Command) -> tuple[str, ...]:
    """The fields of text that a command adds to each row."""
    match command:
        case tree.Parse(names=names) | tree.ParseCsv(names=names):
            return names
        case tree.ParseLogfmt(name=name) | tree.Unnest(name=name):
            return (name,)
        case tree.ParseJson(paths=paths):
            return tuple(path.name for path in paths)
        case tree.Lookup(outputs=outputs) | tree.CidrLookup(outputs=outputs):
            return tuple(output.name for output in outputs)
        case _:
            return ()


def type_of(expression: tree.Node, known: dict[str, ColumnType]) -> ColumnType:
    """The type of an expression, given the types of the names that it may use."""
    match expression:
        case tree.Field(name=name):
            return known.get(name, ColumnType.TEXT)
        case tree.Number() | tree.Minus() | tree.Arithmetic():
            return ColumnType.NUMBER
        case tree.Compared() | tree.Like() | tree.In() | tree.InQuery() | tree.Not() | tree.AllOf() | tree.AnyOf():
            return ColumnType.INTEGER
        case tree.Call(arguments=arguments):
            function = functions.of(expression)
            first = type_of(arguments[0], known) if arguments else ColumnType.TEXT
            is_extreme = function.name in ("min", "max") and first is ColumnType.TIME
            if function.returns is functions.Returns.FIRST or is_extreme:
                return first
            return _RETURNS[function.returns]
        case _:
            return ColumnType.TEXT


def _typed(selections: Iterable[tree.Selection], known: dict[str, ColumnType]) -> list[Column]:
    found = []
    for item in selections:
        known[item.name] = type_of(item.expression, known)
        found.append(Column(item.name, known[item.name]))
    return found


def _stats_scope(selections: Iterable[tree.Selection], known: dict[str, ColumnType]) -> dict[str, ColumnType]:
    scope = dict(known)
    after: dict[str, ColumnType] = {}
    for item in selections:
        scope[item.name] = after[item.name] = type_of(item.expression, scope)
    return after
