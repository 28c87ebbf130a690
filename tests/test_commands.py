"""Documented commands that only the service answers: they are read, and refused by name with what to use instead."""

from __future__ import annotations

from functools import cache

import pytest

from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse, tree
from eks_audit_nb.insights.commands import UNANSWERED
from eks_audit_nb.insights.schema import is_known

# Each command as the pages of AWS write it, or as the service's own error lists it.
WRITTEN = {
    "accum": "accum bytes AS total",
    "addtotals": "addtotals fieldname=Total row=true col=true a, b",
    "anomaly": "anomaly",
    "appendcols": "appendcols override=true max=10 (filter a = 1 | stats count(*) by verb)",
    "autoregress": "autoregress bytes AS previous p=1-3",
    "count_frequent": "count_frequent verb, user.username",
    "countfrequent": "countFrequent verb, user.username",
    "diff": "diff previousDay",
    "filldown": "filldown",
    "fillmissing": "fillmissing with 0 for n",
    "head": "head 5",
    "join": "join type=inner left=L right=R where L.id=R.id (SOURCE '/aws/a' | fields id | filter x like /a|b/)",
    "logcompare": "logcompare timeshift 7d",
    "outlier": "outlier action=remove param=2.5 uselower=false mark=true duration",
    "pattern": "pattern @message",
    "relevantfields": "relevantfields verb, user.username where responseStatus.code >= 400",
    "search": 'search "a|b"',
    "sessionize": "sessionize user.username maxspan 30m AS session_id",
    "tail": "tail 5",
    "order": "order by verb desc",
}


@cache
def store() -> EventStore:
    """One event, which no query here reaches."""
    return EventStore([Event(0, 0, 0, "{}", "{}", "stream", "log", "log:0", "")])


def refusal(text: str) -> QueryError:
    """The error of the engine for a query that can be read."""
    query = parse(text)
    with pytest.raises(QueryError) as caught:
        store().ask(query, None)
    return caught.value


def test_every_command_is_written_out() -> None:
    """Every row of the table has an example here."""
    assert set(WRITTEN) == set(UNANSWERED)


@pytest.mark.parametrize("name", UNANSWERED)
def test_names_are_lower_case(name: str) -> None:
    """The table is looked into by lower-case names, and each row says what to do in a sentence."""
    assert name == name.lower()
    assert len(UNANSWERED[name]) > 10


@pytest.mark.parametrize(("name", "text"), WRITTEN.items())
@pytest.mark.parametrize(
    "query", ["{}", "fields @message | {} | limit 5", "filter a = 1 and b in [2]\n| {}  \n| sort a"]
)
def test_commands_are_refused_by_name(name: str, text: str, query: str) -> None:
    """A command is refused at its place, wherever it stands, by its name as written and with what to use instead."""
    whole = query.format(text)
    error = refusal(whole)
    word = text.split(maxsplit=1)[0]
    assert error.message == f"{word} is not answered here"
    assert whole[error.start : error.end].strip() == text
    assert UNANSWERED[name] in error.hint
    assert "on CloudWatch" in error.hint


@pytest.mark.parametrize("name", UNANSWERED)
def test_case_does_not_count(name: str) -> None:
    """A command in upper case is the same command."""
    assert UNANSWERED[name] in refusal(f"fields a | {name.upper()} x").hint


@pytest.mark.parametrize("text", WRITTEN.values())
def test_what_they_hold_is_one_command(text: str) -> None:
    """Pipes inside quotes, regular expressions and parentheses of such a command do not end it."""
    query = parse(f"{text} | fields a")
    assert [type(command) for command in query.commands] == [tree.Unanswered, tree.Fields]
    assert not is_known(query)


@pytest.mark.parametrize("name", UNANSWERED)
def test_their_names_are_names_of_fields_too(name: str) -> None:
    """A field may be called as such a command is."""
    (command,) = parse(f"fields {name}, {name}s").commands
    assert [node.name for node in command.walk() if isinstance(node, tree.Field)] == [name, f"{name}s"]


def test_what_stands_in_a_list_is_refused_too() -> None:
    """A query in a list that holds such a command is refused at that command."""
    text = "filter a in (fields a | pattern @message)"
    error = refusal(text)
    assert text[error.start : error.end].strip() == "pattern @message"
