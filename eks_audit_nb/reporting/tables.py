"""DataFrames as HTML tables: escaped, with a caption, header scopes, and the number of rows that are not shown."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from eks_audit_nb.reporting.shown import Shown

# Columns of `attribute`, and what they are called for people.
WHO = {
    "username": "User",
    "arn": "IAM ARN",
    "session": "Session",
    "access_key": "Access key",
    "source_ip": "Last source address",
}
REQUEST = {"time": "Time (UTC)", "verb": "Verb", "resource": "Resource", "namespace": "Namespace", "name": "Name"}
DECISION = {
    "grounds": "Grounds",
    "binding": "Binding",
    "binding_namespace": "Binding's namespace",
    "role": "Role",
    "subject_kind": "Granted to",
    "subject": "Subject",
}

MISSING = "–"


def table(frame: pd.DataFrame, columns: Mapping[str, str], caption: str, rows: int = 20) -> Shown:
    """A table of the first rows.

    Args:
        frame: Any frame; times are shown as UTC to the second.
        columns: The columns to show, in order, and their headings.
        caption: What the rows are. "n of N" is added.
        rows: How many to show at most.
    """
    shown = frame[list(columns)].head(rows)
    count = f"{len(shown):,} of {len(frame):,}"
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in columns.values())
    lines = [[_text(value) for value in row] for row in shown.itertuples(index=False)]
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    html = (
        f'<div class="eks-audit-scroll"><table class="eks-audit-table"><caption>{escape(caption)} ({count})</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    plain = pd.DataFrame(lines, columns=list(columns.values())).to_string(index=False)
    return Shown({"text/plain": f"{caption} ({count})\n{plain}", "text/html": html})


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return MISSING
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value) or MISSING
