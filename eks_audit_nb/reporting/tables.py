"""DataFrames as HTML tables: escaped, with a caption, header scopes, and the number of rows that are not shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from eks_audit_nb.analysis.inert import visible
from eks_audit_nb.markup import LEFT_ALIGNED
from eks_audit_nb.reporting.shown import Shown

# Columns of `attribute`, and what they are called for people.
WHO = {
    "username": "User",
    "impersonated": "Acting as",
    "arn": "IAM ARN",
    "session": "Session",
    "access_key": "Access key",
    "source_ip": "Last source address",
}
REQUEST = {"time": "Time (UTC)", "verb": "Verb", "resource": "Resource", "namespace": "Namespace", "name": "Name"}
DECISION = {
    "grounds": "Grounds",
    "binding": "Binding",
    "binding_namespace": "In namespace",
    "role": "Role",
    "subject_kind": "Granted to",
    "subject": "Subject",
}
# Columns of `cause_links`.
ACT = {
    "time": "Time (UTC)",
    "act": "Act",
    "object": "Object",
    "username": "User",
    "why": "Why",
    "basis": "How this is known",
}
# Columns of `credential_chain`, `credential_findings` and `requested_credentials`.
CHAIN = {
    "step": "Step",
    "credential": "Credential",
    "kind": "Kind",
    "holder": "It makes its holder",
    "username": "Asked for by",
    "source_ip": "At address",
    "basis": "Basis",
    "explanation": "Explanation",
    "issued": "Issued (UTC)",
    "arn": "IAM ARN",
    "pod": "Bound to pod",
    "audit_id": "Audit id",
    "user_agent": "User agent (claimed)",
}
FINDING = {
    "finding": "Finding",
    "certainty": "Certainty",
    "username": "User",
    "credential": "Credential",
    "pod": "Bound to pod",
    "addresses": "Used from",
    "expected": "Its node and pod",
    "requests": "Requests",
    "last": "Last (UTC)",
    "explanation": "Explanation",
    "evidence": "Audit ids",
}
# Columns of `sessions`, `deeds`, `places`, `ties` and `identities_of`.
SESSION = {
    "number": "Session",
    "first": "From (UTC)",
    "last": "To (UTC)",
    "username": "User",
    "principal": "Principal",
    "credential": "Credential",
    "source_ip": "Last source address",
    "clients": "Clients (claimed)",
    "requests": "Requests",
    "changed": "Changes and entries",
    "refused": "Refused",
}
DEED = {
    "time": "Time (UTC)",
    "number": "Session",
    "act": "Act",
    "object": "Object",
    "detail": "Detail",
    "username": "User",
    "acted_as": "Acting as",
    "outcome": "Outcome",
    "audit_id": "Audit id",
}
PLACE = {
    "source_ip": "Last source address",
    "address_kind": "Network",
    "claimed_ips": "Addresses in front of it (claimed)",
    "client": "Client (claimed)",
    "client_version": "Version (claimed)",
    "requests": "Requests",
    "first": "First (UTC)",
    "last": "Last (UTC)",
}
TIE = {
    "relation": "Connection",
    "basis": "Basis",
    "username": "User",
    "principal": "Principal",
    "session": "Session",
    "credential": "Credential",
    "acted_as": "Acting as",
    "source_ip": "Last source address",
    "requests": "Requests",
    "first": "First (UTC)",
    "last": "Last (UTC)",
    "audit_id": "Last audit id",
}
IDENTITY = {
    "kind": "Kind",
    "principal": "Principal",
    "account": "AWS account",
    "session": "Session",
    "usernames": "Usernames",
    "acted_as": "Acted as",
    "credentials": "Credentials",
    "addresses": "Last source addresses",
    "requests": "Requests",
    "first": "First (UTC)",
    "last": "Last (UTC)",
    "basis": "Basis",
    "evidence": "Evidence",
}

MISSING = "–"
YES, NO = "yes", "no"
_LONGEST_WORD = 24
_LONGEST_PHRASE = 60
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


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
    lines = [[plain_text(value) for value in row] for row in shown.itertuples(index=False)]
    body = "".join("<tr>" + "".join(_cell(text) for text in line) + "</tr>" for line in lines)
    # A part of a page that scrolls can be reached with the keyboard only if it takes the focus.
    html = (
        f'{LEFT_ALIGNED}<div class="eks-audit-scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        '<table class="eks-audit-table">'
        f"<caption>{escape(caption)} ({count})</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    plain = pd.DataFrame(lines, columns=list(columns.values())).to_string(index=False)
    return Shown({"text/plain": f"{caption} ({count})\n{plain}", "text/html": html})


def cell_kind(text: str) -> str:
    """The class of a cell: "long" needs room to be broken in, "word" is read as a whole, "" is a few words."""
    if len(text) > _LONGEST_PHRASE:
        return "long"  # a sentence, which would be squeezed to a word a line where a table is wide
    if max((len(word) for word in text.split()), default=0) > _LONGEST_WORD:
        return "long"  # an ARN or a URI
    return "word" if " " not in text or _TIME.fullmatch(text) else ""  # a key, an address or a time


def _cell(text: str) -> str:
    if text == YES:
        return f"<td><strong>{YES}</strong></td>"
    kind = cell_kind(text)
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"


def plain_text(value: Any) -> str:
    """A value of a frame as people read it: times in UTC to the second, yes and no, a dash where it is missing."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return MISSING
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool | np.bool_):
        return YES if value else NO
    if isinstance(value, float | np.floating):
        return f"{value:,.2f}"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return visible(str(value)) or MISSING
