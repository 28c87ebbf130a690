"""What an SQL expression yields, and how it reads as text, as a number, as a time and as a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import tree


class Kind(Enum):
    """What an SQL expression yields."""

    TEXT = auto()  # VARCHAR; a field of an event
    NUMBER = auto()  # DOUBLE or BIGINT
    BOOLEAN = auto()  # BOOLEAN, never NULL
    TIME = auto()  # BIGINT, milliseconds since 1970
    STRUCTURE = auto()  # VARCHAR, the JSON of a map or a list


@dataclass(frozen=True)
class Value:
    """An SQL expression and what it yields."""

    sql: str
    kind: Kind
    # The JSON of a map or a list, where the value can be one beside a text; "" where it cannot.
    branch: str = ""


class Scope(Protocol):
    """What an expression may refer to at one place of a query."""

    query: tree.Query

    def bind(self, value: object) -> str:
        """Add a parameter and give its placeholder."""

    def field(self, node: tree.Field) -> Value:
        """The value of a name."""

    def named(self, node: tree.Call) -> Value | None:
        """The column that a call names by its text after `stats`, such as `count(*)`; None where there is none."""

    def inside(self) -> Scope:
        """What the arguments of an aggregate may refer to."""

    def places(self) -> list[str]:
        """What tells rows of one time apart, the earlier first."""

    def subquery(self, query: tree.Query) -> str:
        """The relation of a query in parentheses, whose only column is `o0`."""

    def moment(self, name: str) -> int:
        """The query's own times, milliseconds: `now`, `start` and `end` of its window."""


@dataclass(frozen=True)
class Arguments:
    """What a function is applied to: nodes of the query and, for all but periods and stars, what they compile to."""

    nodes: tuple[tree.Node, ...]
    values: tuple[Value, ...]
    scope: Scope

    @property
    def texts(self) -> list[str]:
        """Each argument as text."""
        return [text(value) for value in self.values]

    @property
    def numbers(self) -> list[str]:
        """Each argument as a number."""
        return [number(value) for value in self.values]

    def constant(self, index: int, what: str) -> str:
        """The text of an argument that has to be quoted text.

        Raises:
            QueryError: It is anything else.
        """
        node = self.nodes[index]
        if isinstance(node, tree.String):
            return node.value
        raise refusal(self.scope, node, f"{what} has to be quoted text", "")


def text(value: Value) -> str:
    """The value as the service prints it; a map or a list is no text for a function."""
    match value.kind:
        case Kind.TEXT:
            return value.sql
        case Kind.NUMBER:
            return f"number_text({value.sql})"
        case Kind.BOOLEAN:
            return f"CASE WHEN {value.sql} THEN '1' ELSE '0' END"
        case Kind.TIME:
            return f"time_text({value.sql})"
        case Kind.STRUCTURE:
            return "CAST(NULL AS VARCHAR)"


def printed(value: Value) -> str:
    """The value as it stands in the result: as text, and a map or a list as its JSON."""
    if value.kind is Kind.STRUCTURE:
        return value.sql
    return f"coalesce({text(value)}, {value.branch})" if value.branch else text(value)


def structure(value: Value) -> str:
    """The JSON of the map or the list that a value is, or that its text holds; NULL for anything else."""
    if value.kind is Kind.STRUCTURE:
        return value.sql
    held = f"structure_of({text(value)})"
    return f"coalesce({value.branch}, {held})" if value.branch else held


def number(value: Value) -> str:
    """The value as a number; NULL where it is none."""
    match value.kind:
        case Kind.TEXT:
            return f"number_of({value.sql})"
        case Kind.STRUCTURE:
            return "CAST(NULL AS DOUBLE)"
        case _:
            return f"CAST({value.sql} AS DOUBLE)"


def instant(value: Value) -> str:
    """The value as milliseconds since 1970: a number is that already, text is ISO 8601, UTC where it has no zone."""
    match value.kind:
        case Kind.TIME:
            return value.sql
        case Kind.TEXT:
            return f"time_of(epoch_ms(TRY_CAST({value.sql} AS TIMESTAMPTZ)))"
        case _:
            return f"time_of({number(value)})"


def condition(value: Value) -> str:
    """The value as a condition: true or false, never NULL."""
    match value.kind:
        case Kind.BOOLEAN:
            return value.sql
        case Kind.TEXT:
            return f"is_true({value.sql})"
        case Kind.STRUCTURE:
            return "(1 = 0)"
        case _:
            return f"coalesce({value.sql} <> 0, false)"


def common(values: Sequence[Value]) -> tuple[list[str], Kind]:
    """Several values as SQL of one kind: their own where they share it, text otherwise."""
    kinds = {value.kind for value in values}
    if len(kinds) == 1 and kinds != {Kind.BOOLEAN} and not any(value.branch for value in values):
        return [value.sql for value in values], kinds.pop()
    return [printed(value) for value in values], Kind.TEXT


def refusal(scope: Scope, node: tree.Node, message: str, hint: str) -> QueryError:
    """The error for a place in the query."""
    return QueryError(message, scope.query.text, node.span.start, node.span.end, hint)
