"""A constant where a condition has to stand asks nothing, and is refused."""

from __future__ import annotations

import pytest

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("filter code = 401 or 403", "403", "code in [401, 403]"),
        ('filter verb = "get" or "list" or "watch"', '"list"', 'verb in ["get", "list", "watch"]'),
        ('filter verb = ("get" or "list")', '"get"', 'verb in ["get", "list"]'),
        ('filter verb != "get" and "list"', '"list"', 'verb not in ["get", "list"]'),
        ('filter a = 1 and (verb = "get" or "list")', '"list"', 'verb in ["get", "list"]'),
        ('filter verb like "a" or "b"', '"b"', 'verb like "b"'),
        ('filter verb not like "a" and "b"', '"b"', 'verb not like "b"'),
        ("filter code > 400 or -1", "-1", "code > -1"),
        ("filter code in [401] or 403", "403", "code in [401, 403]"),
        ('filter "secrets"', '"secrets"', 'filter @message like "secrets"'),
        ("filter 1", "1", 'verb in ["get", "list"]'),
        ("filter not 'x'", "'x'", 'verb in ["get", "list"]'),
        ("filter verb = 'get' or true", "true", 'verb in ["get", "list"]'),
        ('fields if("get", 1, 2)', '"get"', 'verb in ["get", "list"]'),
        ('fields case(verb = "get", 1, true, 2)', "true", "its last argument"),
        ('filter a in (filter b = 1 or "c" | fields a)', '"c"', 'b in [1, "c"]'),
    ],
)
def test_constants_are_no_conditions(text: str, place: str, hint: str) -> None:
    """A number, quoted text, true or false alone is refused at its place, with the comparison that was meant."""
    with pytest.raises(QueryError, match="alone is no condition") as caught:
        parse(text)
    assert text[caught.value.start : caught.value.end] == place
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "filter a",
        "filter not a and !b",
        "filter code - 401",
        "fields 1, 'x'",
        "fields if(a, 1, 'x'), case(a, 1, b, 2, 3)",
        "filter a = true",
        "filter strcontains(verb, 'g')",
    ],
)
def test_conditions_are_left_alone(text: str) -> None:
    """A field, a calculation and a function may be conditions, and constants stand anywhere else."""
    assert parse(text).commands
