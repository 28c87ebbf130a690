"""Saved queries stand in a query by their names."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.errors import ParameterError, QueryError
from eks_audit_nb.insights.invocations import expand
from eks_audit_nb.insights.parameters import fill
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
    return fill(SAVED[name], parameters)


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
    assert expand(text, saved) == expected


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
    assert expand(text, saved) == text


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("limit 1 | $plain", "$plain", "not followed by (...)"),
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


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Any text is expanded, left as it is, or refused with the errors of the language."""
    try:
        expanded = expand(text, lambda _name, _parameters: "fields verb")
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
