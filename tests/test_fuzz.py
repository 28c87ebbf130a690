"""Any text at all is given to the parser, which answers with a tree or with its own error."""

from __future__ import annotations

import random
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, order, parse, schema, tree
from eks_audit_nb.insights.commands import UNANSWERED
from eks_audit_nb.insights.parser import MAX_QUERY_LENGTH

QUICK, CHUNK, CHUNKS = 4_000, 50_000, 20

_TOKENS = [
    *(
        "fields",
        "display",
        "filter",
        "where",
        "filterIndex",
        "stats",
        "sort",
        "limit",
        "any",
        "dedup",
        "parse",
        "multi",
    ),
    *("json", "csv", "logfmt", "unnest", "into", "expand", "lookup", "cidrlookup", "OUTPUT", "outputnew", "unmask"),
    *("estimate", "source", "offset", "by", "as", "asc", "DESC", "and", "or", "not", "like", "in", "true", "field"),
    *UNANSWERED,
    *functions.names(),
    *(
        "|",
        "(",
        ")",
        "[",
        "]",
        ",",
        "=",
        "==",
        "!=",
        "=~",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "!",
        ".",
    ),
    *(
        "a",
        "verb",
        "@message",
        "@timestamp",
        "user.username",
        "`a b`",
        "a.`b/c`.0",
        "x[0]",
        "m.k",
        "_x",
        "@",
        "é",
        "日本",
    ),
    *("0", "1", "403", "2.5", "1e3", "1e999", "00", "99999999999999999999", "5m", "300s", "1 h", "0d", "9999y", "2mo"),
    *(
        '"text"',
        "'text'",
        '"a\\"b"',
        '"*-*"',
        '"',
        "'",
        "`",
        "/re/",
        "/(?<p>a)/",
        "/(/",
        "/[/",
        "\\",
        "#",
        "# no\n",
        "\n",
    ),
    *(
        "\t",
        "\0",
        "\u00a0",
        "\u200b",
        "\ud800",
        "👍",
        "{{p}}",
        "$Name",
        ";",
        ":",
        "~",
        "&&",
        "count(*)",
        "bin(5m)",
        "(" * 70,
    ),
]


def _known_texts() -> list[str]:
    data = tomllib.loads((Path(__file__).parent / "data" / "aws_queries.toml").read_text(encoding="utf-8"))
    shipped = files("eks_audit_nb.queries").iterdir()
    texts = [file.read_text(encoding="utf-8") for file in shipped if file.name.endswith(".cwli")]
    return [*(query["text"] for query in data["query"]), *sorted(texts)]


_KNOWN = _known_texts()


def _soup(chance: random.Random) -> str:
    separator = chance.choice([" ", " ", ""])
    return separator.join(chance.choices(_TOKENS, k=chance.randint(1, 18)))


def _mutated(chance: random.Random) -> str:
    """A text that is known with a few characters or words deleted, doubled, replaced or swapped."""
    text = chance.choice(_KNOWN)[: chance.choice([80, 200, 2_000])]
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 12))
        piece = text[start:end]
        new = chance.choice(
            ["", piece * 2, piece[::-1], piece.upper(), chance.choice(_TOKENS), chr(chance.randrange(0x250))]
        )
        text = text[:start] + new + text[end:]
    return text


def _crossed(chance: random.Random) -> str:
    """The beginning of one known text and the end of another."""
    one, other = chance.choice(_KNOWN), chance.choice(_KNOWN)
    return one[: chance.randint(0, min(300, len(one)))] + other[max(0, len(other) - chance.randint(0, 300)) :]


def _text(chance: random.Random) -> str:
    return chance.choice([_soup, _soup, _mutated, _mutated, _crossed])(chance)


def _check(seed: int, count: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret
    for _ in range(count):
        text = _text(chance)
        query = _parsed(text)
        if isinstance(query, QueryError):
            assert 0 <= query.start <= query.end <= len(text), text
        else:
            schema.columns(query)
            order.effective(query)


def _parsed(text: str) -> tree.Query | QueryError:
    try:
        return parse(text)
    except QueryError as error:
        return error
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} for {text!r}") from error


def test_parser_raises_nothing_but_its_own_error() -> None:
    """Of any text the parser makes a tree, or raises QueryError with a place in the text."""
    _check(seed=4, count=QUICK)


@pytest.mark.deep
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_parser_raises_nothing_but_its_own_error_for_a_million_texts(chunk: int) -> None:
    """Of any of 1,000,000 texts the parser makes a tree, or raises QueryError with a place in the text."""
    _check(seed=1_000 + chunk, count=CHUNK)


def test_chain_of_or_is_flat() -> None:
    """A chain of `or` is one node however many terms it has, as many as fit into the longest query."""
    terms = ["a=1"] * ((MAX_QUERY_LENGTH - len("filter ")) // len("a=1 or "))
    query = parse("filter " + " or ".join(terms))
    condition = query.commands[0]
    assert isinstance(condition, tree.Filter)
    assert isinstance(condition.condition, tree.AnyOf)
    assert len(condition.condition.terms) == len(terms) > 1_400


def test_chain_of_2000_terms_is_flat_where_length_is_free() -> None:
    """A chain of 2,000 terms is one node where a query may be longer than the service takes."""
    command = parse("filter " + " or ".join(["a=1"] * 2_000), max_length=None).commands[0]
    assert isinstance(command, tree.Filter)
    assert isinstance(command.condition, tree.AnyOf)
    assert len(command.condition.terms) == 2_000


@pytest.mark.parametrize(
    "text",
    [
        "filter " + "not " * 500 + "a=1",
        "fields " + "abs(" * 500 + "a" + ")" * 500,
        "fields " + "-" * 500 + "a",
        "fields " + "a^" * 500 + "a",
        "fields a" + "+a" * 500,
        "filter a in (fields " + "abs(" * 500 + "a" + ")" * 500 + " as b)",
    ],
    ids=["not", "calls", "minus", "powers", "sums", "inside of a query"],
)
def test_deep_nesting_is_named(text: str) -> None:
    """What is nested too deep is refused in these words."""
    with pytest.raises(QueryError, match="nested more than"):
        parse(text)


def test_parentheses_add_no_depth() -> None:
    """Parentheses around a condition add no level, however many they are."""
    assert parse("filter " + "(" * 500 + "a=1" + ")" * 500).commands
