"""Text to tree: Lark reads the grammar, this module builds the nodes and turns every failure into a `QueryError`."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, v_args
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, tree
from eks_audit_nb.insights.tree import Span

# Limits of the service: StartQuery's queryString.
MAX_QUERY_LENGTH = 10_000
# Deeper than anyone writes by hand; `and` and `or` chains are flat and do not count. Engines recurse over the tree.
MAX_DEPTH = 64

# Python refuses to read whole numbers of more than 4,300 digits, and no count or period needs more than these.
_MAX_DIGITS = 15

_COMMANDS = ("fields", "display", "filter", "where", "stats", "sort", "limit", "dedup", "parse")
# Commands of the service that are not read here: most of them nothing but the service can answer.
_OTHER_COMMANDS = (
    *("accum", "addtotals", "anomaly", "appendcols", "autoregress", "cidrlookup", "countfrequent", "diff", "estimate"),
    *("expand", "filldown", "fillmissing", "filterindex", "join", "json", "logcompare", "lookup", "outlier", "pattern"),
    *("relevantfields", "sessionize", "source", "unmask", "unnest"),
)


def parse(text: str) -> tree.Query:
    """Read a query.

    Raises:
        QueryError: With the offset of the first character that cannot stand there, and a hint.
    """
    if not text.strip():
        raise QueryError("The query is empty", text, 0, hint='Write at least one command, such as "fields @message".')
    if len(text) > MAX_QUERY_LENGTH:
        raise QueryError(
            f"The query has {len(text):,} characters; the service takes {MAX_QUERY_LENGTH:,} at most",
            text,
            MAX_QUERY_LENGTH,
            hint="Shorten it, or run it as several queries.",
        )
    try:
        parsed: Tree[Any] = _lark().parse(text)
    except UnexpectedEOF:
        raise QueryError("The query ends too early", text, len(text.rstrip()), hint=_unfinished(text)) from None
    except UnexpectedToken as error:
        raise _unexpected_token(error, text) from None
    except UnexpectedCharacters as error:
        raise _unexpected_character(error, text) from None
    try:
        query: tree.Query = _Builder(text).transform(parsed)
    except VisitError as error:  # lark wraps what a builder raises
        raise error.orig_exc from None
    _check_depth(query)
    functions.check(query)
    return query


@cache
def _lark() -> Lark:
    grammar = files("eks_audit_nb.insights").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)


# --- building -------------------------------------------------------------------------------------------------------

_Base: Any = Transformer_NonRecursive


@v_args(meta=True)
class _Builder(_Base):  # type: ignore[misc]  # lark's own base is untyped
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

    def stats(self, meta: Meta, items: list[Any]) -> tree.Stats:
        *aggregates, groups = items[1:]
        return tree.Stats(_span(meta), tuple(aggregates), groups or ())

    def groups(self, _meta: Meta, items: list[Any]) -> tuple[tree.Selection, ...]:
        return tuple(items)

    def sort(self, meta: Meta, items: list[Any]) -> tree.Sort:
        return tree.Sort(_span(meta), tuple(items[1:]))

    def limit(self, meta: Meta, items: list[Any]) -> tree.Limit:
        number: Token = items[1]
        if not number.isdecimal() or len(number) > _MAX_DIGITS or not 1 <= int(number) <= 100_000:
            raise QueryError(
                f"limit {number[:20]} is out of range",
                self.text,
                _token_start(number),
                _token_end(number),
                "Give a whole number from 1 to 100000.",
            )
        return tree.Limit(_span(meta), int(number))

    def dedup(self, meta: Meta, items: list[Any]) -> tree.Dedup:
        return tree.Dedup(_span(meta), tuple(items[1:]))

    def parse(self, meta: Meta, items: list[Any]) -> tree.Parse:
        _, source, pattern, names = items
        span = _span(meta)
        where = source or tree.Field(span, "@message")
        return tree.Parse(span, where, self._pattern(pattern), self._parse_names(pattern, names or ()))

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
            groups = tuple(regex.groups(pattern[1:-1]).numbers)
            if names or not groups:
                raise QueryError(
                    "parse with a regular expression takes its names from named groups",
                    self.text,
                    start,
                    end,
                    "Write /(?<name>...)/ and no `as` behind it.",
                )
            return groups
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


def _check_depth(query: tree.Query) -> None:
    waiting: list[tuple[tree.Node, int]] = [(query, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise QueryError(
                f"The expression is nested more than {MAX_DEPTH} levels deep",
                query.text,
                node.span.start,
                node.span.end,
                "Split it over several fields or filter commands.",
            )
        waiting.extend((child, depth + 1) for child in node.children())


# --- errors ---------------------------------------------------------------------------------------------------------


def _unexpected_token(error: UnexpectedToken, text: str) -> QueryError:
    token: Token = error.token
    if token.type == "$END":
        return QueryError("The query ends too early", text, len(text.rstrip()), hint=_unfinished(text))
    start, end = _token_start(token), _token_end(token)
    return QueryError(
        f"{str(token)!r} cannot stand here", text, start, end, _hint(text, start, str(token), error.accepts)
    )


def _unexpected_character(error: UnexpectedCharacters, text: str) -> QueryError:
    start = error.pos_in_stream or 0
    word = re.compile(r"[\w@.]+|.", re.DOTALL).match(text, start)
    shown = word[0] if word else text[start : start + 1]
    message = f"{shown!r} cannot stand here"
    if shown in "\"'":
        message = "This quote is not closed"
    elif shown == "`":
        message = "This backtick is not closed"
    return QueryError(message, text, start, start + len(shown), _hint(text, start, shown, error.allowed))


# What to write where one kind of thing can stand.
_ONLY = {
    frozenset({"STRING", "REGEX"}): "Quoted text or a regular expression such as /ab.c/ stands here.",
    frozenset({"LSQB"}): 'A list stands here, as in verb in ["create", "get"].',
    frozenset({"NUMBER"}): "A whole number stands here.",
    frozenset({"NAME"}): "A name stands here; other characters than letters, digits, @ and dots go in backticks.",
}


def _hint(text: str, start: int, found: str, expected: Any) -> str:
    expected = set(expected or ())
    before = text[:start].rstrip()
    if "FIELDS" in expected:  # a command begins here
        return _command_hint(found, before)
    if frozenset(expected) in _ONLY:
        return _ONLY[frozenset(expected)]
    if "RSQB" in expected:
        return 'A list holds quoted text and numbers with commas between them, as in verb in ["create", "get"].'
    fixed = {
        "&": "Write `and`.",
        ">": "Write `!=` for unequal." if before.endswith("<") else "",
        "|": "Write `or`." if text.startswith("||", start) else "A command is missing or unfinished before this pipe.",
        '"': 'Close the text with the same quote; a quote inside it is written \\".',
        "'": "Close the text with the same quote; a quote inside it is written \\'.",
        "`": "Close the name with a second backtick.",
        "{": "Give the parameter a value: {{name}} is a placeholder of a saved query.",
        "[": "Write `in [...]` for a list of values.",
        ";": "Separate commands with `|`.",
        "*": "Write count(*) or name the field.",
        "/": "A regular expression stands behind like, =~ or parse.",
    }
    if fixed.get(found):
        return fixed[found]
    if found.lower() in _COMMANDS:
        return "Put a `|` before this command."
    if "LIKE" in expected:
        return (
            f"Expected an operator, `and`, `or`, `as`, a comma or `|` after {before[-20:]!r}. "
            "A name with other characters than letters, digits, @ and dots goes in backticks."
        )
    if found == ",":
        return "Something is missing before this comma."
    if found == ")":
        return "There is no opening parenthesis for this one, or something is missing before it."
    return "Expected a field, a number, quoted text or a function call."


def _command_hint(found: str, before: str) -> str:
    if found == "|":
        return (
            "Remove this pipe: there is no command before it."
            if not before
            else "Two pipes stand side by side; between two conditions write `or`."
        )
    if found.lower() in _OTHER_COMMANDS:
        return f"{found!r} is a command of CloudWatch that is not answered here; run this query in its console."
    near = difflib.get_close_matches(found.lower(), _COMMANDS, 1)
    known = f"Did you mean {near[0]!r}? " if near else ""
    return f"{known}A command begins here: {', '.join(_COMMANDS)}."


def _unfinished(text: str) -> str:
    if text.rstrip().endswith("|"):
        return "Remove the pipe at the end, or write the command that follows it."
    if text.count("(") > text.count(")"):
        return "A parenthesis is not closed."
    if text.count("[") > text.count("]"):
        return "A list is not closed."
    return "Something is missing behind the last word."


__all__ = ["MAX_DEPTH", "MAX_QUERY_LENGTH", "parse"]
