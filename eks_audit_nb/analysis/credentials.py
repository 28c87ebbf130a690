"""Credentials that the log shows being issued and in use: tokens, client certificates, AWS keys.

A token's event names the id of the token (`credential-id`), and the event that issued it names the same id
(`issued-credential-id`). Source: KEP-4193, Kubernetes 1.30 and later.
"""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis.certificates import signing_requests
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.events import parse_event

TOKEN, CERTIFICATE, SESSION_KEY, USER_KEY = "service account token", "client certificate", "AWS session", "IAM user key"
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
_KINDS = {"JTI=": TOKEN, "X509SHA256=": CERTIFICATE, "ASIA": SESSION_KEY, "AKIA": USER_KEY}
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
