"""The nodes of a query, made while lark reads it; each method is a rule of grammar.lark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple

from lark import Token, Transformer, v_args

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, tree
from eks_audit_nb.insights.commands import ANSWERED
from eks_audit_nb.insights.tree import Span

# Python refuses to read whole numbers of more than 4,300 digits, and no count or period needs more than these.
_MAX_DIGITS = 15

# The text that is read. Lark calls one builder for all texts, as reading the grammar takes longer than any of them.
reading: ContextVar[str] = ContextVar("reading")


class _Parenthesised(NamedTuple):
    """What stands in parentheses: itself for the tree, with the parentheses for the span of what is around it."""

    node: tree.Node
    start: int
    end: int


def place(item: Any) -> tuple[int, int]:
    """Where a token, a node, or a row of them stands in the text."""
    match item:
        case Token(start_pos=start, end_pos=end):
            return start or 0, end or 0
        case _Parenthesised(start=start, end=end):
            return start, end
        case tuple():
            return place(item[0])[0], place(item[-1])[1]
        case _:
            return item.span.start, item.span.end


def _placed(method: Callable[..., Any], _rule: str, items: list[Any], _meta: Any) -> Any:
    """Call a rule's method with the span of its items, parentheses taken off."""
    first, last = items[0], items[-1]
    if last is None:  # an optional part that is not there
        last = [item for item in items if item is not None][-1]
    span = Span(place(first)[0], place(last)[1])
    return method(span, [item.node if type(item) is _Parenthesised else item for item in items])


_Base: Any = Transformer


@v_args(wrapper=_placed)
class Builder(_Base):  # type: ignore[misc]  # lark's own base is untyped
    """A method a rule, called with the span of what was read and its parts, those that are not there as None."""

    @property
    def text(self) -> str:
        """The text that is read."""
        return reading.get()

    def start(self, span: Span, commands: list[Any]) -> tree.Query:
        return tree.Query(span, self.text, tuple(commands))

    def fields(self, span: Span, items: list[Any]) -> tree.Fields:
        return tree.Fields(span, tuple(items[1:]))

    def display(self, span: Span, items: list[Any]) -> tree.Display:
        return tree.Display(span, tuple(items[1:]))

    def filter(self, span: Span, items: list[Any]) -> tree.Filter:
        return tree.Filter(span, items[1])

    def filter_index(self, span: Span, items: list[Any]) -> tree.Filter:
        return tree.Filter(span, items[1], is_index=True)

    def stats(self, span: Span, items: list[Any]) -> tree.Stats:
        *aggregates, groups, offset = items[1:]
        shift = None if offset is None else self.period(span, [offset])
        return tree.Stats(span, tuple(aggregates), groups or (), shift)

    def groups(self, _span: Span, items: list[Any]) -> tuple[tree.Selection, ...]:
        return tuple(items)

    def sort(self, span: Span, items: list[Any]) -> tree.Sort:
        return tree.Sort(span, tuple(items[1:]))

    def limit(self, span: Span, items: list[Any]) -> tree.Limit:
        _, is_any, number = items
        if not number.isdecimal() or len(number) > _MAX_DIGITS or not 1 <= int(number) <= 100_000:
            raise QueryError(
                f"limit {number[:20]} is out of range",
                self.text,
                *place(number),
                "Give a whole number from 1 to 100000.",
            )
        return tree.Limit(span, int(number), is_any=is_any is not None)

    def dedup(self, span: Span, items: list[Any]) -> tree.Dedup:
        return tree.Dedup(span, tuple(items[1:]))

    def parse(self, span: Span, items: list[Any]) -> tree.Parse:
        _, source, pattern, names, multi = items
        is_multi = multi is not None
        found = self._pattern(pattern)
        if is_multi and isinstance(found, tree.String):
            hint = "Write parse FIELD /(...)/ as x multi"
            raise self._out_of_range(span, "multi stands behind a regular expression", hint)
        return tree.Parse(
            span, source or _message(span), found, self._parse_names(pattern, _field_names(names or ())), is_multi
        )

    def parse_multi(self, span: Span, items: list[Any]) -> tree.Parse:
        word, source, pattern, multi, names = items
        return self.parse(span, [word, source, pattern, names, multi])

    def parse_csv(self, span: Span, items: list[Any]) -> tree.ParseCsv:
        _, source, names = items
        return tree.ParseCsv(span, source or _message(span), _field_names(names))

    def parse_logfmt(self, span: Span, items: list[Any]) -> tree.ParseLogfmt:
        _, source, name = items
        return tree.ParseLogfmt(span, source or _message(span), _field_name(name))

    def parse_json(self, span: Span, items: list[Any]) -> tree.ParseJson:
        _, word, _, source, *paths = items
        if word.lower() != "field":
            hint = 'Write json field=NAME "path" as name'
            raise QueryError(f"{str(word)!r} cannot stand here", self.text, *place(word), hint)
        return tree.ParseJson(span, source, tuple(paths))

    def json_path(self, span: Span, items: list[Any]) -> tree.JsonPath:
        path, name = items
        return tree.JsonPath(span, _unquote(path), _field_name(name))

    def unnest(self, span: Span, items: list[Any]) -> tree.Unnest:
        return tree.Unnest(span, items[1], _field_name(items[2]))

    def expand(self, span: Span, items: list[Any]) -> tree.Expand:
        return tree.Expand(span, items[1])

    def lookup(self, span: Span, items: list[Any]) -> tree.Lookup:
        _, table, *rest = items
        word = next(item for item in rest if isinstance(item, Token))
        keys = tuple(item for item in rest if isinstance(item, tuple))
        outputs = tuple(item for item in rest if isinstance(item, tree.Output))
        return tree.Lookup(span, _field_name(table), keys, outputs, keeps=word.lower() == "outputnew")

    def lookup_key(self, span: Span, items: list[Any]) -> tuple[str, tree.Field]:
        column, name = items
        return _field_name(column), tree.Field(span, _field_name(name or column))

    def cidr_lookup(self, span: Span, items: list[Any]) -> tree.CidrLookup:
        _, table, address, column, word, *outputs = items
        keeps = word.lower() == "outputnew"
        name = "" if column is None else _field_name(column)
        return tree.CidrLookup(span, _field_name(table), address, name, tuple(outputs), keeps)

    def output(self, span: Span, items: list[Any]) -> tree.Output:
        column, name = items
        return tree.Output(span, _field_name(column), _field_name(name or column))

    def unmask(self, span: Span, _items: list[Any]) -> tree.Unmask:
        return tree.Unmask(span)

    def estimate(self, span: Span, _items: list[Any]) -> tree.Estimate:
        return tree.Estimate(span)

    def source_groups(self, span: Span, _items: list[Any]) -> tree.SourceGroups:
        return tree.SourceGroups(span)

    def unanswered(self, span: Span, items: list[Any]) -> tree.Unanswered:
        word = re.match(r"\w+", items[0])
        return tree.Unanswered(span, word[0] if word else str(items[0]))

    def names(self, _span: Span, items: list[Token]) -> tuple[Token, ...]:
        return tuple(items)

    def selection(self, span: Span, items: list[Any]) -> tree.Selection:
        expression, alias = items
        if alias is not None:
            return tree.Selection(span, expression, _field_name(alias), is_aliased=True)
        if isinstance(expression, tree.Field):
            name = expression.name
        else:
            name = self.text[expression.span.start : expression.span.end]
        return tree.Selection(span, expression, name, is_aliased=False)

    def sort_key(self, span: Span, items: list[Any]) -> tree.SortKey:
        expression, alias, direction = items
        name = "" if alias is None else _field_name(alias)
        # The default direction is not documented; ascending is what every sort without a word means elsewhere.
        return tree.SortKey(span, expression, tree.Direction((direction or "asc").lower()), name)

    def any_of(self, span: Span, terms: list[Any]) -> tree.AnyOf:
        return tree.AnyOf(span, tuple(terms))

    def all_of(self, span: Span, terms: list[Any]) -> tree.AllOf:
        return tree.AllOf(span, tuple(terms))

    def negated(self, span: Span, items: list[Any]) -> tree.Not:
        return tree.Not(span, items[1])

    def compared(self, span: Span, items: list[Any]) -> tree.Compared:
        left, operator, right = items
        return tree.Compared(span, "=" if operator == "==" else str(operator), left, right)

    def like(self, span: Span, items: list[Any]) -> tree.Like:
        operand, negation, _, pattern = items
        return tree.Like(span, operand, self._pattern(pattern), is_negated=negation is not None)

    def matches(self, span: Span, items: list[Any]) -> tree.Like:
        operand, _, pattern = items
        found = self._pattern(pattern)
        if isinstance(found, tree.String):  # `=~ "text"` searches for the text as a regular expression
            found = tree.Regex(found.span, found.value)
        return tree.Like(span, operand, found, is_negated=False)

    def in_list(self, span: Span, items: list[Any]) -> tree.In:
        operand, negation, _, *members, _bracket = items
        kept = tuple(member for member in members if member is not None)
        return tree.In(span, operand, kept, is_negated=negation is not None)

    def in_query(self, span: Span, items: list[Any]) -> tree.InQuery:
        operand, negation, _, query, _parenthesis = items
        return tree.InQuery(span, operand, query, is_negated=negation is not None)

    def attribute(self, span: Span, items: list[Any]) -> tree.Access:
        operand, path = items
        return self._accessed(span, operand, _field_name(path[1:]))

    def item(self, span: Span, items: list[Any]) -> tree.Access:
        operand, index, _bracket = items
        if not index.isdecimal():
            raise QueryError("An index is a whole number from 0", self.text, *place(index), "As in users[0].")
        return self._accessed(span, operand, str(index))

    def _accessed(self, span: Span, operand: Any, path: str) -> tree.Access:
        if isinstance(operand, tree.Access):
            return tree.Access(span, operand.operand, f"{operand.path}.{path}")
        return tree.Access(span, operand, path)

    def arithmetic(self, span: Span, items: list[Any]) -> tree.Arithmetic:
        left, operator, right = items
        return tree.Arithmetic(span, str(operator), left, right)

    def minus(self, span: Span, items: list[Any]) -> tree.Minus:
        return tree.Minus(span, items[1])

    def group(self, span: Span, items: list[Any]) -> _Parenthesised:
        return _Parenthesised(items[1], span.start, span.end)

    def call(self, span: Span, items: list[Any]) -> tree.Call:
        name, *arguments, _parenthesis = items
        kept = tuple(argument for argument in arguments if argument is not None)
        return tree.Call(span, _field_name(name), kept)

    def star(self, span: Span, _items: list[Any]) -> tree.Star:
        return tree.Star(span)

    def period(self, span: Span, items: list[Token]) -> tree.Period:
        number, unit = re.fullmatch(r"(\d+)\s*([a-zA-Z]+)", items[0]).groups()  # type: ignore[union-attr]
        if len(number) > _MAX_DIGITS:
            raise self._out_of_range(span, "This period is too long", "")
        if unit == "M":
            hint = f"Write {number}m for minutes or {number}mo for months."
            raise self._out_of_range(span, f"{items[0]} may be minutes or months", hint)
        return tree.Period(span, int(number), functions.period_unit(unit))

    def field(self, span: Span, items: list[Token]) -> tree.Field:
        return tree.Field(span, _field_name(items[0]))

    def string(self, span: Span, items: list[Token]) -> tree.String:
        return tree.String(span, _unquote(items[0]))

    def number(self, span: Span, items: list[Token]) -> tree.Number:
        number = tree.Number(span, str(items[0]))
        if number.value == float("inf"):
            raise self._out_of_range(span, "This number is too large", "Numbers reach to 1.7e308.")
        return number

    def _out_of_range(self, span: Span, message: str, hint: str) -> QueryError:
        return QueryError(message, self.text, span.start, span.end, hint)

    def _pattern(self, token: Token) -> tree.String | tree.Regex:
        span = Span(*place(token))
        if token.type == "REGEX":
            return tree.Regex(span, token[1:-1].replace("\\/", "/"))
        return tree.String(span, _unquote(token))

    def _parse_names(self, pattern: Token, names: tuple[str, ...]) -> tuple[str, ...]:
        start, end = place(pattern)
        if pattern.type == "REGEX":
            groups = regex.groups(pattern[1:-1])
            if names and len(names) == groups.count:
                return names
            if names or not groups.numbers:
                raise QueryError(
                    f"The regular expression has {groups.count} groups and {len(names)} names",
                    self.text,
                    start,
                    end,
                    "Name the groups, /(?<name>...)/, or give one name for each: parse @message /(..)-(..)/ as a, b",
                )
            return tuple(groups.numbers)
        stars = _unquote(pattern).count("*")
        if stars != len(names) or not stars:
            raise QueryError(
                f"The glob has {stars} `*` and {len(names)} names",
                self.text,
                start,
                end,
                f"Give one name for each: {ANSWERED['parse']}. JSON is taken apart with: {ANSWERED['json']}",
            )
        return names


def _message(span: Span) -> tree.Field:
    return tree.Field(span, "@message")


def _field_name(token: str) -> str:
    return str(token.replace("`", ""))


def _field_names(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_field_name, tokens))


def _unquote(token: str) -> str:
    # AWS does not document escapes. A backslash can only be needed before a quote or a backslash; any other one stays,
    # so that "\d" keeps its meaning where the text is used as a pattern.
    return re.sub(r"\\([\"'\\])", r"\1", token[1:-1])
