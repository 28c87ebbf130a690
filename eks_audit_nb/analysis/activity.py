"""What one principal did: its own requests apart from those in its name, in sessions, by deed and by place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import pandas as pd

from eks_audit_nb.analysis.asked import object_text
from eks_audit_nb.analysis.attribution import REFUSED
from eks_audit_nb.analysis.bodies import CONNECTIONS, READS, act_of
from eks_audit_nb.analysis.distinct import column_of, worked_once
from eks_audit_nb.analysis.principals import NAME_ONLY, NO_CREDENTIAL
from eks_audit_nb.analysis.subjects import ADDRESS, Subject, found_as
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.events import parse_event

OWN, IN_ITS_NAME, CLAIMED_ADDRESS = "own", "in its name", "claims its address"
READ, CHANGE, ENTRY, CREDENTIAL = "read", "change", "entry", "credential"
DRY_RUN, REFUSAL, FAILURE = "dry run", "refused", "failed"
# What `activity_of` adds to the columns of `attribute`.
COLUMNS = {
    "part": "string",  # own, in its name (somebody else acted as it), claims its address
    "found_as": "string",  # for its own: as what the caller is the subject
    "deed": "string",  # read, change, entry, credential, dry run, refused, failed
    "object": "string",  # resource/namespace/name (subresource), or the path
    "came": "datetime64[us, UTC]",  # when the request came; `time` is when its answer was over
}
SESSIONS = {
    "number": "Int64",
    "lane": "string",  # the number, the user, and what was shown: what a figure calls the session
    "username": "string",
    "principal": "string",
    "credential": "string",
    "credential_kind": "string",
    "source_ip": "string",
    "address_kind": "string",
    "clients": "string",  # joined by ", "
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "requests": "Int64",
    "changed": "Int64",  # changes, entries and credentials
    "refused": "Int64",
}
DEEDS = {
    "time": "datetime64[us, UTC]",
    "number": "Int64",  # of its session
    "act": "string",
    "object": "string",
    "detail": "string",
    "username": "string",
    "acted_as": "string",
    "source_ip": "string",
    "outcome": "string",
    "audit_id": "string",
}
# What is created to ask something, and is not stored. Source: Kubernetes API, authentication and authorization groups.
_QUESTIONS = frozenset(
    {
        *("selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        *("subjectaccessreviews", "localsubjectaccessreviews", "tokenreviews"),
    }
)
_DEEDS = (CHANGE, ENTRY, CREDENTIAL)
_LONGEST = 200


def activity_of(requests: pd.DataFrame, subject: Subject) -> pd.DataFrame:
    """The requests that concern a subject, in the order in which they came; rows of `attribute` with `COLUMNS`.

    The caller is the one responsible: what the subject did as somebody else is its own, and what others did as the
    subject is theirs, and shown apart. An address that a client only claims in front of the last one proves nothing.

    Args:
        requests: Rows of `attribute`, more than are meant.
        subject: What `subject_of` gives.
    """
    found = found_as(requests, subject)
    own_names = requests.loc[found.notna(), "username"].dropna().unique()
    # From an address many come: acting as one of them is not acting as the address.
    names = [] if subject.kind == ADDRESS else [subject.text, *own_names]
    in_its_name = requests["acted_as"].isin(names) & found.isna()
    claims = (", " + requests["claimed_ips"] + ", ").str.contains(f", {subject.text}, ", regex=False).fillna(False)
    claims &= found.isna() & ~in_its_name & (subject.kind == ADDRESS)
    part = pd.Series(pd.NA, index=requests.index, dtype="string")
    part = part.mask(found.notna(), OWN).mask(in_its_name, IN_ITS_NAME).mask(claims.astype(bool), CLAIMED_ADDRESS)
    added = {"part": part, "found_as": found, "deed": deed(requests), "object": _object(requests)}
    came = requests["received"].fillna(requests["time"])
    kept = requests.assign(**added, came=came)[part.notna()].astype(COLUMNS)
    return kept.sort_values("came", kind="stable", ignore_index=True)


def deed(requests: pd.DataFrame) -> pd.Series:
    """What kind of thing each request is, as text.

    entry opens a connection into a pod or through a node or service; credential asks for a token or decides on a
    certificate. A review, which is created to ask what one may do and is not stored, is a read.

    Args:
        requests: verb, resource, uri, outcome.
    """
    inputs = [column_of(requests, name) for name in ("verb", "resource", "outcome")]
    is_dry = requests["uri"].str.contains(r"[?&]dryRun=", regex=True).fillna(False).astype("boolean")
    return worked_once([*inputs, is_dry], lambda *values: (_deed(*values),), {"deed": "string"})["deed"]


def in_sessions(own: pd.DataFrame, pause: float = 30) -> pd.DataFrame:
    """The same rows with the `number` and the `lane` of the session that each belongs to.

    A session is what came with one credential under one name from one address without a pause longer than so many
    minutes. While a watch or an exec is open there is no pause. The sessions are numbered by their beginning.

    Args:
        own: Rows of `activity_of`.
        pause: Minutes.
    """
    keys = ["username", "credential", "source_ip"]
    who = own.groupby(keys, dropna=False, sort=False).ngroup()
    ordered = own[["came", "time"]].assign(who=who).sort_values(["who", "came"], kind="stable")
    until = ordered.groupby("who")["time"].cummax().groupby(ordered["who"]).shift()
    is_new = ~ordered["who"].duplicated() | (ordered["came"] - until > pd.Timedelta(minutes=pause)).fillna(False)
    session = is_new.cumsum()
    begins = ordered["came"].groupby(session).transform("min")
    by_begin = pd.DataFrame({"session": session, "begins": begins}).sort_values("begins", kind="stable")
    number = pd.Series(pd.factorize(by_begin["session"])[0] + 1, index=by_begin.index).reindex(own.index)
    names = own["username"].fillna("no username")
    shown = own["source_ip"].fillna("no address")
    return own.assign(
        number=number.astype("Int64"), lane=("#" + number.astype("string") + " " + names + " " + shown).astype("string")
    )


def sessions(own: pd.DataFrame) -> pd.DataFrame:
    """One row a session, in the order of their beginning; the columns of `SESSIONS`.

    Args:
        own: Rows of `in_sessions`.
    """
    counted = own.assign(is_deed=own["deed"].isin(_DEEDS), is_refused=own["outcome"].isin(REFUSED))
    same = ("lane", "username", "principal", "credential", "credential_kind", "source_ip", "address_kind")
    grouped = counted.groupby("number", sort=True)
    result = grouped.agg(
        **{name: (name, "first") for name in same},
        first=("came", "min"),
        last=("time", "max"),
        requests=("time", "size"),
        changed=("is_deed", "sum"),
        refused=("is_refused", "sum"),
    )
    result["clients"] = _joined(counted, "number", "client").reindex(result.index)
    result["credential"] = result["credential"].where(~result["credential_kind"].isin([NAME_ONLY, NO_CREDENTIAL]))
    return result.reset_index()[list(SESSIONS)].astype(SESSIONS)


def deeds(own: pd.DataFrame) -> pd.DataFrame:
    """What it changed, entered or had issued, in the order of time; the columns of `DEEDS`.

    Args:
        own: Rows of `in_sessions`. Requests that were refused, that failed and dry runs are not here.
    """
    rows = []
    for request in records(own[own["deed"].isin(_DEEDS)]):
        event = parse_event(str(request["raw"]))
        act = act_of(request["verb"], request["resource"], request["uri"], event.get("requestObject"))
        rows.append({**{name: request[name] for name in DEEDS if name in request}, "act": act or request["verb"]})
        rows[-1] |= {"time": request["came"], "detail": _detail(request, event, act)}
    return typed_frame(rows, DEEDS)


def by_resource(own: pd.DataFrame) -> pd.DataFrame:
    """What was asked of what, the most first.

    Returns:
        resource (the first part of the path where it is none), namespace, verb, requests, objects (different names),
        refused (int64), first and last (datetime64[us, UTC]).
    """
    paths = column_of(own, "uri").str.extract(r"^(/[^/?]*)", expand=False)
    counted = own.assign(resource=own["resource"].fillna(paths), is_refused=own["outcome"].isin(REFUSED))
    result = counted.groupby(["resource", "namespace", "verb"], dropna=False).agg(
        requests=("came", "size"),
        objects=("name", "nunique"),
        refused=("is_refused", "sum"),
        first=("came", "min"),
        last=("came", "max"),
    )
    return result.sort_values(["requests", "last"], ascending=False, kind="stable").reset_index()


def refusals(own: pd.DataFrame) -> pd.DataFrame:
    """What was refused, the most frequent first.

    Returns:
        outcome, username, acted_as, verb, object, why (the permission that was missing, else what the API server said),
        requests (int64), first and last (datetime64[us, UTC]).
    """
    refused = own[own["outcome"].isin(REFUSED)]
    refused = refused.assign(why=("missing: " + refused["wanted"]).fillna(refused["message"]))
    keys = ["outcome", "username", "acted_as", "verb", "object", "why"]
    counted = refused.groupby(keys, dropna=False).agg(
        requests=("came", "size"), first=("came", "min"), last=("came", "max")
    )
    return counted.sort_values(["requests", "first"], ascending=[False, True], kind="stable").reset_index()


def places(own: pd.DataFrame) -> pd.DataFrame:
    """From which addresses and with which clients, the most first.

    Returns:
        source_ip (the last address, which the API server saw), address_kind, claimed_ips and client with client_version
        (which the client wrote), requests (int64), first and last (datetime64[us, UTC]).
    """
    keys = ["source_ip", "address_kind", "claimed_ips", "client", "client_version"]
    counted = own.groupby(keys, dropna=False).agg(
        requests=("came", "size"), first=("came", "min"), last=("came", "max")
    )
    return counted.sort_values(["requests", "last"], ascending=False, kind="stable").reset_index()


def _deed(verb: str | None, resource: str | None, outcome: str | None, is_dry: bool | None) -> str:
    plural, _, subresource = (resource or "").partition("/")
    if outcome in REFUSED:
        return REFUSAL
    if outcome == "failed":
        return FAILURE
    if subresource in CONNECTIONS:
        return ENTRY
    if verb in READS or not verb or not resource:
        return READ
    if plural in _QUESTIONS:
        return READ
    if is_dry:
        return DRY_RUN
    if subresource == "token" or (plural == "certificatesigningrequests" and subresource != "status"):
        return CREDENTIAL
    return CHANGE


def _object(requests: pd.DataFrame) -> pd.Series:
    """Such as "pods/data/postgres-0 (exec)"; the path of a request that is for no object."""
    names = ("resource", "namespace", "name", "uri")
    given = [column_of(requests, name) for name in names]
    work = {"object": "string"}
    return worked_once(given, lambda *values: (object_text(dict(zip(names, values, strict=True))),), work)["object"]


def _detail(request: Mapping[str, Any], event: Mapping[str, Any], act: str) -> str | None:
    """What the act was about, in a line, where it is short and telling; what a client sent is its own words."""
    if act in ("exec", "attach", "port-forward"):
        asked = parse_qs(str(request["uri"]).partition("?")[2])
        told = " ".join(asked.get("command", asked.get("ports", [])))
    elif isinstance(request["issued_credential_id"], str):
        told = f"issued {request['issued_credential_id']}"
    else:
        told = _granted(event.get("requestObject"))
    if not told:
        return None
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"


def _granted(body: object) -> str:
    """The role and the subjects of a binding as it was asked for; "" for another body."""
    if not isinstance(body, dict) or not isinstance(body.get("roleRef"), dict):
        return ""
    subjects = body.get("subjects")
    whom = [
        "/".join(str(each[key]) for key in ("kind", "namespace", "name") if each.get(key))
        for each in (subjects if isinstance(subjects, list) else ())
        if isinstance(each, dict)
    ]
    return f"{body['roleRef'].get('kind')} {body['roleRef'].get('name')} to {', '.join(whom) or 'nobody'}"


def _joined(frame: pd.DataFrame, by: str, column: str) -> pd.Series:
    pairs = frame[[by, column]].dropna().drop_duplicates()
    return pairs.groupby(by)[column].agg(", ".join).astype("string")
