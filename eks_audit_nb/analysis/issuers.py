"""From a credential back to whoever issued it, and so on to a person, a node or a component.

A token is followed to the TokenRequest with its id, a certificate to its signing request, an AWS key to CloudTrail's
AssumeRole event, each to what its caller showed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.credentials import CERTIFICATE, SESSION_KEY, TOKEN, USER_KEY, credential_kind
from eks_audit_nb.analysis.typed import records, typed_frame

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


def chain_steps(chain: pd.DataFrame) -> pd.DataFrame:
    """The chain as one way for a figure: way, step, part (the kind), name (holder and credential) and basis.

    Args:
        chain: What `credential_chain` gives. What the log or CloudTrail says is proven, the rest as it is.
    """
    holders, credentials = (chain[name].fillna("nobody") for name in ("holder", "credential"))
    sure = chain["basis"].str.startswith("proven").fillna(False) | chain["basis"].eq(END).fillna(False)
    return pd.DataFrame(
        {
            "way": 1,
            "step": chain["step"],
            "part": chain["kind"].fillna("caller"),
            "name": (holders + " with " + credentials).where(chain["credential"].notna(), holders),
            "basis": chain["basis"].mask(sure.astype(bool), "proven").str.replace(":.*", "", regex=True),
        }
    )


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
