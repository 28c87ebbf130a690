"""Lark's tree to ours, bottom up; each method is a rule of grammar.lark."""

from __future__ import annotations

import re
from typing import Any

from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, tree
from eks_audit_nb.insights.tree import Span

# Python refuses to read whole numbers of more than 4,300 digits, and no count or period needs more than these.
_MAX_DIGITS = 15

_Base: Any = Transformer_NonRecursive


@v_args(meta=True)
class Builder(_Base):  # type: ignore[misc]  # lark's own base is untyped
    """Lark's tree to ours, bottom up."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def start(self, meta: Meta, commands: list[Any]) -> tree.Query:
        return tree.Query(_span(meta), self.text, tuple(commands))

    def fields(self, meta: Meta, items: list[Any]) -> tree.Fields:
        return tree.Fields(_span(meta), tuple(items[1:]))

    def display(self, meta: Meta, items: list[Any]) -> tree.Display:
        return tree.Display(_span(meta), tuple(items[1:]))

    def filter(self, meta: Meta, items: list[Any]) -> tree.Filter:
        return tree.Filter(_span(meta), items[1])

    def filter_index(self, meta: Meta, items: list[Any]) -> tree.Filter:
        return tree.Filter(_span(meta), items[1], is_index=True)

    def stats(self, meta: Meta, items: list[Any]) -> tree.Stats:
        *aggregates, groups, offset = items[1:]
        shift = None if offset is None else self.period(meta, [offset])
        return tree.Stats(_span(meta), tuple(aggregates), groups or (), shift)

    def groups(self, _meta: Meta, items: list[Any]) -> tuple[tree.Selection, ...]:
        return tuple(items)

    def sort(self, meta: Meta, items: list[Any]) -> tree.Sort:
        return tree.Sort(_span(meta), tuple(items[1:]))

    def limit(self, meta: Meta, items: list[Any]) -> tree.Limit:
        _, is_any, number = items
        if not number.isdecimal() or len(number) > _MAX_DIGITS or not 1 <= int(number) <= 100_000:
            raise QueryError(
                f"limit {number[:20]} is out of range",
                self.text,
                _token_start(number),
                _token_end(number),
                "Give a whole number from 1 to 100000.",
            )
        return tree.Limit(_span(meta), int(number), is_any=is_any is not None)

    def dedup(self, meta: Meta, items: list[Any]) -> tree.Dedup:
        return tree.Dedup(_span(meta), tuple(items[1:]))

    def parse(self, meta: Meta, items: list[Any]) -> tree.Parse:
        _, source, pattern, names, multi = items
        span, is_multi = _span(meta), multi is not None
        found = self._pattern(pattern)
        if is_multi and isinstance(found, tree.String):
            hint = "Write parse FIELD /(...)/ as x multi"
            raise self._out_of_range(meta, "multi stands behind a regular expression", hint)
        return tree.Parse(span, source or _message(span), found, self._parse_names(pattern, names or ()), is_multi)

    def parse_multi(self, meta: Meta, items: list[Any]) -> tree.Parse:
        word, source, pattern, multi, names = items
        return self.parse(meta, [word, source, pattern, names, multi])

    def parse_csv(self, meta: Meta, items: list[Any]) -> tree.ParseCsv:
        _, source, names = items
        return tree.ParseCsv(_span(meta), source or _message(_span(meta)), names)

    def parse_logfmt(self, meta: Meta, items: list[Any]) -> tree.ParseLogfmt:
        _, source, name = items
        return tree.ParseLogfmt(_span(meta), source or _message(_span(meta)), _field_name(name))

    def parse_json(self, meta: Meta, items: list[Any]) -> tree.ParseJson:
        _, word, _, source, *paths = items
        if word.lower() != "field":
            hint = 'Write json field=NAME "path" as name'
            raise QueryError(f"{str(word)!r} cannot stand here", self.text, *_place(word), hint)
        return tree.ParseJson(_span(meta), source, tuple(paths))

    def json_path(self, meta: Meta, items: list[Any]) -> tree.JsonPath:
        path, name = items
        return tree.JsonPath(_span(meta), _unquote(path), _field_name(name))

    def unnest(self, meta: Meta, items: list[Any]) -> tree.Unnest:
        return tree.Unnest(_span(meta), items[1], _field_name(items[2]))

    def expand(self, meta: Meta, items: list[Any]) -> tree.Expand:
        return tree.Expand(_span(meta), items[1])

    def lookup(self, meta: Meta, items: list[Any]) -> tree.Lookup:
        _, table, *rest = items
        word = next(item for item in rest if isinstance(item, Token))
        keys = tuple(item for item in rest if isinstance(item, tuple))
        outputs = tuple(item for item in rest if isinstance(item, tree.Output))
        return tree.Lookup(_span(meta), _field_name(table), keys, outputs, keeps=word.lower() == "outputnew")

    def lookup_key(self, meta: Meta, items: list[Any]) -> tuple[str, tree.Field]:
        column, name = items
        return _field_name(column), tree.Field(_span(meta), _field_name(name or column))

    def cidr_lookup(self, meta: Meta, items: list[Any]) -> tree.CidrLookup:
        _, table, address, column, word, *outputs = items
        keeps = word.lower() == "outputnew"
        name = "" if column is None else _field_name(column)
        return tree.CidrLookup(_span(meta), _field_name(table), address, name, tuple(outputs), keeps)

    def output(self, meta: Meta, items: list[Any]) -> tree.Output:
        column, name = items
        return tree.Output(_span(meta), _field_name(column), _field_name(name or column))

    def unmask(self, meta: Meta, _items: list[Any]) -> tree.Unmask:
        return tree.Unmask(_span(meta))

    def estimate(self, meta: Meta, _items: list[Any]) -> tree.Estimate:
        return tree.Estimate(_span(meta))

    def source_groups(self, meta: Meta, _items: list[Any]) -> tree.SourceGroups:
        return tree.SourceGroups(_span(meta))

    def unanswered(self, meta: Meta, items: list[Any]) -> tree.Unanswered:
        word = re.match(r"\w+", items[0])
        return tree.Unanswered(_span(meta), word[0] if word else str(items[0]))

    def names(self, _meta: Meta, items: list[Token]) -> tuple[str, ...]:
        return tuple(_field_name(item) for item in items)

    def selection(self, meta: Meta, items: list[Any]) -> tree.Selection:
        expression, alias = items
        if alias is not None:
            return tree.Selection(_span(meta), expression, _field_name(alias), is_aliased=True)
        if isinstance(expression, tree.Field):
            name = expression.name
        else:
            name = self.text[expression.span.start : expression.span.end]
        return tree.Selection(_span(meta), expression, name, is_aliased=False)

    def sort_key(self, meta: Meta, items: list[Any]) -> tree.SortKey:
        expression, alias, direction = items
        name = "" if alias is None else _field_name(alias)
        # The default direction is not documented; ascending is what every sort without a word means elsewhere.
        return tree.SortKey(_span(meta), expression, tree.Direction((direction or "asc").lower()), name)

    def any_of(self, meta: Meta, terms: list[Any]) -> tree.AnyOf:
        return tree.AnyOf(_span(meta), tuple(terms))

    def all_of(self, meta: Meta, terms: list[Any]) -> tree.AllOf:
        return tree.AllOf(_span(meta), tuple(terms))

    def negated(self, meta: Meta, items: list[Any]) -> tree.Not:
        return tree.Not(_span(meta), items[1])

    def compared(self, meta: Meta, items: list[Any]) -> tree.Compared:
        left, operator, right = items
        return tree.Compared(_span(meta), "=" if operator == "==" else str(operator), left, right)

    def like(self, meta: Meta, items: list[Any]) -> tree.Like:
        operand, negation, _, pattern = items
        return tree.Like(_span(meta), operand, self._pattern(pattern), is_negated=negation is not None)

    def matches(self, meta: Meta, items: list[Any]) -> tree.Like:
        operand, _, pattern = items
        found = self._pattern(pattern)
        if isinstance(found, tree.String):  # `=~ "text"` searches for the text as a regular expression
            found = tree.Regex(found.span, found.value)
        return tree.Like(_span(meta), operand, found, is_negated=False)

    def in_list(self, meta: Meta, items: list[Any]) -> tree.In:
        operand, negation, _, *members = items
        kept = tuple(member for member in members if member is not None)
        return tree.In(_span(meta), operand, kept, is_negated=negation is not None)

    def in_query(self, meta: Meta, items: list[Any]) -> tree.InQuery:
        operand, negation, _, query = items
        return tree.InQuery(_span(meta), operand, query, is_negated=negation is not None)

    def attribute(self, meta: Meta, items: list[Any]) -> tree.Access:
        operand, path = items
        return self._accessed(meta, operand, _field_name(path[1:]))

    def item(self, meta: Meta, items: list[Any]) -> tree.Access:
        operand, index = items
        if not index.isdecimal():
            raise QueryError("An index is a whole number from 0", self.text, *_place(index), "As in users[0].")
        return self._accessed(meta, operand, str(index))

    def _accessed(self, meta: Meta, operand: Any, path: str) -> tree.Access:
        if isinstance(operand, tree.Access):
            return tree.Access(_span(meta), operand.operand, f"{operand.path}.{path}")
        return tree.Access(_span(meta), operand, path)

    def arithmetic(self, meta: Meta, items: list[Any]) -> tree.Arithmetic:
        left, operator, right = items
        return tree.Arithmetic(_span(meta), str(operator), left, right)

    def minus(self, meta: Meta, items: list[Any]) -> tree.Minus:
        return tree.Minus(_span(meta), items[1])

    def group(self, _meta: Meta, items: list[Any]) -> Any:
        return items[0]

    def call(self, meta: Meta, items: list[Any]) -> tree.Call:
        name, *arguments = items
        kept = tuple(argument for argument in arguments if argument is not None)
        return tree.Call(_span(meta), _field_name(name), kept)

    def star(self, meta: Meta, _items: list[Any]) -> tree.Star:
        return tree.Star(_span(meta))

    def period(self, meta: Meta, items: list[Token]) -> tree.Period:
        number, unit = re.fullmatch(r"(\d+)\s*([a-zA-Z]+)", items[0]).groups()  # type: ignore[union-attr]
        if len(number) > _MAX_DIGITS:
            raise self._out_of_range(meta, "This period is too long", "")
        return tree.Period(_span(meta), int(number), functions.period_unit(unit))

    def field(self, meta: Meta, items: list[Token]) -> tree.Field:
        return tree.Field(_span(meta), _field_name(items[0]))

    def string(self, meta: Meta, items: list[Token]) -> tree.String:
        return tree.String(_span(meta), _unquote(items[0]))

    def number(self, meta: Meta, items: list[Token]) -> tree.Number:
        number = tree.Number(_span(meta), str(items[0]))
        if number.value == float("inf"):
            raise self._out_of_range(meta, "This number is too large", "Numbers reach to 1.7e308.")
        return number

    def _out_of_range(self, meta: Meta, message: str, hint: str) -> QueryError:
        return QueryError(message, self.text, meta.start_pos, meta.end_pos, hint)

    def _pattern(self, token: Token) -> tree.String | tree.Regex:
        span = Span(_token_start(token), _token_end(token))
        if token.type == "REGEX":
            return tree.Regex(span, token[1:-1].replace("\\/", "/"))
        return tree.String(span, _unquote(token))

    def _parse_names(self, pattern: Token, names: tuple[str, ...]) -> tuple[str, ...]:
        start, end = _token_start(pattern), _token_end(pattern)
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
                'Give one name for each: parse @message "user=*, id=*" as user, id',
            )
        return names


def _message(span: Span) -> tree.Field:
    return tree.Field(span, "@message")


def _place(token: Token) -> tuple[int, int]:
    return _token_start(token), _token_end(token)


def _span(meta: Meta) -> Span:
    return Span(meta.start_pos, meta.end_pos)


def _token_start(token: Token) -> int:
    return token.start_pos or 0


def _token_end(token: Token) -> int:
    return token.end_pos or 0


def _field_name(token: str) -> str:
    return token.replace("`", "")


def _unquote(token: str) -> str:
    # AWS does not document escapes. A backslash can only be needed before a quote or a backslash; any other one stays,
    # so that "\d" keeps its meaning where the text is used as a pattern.
    return re.sub(r"\\([\"'\\])", r"\1", token[1:-1])
