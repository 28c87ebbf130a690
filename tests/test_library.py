"""The queries that ship: each can be found, says what it asks, and takes values without becoming another query."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.errors import ParameterError, QueryError
from eks_audit_nb.insights import order, parse, tree
from eks_audit_nb.queries import ShippedQuery, list_queries, load, prepare
from eks_audit_nb.sources.files import FileSource

SHIPPED = list_queries()
OURS = [query for query in SHIPPED if not query.name.startswith("guide_")]
WITH_PARAMETERS = [query for query in SHIPPED if query.parameters]


def by_name(query: ShippedQuery) -> str:
    return query.name


# --- every shipped query --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", SHIPPED, ids=by_name)
def test_headers(query: ShippedQuery) -> None:
    """Every shipped query has a title and asks a question, each in one line."""
    assert re.fullmatch(r"[A-Z][^\n#]{5,80}[^.\n]", query.title)
    assert re.match(r"[A-Z][^\n]+\?", query.question)
    assert query == load(query.name)


@pytest.mark.parametrize("query", SHIPPED, ids=by_name)
def test_texts_parse(query: ShippedQuery) -> None:
    """Every shipped query, with its defaults, is a valid text that is short enough for the service."""
    text = prepare(query.name, {}).text
    assert parse(text).commands
    assert "{{" not in text


@pytest.mark.parametrize("query", SHIPPED, ids=by_name)
def test_queries_run(query: ShippedQuery, sample: FileSource) -> None:
    """Every shipped query finds something in the sample, and gives the same columns where there is nothing."""
    result = sample.run(query.name)
    assert (len(result) > 0) == (query.name != "authenticator_log")  # the sample is an audit log
    assert result.complete
    assert result.name == query.name
    empty = sample.run(query.name, "2020-01-01", "2020-01-02")
    assert len(empty) == 0
    assert dict(empty.frame.dtypes) == dict(result.frame.dtypes)


@pytest.mark.parametrize("query", OURS, ids=by_name)
def test_the_order_of_commands(query: ShippedQuery) -> None:
    """No query of ours has a sort or a limit before a filter or a stats, which the service may refuse or cap early."""
    commands = parse(prepare(query.name, {}).text).commands
    last = max(index for index, command in enumerate(commands) if isinstance(command, tree.Filter | tree.Stats))
    assert not [command for command in commands[:last] if isinstance(command, tree.Sort | tree.Limit)]


@pytest.mark.parametrize("query", OURS, ids=by_name)
def test_no_warnings(query: ShippedQuery) -> None:
    """No query of ours needs mending: nothing in it is moved or left out."""
    assert order.effective(parse(prepare(query.name, {}).text)).warnings == ()


@pytest.mark.parametrize("query", OURS, ids=by_name)
def test_only_audit_streams_are_read(query: ShippedQuery) -> None:
    """Every query of ours keeps to the audit log's streams, except those about other streams."""
    has_filter = '| filter @logStream like "kube-apiserver-audit"\n' in query.text
    assert has_filter == (query.name not in ("recording_streams", "authenticator_log"))


@pytest.mark.parametrize("query", OURS, ids=by_name)
def test_filters_use_fields_that_the_service_discovers(query: ShippedQuery) -> None:
    """Filters name only fields before the bodies, since CloudWatch discovers only an event's first 200 fields."""
    before_bodies = (
        "@",
        "verb",
        "stage",
        "level",
        "auditID",
        "user.",
        "impersonatedUser.",
        "objectRef.",
        "responseStatus.",
    )
    parsed: set[str] = set()
    for command in parse(prepare(query.name, {}).text).commands:
        if isinstance(command, tree.Parse):
            parsed |= set(command.names)
        if isinstance(command, tree.Filter):
            names = {node.name for node in command.walk() if isinstance(node, tree.Field)} - parsed
            assert not [name for name in names if not name.startswith(before_bodies)]


@pytest.mark.parametrize("query", OURS, ids=by_name)
def test_queries_give_counts_or_whole_events(query: ShippedQuery) -> None:
    """A query of ours counts, or gives each event's time and whole text for the columns to be taken from."""
    commands = parse(prepare(query.name, {}).text).commands
    if not any(isinstance(command, tree.Stats) for command in commands):
        assert query.text.startswith("fields @timestamp, @message\n")


def test_names_are_sorted_and_plain() -> None:
    """Queries are listed by name, and a name is one word that can be typed."""
    names = [query.name for query in SHIPPED]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in names)


@pytest.mark.parametrize("query", WITH_PARAMETERS, ids=by_name)
def test_parameters_are_explained(query: ShippedQuery) -> None:
    """Every parameter stands in the text, has a default, and says what it is for."""
    for parameter in query.parameters:
        assert f"{{{{{parameter.name}}}}}" in query.text
        assert parameter.default is not None
        assert parameter.help


# --- finding --------------------------------------------------------------------------------------------------------


def test_an_unknown_name_with_a_near_one() -> None:
    """A name that is nearly right is refused with the right one."""
    with pytest.raises(QueryError, match=r"no query named 'aws_auth_change'[\s\S]*Did you mean 'aws_auth_changes'\?"):
        load("aws_auth_change")


def test_an_unknown_name() -> None:
    """A name like no other is refused with all names and an example of a text."""
    with pytest.raises(QueryError) as error:
        prepare("zzz", {})
    assert all(query.name in error.value.hint for query in SHIPPED)
    assert "fields @timestamp" in error.value.hint


@pytest.mark.parametrize("text", ["aws_auth_changes", " aws_auth_changes\n"])
def test_a_single_word_is_a_name(text: str) -> None:
    """A single word is the name of a query, whatever space is around it."""
    assert prepare(text, {}).name == "aws_auth_changes"


@pytest.mark.parametrize("text", ["fields verb", "fields  verb\n| limit 5", "stats count()"])
def test_anything_else_is_a_text(text: str) -> None:
    """Anything longer is a text of the user's own, which runs as it is."""
    prepared = prepare(text, {})
    assert (prepared.text, prepared.name) == (text, "")


# --- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("alice", '"alice"'),
        ("", '""'),
        ('say "hi"', "'say \"hi\"'"),
        ("it's", '"it\'s"'),
        ("CORP\\alice", '"CORP\\alice"'),
        ("{{other}}", '"{{other}}"'),
        ("a\nb # c | limit 1", '"a\nb # c | limit 1"'),
        (7, "7"),
        (-2.5, "-2.5"),
        (["a", 'b"'], '["a", \'b"\']'),
        ((1, 2), "[1, 2]"),
        ([], "[]"),
    ],
)
def test_literals(value: object, literal: str) -> None:
    """A value becomes a literal: text is quoted with a quote that it does not hold, a number stands as it is."""
    assert prepare("filter verb in {{value}}", {"value": value}).text == f"filter verb in {literal}"


@given(st.text(st.characters(codec="utf-8"), max_size=30) | st.text("\"'\\| \nab", max_size=8))
def test_text_never_becomes_query(value: str) -> None:
    """Any text is bound as exactly that text and nothing more, or refused."""
    try:
        text = prepare("filter verb = {{value}} | limit 5", {"value": value}).text
    except ParameterError:
        assert "\\" in value or ('"' in value and "'" in value)
        return
    condition, limit = parse(text).commands
    assert isinstance(condition, tree.Filter)
    assert isinstance(condition.condition, tree.Compared)
    assert isinstance(condition.condition.right, tree.String)
    assert condition.condition.right.value == value
    assert isinstance(limit, tree.Limit)


@given(st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_numbers(value: float) -> None:
    """Any finite number is bound as that number."""
    (command,) = parse(prepare("filter verb in [{{value}}]", {"value": value}).text).commands
    (member,) = [node for node in command.walk() if isinstance(node, tree.Number)]
    sign = -1 if any(isinstance(node, tree.Minus) for node in command.walk()) else 1
    assert sign * member.value == value


@pytest.mark.parametrize("value", ["both \" and '", "end\\", '\\"', "\\'", "two\\\\", "'\\\""])
def test_text_that_cannot_be_quoted(value: str) -> None:
    """Text that no documented quoting can hold is refused by the parameter's name."""
    with pytest.raises(ParameterError, match="The parameter username holds both kinds of quotes, or a backslash"):
        prepare("refused_requests", {"username": value})


@pytest.mark.parametrize("value", [None, True, False, float("inf"), float("nan"), ["a", None]])
def test_values_that_are_no_literals(value: object) -> None:
    """A value that the language has no literal for is refused by the parameter's name."""
    with pytest.raises(ParameterError, match="The parameter value takes"):
        prepare("filter verb = {{value}}", {"value": value})


@pytest.mark.parametrize("value", [5, ["alice"], True, None])
def test_values_of_the_wrong_type(value: object) -> None:
    """A shipped query's parameter takes what its header says, and anything else is refused by name."""
    with pytest.raises(ParameterError, match="The parameter username takes text, not "):
        prepare("refused_requests", {"username": value})


@pytest.mark.parametrize("query", SHIPPED, ids=by_name)
def test_unknown_parameters(query: ShippedQuery) -> None:
    """A parameter that a query does not have is refused by name, and the message says what there is."""
    known = ", ".join(parameter.name for parameter in query.parameters)
    with pytest.raises(ParameterError) as error:
        prepare(query.name, {"zzz": "x"})
    has = f"It has: {known}." if known else "It takes none: leave it out."
    assert str(error.value) == f"The query {query.name} has no parameter 'zzz'. {has}"


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (
            "refused_requests",
            {"user_name": "x"},
            r"refused_requests has no parameter 'user_name'. Did you mean 'username'\?",
        ),
        ("filter verb = {{verb}}", {"verbs": "x"}, r"has no parameter 'verbs'. Did you mean 'verb'\?"),
        ("filter verb = {{verb}}", {}, "needs a value for verb. Give it with -p NAME VALUE"),
        ("filter verb = {{verb}} and level = {{ level }}", {"verb": "x"}, "needs a value for level"),
        ("filter {{a}} = {{b}} or {{a}} = 1", {}, "needs a value for a, b"),
        ("fields verb", {"x": "1"}, "has no parameter 'x'. It takes none: leave it out."),
    ],
)
def test_wrong_parameters_of_a_text(text: str, given: dict[str, Any], message: str) -> None:
    """A placeholder without a value and a value without a placeholder are refused by name, with the nearest one."""
    with pytest.raises(ParameterError, match=message):
        prepare(text, given)


def test_values_are_not_filled_in_again() -> None:
    """A placeholder inside a value stays what it is: text."""
    text = prepare("filter verb = {{a}} or verb = {{b}}", {"a": "{{b}}", "b": "x"}).text
    assert text == 'filter verb = "{{b}}" or verb = "x"'


def test_bound_values_decide(sample: FileSource) -> None:
    """The rows are those that the value asks for, and a value that looks like a query finds nothing."""
    some = sample.run("refused_requests", username="anonymous")
    assert 0 < len(some) < len(sample.run("refused_requests"))
    assert len(sample.run("refused_requests", username='" or verb like "')) == 0


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("secret_activity | limit 2", "$secret_activity() | limit 2"),
        ("secret_activity()", "$secret_activity()"),
        ('refused_requests(username="a") | limit 2', '$refused_requests(username="a") | limit 2'),
    ],
)
def test_a_shipped_query_in_another_text_has_a_dollar_sign(text: str, hint: str) -> None:
    """The name of a shipped query with something behind it is told how to be invoked."""
    with pytest.raises(QueryError, match="is invoked with a") as caught:
        prepare(text, {})
    assert caught.value.hint == f"Write: {hint}"


@pytest.mark.parametrize("word", ["limit", "stats", "dedup", "FILTER", "pattern", "estimate", "unmask"])
def test_a_command_is_no_name_of_a_query(word: str) -> None:
    """A single word that is a command is a query, whole or unfinished."""
    assert prepare(word, {}).text == word
