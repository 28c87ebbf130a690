"""Headlines and figures show themselves in Jupyter and keep their meaning in a report."""

from __future__ import annotations

from base64 import b64decode

from matplotlib.figure import Figure

from eks_audit_nb.reporting.shown import HEADLINE_MIMETYPE, figure, headline


def test_headline_is_escaped() -> None:
    """A headline holds text of the log, which is escaped in HTML and whole in the other formats."""
    sentence = "bob <script>alert(1)</script> & co"
    formats, _ = headline(sentence)._repr_mimebundle_()
    assert "&lt;script&gt;" in formats["text/html"]
    assert "<script>" not in formats["text/html"]
    assert formats[HEADLINE_MIMETYPE] == {"headline": sentence}
    assert formats["text/plain"] == sentence == repr(headline(sentence))


def test_what_turns_the_writing_is_seen() -> None:
    """Controls, and what turns the direction of writing, stand in a headline as escapes; other scripts as they are."""
    assert repr(headline("bob\u202e\x00\n, Ünïcodé Ж")) == "bob\\u202e\\u0000\\u000a, Ünïcodé Ж"


def test_figure_has_alt_text() -> None:
    """A figure is a PNG whose metadata carry the alternative text, which is also its plain form."""
    formats, metadata = figure(Figure(), "An empty figure.")._repr_mimebundle_()
    assert b64decode(formats["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == "An empty figure." == formats["text/plain"]
