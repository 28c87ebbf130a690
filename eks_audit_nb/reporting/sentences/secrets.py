"""The answer of notebook 04: who asked for Secrets."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis.attribution import REFUSED
from eks_audit_nb.analysis.secrets import cluster_wide_lists
from eks_audit_nb.reporting.sentences.words import count, listed


def secret_activity(requests: pd.DataFrame) -> str:
    """How much was asked of Secrets, by how many, and who listed them all; `requests` are rows of `attribute`."""
    if requests.empty:
        return "Nobody asked for a Secret in this window."
    users = count(requests["username"].nunique(), "user or service account", "users and service accounts")
    refused = int(requests["outcome"].isin(REFUSED).sum())
    were = "was" if refused == 1 else "were"
    text = f"{count(len(requests), 'request')} for Secrets by {users}; {refused} {were} refused. "
    everywhere = cluster_wide_lists(requests)
    everything = everywhere[everywhere["selector"] == ""]
    if everything.empty:
        return text + "Nobody listed all Secrets of the cluster."
    # The rarest first: controllers list all day, and the one that did it once is the one to look at.
    callers = list(dict.fromkeys(everything["username"].fillna("no username")))
    who = f"{len(callers)} callers, the rarest first" if len(callers) > 1 else "one caller"
    return text + f"All Secrets of the cluster were listed or watched by {who}: {listed(callers)}."
