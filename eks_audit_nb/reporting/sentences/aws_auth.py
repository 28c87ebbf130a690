"""The answer of notebook 02: who changed who may use the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from eks_audit_nb.analysis.access_entries import ADMIN_POLICY, DONE
from eks_audit_nb.analysis.aws_auth import ADMIN_GROUP
from eks_audit_nb.reporting.sentences.words import by, count, listed

if TYPE_CHECKING:
    from eks_audit_nb.sources.cloudtrail import Trail


def aws_auth_changes(
    requests: pd.DataFrame, changes: pd.DataFrame, entries: pd.DataFrame | None = None, trail: Trail | None = None
) -> str:
    """How many requests there were, by whom, and who was made an administrator; in aws-auth and through the EKS API.

    Args:
        requests: Rows of `attribute` for aws-auth.
        changes: What `mapping_changes` makes of them.
        entries: What `access_changes` makes of CloudTrail's events.
        trail: Where they come from.
    """
    text = _mapping_changes(requests, changes)
    if trail is None or entries is None:
        return text
    return f"{text} {_access_changes(entries, trail)}".strip()


def _access_changes(entries: pd.DataFrame, trail: Trail) -> str:
    if not trail.is_read:
        return trail.problem
    if entries.empty:
        return "CloudTrail shows no change of access through the EKS API."
    done = entries[entries["outcome"] == DONE]
    failed = entries[entries["outcome"] != DONE]
    were = "was" if len(done) == 1 else "were"
    text = f"There {were} {count(len(done), 'change')} of access through the EKS API{by(done, 'arn')}"
    text += f", and {len(failed)} more that failed{by(failed, 'arn')}. " if len(failed) else ". "
    admins = done[done["is_admin"].fillna(False)]
    for change, words in (("access policy given", "was given to"), ("access policy taken", "was taken from")):
        whom = list(dict.fromkeys(admins.loc[admins["change"] == change, "identity"].fillna("an unknown identity")))
        text += f"{ADMIN_POLICY} {words} {listed(whom)}. " if whom else ""
    is_dark = done["grants"].str.contains(r"logs [^;]*\baudit\b[^;]* OFF", regex=True, na=False)
    text += f"AUDIT LOGGING WAS SWITCHED OFF{by(done[is_dark], 'arn')}. " if is_dark.any() else ""
    return text.strip()


def _mapping_changes(requests: pd.DataFrame, changes: pd.DataFrame) -> str:
    if requests.empty:
        return "Nobody created, changed or deleted the aws-auth ConfigMap in this window."
    worked = requests[requests["outcome"] == "allowed"]
    failed = requests[requests["outcome"] != "allowed"]
    text = f"{count(len(requests), 'request')} to change aws-auth: {len(worked)} succeeded{by(worked)}"
    text += f", {len(failed)} did not{by(failed)}. " if len(failed) else ". "
    admins = changes[changes["is_admin"].fillna(False)]
    added = list(dict.fromkeys(admins.loc[admins["change"] == "added", "identity"]))
    present = [
        each for each in dict.fromkeys(admins.loc[admins["change"] == "in place", "identity"]) if each not in added
    ]
    removed = list(dict.fromkeys(admins.loc[admins["change"] == "removed", "identity"]))
    if added:
        text += f"{ADMIN_GROUP} was given to {listed(added)}. "
    if present:
        text += f"{ADMIN_GROUP} is in place for {listed(present)}, possibly new: the state before is not in the log. "
    if removed:
        text += f"{ADMIN_GROUP} was taken from {listed(removed)}. "
    if not len(admins):
        text += f"No entry that the log shows grants {ADMIN_GROUP}."
    return text.strip()
