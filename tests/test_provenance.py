"""A report can be checked and repeated from what stands at its end."""

from __future__ import annotations

from eks_audit_nb.reporting import provenance
from eks_audit_nb.sources.files import FileSource


def test_provenance(sample: FileSource) -> None:
    """Provenance holds the query as it ran, the window, what was read, whether it is whole, and the versions."""
    result = sample.run("aws_auth_changes")
    html = provenance(result)._repr_mimebundle_()[0]["text/html"]
    for text in (
        "deletecollection",
        "2026-11-24 22:28:14.509 to",
        "13,107 events read",
        "27.6 MB",
        "duckdb ",
        "pandas ",
    ):
        assert text in html
        assert text in repr(provenance(result))


def test_query_is_escaped(sample: FileSource) -> None:
    """A query is the user's text and is escaped in the report."""
    html = provenance(sample.run('fields "<script>" as x | limit 1'))._repr_mimebundle_()[0]["text/html"]
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
