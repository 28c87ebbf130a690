"""The answer of each notebook in a sentence, computed from its frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from eks_audit_nb.analysis.access_entries import ADMIN_POLICY, DONE
from eks_audit_nb.analysis.aws_auth import ADMIN_GROUP
from eks_audit_nb.analysis.history import nearest_objects
from eks_audit_nb.analysis.issuers import PROVEN
from eks_audit_nb.analysis.secrets import cluster_wide_lists
from eks_audit_nb.analysis.token_use import OTHER_NODE, OUTSIDE

if TYPE_CHECKING:
    from eks_audit_nb.sources.cloudtrail import Trail

_REFUSED = ("refused by authorization", "refused by admission", "impersonation refused", "not authenticated")


def setup(state: str, levels: pd.DataFrame) -> str:
    """What the source is, and how much it holds; `levels` is the result of the query `recording_levels`."""
    if levels.empty:
        return f"{state} No audit event lies in this window."
    first, last = levels["first_seen"].min(), levels["last_seen"].max()
    return (
        f"{state} The window holds {int(levels['events'].sum()):,} audit events, from {first:%Y-%m-%d %H:%M:%S} to "
        f"{last:%Y-%m-%d %H:%M:%S} UTC."
    )


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
    text = f"There {were} {_count(len(done), 'change')} of access through the EKS API{_by(done, 'arn')}"
    text += f", {len(failed)} that failed{_by(failed, 'arn')}. " if len(failed) else ". "
    admins = done[done["is_admin"].fillna(False)]
    for change, words in (("access policy given", "was given to"), ("access policy taken", "was taken from")):
        whom = list(dict.fromkeys(admins.loc[admins["change"] == change, "identity"].fillna("an unknown identity")))
        text += f"{ADMIN_POLICY} {words} {_listed(whom)}. " if whom else ""
    is_dark = done["grants"].str.contains(r"logs [^;]*\baudit\b[^;]* OFF", regex=True, na=False)
    text += f"AUDIT LOGGING WAS SWITCHED OFF{_by(done[is_dark], 'arn')}. " if is_dark.any() else ""
    return text.strip()


def _mapping_changes(requests: pd.DataFrame, changes: pd.DataFrame) -> str:
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
    """How many requests came without a valid identity, and from where; `requests` are rows of `attribute`."""
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
    """How much was asked of Secrets, by how many, and who listed them all; `requests` are rows of `attribute`."""
    if requests.empty:
        return "Nobody asked for a Secret in this window."
    users = _count(requests["username"].nunique(), "user or service account", "users and service accounts")
    refused = int(requests["outcome"].isin(_REFUSED).sum())
    were = "was" if refused == 1 else "were"
    text = f"{_count(len(requests), 'request')} for Secrets by {users}; {refused} {were} refused. "
    everywhere = cluster_wide_lists(requests)
    everything = everywhere[everywhere["selector"] == ""]
    if everything.empty:
        return text + "Nobody listed all Secrets of the cluster."
    # The rarest first: controllers list all day, and the one that did it once is the one to look at.
    callers = list(dict.fromkeys(everything["username"].fillna("no username")))
    who = f"{len(callers)} callers, the rarest first" if len(callers) > 1 else "one caller"
    return text + f"All Secrets of the cluster were listed or watched by {who}: {_listed(callers)}."


def object_history(
    requests: pd.DataFrame, history: pd.DataFrame, caused: pd.DataFrame, resource: str, name: str
) -> str:
    """When an object came and went, who stands behind that, and what it led to.

    Where the object is not in the log, the names of others that are like its own are told.

    Args:
        requests: Rows of `attribute` from its neighbourhood.
        history: Rows of `object_history` with the columns of `behind`.
        caused: What `consequences` says that these requests led to.
        resource: The object's resource.
        name: The object's name.
    """
    named = f"{resource}/{name}"
    if history.empty:
        like = _listed(nearest_objects(requests, resource, name))
        hint = f"Objects in the log with names like it: {like}." if like else "Nothing in the log has a name like it."
        return f"Nobody created, changed, entered or deleted {named} in this window. {hint}"
    done = history[history["effect"] == "done"]
    changed = done[done["act"].isin(["update", "patch", "apply", "scale", "approval", "ephemeral container"])]
    entered = done[done["act"].isin(["exec", "attach", "port-forward", "proxy"])]
    told = [
        _happened("created", done[done["act"] == "create"].head(1)),
        _happened("last changed", changed.tail(1)),
        _happened("entered", entered.tail(1)),
        _happened("evicted", done[done["act"] == "eviction"].tail(1)),
        _happened("deleted", done[done["act"].isin(["delete", "delete collection"])].tail(1)),
    ]
    text = "; ".join(each for each in told if each) or "nothing that is here changed it"
    text = f"{named}: {text}. "
    numbers = history["life"].nunique()
    if numbers > 1:
        text += f"{numbers} objects had this name, one after the other. "
    refused = int(history["outcome"].isin(_REFUSED).sum())
    if refused:
        text += f"{_count(refused, 'request')} for it {'was' if refused == 1 else 'were'} refused. "
    maybe = int(history["effect"].isin(["may have", "not recorded"]).sum())
    if maybe:
        text += f"Of {_count(maybe, 'request')} the log does not say whether it was hit. "
    if len(caused):
        text += f"Controllers and nodes answered with {_count(len(caused), 'further act')}."
    return text.strip()


def authorization_decisions(decisions: pd.DataFrame, refused: pd.DataFrame) -> str:
    """On what grounds requests were allowed, and how many were refused and by what.

    Args:
        decisions: Rows of `stated_decisions`: decision, grounds, requests.
        refused: Rows of `attribute` for refused requests.
    """
    if decisions.empty:
        return "No request was decided on in this window."
    by_grounds = decisions[decisions["decision"] == "allow"].groupby("grounds")["requests"].sum()
    allowed = ", ".join(f"{int(n):,} by {grounds}" for grounds, n in by_grounds.sort_values(ascending=False).items())
    text = f"The authorizers allowed {_count(int(by_grounds.sum()), 'request')}" + (
        f": {allowed}. " if allowed else ". "
    )
    outcomes = refused["outcome"].value_counts()
    later = int(outcomes.get("refused by admission", 0))
    if later:
        text += f"Of these {later:,} {'was' if later == 1 else 'were'} then refused by admission. "
    others = outcomes.drop("refused by admission", errors="ignore")
    total = int(others.sum())
    if not total:
        return text + "No other request was turned away."
    listed = ", ".join(f"{n:,} {outcome}" for outcome, n in others.items())
    return text + f"{_count(total, 'request')} {'was' if total == 1 else 'were'} turned away: {listed}."


def _happened(what: str, requests: pd.DataFrame) -> str:
    """Such as "deleted at 22:33:54 by bob", with the act that a controller answered with it; "" for no request."""
    for request in requests.to_dict("records"):
        who = request["username"] if isinstance(request["username"], str) else "no username"
        text = f"{what} on {request['time']:%Y-%m-%d at %H:%M:%S} UTC by {who}"
        if not isinstance(request["behind"], str):
            return text
        begun = f"{request['behind']}'s {request['behind_act']} of {request['behind_object']}"
        if request["behind_audit_id"] != request["audit_id"]:
            text += f", which answered {begun} ({request['certainty']})"
        elif request["certainty"] == "not in the log":
            text += " (what it answered is not in the log)"
        return text
    return ""


def credential_chain(credential: str, chain: pd.DataFrame, findings: pd.DataFrame) -> str:
    """Who had a credential issued, how far back that could be followed, and what is used away from its place.

    Args:
        credential: The id that was asked for; "" where none was.
        chain: What `credential_chain` makes of it.
        findings: What `credential_findings` gives.
    """
    return f"{_way_back(credential, chain)} {_away(findings)}".strip()


def _way_back(credential: str, chain: pd.DataFrame) -> str:
    if not credential.strip():
        return ""
    if chain.empty:
        return f"The credential {credential} is not in this log."
    first = chain.iloc[0]
    steps = chain[chain["basis"] == PROVEN]
    whose = f"{first['credential']}, the {first['kind']} of {_or(first['holder'], 'an unknown holder')},"
    if steps.empty:
        return f"{whose} was issued at the request of nobody whom this log shows."
    addresses = (" from " + steps["source_ip"]).fillna("")
    callers = (steps["username"].fillna("an unnamed caller") + addresses).tolist()
    others = f", whose own credential came from {', and before that from '.join(callers[1:])}" if callers[1:] else ""
    return f"{whose} was issued at the request of {callers[0]}{others}."


def _away(findings: pd.DataFrame) -> str:
    outside = findings[findings["finding"] == OUTSIDE]
    other = findings[findings["finding"] == OTHER_NODE]
    text = "No credential of a pod or a node was used from outside"
    if len(outside):
        were = "credential of a pod or a node was" if len(outside) == 1 else "credentials of pods and nodes were"
        whose = _listed(dict.fromkeys(outside["username"]))
        text = f"{len(outside):,} {were} used from outside ({whose})"
    return text + (f", and {len(other):,} from another node." if len(other) else ".")


def _or(value: object, otherwise: str) -> str:
    return otherwise if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _by(requests: pd.DataFrame, column: str = "username") -> str:
    return f" ({_listed(_by_frequency(requests, column))})" if len(requests) else ""


def _by_frequency(requests: pd.DataFrame, column: str) -> list[str]:
    return [str(name) for name in requests[column].fillna(f"no {column}").value_counts().index]


def _listed(names: Iterable[str], most: int = 4) -> str:
    names = list(names)
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
