"""Things that show themselves in Jupyter and keep their meaning in a report: headlines, and figures with alt text."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from eks_audit_nb.analysis.inert import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eks_audit_nb.sources.base import Result
    from eks_audit_nb.sources.cloudtrail import Trail

HEADLINE_MIMETYPE = "application/vnd.eks-audit.headline+json"


@dataclass(frozen=True)
class Shown:
    """One output: the same thing in several formats, with metadata for some of them."""

    formats: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return str(self.formats["text/plain"])

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.formats, self.metadata


def headline(sentence: str, *results: Result | Trail) -> Shown:
    """The notebook's answer in a sentence; the report's index shows it too.

    Where a result that it rests on is incomplete, the sentence says that it speaks of what could be read.
    """
    if not all(result.complete for result in results):
        sentence = f"In what could be read: {sentence}"
    sentence = visible(sentence)
    html = f'<p class="eks-audit-headline"><strong>{escape(sentence)}</strong></p>'
    return Shown({"text/plain": sentence, "text/html": html, HEADLINE_MIMETYPE: {"headline": sentence}})


def figure(drawn: Figure, alt: str) -> Shown:
    """A figure as a PNG with the text that stands for it where it cannot be seen."""
    buffer = BytesIO()
    drawn.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    png = b64encode(buffer.getvalue()).decode("ascii")
    return Shown({"text/plain": alt, "image/png": png}, {"image/png": {"alt": alt}})
