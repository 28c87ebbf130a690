"""The pieces of HTML that results and reports share."""

from __future__ import annotations

from eks_audit_nb.markup import facts_table


def test_facts_are_escaped() -> None:
    """Names, values and the caption are text, whatever stands in them."""
    html = facts_table({"<i>": "<script>alert(1)</script>"}, "<b>")
    assert "&lt;script&gt;" in html
    assert "&lt;i&gt;" in html
    assert "&lt;b&gt;" in html
    assert "<script>" not in html
    assert '<th scope="row">' in html
