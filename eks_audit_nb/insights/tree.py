"""The tree of a query: frozen dataclasses, each with the span of text that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum


@dataclass(frozen=True)
class Span:
    """Offsets into the query's text: `start` inclusive, `end` exclusive."""

    start: int
    end: int


@dataclass(frozen=True)
class Node:
    """Anything with a place in the text."""

    span: Span

    def children(self) -> Iterator[Node]:
        """The nodes directly below this one, in the order of the text."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (item for item in value if isinstance(item, Node))

    def walk(self) -> Iterator[Node]:
        """This node and all below it, without recursion."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(list(node.children())))


def label(text: str) -> str:
    """A column's name without its spaces and in lower case: how `SUM( Fault )` is found again behind `stats`."""
    return "".join(text.split()).lower()


# --- expressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field(Node):
    """A field's name without its backticks: `user.username`, `@message`, `annotations.authorization.k8s.io/reason`."""

    name: str


@dataclass(frozen=True)
class String(Node):
    """Quoted text, its escapes taken out."""

    value: str


@dataclass(frozen=True)
class Number(Node):
    """A number as it was written."""

    text: str

    @property
    def value(self) -> float:
        """The number as a double."""
        return float(self.text)


@dataclass(frozen=True)
class Regex(Node):
    """A regular expression; a slash in it stands without its backslash."""

    pattern: str


@dataclass(frozen=True)
class Period(Node):
    """A span of time such as `5m`."""

    number: int
    unit: str


@dataclass(frozen=True)
class Star(Node):
    """The `*` in `count(*)`."""


@dataclass(frozen=True)
class Call(Node):
    """A function applied to arguments; `name` as written."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Minus(Node):
    """A sign: `-operand`."""

    operand: Node


@dataclass(frozen=True)
class Arithmetic(Node):
    """`left operator right` with one of `+ - * / % ^`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Compared(Node):
    """`left operator right` with one of `= != < <= > >=`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Like(Node):
    """`operand like pattern`: a substring, or a regular expression that is searched for."""

    operand: Node
    pattern: String | Regex
    is_negated: bool


@dataclass(frozen=True)
class In(Node):
    """`operand in [member, ...]`."""

    operand: Node
    members: tuple[Node, ...]
    is_negated: bool


@dataclass(frozen=True)
class Not(Node):
    """`not operand`."""

    operand: Node


@dataclass(frozen=True)
class AllOf(Node):
    """Terms joined by `and`, flat however many there are."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf(Node):
    """Terms joined by `or`, flat however many there are."""

    terms: tuple[Node, ...]


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selection(Node):
    """`expression as alias`; `name` is the alias, or the expression as it was typed."""

    expression: Node
    name: str
    is_aliased: bool


class Direction(StrEnum):
    """Which way a key is sorted."""

    ASCENDING = "asc"
    DESCENDING = "desc"


@dataclass(frozen=True)
class SortKey(Node):
    """One key of a sort; `name` is its alias, "" without one."""

    expression: Node
    direction: Direction
    name: str


@dataclass(frozen=True)
class Command(Node):
    """One step between pipes."""


@dataclass(frozen=True)
class Fields(Command):
    """Adds columns to the output; several add up."""

    selections: tuple[Selection, ...]


@dataclass(frozen=True)
class Display(Command):
    """Names the output's columns; the last one counts."""

    selections: tuple[Selection, ...]


@dataclass(frozen=True)
class Filter(Command):
    """Keeps the rows for which the condition holds."""

    condition: Node


@dataclass(frozen=True)
class Stats(Command):
    """Aggregates, by groups or over everything."""

    aggregates: tuple[Selection, ...]
    groups: tuple[Selection, ...]


@dataclass(frozen=True)
class Sort(Command):
    """Orders the rows."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Limit(Command):
    """Caps the number of rows."""

    count: int


@dataclass(frozen=True)
class Dedup(Command):
    """Keeps the first row of each combination of values, in the current order."""

    keys: tuple[Field, ...]


@dataclass(frozen=True)
class Parse(Command):
    """Takes new fields out of a field's text, by a glob with `*` or by named groups."""

    source: Field
    pattern: String | Regex
    names: tuple[str, ...]


@dataclass(frozen=True)
class Query(Node):
    """A whole query."""

    text: str
    commands: tuple[Command, ...]

    def source_of(self, node: Node) -> str:
        """The text that a node came from."""
        return self.text[node.span.start : node.span.end]
