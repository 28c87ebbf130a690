"""The tree of a query: frozen dataclasses, each with the span of text that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any


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
        kind: Any = type(self)
        for name in _attributes(kind):
            value = getattr(self, name)
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


@cache
def _attributes(kind: Any) -> tuple[str, ...]:
    """The attributes of a kind of node, its span left out."""
    return tuple(field.name for field in fields(kind) if field.name != "span")


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
class InQuery(Node):
    """`operand in (query)`: the query's only column holds the members."""

    operand: Node
    query: Query
    is_negated: bool

    def children(self) -> Iterator[Node]:
        """Only the operand: the names of the inner query are not those of the outer one."""
        yield self.operand


@dataclass(frozen=True)
class Access(Node):
    """`operand.path` or `operand[index]`: what lies in a map or a list, as a dotted path."""

    operand: Node
    path: str


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
    """Keeps the rows for which the condition holds; `is_index` where the text says filterIndex."""

    condition: Node
    is_index: bool = False


@dataclass(frozen=True)
class Stats(Command):
    """Aggregates, by groups or over everything."""

    aggregates: tuple[Selection, ...]
    groups: tuple[Selection, ...]
    offset: Period | None = None


@dataclass(frozen=True)
class Sort(Command):
    """Orders the rows."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Limit(Command):
    """Caps the number of rows."""

    count: int
    is_any: bool = False  # stop as soon as so many are found


@dataclass(frozen=True)
class Dedup(Command):
    """Keeps the first row of each combination of values, in the current order."""

    keys: tuple[Field, ...]


@dataclass(frozen=True)
class Parse(Command):
    """Takes new fields out of a text, by a glob with `*` or by groups; `is_multi` gives a row for each match."""

    source: Field
    pattern: String | Regex
    names: tuple[str, ...]
    is_multi: bool = False


@dataclass(frozen=True)
class ParseCsv(Command):
    """Takes the values of a line of CSV."""

    source: Field
    names: tuple[str, ...]


@dataclass(frozen=True)
class ParseLogfmt(Command):
    """Takes the pairs of a logfmt line as a map."""

    source: Field
    name: str


@dataclass(frozen=True)
class JsonPath(Node):
    """`"path" as name` of a json command."""

    path: str
    name: str


@dataclass(frozen=True)
class ParseJson(Command):
    """Takes what lies at paths of a field that holds JSON."""

    source: Field
    paths: tuple[JsonPath, ...]


@dataclass(frozen=True)
class Unnest(Command):
    """One row for each item of a list."""

    expression: Node
    name: str


@dataclass(frozen=True)
class Expand(Command):
    """One row for each item of a field that holds a JSON array, in the field's place."""

    source: Field


@dataclass(frozen=True)
class Output(Node):
    """A column of a lookup table, and the field that it becomes."""

    column: str
    name: str


@dataclass(frozen=True)
class Lookup(Command):
    """Adds columns of a table by equal keys: pairs of a table's column and an event's field."""

    table: str
    keys: tuple[tuple[str, Field], ...]
    outputs: tuple[Output, ...]
    keeps: bool  # OUTPUTNEW: a field that has a value keeps it


@dataclass(frozen=True)
class CidrLookup(Command):
    """Adds columns of a table by the block in which an address lies."""

    table: str
    address: Field
    column: str  # "" for the table's first
    outputs: tuple[Output, ...]
    keeps: bool


@dataclass(frozen=True)
class Unmask(Command):
    """Shows masked values; here nothing is masked."""


@dataclass(frozen=True)
class Estimate(Command):
    """Asks for the bytes that the query would scan."""


@dataclass(frozen=True)
class SourceGroups(Command):
    """Names log groups; here there is one source."""


@dataclass(frozen=True)
class Unanswered(Command):
    """A documented command that only the service answers."""

    name: str


@dataclass(frozen=True)
class Query(Node):
    """A whole query."""

    text: str
    commands: tuple[Command, ...]

    def queries(self) -> Iterator[Query]:
        """This query and those in its lists, without recursion."""
        waiting = [self]
        while waiting:
            query = waiting.pop()
            yield query
            waiting.extend(node.query for node in query.walk() if isinstance(node, InQuery))

    def source_of(self, node: Node) -> str:
        """The text that a node came from."""
        return self.text[node.span.start : node.span.end]
