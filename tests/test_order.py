"""The order in which commands take effect, and what is said where the text has another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.insights.order import effective
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

IN_ORDER = [
    "fields verb",
    "filter verb = 'get' | sort verb | limit 5",
    "filter verb = 'get' | limit 5 | sort verb",
    "sort verb | filter verb = 'get'",
    "sort verb | dedup verb | limit 5",
    "stats count(*) by verb | sort verb | limit 5",
    "stats count(*) by verb | filter verb = 'get' | limit 5",
    "fields verb | limit 5 | display level",
]

MOVED = [
    (
        "sort @timestamp desc | limit 1 | filter verb = 'list'",
        "`limit` stands before `filter`",
        "filter verb = 'list' | sort @timestamp desc | limit 1",
    ),
    (
        "fields verb | limit 1 | filter verb = 'list' # why",
        "`limit` stands before `filter`",
        "fields verb | filter verb = 'list' | limit 1",
    ),
    (
        "sort @timestamp desc | limit 1 | filter verb = 'list' | stats count(*) by bin(1m)",
        "`sort` and `limit` stand before `stats`",
        "filter verb = 'list' | stats count(*) by bin(1m) | limit 1",
    ),
    (
        "sort verb | stats count(*) by verb | sort verb desc",
        "`sort` stands before `stats`",
        "stats count(*) by verb | sort verb desc",
    ),
    ("limit 1 | stats count(*) by verb", "`limit` stands before `stats`", "stats count(*) by verb | limit 1"),
    ("limit 1 | dedup verb", "`limit` stands before `dedup`", "dedup verb | limit 1"),
    (
        "sort @timestamp asc | limit 2 | filter verb != 'x' | dedup verb",
        "`limit` stands before `dedup`",
        "filter verb != 'x' | sort @timestamp asc | dedup verb | limit 2",
    ),
    ("limit 3 | filter verb = 'list' | limit 1", "`limit` stands before `filter`", "filter verb = 'list' | limit 1"),
]


@pytest.fixture
def source(make_log: Callable[..., Path]) -> FileSource:
    """Six events, one a second, that alternate between get and list."""
    verbs = ["get", "list", "get", "list", "get", "watch"]
    return FileSource(
        str(
            make_log(
                *(
                    audit_event(auditID=str(i), verb=verb, stageTimestamp=f"2026-11-24T10:00:0{i}.000000Z")
                    for i, verb in enumerate(verbs)
                )
            )
        )
    )


@pytest.mark.parametrize("text", IN_ORDER)
def test_nothing_is_said_of_a_query_in_order(text: str) -> None:
    """Where every command stands where it takes effect, there is no warning."""
    assert effective(parse(text)).warnings == ()


@pytest.mark.parametrize(("text", "words", "mended"), MOVED)
def test_what_is_moved_is_told(text: str, words: str, mended: str) -> None:
    """A sort or a limit that takes effect later than it stands is told, with the text that says so."""
    warning = effective(parse(text)).warnings[0]
    assert words in warning
    assert warning.endswith(f"Write instead: {mended}")


@pytest.mark.parametrize(
    "text",
    [
        "stats count(*) as requests by user.username | filter request > 10",
        "stats count(*) as requests by user.username | filter Requests > 10",
        "stats count(*) as requests by user.username | filter REQUESTS > 10",
        "stats count(*) as requests by user.username | filter verb = 'get' and user.usrname = 'a'",
        "stats count(*) as c by verb | fields c * 2 as doubled | filter double > 10",
    ],
)
def test_a_misspelt_column_is_no_field_of_an_event(text: str) -> None:
    """A filter behind stats with a name like that of a column there stays where it is, to be refused."""
    found = effective(parse(text))
    assert found.warnings == ()
    assert [type(step) for step in found.steps] == [type(command) for command in parse(text).commands]


def test_the_text_that_means_the_same_is_told_once() -> None:
    """Where a filter and a limit move, the notes say so one by one, and the whole text once."""
    *others, last = effective(parse("limit 1 | stats count(*) as c by level | filter verb = 'get'")).warnings
    assert len(others) == 1
    assert "Write instead" not in others[0]
    assert last.endswith("Write instead: filter verb = 'get' | stats count(*) as c by level | limit 1")


def test_estimate_is_last_when_strict() -> None:
    """Commands behind estimate are refused when strict."""
    assert effective(parse("fields verb | estimate"), is_strict=True).warnings == ()
    with pytest.raises(QueryError, match="estimate stands before other commands"):
        effective(parse("estimate | fields verb"), is_strict=True)


@pytest.mark.parametrize(("text", "mended"), [(text, mended) for text, _, mended in MOVED])
def test_the_mended_text_means_the_same(source: FileSource, text: str, mended: str) -> None:
    """The text in the warning gives the same rows and is warned of no more."""
    assert effective(parse(mended)).warnings == ()
    pd.testing.assert_frame_equal(source.run(text).frame, source.run(mended).frame)


def test_warnings_reach_the_result(source: FileSource) -> None:
    """What was moved is a note of the result, and no reason to doubt it."""
    result = source.run("limit 1 | filter verb = 'list'")
    assert any("Write instead" in note for note in result.notes)
    assert result.complete


def test_limits_cap_the_final_rows(source: FileSource) -> None:
    """A limit before a filter caps what the filter leaves, not what it sees."""
    assert source.run("fields auditID | limit 2 | filter verb = 'list'").frame["auditID"].to_list() == ["3", "1"]


def test_the_smallest_limit_holds() -> None:
    """Of several limits the smallest caps the rows."""
    assert effective(parse("limit 5 | fields verb | limit 3 | limit 4")).limit == 3


def test_the_last_sort_orders(source: FileSource) -> None:
    """Of several sorts the last one orders the rows, and the result says so."""
    result = source.run("fields auditID | sort verb | sort auditID desc")
    assert result.frame["auditID"].to_list() == ["5", "4", "3", "2", "1", "0"]
    assert "Only the last `sort` orders the result." in result.notes


def test_only_limit_follows_dedup() -> None:
    """What the service does not take behind a dedup is told."""
    assert effective(parse("dedup verb | limit 5")).warnings == ()
    (warning,) = effective(parse("dedup verb | sort verb")).warnings
    assert warning == "`sort` stands after `dedup`, where CloudWatch takes nothing but `limit`."


def test_nothing_to_order() -> None:
    """Without sort and limit there are no keys and no cap."""
    found = effective(parse("fields verb"))
    assert (found.keys, found.limit, len(found.steps)) == ((), None, 1)
