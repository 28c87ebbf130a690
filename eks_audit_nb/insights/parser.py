"""Text to tree: Lark reads the grammar, `builder` makes the nodes, and every failure is a `QueryError`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import cast

from lark import Lark, UnexpectedCharacters, UnexpectedToken

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import conditions, tree, usage
from eks_audit_nb.insights.builder import Builder, reading
from eks_audit_nb.insights.commands import UNANSWERED
from eks_audit_nb.insights.deferred import masked
from eks_audit_nb.insights.mistakes import unexpected_character, unexpected_token

# Limits of the service: StartQuery's queryString.
MAX_QUERY_LENGTH = 10_000
# Half of a character, as Python reads bytes that are no UTF-8.
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
# Deeper than anyone writes by hand; `and` and `or` chains are flat and do not count. Engines recurse over the tree.
MAX_DEPTH = 64


def parse(text: str, *, max_length: int | None = MAX_QUERY_LENGTH) -> tree.Query:
    """Read a query.

    Args:
        text: Insights QL.
        max_length: How many characters are taken: by default as many as the service takes, None for any number.

    Raises:
        QueryError: With the offset of the first character that cannot stand there, and a hint.
    """
    if not text.strip():
        raise QueryError("The query is empty", text, 0, hint='Write at least one command, such as "fields @message".')
    if max_length is not None and len(text) > max_length:
        raise QueryError(
            f"The query has {len(text):,} characters; {max_length:,} are taken at most",
            text,
            max_length,
            hint="Shorten it, or run it as several queries.",
        )
    if odd := _NO_CHARACTER.search(text):
        shown = _NO_CHARACTER.sub("\ufffd", text)
        message = f"{odd[0]!a} is no character"
        raise QueryError(message, shown, odd.start(), hint="Write the query in UTF-8.")
    token = reading.set(text)
    try:
        query = cast(tree.Query, _lark().parse(masked(text)))  # what the builder makes of the whole
    except UnexpectedToken as error:
        raise unexpected_token(error, text) from None
    except UnexpectedCharacters as error:
        raise unexpected_character(error, text) from None
    finally:
        reading.reset(token)
    for each in query.queries():
        _check_depth(each)
        usage.check(each)
        conditions.check(each)
    return query


@cache
def _lark() -> Lark:
    grammar = files("eks_audit_nb.insights").joinpath("grammar.lark").read_text(encoding="utf-8")
    # The names come from one table, so that a command that is answered one day moves with one line.
    grammar = grammar.replace("UNANSWERED_NAMES", "|".join(sorted(UNANSWERED, key=len, reverse=True)))
    return Lark(grammar, parser="lalr", transformer=Builder())


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
