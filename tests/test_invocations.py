"""Saved queries stand in a query by their names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.errors import ParameterError, QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.insights.invocations import expand
from eks_audit_nb.insights.parameters import fill
from eks_audit_nb.insights.rewriting import Piece, Rewritten
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.files import FileSource

SAVED = {
    "plain": "fields verb",
    "by_verb": "filter verb = {{verb}} | limit {{most}}",
    "with space": "fields stage",
    "commented": "fields verb # the last word",
    "nested": "$plain()",
}


def saved(name: str, parameters: Mapping[str, object]) -> str:
    """What was saved."""
    return fill(SAVED[name], parameters).text


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$plain()", "fields verb"),
        ("$plain( ) | limit 5", "fields verb | limit 5"),
        ('filter a = 1 | $by_verb(verb="get", most=5) | $`with space`()', None),
        ("$by_verb( verb = 'a \\'b\\'', most = 2 )", "filter verb = \"a 'b'\" | limit 2"),
        ("$commented() | limit 5", "fields verb # the last word\n | limit 5"),
        ('$by_verb(verb="(", most=1)', 'filter verb = "(" | limit 1'),
    ],
)
def test_expanded(text: str, expanded: str | None) -> None:
    """An invocation stands for its text with the parameters in their places, alone or between other commands."""
    expected = expanded or 'filter a = 1 | filter verb = "get" | limit 5 | fields stage'
    assert expand(text, saved).text == expected


@pytest.mark.parametrize(
    "text",
    [
        'filter x = "$plain()"',
        "filter x = '$plain()'",
        "fields `$plain()`",
        "fields a # $plain()",
        "filter x like /$plain()/",
        "filter x =~ /a|$plain()/",
        "parse @message /(?<a>$plain())/",
    ],
)
def test_left_alone(text: str) -> None:
    """Nothing is invoked in quoted text, in a name, in a comment or in a regular expression."""
    assert expand(text, saved).text == text


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("limit 1 | $plain", "$plain", "not followed by (...)"),
        ('$by_verb(verb="get", most=1 | limit 2', "(", "is not closed"),
        ("$secret-activity() | limit 2", "$secret-activity", "ends at $secret"),
        ("$plain(1)", "1", 'A parameter is NAME="text"'),
        ("$plain(a=1 b=2)", "b", "separated by commas"),
        ("$plain(a=1,)", "", 'A parameter is NAME="text"'),
        ("$nested()", "$nested()", "invokes another one"),
        (f"$plain({', '.join(f'p{i}=1' for i in range(21))})", None, "20 are taken at most"),
    ],
)
def test_refused(text: str, place: str | None, words: str) -> None:
    """An invocation that is not right is refused at its place, with how to write it."""
    with pytest.raises(QueryError, match="line 1") as caught:
        expand(text, saved)
    assert words in caught.value.message
    assert place is None or text[caught.value.start : caught.value.end] in (place, "b=2"[:1], ")")


def test_other_signs_stand_in_backticks() -> None:
    """The hint for a name with a hyphen is the name in backticks."""
    with pytest.raises(QueryError) as caught:
        expand("$secret-activity()", saved)
    assert "$`secret-activity`()" in caught.value.hint


@pytest.mark.parametrize(
    ("query", "parameters", "place"),
    [
        ("fields verb\n| $secret_activity() | limmit 5", {}, "limmit"),
        ("$secret_activity()\n| $failed_anonymous_requests() | filter a == == 1", {}, "== 1"),
        ("$secret_activity() | stats count(*) as requests | filter request = 1", {}, "request ="),
        ("$secret_activity() | limit {{n}}", {"n": "two"}, "{{n}}"),
        ("filter a = {{a}} and b = {{b}} b", {"a": "longer than its place", "b": 1}, "b"),
        ("stats count(*) as n | $secret_activity()", {}, "$secret_activity()"),
        ("limit 5 | $secret_activty()", {}, "$secret_activty"),
        ("filter a = {{a}} | $secret_activty()", {"a": "b"}, "$secret_activty"),
    ],
)
def test_errors_are_told_in_the_text_as_written(query: str, parameters: dict[str, object], place: str) -> None:
    """An error's place is one of the user's own text: the invocation or the placeholder where it lies inside of one."""
    error = refusal(query, parameters)
    assert error.query == query
    assert query[error.start :].startswith(place)


def refusal(query: str, parameters: dict[str, object]) -> QueryError:
    """The error of a query, whoever finds it."""
    try:
        prepared = prepare(query, parameters)
        with prepared.as_written(), closing(EventStore([])) as store:
            store.ask(parse(prepared.text), None)
    except QueryError as error:
        return error
    raise AssertionError(query)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5)), max_size=4))
def test_the_way_back(parts: list[tuple[str, str, str]]) -> None:
    """Each sign that was kept goes back to itself, and each that was put in to the part that it stands for."""
    written, pieces, expected = "", [], []
    for kept, replaced, put_in in parts:
        expected += [(len(written) + i, len(written) + i + 1) for i in range(len(kept))]
        start = len(written) + len(kept)
        written += kept + replaced
        pieces.append(Piece(start, len(written), put_in))
        expected += [(start, len(written))] * len(put_in)
    rewritten = Rewritten(written, tuple(pieces))
    for place, (start, end) in enumerate(expected):
        error = rewritten.as_written(QueryError("wrong", rewritten.text, place, place + 1))
        assert (error.start, error.end) == (start, end)


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Any text is expanded, left as it is, or refused with the errors of the language."""
    try:
        expanded = expand(text, lambda _name, _parameters: "fields verb").text
    except QueryError:
        expanded = ""
    assert expanded == text or "$" in text


def test_shipped_queries_are_saved_queries(sample: FileSource) -> None:
    """A shipped query is invoked by its name, with its own parameters and their defaults."""
    whole = sample.run("secret_activity")
    invoked = sample.run("$secret_activity() | limit 1")
    assert len(invoked.frame) == 1 < len(whole.frame)
    assert list(invoked.frame.columns) == list(whole.frame.columns)


def test_unknown_names(sample: FileSource) -> None:
    """An unknown query or parameter is refused with the nearest one."""
    with pytest.raises(QueryError, match="Did you mean 'secret_activity'"):
        sample.run("$secret_activty() | limit 1")
    with pytest.raises(ParameterError, match="has no parameter 'nowhere'"):
        sample.run("$secret_activity(nowhere=1)")
