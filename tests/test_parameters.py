"""Placeholders become literals of the language and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.errors import ParameterError
from eks_audit_nb.insights import parse, tree
from eks_audit_nb.insights.parameters import Period, fill


@pytest.mark.parametrize(
    ("value", "literal"),
    [("a", '"a"'), ('say "a"', "'say \"a\"'"), (5, "5"), (0.5, "0.5"), (["a", 1], '["a", 1]'), (Period("5m"), "5m")],
)
def test_literals(value: object, literal: str) -> None:
    """Text is quoted, numbers and periods stand as they are, and lists hold literals."""
    assert fill("filter x = {{ p }}", {"p": value}) == f"filter x = {literal}"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_text_stays_text(value: str) -> None:
    """Whatever text is put in, the query compares with that text, or the text is refused."""
    try:
        query = parse(fill("filter x = {{p}}", {"p": value}))
    except ParameterError:
        assert '"' in value or "\\" in value
        return
    (command,) = query.commands
    assert isinstance(command, tree.Filter)
    assert isinstance(command.condition, tree.Compared)
    assert command.condition.right == tree.String(command.condition.right.span, value)


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("filter x = {{name}}", {"nmae": 1}, "has no parameter 'nmae'. Did you mean 'name'"),
        ("filter x = {{name}}", {}, "needs a value for name"),
        ("filter x = {{name}}", {"name": None}, "takes text, a number or a list"),
        ("filter x = {{name}}", {"name": float("inf")}, "takes a finite number"),
        ("filter x = {{name}}", {"name": "\"'"}, "both kinds of quotes"),
    ],
)
def test_refused(text: str, values: dict[str, object], message: str) -> None:
    """A wrong name, a missing value and a value that is no literal are refused by name."""
    with pytest.raises(ParameterError, match=message):
        fill(text, values)
