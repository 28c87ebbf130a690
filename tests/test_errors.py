"""Errors say what is wrong, where, and what to do next."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb import errors
from eks_audit_nb.errors import EksAuditError, QueryError

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)]
TEXTS = st.text(st.characters(exclude_characters="\n") | st.just("\n"), max_size=200)


@pytest.mark.parametrize("error", CLASSES)
def test_one_root(error: type[Exception]) -> None:
    """Whoever catches EksAuditError catches every error that the package raises on purpose."""
    assert issubclass(error, EksAuditError)


def test_the_text_shows_the_place() -> None:
    """The text of a query error has the message, the place, the line itself with marks under it, and the hint."""
    error = QueryError("This is wrong", "fields a\n| fitler b", 11, 17, "Did you mean 'filter'?")
    assert str(error) == ("This is wrong (line 2, column 3)\n    | fitler b\n      ^^^^^^\nDid you mean 'filter'?")


def test_no_hint_no_line() -> None:
    """Without a hint the text ends with the marks."""
    assert str(QueryError("Wrong", "abc", 1, 2)).splitlines() == ["Wrong (line 1, column 2)", "    abc", "     ^"]


def test_location_is_that_of_the_service() -> None:
    """The location has the names and the counting of CloudWatch's queryCompileError."""
    assert QueryError("Wrong", "abcdef", 2, 4).location() == {"startCharOffset": 2, "endCharOffset": 4}


@given(TEXTS, st.integers(-5, 205), st.none() | st.integers(-5, 205))
@settings(max_examples=150, deadline=None)
def test_positions_lie_in_the_text(query: str, start: int, end: int | None) -> None:
    """Wherever an error is said to be, its offsets lie in the text, in order."""
    error = QueryError("Wrong", query, start, end)
    assert 0 <= error.start <= error.end <= len(query)


@given(TEXTS, st.integers(0, 199))
@settings(max_examples=150, deadline=None)
def test_line_and_column_lead_to_the_place(query: str, start: int) -> None:
    """The character at that line and column is the one at the offset."""
    error = QueryError("Wrong", query, start)
    line = query.split("\n")[error.line - 1] + "\n"
    assert error.start == len(query) or line[error.column - 1] == query[error.start]


@given(st.text(st.characters(exclude_characters="\n\t"), min_size=1, max_size=300), st.data())
@settings(max_examples=100, deadline=None)
def test_the_first_mark_is_under_the_place(query: str, data: st.DataObject) -> None:
    """On a line of any length the first mark stands under the wrong character."""
    start = data.draw(st.integers(0, len(query) - 1))
    _, shown, marks = str(QueryError("Wrong", query, start, len(query))).split("\n")
    assert shown[marks.index("^")] == query[start]
    assert len(shown) <= 124
    assert len(marks) <= 124


def test_errors_cross_processes() -> None:
    """A query error that was pickled or copied is the same error."""
    error = QueryError("Wrong", "abc", 1, 2, "Mend it.")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # our own bytes
        assert (twin.message, twin.query, twin.start, twin.end, twin.hint) == ("Wrong", "abc", 1, 2, "Mend it.")
        assert str(twin) == str(error)
