"""The answer of notebook 11: the statement of the write-up, with how much stands behind it."""

from __future__ import annotations

from eks_audit_nb.analysis.draft import Draft
from eks_audit_nb.analysis.inert import inert
from eks_audit_nb.reporting.sentences.words import count


def write_up(draft: Draft, audit_id: str = "", principal: str = "", named: str = "") -> str:
    """The statement, and how many events it rests on; where there is none, what was looked for.

    Args:
        draft: What `drafted` gives.
        audit_id: As it was asked for.
        principal: The same.
        named: The same, of the object.
    """
    if not draft.summary:
        return inert(_nothing(audit_id.strip(), principal.strip(), named.strip()))
    sure = int(draft.stated["certainty"].eq("proven").sum())
    open_ends = count(len(draft.unknown), "thing is", "things are")
    told = (
        f"Of {count(len(draft.stated), 'part')} of this statement {sure} are proven by the log; {open_ends} not known."
    )
    return inert(f"{draft.summary} {told} It rests on {count(len(draft.evidence), 'event')}.", 6000)


def _nothing(audit_id: str, principal: str, named: str) -> str:
    if named:
        return f"No request in this window created, changed, entered or deleted {named}."
    if principal:
        return f"No request in this window was made by {principal}, or in its name."
    if audit_id:
        return f"No request in this window has the audit id {audit_id}."
    return "Nothing was asked for: give an audit id, a principal or an object."
