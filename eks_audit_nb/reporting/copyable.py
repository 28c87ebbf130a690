"""Text to copy: commands and manifests, shown as they are, escaped, and never run."""

from __future__ import annotations

from html import escape

import pandas as pd

from eks_audit_nb import analysis
from eks_audit_nb.analysis.inert import inert
from eks_audit_nb.reporting.shown import Shown
from eks_audit_nb.sources.base import CLOUDWATCH


def copyable(text: str, label: str, otherwise: str = "Nothing.") -> Shown:
    """A block of text under a label; a sentence where there is no text."""
    if not text.strip():
        return Shown(
            {"text/plain": f"{label}: {otherwise}", "text/html": f"<p>{escape(label)}: {escape(otherwise)}</p>"}
        )
    html = f"<p><strong>{escape(label)}</strong></p><pre>{escape(text.rstrip())}</pre>"
    return Shown({"text/plain": f"{label}\n{text}", "text/html": html})


def closings(ways: pd.DataFrame, others: pd.DataFrame, rules: pd.DataFrame, source: str = "") -> Shown:
    """How each way can be closed: what it is, the commands, what they do, and what else would break.

    Args:
        ways: What `paths.ways_of` gives.
        others: What `paths.others_on` gives.
        rules: Rows of `attribute` for the query `access_rules`.
        source: "cloudwatch:CLUSTER" names the cluster for the AWS CLI; for others a word stands in its place.
    """
    cluster = source.removeprefix(CLOUDWATCH) if source.startswith(CLOUDWATCH) else ""
    told = analysis.closings(ways, others, rules, cluster)
    if told.empty:
        return copyable("", "Nothing to close", "no request that was asked about was allowed.")
    html, plain = [], []
    for way in told.astype(object).where(told.notna(), "").to_dict("records"):
        label = f"{way['way']}. {inert(str(way['label']))}"
        meaning = inert(f"{way['effect']} {way['breaks']}")
        html.append(f"<p><strong>{escape(label)}</strong></p>")
        html.append(f"<pre>{escape(str(way['commands']))}</pre>" if way["commands"] else "")
        html.append(f"<p>{escape(meaning)}</p>")
        plain += [label, str(way["commands"]), meaning, ""]
    return Shown({"text/plain": "\n".join(plain), "text/html": "".join(html)})
