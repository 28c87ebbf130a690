"""The answer of notebook 06: what happened to an object."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis.attribution import REFUSED
from eks_audit_nb.analysis.history import nearest_objects
from eks_audit_nb.reporting.sentences.words import count, listed


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
    if history["effect"].eq("may have").all():  # none of them names it, if there are any
        like = listed(nearest_objects(requests, resource, name))
        hint = f"Objects in the log with names like it: {like}." if like else "Nothing in the log has a name like it."
        text = f"Nobody created, changed, entered or deleted {named} by its name in this window. "
        ways = count(len(history), "deletion")
        text += f"{ways} of everything in its place may have hit it, if it was there. " if len(history) else ""
        return text + hint
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
    refused = int(history["outcome"].isin(REFUSED).sum())
    if refused:
        text += f"{count(refused, 'request')} for it {'was' if refused == 1 else 'were'} refused. "
    maybe = int(history["effect"].isin(["may have", "not recorded"]).sum())
    if maybe:
        text += f"Of {count(maybe, 'request')} the log does not say whether it was hit. "
    if len(caused):
        text += f"Controllers and nodes answered with {count(len(caused), 'further act')}."
    return text.strip()


def _happened(what: str, requests: pd.DataFrame) -> str:
    """Such as "deleted at 22:33:54 by bob", with the act that a controller answered with it; "" for no request."""
    for request in requests.to_dict("records"):
        who = _named(request["username"], request["arn"])
        text = f"{what} on {request['time']:%Y-%m-%d at %H:%M:%S} UTC by {who}"
        if not isinstance(request["behind"], str):
            return text
        if request["behind_audit_id"] != request["audit_id"]:
            begun = f"the {request['behind_act']} of {request['behind_object']}"
            text += f", which answered {begun} by {_named(request['behind'], request['behind_arn'])}"
            text += f", {request['certainty']}"
        elif request["certainty"] == "not in the log":
            text += " (what it answered is not in the log)"
        return text
    return ""


def _named(username: object, arn: object) -> str:
    """A username is shared and mapped at will: where IAM knows more, its ARN stands with it."""
    name = username if isinstance(username, str) else "no username"
    return f"{name} ({arn})" if isinstance(arn, str) and arn != name else name
