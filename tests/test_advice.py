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
        ("filter a -- c", "a comment begins with #"),
        ('filter a like "system%"', "% and * stand for themselves"),
        ('filter a not like "*admin*"', "% and * stand for themselves"),
        ('filter requestObject.spec.hostNetwork = "true"', "write requestObject.spec.hostNetwork = true"),
        ("stats count(*) by bin(300s)", "300s is taken as 60s, which CloudWatch has as the most: write 5m"),
        ("fields datefloor(@timestamp, 172800s)", "write 2d"),
        ("fields datefloor(@timestamp, 61s)", "write a longer unit"),
        ('filter a in (filter b like "x%" | fields a)', "% and * stand for themselves"),
    ],
)
def test_told(query: str, told: str) -> None:
    """What reads as something else than it looks like is told: names, times, comments, wildcards, truth, periods."""
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
        "fields a - -1, a - b",
        'filter a like "%2Fapi" or a like "50% of" or a like /a%/',
        'filter `annotations.k8s.io/deprecated` = "true"',
        "filter requestObject.spec.hostNetwork = true",
        "stats count(*) by bin(60s), bin(2w), bin(24h)",
    ],
)
def test_not_told(query: str) -> None:
    """What means what it looks like is left alone."""
    assert advice(parse(query)) == ()
