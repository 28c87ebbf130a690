"""What a call may look like: names, numbers of arguments, and where aggregates and periods stand."""

from __future__ import annotations

import pytest

from eks_audit_nb.engine.expressions import COMPUTED
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, parse, tree


def refusal(text: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(text)
    return caught.value


def call_of(name: str, arguments: int) -> str:
    """A query that calls a function with that many arguments, a period where it takes one."""
    given = ["a"] * arguments
    if name == "bin":
        given = ["1m"] * arguments
    elif name in ("datefloor", "dateceil", "rate"):
        given = ["a", *["1m"] * (arguments - 1)][:arguments]
    elif name == "pct":
        given = ["a", *["50"] * (arguments - 1)][:arguments]
    found = functions.find(name)
    command = "stats" if found is not None and found.is_aggregate else "fields"
    return f"{command} {name}({', '.join(given)})"


def test_every_function_is_computed() -> None:
    """The language and the engine know the same functions."""
    assert {name.lower() for name in functions.names()} == {name.lower() for name in COMPUTED}
    assert len(functions.names()) == len(COMPUTED)


@pytest.mark.parametrize("name", functions.names())
def test_names_have_no_case(name: str) -> None:
    """A function is found by its name in any case."""
    expected = functions.find(name)
    assert expected is not None
    assert expected.name == name
    assert functions.find(name.upper()) is functions.find(name.lower()) is expected


def test_both_spellings_of_count_distinct() -> None:
    """Both spellings on AWS's pages are one function."""
    assert functions.find("countDistinct") is functions.find("count_distinct") is not None


def test_unknown_functions_are_not_found() -> None:
    """A name that is no function's is not found, and a tree that never passed the check is refused with it."""
    assert functions.find("nothing") is None
    with pytest.raises(KeyError, match="nothing"):
        functions.of(tree.Call(tree.Span(0, 0), "nothing", ()))


@pytest.mark.parametrize("name", functions.names())
def test_numbers_of_arguments(name: str) -> None:
    """A function takes as many arguments as its row says, and one fewer or one more is refused at the call."""
    function = functions.find(name)
    assert function is not None
    parse(call_of(name, function.least))
    if function.most is not None:
        parse(call_of(name, function.most))
        text = call_of(name, function.most + 1)
        assert refusal(text).start == text.index(name)
    if function.least:
        assert f"{name}() takes" in refusal(call_of(name, function.least - 1)).message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fields abs()", "abs() takes 1 argument, not 0"),
        ("fields concat()", "concat() takes 1 or more arguments, not 0"),
        ("fields substr(a)", "substr() takes 2 to 3 arguments, not 1"),
        ("fields replace(a)", "replace() takes 3 arguments, not 1"),
    ],
)
def test_the_number_is_told(text: str, message: str) -> None:
    """The message says how many arguments the function takes and how many there were."""
    assert refusal(text).message == message


def test_unknown_functions_are_refused() -> None:
    """An unknown function is refused at its place, with the nearest known name."""
    error = refusal("fields a, strlem(b)")
    assert (error.start, error.end) == (10, 19)
    assert error.message == "There is no function strlem()"
    assert "Did you mean strlen()?" in error.hint


def test_a_name_like_no_other_gets_the_list() -> None:
    """Where no known name is near, the hint lists all."""
    assert all(name in refusal("fields zzzzzz(b)").hint for name in functions.names())


# --- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("fields bin(5)", "5"),
        ("fields bin(a)", "a"),
        ("fields datefloor(a, 5)", "5"),
        ("fields datefloor(5m, 5m)", "5m"),
        ("fields strlen(5m)", "5m"),
        ("fields bin(0m)", "0m"),
        ("fields bin(10000d)", "10000d"),
        ("fields bin(10000y)", "10000y"),
        ("fields bin(1000000000000000000000m)", "1000000000000000000000m"),
    ],
)
def test_where_periods_stand(text: str, place: str) -> None:
    """A period stands where a function takes one and nowhere else, and is neither nothing nor longer than all dates."""
    error = refusal(text)
    assert text[error.start : error.end] == place
    assert "period" in error.message


@pytest.mark.parametrize(
    ("number", "unit", "capped"),
    [
        (300, "s", 60),
        (60, "s", 60),
        (59, "s", 59),
        (90, "m", 60),
        (48, "h", 24),
        (5000, "ms", 1000),
        (400, "d", 400),
        (30, "mo", 30),
    ],
)
def test_caps(number: int, unit: str, capped: int) -> None:
    """Milliseconds, seconds, minutes and hours are capped at the next unit, longer periods are not."""
    assert functions.capped(tree.Period(tree.Span(0, 0), number, unit)) == capped


# --- aggregates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "fields count(*)",
        "filter max(a) > 1",
        "sort count(*)",
        "display sum(a)",
        "stats count(*) by max(a)",
        "stats count(*) as n | sort count(*)",
        "stats count(*) | stats max(count(*)) | sort count(*)",
    ],
)
def test_aggregates_stand_in_stats(text: str) -> None:
    """An aggregate stands before the `by` of a stats, or names a column of the last stats."""
    assert "is an aggregate" in refusal(text).message


@pytest.mark.parametrize(
    "text",
    [
        "stats count(*) | sort count(*) desc",
        "stats count( * ) | filter COUNT(*) > 1 | display count(*)",
        "stats sum(a) by b | stats max(sum(a))",
        "stats max(a) as x, min(a) as y, x - y as spread",
        "stats sum(a) / count(*) * 100",
        "stats count(*) as n, 100 as all",
    ],
)
def test_what_stats_may_hold(text: str) -> None:
    """Columns of stats are used by their text, aliases by those behind them, and expressions hold aggregates."""
    assert parse(text).commands


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("stats max(min(a))", "max(min(a))", "An aggregate cannot hold another one"),
        ("stats verb", "verb", "Aggregate it, as in count(verb), or group: stats count(*) by verb"),
        ("stats count(*), verb by verb", "verb", "not the field 'verb'"),
        ("stats x + 1, max(a) as x", "x", "not the field 'x'"),
        ("stats strlen(a)", "a", "not the field 'a'"),
        ("stats bin(5m), count(*)", "bin(5m)", "stats count(*) by bin(5m)"),
        ("stats 1 + 1", "1 + 1", "stats needs an aggregate"),
        ("fields abs(*)", "*", "Only count takes a `*`"),
        ("stats sum(*)", "*", "Only count takes a `*`"),
    ],
)
def test_what_stats_may_not_hold(text: str, place: str, words: str) -> None:
    """What is neither an aggregate nor made of aggregates is refused at its place, with what to write."""
    error = refusal(text)
    assert text[error.start : error.end] == place
    assert words in str(error)
