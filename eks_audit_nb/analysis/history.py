"""One object's life: every request that changed it, entered it or may have hit it, told in order.

An object is named by its resource, namespace and name; it may have lived several times under one name, which its uid
tells apart.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import pandas as pd

from eks_audit_nb.analysis.bodies import act_of, deleted_items, effect_of, mapping, object_uid, selectors
from eks_audit_nb.analysis.changes import replay, summary
from eks_audit_nb.events import parse_event

# What `object_history` adds to the columns of `attribute`.
COLUMNS = {
    "act": "string",  # create, apply, scale, status, exec, eviction ...
    "effect": "string",  # done, none (refused, failed, dry run), may have (one of a collection), not recorded
    "life": "Int64",  # 1 for the first object of that name that the log shows
    "life_uid": "string",
    "what": "string",  # in a line
}
_LONGEST = 300
_ENTRIES = frozenset({"exec", "attach", "port-forward", "proxy"})


def object_history(requests: pd.DataFrame, resource: str, namespace: str = "", name: str = "") -> pd.DataFrame:
    """The requests that hit one object, or may have hit it, in the order of time.

    Args:
        requests: Rows of `attribute`.
        resource: Its plural name, with the API group where two groups have it: deployments, or deployments.apps.
        namespace: Empty for an object of the cluster.
        name: Its name.

    Returns:
        The columns of `requests` and those of `COLUMNS`, with the index labels of `requests`. Deletions of a collection
        are there where they may have hit the object, and so is a deletion of its namespace; reads are not.
    """
    plural, _, group = resource.lower().partition(".")
    of_resource = requests["resource"].str.partition("/")[0].str.lower().eq(plural)
    if group:
        of_resource &= requests["api_group"].fillna("").str.lower().eq(group)
    in_place = requests["namespace"].fillna("").eq("" if plural == "namespaces" else namespace)
    if plural == "namespaces":  # the API server names a namespace as its own namespace, except when it is created
        in_place |= requests["namespace"].eq(name)
    named = of_resource & in_place & requests["name"].eq(name)
    collected = of_resource & in_place & requests["verb"].eq("deletecollection") & requests["name"].isna()
    emptied = requests["resource"].eq("namespaces") & requests["verb"].eq("delete") & requests["name"].eq(namespace)
    bound = requests["resource"].eq("serviceaccounts/token") & requests["namespace"].fillna("").eq(namespace)
    if plural == "serviceaccounts":  # these are asked of the object itself
        bound &= False
    candidates = requests[(named | collected | emptied | bound).fillna(False).astype(bool)]
    candidates = candidates.sort_values(["time", "received"], kind="stable")
    rows, labels, uids = [], [], []
    for request in candidates.itertuples():
        event = parse_event(request.raw) if isinstance(request.raw, str) else {}
        found = _hit(event, request, plural, namespace, name)
        if found is not None:
            rows.append(found[:2])
            uids.append(found[2])
            labels.append(request.Index)
    history = candidates.loc[labels]
    history["act"] = pd.array([act for act, _ in rows], dtype="string")
    history["effect"] = pd.array([effect for _, effect in rows], dtype="string")
    lives = _lives(history, uids)
    history["life"] = pd.array([life for life, _ in lives], dtype="Int64")
    history["life_uid"] = pd.array([uid for _, uid in lives], dtype="string")
    told = [
        _what(request, summary(changes)) for request, changes in zip(history.itertuples(), replay(history), strict=True)
    ]
    history["what"] = pd.array(told, dtype="string")
    return history


def lives(history: pd.DataFrame) -> pd.DataFrame:
    """One row a life of the object.

    Args:
        history: Rows of `object_history`.

    Returns:
        life (Int64), life_uid, created and deleted (datetime64[us, UTC], missing where the log does not show it),
        created_by and deleted_by (usernames), requests and entries (exec, attach, port-forward; int64).
    """
    rows = []
    for life, seen in history.groupby("life", sort=True):
        done = seen[seen["effect"] == "done"]
        created = done[done["act"] == "create"].head(1)
        deleted = done[done["act"].isin(["delete", "delete collection", "eviction"])].head(1)
        rows.append(
            {
                "life": life,
                "life_uid": seen["life_uid"].dropna().iloc[0] if seen["life_uid"].notna().any() else None,
                "created": created["time"].iloc[0] if len(created) else pd.NaT,
                "created_by": created["username"].iloc[0] if len(created) else None,
                "deleted": deleted["time"].iloc[0] if len(deleted) else pd.NaT,
                "deleted_by": deleted["username"].iloc[0] if len(deleted) else None,
                "requests": len(seen),
                "entries": int((seen["act"].isin(_ENTRIES) & seen["effect"].eq("done")).sum()),
            }
        )
    dtypes = {"life": "Int64", "life_uid": "string", "created": "datetime64[us, UTC]", "created_by": "string"}
    dtypes |= {"deleted": "datetime64[us, UTC]", "deleted_by": "string", "requests": "int64", "entries": "int64"}
    told = pd.DataFrame(rows, columns=list(dtypes))
    for name in ("created", "deleted"):
        told[name] = pd.to_datetime(told[name], utc=True)
    return told.astype(dtypes)


def blind_spots(history: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """What the log cannot show of this life: one row a reason.

    Args:
        history: Rows of `object_history`.
        changes: What `object_changes` makes of them.

    Returns:
        what, requests (int64), first (datetime64[us, UTC]) and meaning.
    """
    wrote = history[~history["act"].isin([*_ENTRIES, "token"]) & history["effect"].ne("none")]
    notes = changes["note"].fillna("")
    born = history.groupby("life", sort=True).head(1)
    found = [
        (
            "No bodies",
            wrote[wrote["level"].eq("Metadata")],
            "Recorded at the level Metadata: who and when are known, what was changed is not.",
        ),
        (
            "Requests without answers",
            wrote[wrote["level"].eq("Request")],
            "Recorded at the level Request: what was asked for is known, what was stored is not.",
        ),
        (
            "Truncated events",
            history[history["is_truncated"].fillna(False)],
            "The event was too large and lost its bodies, or is cut.",
        ),
        (
            "No response recorded",
            history[history["effect"].eq("not recorded")],
            "Whether the request did anything is not in the log.",
        ),
        (
            "Deletions of a collection",
            history[history["effect"].eq("may have")],
            "It may have been among what was deleted; the answer, which would say so, is not in the log.",
        ),
        (
            "Changes that are missing",
            changes[notes.str.startswith("a change in between")].drop_duplicates(["time", "audit_id"]),
            "Generation or version numbers show that there was a change which is not here.",
        ),
        (
            "Lives that begin before the log",
            born[~(born["act"].eq("create") & born["effect"].eq("done"))],
            "Its creation lies before the window, or its event is lost: who made it is not here.",
        ),
    ]
    rows = [(what, len(rows), rows["time"].min(), meaning) for what, rows, meaning in found if len(rows)]
    dtypes = {"what": "string", "requests": "int64", "first": "datetime64[us, UTC]", "meaning": "string"}
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


def turning_point(history: pd.DataFrame) -> int | None:
    """The index label of the request that ended the object, or else of the last that changed what it asks for.

    Where neither is in the log, it is the last request that did anything; None where nothing did.
    """
    done = history[history["effect"] == "done"]
    ended = done[done["act"].isin(["delete", "delete collection", "eviction"])]
    changed = done[~done["act"].isin(["status", "token", "binding", *_ENTRIES])]
    for found in (ended, changed, done):
        if len(found):
            return int(found.index[-1])
    return None


def nearest_objects(requests: pd.DataFrame, resource: str, name: str, most: int = 5) -> list[str]:
    """Objects in the log whose names are like the one that was asked for, as "pods/web-1", the nearest first."""
    plural = resource.lower().partition(".")[0]
    seen = requests["resource"].str.partition("/")[0].str.cat(requests["name"], sep="/").dropna().unique()
    same = [each for each in seen if each.startswith(f"{plural}/")]
    near = _near(f"{plural}/{name}", same, most)
    return [*near, *(each for each in _near_names(name, seen, most) if each not in near)][:most]


def _near(name: str, known: Iterable[str], most: int) -> list[str]:
    return difflib.get_close_matches(name, list(known), most, cutoff=0.6)


def _near_names(name: str, seen: Iterable[str], most: int) -> list[str]:
    """Of any resource: those that have the name, or begin with it as an object's children do."""
    return [each for each in seen if name and f"{each.partition('/')[2]}-".startswith(f"{name}-")][:most]


def _hit(
    event: dict[str, Any], request: Any, plural: str, namespace: str, name: str
) -> tuple[str, str, str | None] | None:
    """The act, its effect and the uid where a request hit the object or may have; None where it did not."""
    sent = event.get("requestObject")
    code = None if pd.isna(request.code) else int(request.code)
    act = act_of(request.verb, request.resource, request.uri, sent)
    effect = effect_of(request.verb, code, request.uri, sent)
    if not act:
        return None
    if request.resource == "serviceaccounts/token" and plural != "serviceaccounts":
        target = mapping(mapping(mapping(sent).get("spec")).get("boundObjectRef"))
        uid = target.get("uid")
        is_bound = target.get("name") == name and f"{str(target.get('kind')).lower()}s" == plural
        return (act, effect, uid if isinstance(uid, str) else None) if is_bound else None
    if request.resource == "namespaces" and plural != "namespaces":
        return "namespace deletion", "may have" if effect == "done" else effect, None
    if request.verb == "deletecollection":
        items = deleted_items(event)
        if items is None or effect == "none":
            return act, effect, None
        uids = [uid for in_namespace, each, uid in items if each == name and in_namespace in ("", namespace)]
        return (act, "done", uids[0] or None) if uids else None
    return act, effect, object_uid(event)


def _lives(history: pd.DataFrame, uids: list[str | None]) -> list[tuple[int, str | None]]:
    """The number of the life and its uid, for each request: by the uid where there is one, else by the order.

    A request without a uid belongs to the life that it finds; before the first uid, to the one that comes next.
    """
    numbers: dict[str, int] = {}
    found: list[tuple[int, str | None]] = []
    current, current_uid = 1, None
    for (act, effect), uid in zip(history[["act", "effect"]].itertuples(index=False), uids, strict=True):
        is_created = act == "create" and effect == "done"
        if uid is not None and uid in numbers:
            found.append((numbers[uid], uid))
            if not is_created and act not in ("delete", "token"):
                current, current_uid = numbers[uid], uid
            continue
        if found and (is_created or (uid is not None and current_uid is not None)):
            current += 1
            current_uid = None
        if uid is not None:
            current_uid = uid
            numbers[uid] = current
        found.append((current, current_uid))
    known = {number: uid for uid, number in numbers.items()}
    return [(number, uid or known.get(number)) for number, uid in found]


def _what(request: Any, changed: str) -> str:
    """What a request did, in a line: what it changed, or what it was for."""
    act, uri = request.act, request.uri if isinstance(request.uri, str) else ""
    asked = parse_qs(uri.partition("?")[2], keep_blank_values=True)
    if act in ("exec", "attach"):
        command = " ".join(asked.get("command", ()))
        container = "".join(f" in {each}" for each in asked.get("container", ()))
        return f"{command or 'no command recorded'}{container}"
    if act == "delete collection":
        narrowed = ", ".join(selectors(uri))
        return f"{changed or 'deleted'}{f' (where {narrowed})' if narrowed else ''}"
    if act == "namespace deletion":
        return "everything in the namespace is deleted"
    if request.effect == "none" and "dryRun" in asked:
        return f"a dry run: {changed or 'nothing was stored'}"
    if request.effect == "none" and not changed and isinstance(request.message, str):
        return request.message[:_LONGEST]
    return changed
