"""From a credential back to whoever issued it, and so on to a person, a node or a component.

A token's event names the id of the token (`credential-id`), and the event that issued it names the same id
(`issued-credential-id`). Source: KEP-4193, Kubernetes 1.30 and later. A certificate is followed to its signing request,
an AWS key to CloudTrail's AssumeRole event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.certificates import signing_requests
from eks_audit_nb.analysis.rows import records, typed_frame
from eks_audit_nb.events import parse_event

# One row a credential that the log shows being issued.
ISSUED = {
    "credential": "string",  # JTI=..., X509SHA256=... or the id of an AWS key
    "kind": "string",
    "holder": "string",  # the user that it makes its holder
    "pod": "string",  # the pod that it is bound to, and its uid
    "pod_uid": "string",
    "issued": "datetime64[us, UTC]",
    "expires": "datetime64[us, UTC]",  # as asked for; missing where that is not known
    "username": "string",  # who asked for it
    "acted_as": "string",  # whom that caller impersonated
    "arn": "string",
    "by_credential": "string",  # what that caller showed
    "source_ip": "string",
    "user_agent": "string",
    "audit_id": "string",  # of the event that issued it; CloudTrail's eventID for an AWS key
    "caller_kind": "string",  # CloudTrail's type of the caller; missing in the audit log
    "behind": "string",  # who stands behind the caller, where CloudTrail names somebody
    "remark": "string",
}
# One row for each user, credential and address that were seen together.
USES = {
    "username": "string",
    "arn": "string",
    "credential": "string",
    "pod": "string",
    "pod_uid": "string",
    "node": "string",
    "source_ip": "string",
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "audit_id": "string",  # of the last of these requests
}
CHAIN = {
    "step": "Int64",
    "credential": "string",
    "kind": "string",
    "holder": "string",
    "pod": "string",
    "issued": "datetime64[us, UTC]",
    "username": "string",  # who had it issued
    "arn": "string",
    "source_ip": "string",
    "user_agent": "string",
    "audit_id": "string",
    "basis": "string",  # begins with proven, unknown or end
    "explanation": "string",
}
ORIGINS = {
    "credential": "string",
    "kind": "string",
    "username": "string",
    "arn": "string",
    "pod": "string",
    "node": "string",
    "addresses": "string",  # joined by ", "
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "issued_by": "string",
    "issuer_credential": "string",
    "issuer_ip": "string",
    "issued_audit_id": "string",
    "steps": "Int64",  # how many issuers could be followed
    "origin": "string",  # the user at the end, and what that user showed
    "origin_credential": "string",
    "behind": "string",  # whom CloudTrail, or the ARN of an IAM user, names at the end
}
PROVEN = "proven: the same id in both events"
UNKNOWN = "unknown: the issuer is not in the log"
INFERRED = "inferred: from the name of the session"
END = "end of the chain"

TOKEN, CERTIFICATE, SESSION_KEY, USER_KEY = "service account token", "client certificate", "AWS session", "IAM user key"
_KINDS = {"JTI=": TOKEN, "X509SHA256=": CERTIFICATE, "ASIA": SESSION_KEY, "AKIA": USER_KEY}
# Why the event that issued it can be missing.
_MISSING = {
    TOKEN: "No TokenRequest in what was read issued it. It is older than the window, or its event was lost.",
    CERTIFICATE: "No signing request in what was read issued it. It is older than the window, or it was made outside "
    "of the Kubernetes API, as those of the control plane are.",
    SESSION_KEY: "The event that issued it is in CloudTrail (AssumeRole and its kin), and not in what was read of it.",
    "": "The event does not name what its caller showed: Kubernetes does so from 1.30 on, and not for every way in.",
}
# IAM Identity Center alone can assume these roles. Source: IAM Identity Center User Guide.
_SSO = re.compile(r"arn:aws[a-z-]*:sts::\d+:assumed-role/AWSReservedSSO_[^/]+/(.+)", re.DOTALL)
# The token of a pod that asks for this many seconds is accepted for longer, so that old clients go on working.
# Source: kubernetes pkg/serviceaccount, WarnOnlyBoundTokenExpirationPeriod.
_EXTENDED = 3607


def credential_kind(credential: object) -> str:
    """What a credential is, told from the form of its id; "" where there is none."""
    text = "" if pd.isna(credential) else str(credential)  # type: ignore[call-overload]
    return next((kind for start, kind in _KINDS.items() if text.startswith(start)), "another kind" if text else "")


def shown_credential(requests: pd.DataFrame) -> pd.Series:
    """What each caller showed: the id of a token or certificate, else the id of an AWS key, as text."""
    return requests["credential_id"].fillna(requests["access_key"]).astype("string")


def credential_uses(requests: pd.DataFrame) -> pd.DataFrame:
    """Who showed which credential from where; the columns of `USES`, the first seen first.

    Args:
        requests: Rows of `attribute`. What counts is when a request came, not when its answer ended: a watch lasts.
    """
    shown = requests.assign(credential=shown_credential(requests), came=requests["received"].fillna(requests["time"]))
    keys = ["username", "arn", "credential", "pod", "pod_uid", "node", "source_ip"]
    uses = (
        shown.sort_values("came", kind="stable")
        .groupby(keys, dropna=False, sort=False)
        .agg(requests=("came", "size"), first=("came", "min"), last=("came", "max"), audit_id=("audit_id", "last"))
    )
    return uses.reset_index().astype(USES).sort_values("first", kind="stable", ignore_index=True)


def stated_uses(rows: pd.DataFrame) -> pd.DataFrame:
    """The same as `credential_uses`, from the rows of the query `credential_uses`, which the service has counted."""
    last_address = rows["addresses"].str.extract(r'"([^"]*)"\s*$', expand=False)
    uses = rows.assign(
        credential=rows["credential_id"].fillna(rows["access_key"]),
        source_ip=last_address,
        first=rows["first_seen"],
        last=rows["last_seen"],
    )
    kept = uses[list(USES)].astype(USES).sort_values(["first", "last"], kind="stable", ignore_index=True)
    keys = [name for name in USES if name not in ("requests", "first", "last", "audit_id")]
    # Different claims in front of the last address make rows of their own; here they are one.
    counted = kept.groupby(keys, dropna=False, sort=False).agg(
        requests=("requests", "sum"), first=("first", "min"), last=("last", "max"), audit_id=("audit_id", "last")
    )
    return counted.reset_index()[list(USES)].astype(USES)


def issued_credentials(requests: pd.DataFrame, sessions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every credential that the log shows being issued; the columns of `ISSUED`, in the order of time.

    Args:
        requests: Rows of `attribute`: TokenRequests and signing requests; others are passed over.
        sessions: What `role_sessions` makes of CloudTrail events, where there are any.
    """
    parts = [_tokens(requests), _certificates(requests), *([] if sessions is None else [sessions])]
    parts = [part[list(ISSUED)].astype(ISSUED) for part in parts if len(part)]
    if not parts:
        return typed_frame([], ISSUED)
    issued = pd.concat(parts, ignore_index=True).sort_values("issued", kind="stable")
    # An id is given once. Where a forged or doubled log says it twice, the first counts.
    return issued.drop_duplicates("credential", ignore_index=True)


def credential_chain(credential: str, issued: pd.DataFrame, uses: pd.DataFrame) -> pd.DataFrame:
    """The way back from one credential; the columns of `CHAIN`, one row a step, the credential itself first.

    Args:
        credential: `JTI=...`, `X509SHA256=...`, the id of an AWS key, or a token's id without `JTI=`.
        issued: What `issued_credentials` gives.
        uses: What `credential_uses` or `stated_uses` gives; it says who held the last one.

    Returns:
        No row where neither frame knows the credential. `basis` says how sure each step is, `explanation` why it ends.
    """
    by_id: dict[str, dict[str, Any]] = {row["credential"]: row for row in records(issued)}
    holders = _holders(uses)
    credential = credential.strip()
    if credential not in by_id and credential not in holders and f"JTI={credential}" in {*by_id, *holders}:
        credential = f"JTI={credential}"
    if not credential or (credential not in by_id and credential not in holders):
        return typed_frame([], CHAIN)
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    holder: Mapping[str, Any] = holders.get(credential, {})
    while True:
        row = by_id.get(credential)
        if row is None or credential in seen:
            rows.append(_last(credential, holder, is_cycle=credential in seen))
            break
        seen.add(credential)
        rows.append(_step(row))
        holder = {name: row[name] for name in ("arn", "behind", "caller_kind")} | {"holder": row["username"]}
        if pd.isna(row["by_credential"]):
            rows.append(_last("", holder))
            break
        credential = str(row["by_credential"])
    return typed_frame(({**row, "step": step} for step, row in enumerate(rows, start=1)), CHAIN)


def credential_origins(issued: pd.DataFrame, uses: pd.DataFrame) -> pd.DataFrame:
    """One row a credential in use, with who issued it and where its chain ends; the columns of `ORIGINS`.

    Args:
        issued: What `issued_credentials` gives.
        uses: What `credential_uses` or `stated_uses` gives.
    """
    shown = uses.dropna(subset=["credential"])
    held = shown.groupby("credential", sort=False).agg(
        username=("username", "first"),
        arn=("arn", "first"),
        pod=("pod", "first"),
        node=("node", "first"),
        addresses=("source_ip", lambda values: ", ".join(sorted(set(values.dropna())))),
        requests=("requests", "sum"),
        first=("first", "min"),
        last=("last", "max"),
    )
    names = {"username": "issued_by", "by_credential": "issuer_credential", "source_ip": "issuer_ip"}
    origin = issued.set_index("credential").rename(columns={**names, "audit_id": "issued_audit_id"})
    joined = held.join(origin[[*names.values(), "issued_audit_id"]])
    ends = pd.DataFrame(
        _ends(list(joined.index), issued), columns=["steps", "first_issue", "origin_credential"], index=joined.index
    )
    first_issue = issued.set_index("credential").reindex(ends["first_issue"]).set_axis(joined.index)
    users = held["arn"]
    whose = users[users.index.str.startswith("AKIA") & users.str.contains(":user/", regex=False).fillna(False)]
    named = ends["origin_credential"].map(("the IAM user " + whose).to_dict()).astype("string")
    joined = joined.assign(
        steps=ends["steps"],
        origin=first_issue["username"].fillna(joined["username"]),
        origin_credential=ends["origin_credential"],
        behind=first_issue["behind"].fillna(named),
        kind=[credential_kind(each) for each in joined.index],
    )
    return joined.reset_index()[list(ORIGINS)].astype(ORIGINS)


def requested_credentials(issued: pd.DataFrame) -> pd.DataFrame:
    """Who had tokens and certificates issued for whom, the rarest first, without what the cluster does by itself.

    By itself a node asks for the tokens of its pods, and the controller manager for those of its controllers.

    Args:
        issued: What `issued_credentials` gives.

    Returns:
        username, acted_as, arn, source_ip, user_agent, kind, holder, remark, credentials (int64), first and last
        (datetime64[us, UTC]), credential and audit_id (of the last one).
    """
    is_nodes = issued["username"].str.startswith("system:node:").fillna(False) & issued["pod"].notna()
    is_controllers = issued["username"].eq("system:kube-controller-manager").fillna(False)
    is_cluster = issued["kind"].isin([TOKEN, CERTIFICATE])
    keys = ["username", "acted_as", "arn", "source_ip", "user_agent", "kind", "holder", "remark"]
    counted = (
        issued[is_cluster & ~is_nodes & ~is_controllers]
        .groupby(keys, dropna=False)
        .agg(
            credentials=("issued", "size"),
            first=("issued", "min"),
            last=("issued", "max"),
            credential=("credential", "last"),
            audit_id=("audit_id", "last"),
        )
    )
    return counted.sort_values(["credentials", "first"], kind="stable").reset_index()


def _ends(credentials: list[str], issued: pd.DataFrame) -> list[tuple[int, str | None, str | None]]:
    """For each credential how many issuers lead back, the first that issued, and what that one showed."""
    shown = issued["by_credential"].astype(object).where(issued["by_credential"].notna(), None)
    parents: dict[str, str | None] = dict(zip(issued["credential"], shown, strict=True))
    known: dict[str, tuple[int, str | None, str | None]] = {}
    for start in credentials:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at in parents and at not in known and at not in path:
            path[at] = None
            at = parents[at]
        # What follows the path: an end that is known, a credential that nothing issued, none at all, or a circle.
        steps, first, last = known.get(at, (0, None, at)) if at is not None else (0, None, None)
        for each in reversed(path):
            steps, first = steps + 1, first or each
            known[each] = (steps, first, last)
        known.setdefault(start, (steps, first, last))
    return [known[each] for each in credentials]


def _tokens(requests: pd.DataFrame) -> pd.DataFrame:
    found = requests[requests["issued_credential_id"].notna()]
    if found.empty:
        return pd.DataFrame(columns=list(ISSUED))
    bodies = [_token_request(str(raw)) for raw in found["raw"]]
    spec = pd.DataFrame(bodies, index=found.index, columns=["pod", "pod_uid", "seconds", "remark"])
    seconds = pd.to_timedelta(pd.to_numeric(spec["seconds"], errors="coerce"), unit="s")
    return pd.DataFrame(
        {
            "credential": found["issued_credential_id"],
            "kind": TOKEN,
            "holder": "system:serviceaccount:" + found["namespace"].fillna("") + ":" + found["name"].fillna(""),
            "pod": spec["pod"],
            "pod_uid": spec["pod_uid"],
            "issued": found["time"],
            "expires": found["time"] + seconds,
            "username": found["username"],
            "acted_as": found["impersonated"],
            "arn": found["arn"],
            "by_credential": shown_credential(found),
            "source_ip": found["source_ip"],
            "user_agent": found["user_agent"],
            "audit_id": found["audit_id"],
            "remark": spec["remark"],
        }
    ).reindex(columns=list(ISSUED))


def _token_request(raw: str) -> tuple[str | None, str | None, float | None, str | None]:
    """The pod that a token is bound to, for how many seconds it was asked, and what else is to be said."""
    body = parse_event(raw).get("requestObject")
    spec = body.get("spec") if isinstance(body, dict) else None
    if not isinstance(spec, dict):
        return None, None, None, None
    bound, seconds, audiences = spec.get("boundObjectRef"), spec.get("expirationSeconds"), spec.get("audiences")
    remark = None
    if isinstance(audiences, list) and audiences:
        remark = "for " + ", ".join(str(each)[:100] for each in audiences[:5])
    # A thousand years from now no date can be told any more.
    is_usable = isinstance(seconds, int) and 0 < seconds < 10**9 and seconds != _EXTENDED
    pod = uid = None
    if isinstance(bound, dict) and bound.get("kind") == "Pod":
        pod, uid = (value if isinstance(value, str) else None for value in (bound.get("name"), bound.get("uid")))
    elif isinstance(bound, dict):
        remark = f"bound to the {bound.get('kind')} {bound.get('name')}" + (f", {remark}" if remark else "")
    return pod, uid, float(seconds) if is_usable and seconds else None, remark


def _certificates(requests: pd.DataFrame) -> pd.DataFrame:
    found = signing_requests(requests).dropna(subset=["credential"])
    if found.empty:
        return pd.DataFrame(columns=list(ISSUED))
    approved = found["approved_by"].fillna("nobody whom the log shows")
    return pd.DataFrame(
        {
            **{name: found[name] for name in ("credential", "issued", "username", "arn", "by_credential")},
            **{name: found[name] for name in ("source_ip", "user_agent")},
            "kind": CERTIFICATE,
            "holder": found["subject"],
            "audit_id": found["created_audit_id"].fillna(found["issued_audit_id"]),
            "remark": "signing request " + found["name"].fillna("without a name") + ", approved by " + approved,
        }
    ).reindex(columns=list(ISSUED))


def _holders(uses: pd.DataFrame) -> dict[str, Mapping[str, Any]]:
    firsts = uses.dropna(subset=["credential"]).drop_duplicates("credential")[["credential", "username", "arn", "pod"]]
    return {
        row["credential"]: {"holder": row["username"], "arn": row["arn"], "pod": row["pod"]} for row in records(firsts)
    }


def _step(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("credential", "kind", "holder", "pod", "issued", "username", "arn", "source_ip", "user_agent", "audit_id")
    said = [] if pd.isna(row["remark"]) else [str(row["remark"])]
    if not pd.isna(row["acted_as"]):
        said.append(f"the caller acted as {row['acted_as']}")
    return {**{name: row[name] for name in kept}, "basis": PROVEN, "explanation": "; ".join(said) or None}


def _last(credential: str, holder: Mapping[str, Any], *, is_cycle: bool = False) -> dict[str, Any]:
    kind, whose, behind = credential_kind(credential), _known(holder.get("arn")), _known(holder.get("behind"))
    login = _SSO.fullmatch(whose)
    basis = END
    if is_cycle:
        basis, text = UNKNOWN, "The log says that it issued itself: it is damaged or forged."
    elif behind and not (kind == SESSION_KEY and behind.startswith("the source identity")):
        text = f"CloudTrail names {behind}."
    elif kind == USER_KEY:
        text = f"The long-lived key of an IAM user: {whose or 'its ARN is not in the log'}."
    elif not kind and (caller_kind := _known(holder.get("caller_kind"))):
        text = f"CloudTrail names the caller, of the type {caller_kind}, and no key."
        if caller_kind == "AWSAccount":
            basis, text = UNKNOWN, "The caller belongs to another AWS account, whose CloudTrail has the rest."
    elif login:
        basis = INFERRED
        text = f"IAM Identity Center names a session after the login: {login[1]}. {_MISSING[SESSION_KEY]}"
    else:
        basis, text = UNKNOWN, _MISSING.get(kind, _MISSING[""])
        if behind:
            text = f"CloudTrail names {behind}, which the session carries along. {text}"
        elif kind == SESSION_KEY and _known(holder.get("holder")).startswith("system:node:"):
            text = f"The key of a node's instance role: the chain ends at this node. {text}"
        elif kind == CERTIFICATE and _known(holder.get("holder")).startswith("system:kube-"):
            text = f"A component of the control plane: the chain ends here. {text}"
    return {
        "credential": credential or None,
        "kind": kind or None,
        "holder": holder.get("holder"),
        "pod": holder.get("pod"),
        "basis": basis,
        "explanation": text,
    }


def _known(value: object) -> str:
    return value if isinstance(value, str) else ""
