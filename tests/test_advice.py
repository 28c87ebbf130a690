"""What a query says and probably does not mean is told."""

from __future__ import annotations

import pytest

from eks_audit_nb.insights import parse
from eks_audit_nb.insights.advice import advice


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ('filter annotations.authorization.k8s.io/decision = "allow"', "`annotations.authorization.k8s.io/decision`"),
        ("fields user.extra.a-b", "`user.extra.a-b`"),
        ('filter @timestamp > "2026-11-24T10:00:00Z"', "as text of the form"),
        ('filter @timestamp > "2026-11-24"', "as text of the form"),
    ],
)
def test_told(query: str, told: str) -> None:
    """A name without its backticks and a time that compares as text are told."""
    (sentence,) = advice(parse(query))
    assert told in sentence


@pytest.mark.parametrize(
    "query",
    [
        "fields a.b / c.d",
        "fields a/b",
        "fields `a.b/c`",
        "fields a.b - c",
        'filter @timestamp > "2026-11-24 10:00:00.000"',
    ],
)
def test_not_told(query: str) -> None:
    """A division that is written as one, a name in backticks and a time as it is printed are left alone."""
    assert advice(parse(query)) == ()
