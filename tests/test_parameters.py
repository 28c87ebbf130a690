"""Placeholders become literals of the language and nothing else."""

from __future__ import annotations

import re

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
    assert fill("filter x = {{ p }}", {"p": value}).text == f"filter x = {literal}"


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ("limit {{p}}", "2", "limit 2"),
        ("limit any {{p}}", " 2 ", "limit any 2"),
        ("limit {{p}}", "two", 'limit "two"'),
        ("stats count(*) by bin({{p}})", "5m", "stats count(*) by bin(5m)"),
        ("fields datefloor(abs(a), {{p}})", "1 hour", "fields datefloor(abs(a), 1 hour)"),
        ("stats count(*) by bin(1h) offset {{p}}", "30m", "stats count(*) by bin(1h) offset 30m"),
        ("stats topk({{p}}, verb)", "5", "stats topk(5, verb)"),
        ("stats pct(n, {{p}})", "99.9", "stats pct(n, 99.9)"),
        ("filter code = {{p}}", "403", 'filter code = "403"'),
        ("filter code in [{{p}}]", "403", 'filter code in ["403"]'),
        ("fields strlen({{p}})", "403", 'fields strlen("403")'),
    ],
)
def test_numbers_given_as_text(text: str, value: str, filled: str) -> None:
    """Where no quoted text can stand, a text that is a number or a period stands as it is; elsewhere it is quoted."""
    assert fill(text, {"p": value}).text == filled


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ('filter x = "{{p}}"', "a", 'filter x = "a"'),
        ("filter x like 'a-{{p}}-b'", 5, "filter x like 'a-5-b'"),
        ('filter x = "{{p}}"', "it's", 'filter x = "it\'s"'),
        ("filter x like /^{{p}}$/", "a/b.c", r"filter x like /^a\/b\.c$/"),
        ("fields `{{p}}`", "a b", "fields `a b`"),
        ("fields a # {{p}}", None, "fields a # {{p}}"),
    ],
)
def test_inside_of_other_text(text: str, value: object, filled: str) -> None:
    """Inside of quotes, backticks and a regular expression a value has no quotes of its own; comments have none."""
    assert fill(text, {} if value is None else {"p": value}).text == filled


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('filter x = "{{p}}"', 'say "a"'),
        ("filter x = '{{p}}'", "it's"),
        ('filter x = "{{p}}"', "a\\"),
        ("fields `{{p}}`", "a`b"),
        ("filter x = '{{p}}'", ["a"]),
    ],
)
def test_what_would_end_the_text_around_it(text: str, value: object) -> None:
    """A value that would end the quotes around its place, and a list there, are refused."""
    with pytest.raises(ParameterError, match="stands inside of"):
        fill(text, {"p": value})


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
def test_a_value_in_a_regular_expression_is_text(value: str) -> None:
    """Whatever text is put into a regular expression, that text is what the expression finds."""
    (node,) = [n for n in parse(fill("filter x like /{{p}}/", {"p": value}).text).walk() if isinstance(n, tree.Regex)]
    assert re.fullmatch(node.pattern, value)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_text_stays_text(value: str) -> None:
    """Whatever text is put in, the query compares with that text, or the text is refused."""
    try:
        query = parse(fill("filter x = {{p}}", {"p": value}).text)
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
