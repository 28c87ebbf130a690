"""The answer of each notebook in a sentence, computed from its frames."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from eks_audit_nb.analysis.aws_auth import ADMIN_GROUP

_REFUSED = ("refused by authorization", "refused by admission", "impersonation refused", "not authenticated")


def setup(state: str, levels: pd.DataFrame) -> str:
    """What the source is, and how much it holds."""
    if levels.empty:
        return f"{state} No audit event lies in this window."
    first, last = levels["first_seen"].min(), levels["last_seen"].max()
    return (
        f"{state} The window holds {int(levels['events'].sum()):,} audit events, from {first:%Y-%m-%d %H:%M:%S} to "
        f"{last:%Y-%m-%d %H:%M:%S} UTC."
    )


def aws_auth_changes(requests: pd.DataFrame, changes: pd.DataFrame) -> str:
    """How many requests there were, by whom, and who was made an administrator."""
    if requests.empty:
        return "Nobody created, changed or deleted the aws-auth ConfigMap in this window."
    worked = requests[requests["outcome"] == "allowed"]
    failed = requests[requests["outcome"] != "allowed"]
    text = f"{_count(len(requests), 'request')} to change aws-auth: {len(worked)} succeeded{_by(worked)}"
    text += f", {len(failed)} did not{_by(failed)}. " if len(failed) else ". "
    admins = changes[changes["is_admin"].fillna(False)]
    added = list(dict.fromkeys(admins.loc[admins["change"] == "added", "identity"]))
    present = [
        each for each in dict.fromkeys(admins.loc[admins["change"] == "in place", "identity"]) if each not in added
    ]
    removed = list(dict.fromkeys(admins.loc[admins["change"] == "removed", "identity"]))
    if added:
        text += f"{ADMIN_GROUP} was given to {_listed(added)}. "
    if present:
        text += f"{ADMIN_GROUP} is in place for {_listed(present)}, possibly new: the state before is not in the log. "
    if removed:
        text += f"{ADMIN_GROUP} was taken from {_listed(removed)}. "
    if not len(admins):
        text += f"No entry that the log shows grants {ADMIN_GROUP}."
    return text.strip()


def failed_anonymous_requests(requests: pd.DataFrame) -> str:
    """How many requests came without a valid identity, from where, and how they were turned away."""
    if requests.empty:
        return "No request without a valid identity was turned away in this window."
    forbidden, unauthorized = (requests["code"] == 403).sum(), (requests["code"] == 401).sum()
    addresses = requests["source_ip"].value_counts()
    return (
        f"{_count(len(requests), 'request')} without a valid identity {'was' if len(requests) == 1 else 'were'} turned "
        f"away: {forbidden} anonymous (403) and {unauthorized} whose credential was not accepted (401), from "
        f"{_count(len(addresses), 'address', 'addresses')}; the most, {addresses.iloc[0]}, from {addresses.index[0]}."
    )


def secret_activity(requests: pd.DataFrame) -> str:
    """How much was asked of Secrets, by how many, and who listed them all."""
    if requests.empty:
        return "Nobody asked for a Secret in this window."
    users = _count(requests["username"].nunique(), "user or service account", "users and service accounts")
    refused = requests["outcome"].isin(_REFUSED).sum()
    everywhere = cluster_wide_lists(requests)
    were = "was" if refused == 1 else "were"
    text = f"{_count(len(requests), 'request')} for Secrets by {users}; {refused} {were} refused. "
    if everywhere.empty:
        return text + "Nobody listed the Secrets of the whole cluster."
    # The rarest first: controllers list all day, and the one that did it once is the one to look at.
    callers = _by_frequency(everywhere)[::-1]
    who = f"{len(callers)} of them, the rarest first" if len(callers) > 1 else "one"
    return text + f"The Secrets of the whole cluster were listed or watched by {who}: {_listed(callers)}."


def cluster_wide_lists(requests: pd.DataFrame) -> pd.DataFrame:
    """The requests that succeeded in listing or watching every Secret of the cluster."""
    is_list = requests["verb"].isin(["list", "watch"]) & requests["namespace"].isna()
    return requests[is_list & (requests["outcome"] == "allowed")]


def authorization_decisions(decisions: pd.DataFrame, refused: pd.DataFrame) -> str:
    """On what grounds requests were allowed, and how many were refused and by what."""
    if decisions.empty:
        return "No request was decided on in this window."
    by_grounds = decisions[decisions["decision"] == "allow"].groupby("grounds")["requests"].sum()
    allowed = ", ".join(f"{int(n):,} by {grounds}" for grounds, n in by_grounds.sort_values(ascending=False).items())
    text = f"{int(by_grounds.sum()):,} requests were allowed: {allowed or 'none'}. "
    outcomes = refused["outcome"].value_counts()
    turned_away = ", ".join(f"{n:,} {outcome}" for outcome, n in outcomes.items())
    return text + (
        f"{_count(len(refused), 'request')} refused: {turned_away}." if len(refused) else "None was refused."
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _by(requests: pd.DataFrame) -> str:
    return f" ({_listed(_by_frequency(requests))})" if len(requests) else ""


def _by_frequency(requests: pd.DataFrame) -> list[str]:
    return [str(name) for name in requests["username"].fillna("no username").value_counts().index]


def _listed(names: Iterable[str], most: int = 4) -> str:
    names = list(names)
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
