"""One object's life: every request that changed it, entered it or may have hit it, told in order.

An object is named by its resource, namespace and name; it may have lived several times under one name, which its uid
tells apart.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pandas as pd

from eks_audit_nb.analysis.bodies import (
    act_of,
    deleted_items,
    effect_of,
    mapping,
    object_uid,
    resource_of_kind,
    selectors,
    text,
)
from eks_audit_nb.analysis.changes import Step, replay, summary
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
_READ = ["verb", "resource", "uri", "code", "message", "raw"]
_ENTRIES = frozenset({"exec", "attach", "port-forward", "proxy"})


@dataclass(frozen=True)
class _Hit:
    """A request that hit the object, or may have; `label` is its index label."""

    label: Any
    act: str
    effect: str
    uid: str | None
    life: int
    uri: str
    message: str


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
    of_resource = _plural(requests).str.lower().eq(plural)
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
    hits: list[_Hit] = []
    told = [
        _what(hits[-1], summary(changes)) for changes in replay(_steps(candidates, (plural, namespace, name), hits))
    ]
    history = candidates.loc[[hit.label for hit in hits]]
    uids = {hit.life: hit.uid for hit in hits if hit.uid is not None}
    values: dict[str, list[Any]] = {
        "act": [hit.act for hit in hits],
        "effect": [hit.effect for hit in hits],
        "life": [hit.life for hit in hits],
        "life_uid": [uids.get(hit.life) for hit in hits],
        "what": told,
    }
    return history.assign(**{name: pd.array(values[name], dtype=dtype) for name, dtype in COLUMNS.items()})  # type: ignore[call-overload]


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
        history: Rows of `object_history`, with or without the columns of `behind`.
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
            "Deletions of a collection or of the namespace",
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
    if "certainty" in history:
        is_open = history["certainty"].eq("not in the log").fillna(False)
        meaning = "A controller or a node acted, and the log does not show what it answered."
        found.append(("Acts whose cause is missing", history[is_open], meaning))
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
    seen = _plural(requests).str.cat(requests["name"], sep="/").dropna().unique()
    same = [each for each in seen if each.startswith(f"{plural}/")]
    near = _near(f"{plural}/{name}", same, most)
    return [*near, *(each for each in _near_names(name, seen, most) if each not in near)][:most]


def _plural(requests: pd.DataFrame) -> pd.Series:
    """The resource without its subresource."""
    return requests["resource"].str.replace("(?s)/.*", "", regex=True)


def _near(name: str, known: Iterable[str], most: int) -> list[str]:
    return difflib.get_close_matches(name, list(known), most, cutoff=0.6)


def _near_names(name: str, seen: Iterable[str], most: int) -> list[str]:
    """Of any resource: those that have the name, or begin with it as an object's children do."""
    return [each for each in seen if name and f"{each.partition('/')[2]}-".startswith(f"{name}-")][:most]


def _steps(candidates: pd.DataFrame, named: tuple[str, str, str], hits: list[_Hit]) -> Iterator[Step]:
    """Each request that hit the object or may have, as a replay takes it; what it was is put into `hits` before."""
    lives_seen = _Lives()
    for request in candidates[_READ].itertuples():
        event = parse_event(request.raw) if isinstance(request.raw, str) else {}
        found = _hit(event, request, named)
        if found is None:
            continue
        act, effect, uid = found
        life = lives_seen.of(act, effect, uid)
        uri, message = (value if isinstance(value, str) else "" for value in (request.uri, request.message))
        hits.append(_Hit(request.Index, act, effect, uid or lives_seen.uid, life, uri, message))
        yield event, act, effect, life


def _hit(event: dict[str, Any], request: Any, named: tuple[str, str, str]) -> tuple[str, str, str | None] | None:
    """The act, its effect and the uid where a request hit the object or may have; None where it did not."""
    plural, namespace, name = named
    sent = event.get("requestObject")
    code = None if pd.isna(request.code) else int(request.code)
    act = act_of(request.verb, request.resource, request.uri, sent)
    effect = effect_of(request.verb, code, request.uri, sent)
    if not act:
        return None
    if request.resource == "serviceaccounts/token" and plural != "serviceaccounts":
        target = mapping(mapping(mapping(sent).get("spec")).get("boundObjectRef"))
        is_bound = target.get("name") == name and resource_of_kind(text(target.get("kind"))) == plural
        return (act, effect, text(target.get("uid")) or None) if is_bound else None
    if request.resource == "namespaces" and plural != "namespaces":
        return "namespace deletion", "may have" if effect == "done" else effect, None
    if request.verb == "deletecollection":
        items = deleted_items(event)
        if items is None or effect == "none":
            return act, effect, None
        uids = [uid for in_namespace, each, uid in items if each == name and in_namespace in ("", namespace)]
        return (act, "done", uids[0] or None) if uids else None
    return act, effect, object_uid(event)


class _Lives:
    """Tells the lives of one name apart, request by request: by the uid where there is one, else by the order.

    A request without a uid belongs to the life that it finds; before the first uid, to the one that comes next.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.current = 1
        self.uid: str | None = None
        self.is_first = True

    def of(self, act: str, effect: str, uid: str | None) -> int:
        """The number of the life that a request belongs to."""
        is_created = act == "create" and effect == "done"
        if uid is not None and uid in self.numbers:
            return self.numbers[uid]  # an earlier one can still be on its way out
        if not self.is_first and (is_created or (uid is not None and self.uid is not None)):
            self.current, self.uid = self.current + 1, None
        self.is_first = False
        if uid is not None:
            self.uid = uid
            self.numbers[uid] = self.current
        return self.current


def _what(hit: _Hit, changed: str) -> str:
    """What a request did, in a line: what it changed, or what it was for."""
    asked = parse_qs(hit.uri.partition("?")[2], keep_blank_values=True)
    if hit.act in ("exec", "attach"):
        command = " ".join(asked.get("command", ()))
        container = "".join(f" in {each}" for each in asked.get("container", ()))
        return f"{command or 'no command recorded'}{container}"[:_LONGEST]
    if hit.act == "delete collection":
        narrowed = ", ".join(selectors(hit.uri))
        return f"{changed or 'deleted'}{f' (where {narrowed})' if narrowed else ''}"
    if hit.act == "namespace deletion":
        return "everything in the namespace is deleted"
    if hit.effect == "none" and "dryRun" in asked:
        return f"a dry run: {changed or 'nothing was stored'}"
    return hit.message[:_LONGEST] if hit.effect == "none" and not changed else changed
