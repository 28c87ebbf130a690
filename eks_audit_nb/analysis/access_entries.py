"""Who was given access to a cluster through the EKS API: access entries, policies, and what else lets somebody in.

Clusters in the authentication mode API never look at aws-auth. These changes are in CloudTrail, not in the audit log.
Source of the operations and their parameters: EKS API Reference; of what they mean: EKS User Guide, "Access entries".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.cloudtrail_events import EKS, decoded, items, mapping
from eks_audit_nb.events import parse_event

COLUMNS = {
    "time": "datetime64[us, UTC]",
    "event_id": "string",
    "event_name": "string",
    "cluster": "string",
    "change": "string",  # what it does, in words
    "identity": "string",  # who gains or loses: an IAM ARN, a service account as NS/NAME, an OIDC issuer
    "grants": "string",  # the access policy, the Kubernetes groups, or the mode
    "scope": "string",  # cluster, or the namespaces
    "is_admin": "boolean",  # whether it makes somebody an administrator of the whole cluster
    "outcome": "string",  # done, or CloudTrail's error code
    "arn": "string",  # who asked, as CloudTrail has it
    "session_issuer": "string",
    "access_key": "string",
    "source_ip": "string",
    "user_agent": "string",
    "explanation": "string",
}
ADMIN_POLICY = "AmazonEKSClusterAdminPolicy"
DONE = "done"


def access_changes(events: pd.DataFrame, cluster: str = "") -> pd.DataFrame:
    """The events that change who may use a cluster, in words.

    Args:
        events: Rows of `cloudtrail_frame`.
        cluster: Only this one; "" for all.

    Returns:
        The columns of `COLUMNS`, in the order of time; requests that failed too, with their error.
    """
    wanted = events["event_source"].eq(EKS).fillna(False) & events["event_name"].isin(list(OPERATIONS)).fillna(False)
    if cluster:
        # A request that was denied may be recorded without its parameters.
        wanted &= events["cluster"].eq(cluster).fillna(True)
    rows = [_change(event) for event in events[wanted].itertuples()]
    found = pd.DataFrame([row for row in rows if row], columns=list(COLUMNS)).astype(COLUMNS)
    return found.sort_values("time", kind="stable").reset_index(drop=True)


def _change(event: Any) -> dict[str, Any] | None:
    parsed = parse_event(str(event.raw))
    told = OPERATIONS[event.event_name](
        mapping(parsed.get("requestParameters")), mapping(parsed.get("responseElements")), event
    )
    if told is None:
        return None
    has_failed = not pd.isna(event.error_code)
    kept = (
        "time",
        "event_id",
        "event_name",
        "cluster",
        "arn",
        "session_issuer",
        "access_key",
        "source_ip",
        "user_agent",
    )
    row: dict[str, Any] = {
        "identity": event.entry_principal,
        "scope": event.scope,
        "is_admin": False,
        "explanation": "",
        **{name: getattr(event, name) for name in kept},
        "outcome": event.error_code if has_failed else DONE,
        **told,
    }
    if has_failed:
        row["is_admin"] = False
        row["explanation"] = "nothing was changed" if pd.isna(event.error_message) else event.error_message
    elif pd.isna(row["arn"]) and not pd.isna(event.invoked_by):
        row["arn"] = event.invoked_by
    return row


# --- what each operation does ---------------------------------------------------------------------------------------

_Told = dict[str, Any] | None
_Teller = Callable[[Mapping[str, Any], Mapping[str, Any], Any], _Told]


def _created(asked: Mapping[str, Any], given: Mapping[str, Any], _: Any) -> _Told:
    entry = mapping(given.get("accessEntry"))
    kind = entry.get("type") or asked.get("type") or "STANDARD"
    user = entry.get("username") or asked.get("username")
    text = f"becomes the user {user}" if isinstance(user, str) and user else ""
    return {
        "change": "access entry created",
        "grants": _groups(asked) or "no groups",
        "explanation": text if kind == "STANDARD" else f"of the type {kind} {text}".strip(),
    }


def _updated(asked: Mapping[str, Any], *_: Any) -> _Told:
    user = asked.get("username")
    text = f"becomes the user {user}" if isinstance(user, str) and user else ""
    groups = _groups(asked) or "no groups" if "kubernetesGroups" in asked else "groups as before"
    return {"change": "access entry changed", "grants": groups, "explanation": text}


def _deleted(*_: Any) -> _Told:
    return {"change": "access entry deleted", "grants": "", "explanation": "its access policies are gone with it"}


def _associated(_asked: Mapping[str, Any], _given: Mapping[str, Any], event: Any) -> _Told:
    policy = _policy(event)
    is_everywhere = event.scope == "cluster"
    text = ""
    if policy == ADMIN_POLICY:
        text = "may do everything in the cluster" if is_everywhere else "may do everything in these namespaces"
    elif policy == "AmazonEKSAdminPolicy" and is_everywhere:
        text = "may do nearly everything in every namespace, and read all Secrets"
    return {
        "change": "access policy given",
        "grants": policy,
        "is_admin": policy == ADMIN_POLICY and is_everywhere,
        "explanation": text,
    }


def _disassociated(_asked: Mapping[str, Any], _given: Mapping[str, Any], event: Any) -> _Told:
    return {"change": "access policy taken", "grants": _policy(event), "is_admin": _policy(event) == ADMIN_POLICY}


def _cluster_created(asked: Mapping[str, Any], _given: Mapping[str, Any], event: Any) -> _Told:
    config = mapping(asked.get("accessConfig"))
    # The default of the API is true.
    is_admin = config.get("bootstrapClusterCreatorAdminPermissions") is not False
    creator = event.session_issuer if not pd.isna(event.session_issuer) else event.arn
    return {
        "change": "cluster created",
        "identity": creator,
        "grants": f"{ADMIN_POLICY} for its creator" if is_admin else "nothing for its creator",
        "scope": "cluster",
        "is_admin": is_admin,
        "explanation": f"authentication mode {config['authenticationMode']}" if "authenticationMode" in config else "",
    }


def _cluster_updated(asked: Mapping[str, Any], *_: Any) -> _Told:
    told: list[str] = []
    mode = mapping(asked.get("accessConfig")).get("authenticationMode")
    if isinstance(mode, str):
        told.append(f"authentication mode {mode}")
    for setup in items(mapping(asked.get("logging")).get("clusterLogging")):
        kinds = ", ".join(map(str, items(mapping(setup).get("types"))))
        if kinds:
            is_on = mapping(setup).get("enabled") is True
            told.append(f"logs {kinds} {'on' if is_on else 'OFF'}")
    network = mapping(asked.get("resourcesVpcConfig"))
    for key, name in (("endpointPublicAccess", "public endpoint"), ("endpointPrivateAccess", "private endpoint")):
        if isinstance(network.get(key), bool):
            told.append(f"{name} {'on' if network[key] else 'off'}")
    if ranges := ", ".join(map(str, items(network.get("publicAccessCidrs")))):
        told.append(f"public endpoint open to {ranges}")
    if not told:  # of scaling, upgrades, storage: nobody gains or loses access
        return None
    return {"change": "cluster settings changed", "grants": "; ".join(told), "scope": "cluster"}


def _provider(change: str) -> _Teller:
    def tell(asked: Mapping[str, Any], *_: Any) -> _Told:
        oidc, named = mapping(asked.get("oidc")), mapping(asked.get("identityProviderConfig"))
        claim = oidc.get("groupsClaim")
        return {
            "change": change,
            "identity": oidc.get("issuerUrl") if isinstance(oidc.get("issuerUrl"), str) else _text(named.get("name")),
            "grants": f"groups from the claim {claim}" if isinstance(claim, str) else "",
            "scope": "cluster",
            "explanation": "users of this provider authenticate without IAM" if oidc else "",
        }

    return tell


def _pod_identity(change: str) -> _Teller:
    def tell(asked: Mapping[str, Any], given: Mapping[str, Any], _: Any) -> _Told:
        known = mapping(given.get("association")) or asked
        account = _text(known.get("serviceAccount"))
        role = known.get("roleArn") or asked.get("roleArn")
        return {
            "change": change,
            "identity": f"{_text(known.get('namespace'))}/{account}" if account else _text(asked.get("associationId")),
            "grants": _text(role),
            "scope": f"namespace: {known['namespace']}" if isinstance(known.get("namespace"), str) else None,
            "explanation": "its pods act in AWS as this role" if role else "",
        }

    return tell


def _capability(change: str) -> _Teller:
    def tell(asked: Mapping[str, Any], *_: Any) -> _Told:
        return {
            "change": change,
            "identity": decoded(asked.get("roleArn")) or _text(asked.get("capabilityName")),
            "grants": _text(asked.get("type")),
            "scope": "cluster",
            "explanation": "EKS gives the role of a capability an access entry" if asked.get("roleArn") else "",
        }

    return tell


# Every one of `ACCESS_OPERATIONS`.
OPERATIONS: dict[str, _Teller] = {
    "CreateAccessEntry": _created,
    "UpdateAccessEntry": _updated,
    "DeleteAccessEntry": _deleted,
    "AssociateAccessPolicy": _associated,
    "DisassociateAccessPolicy": _disassociated,
    "CreateCluster": _cluster_created,
    "UpdateClusterConfig": _cluster_updated,
    "AssociateIdentityProviderConfig": _provider("identity provider added"),
    "DisassociateIdentityProviderConfig": _provider("identity provider removed"),
    "CreatePodIdentityAssociation": _pod_identity("pod identity created"),
    "UpdatePodIdentityAssociation": _pod_identity("pod identity changed"),
    "DeletePodIdentityAssociation": _pod_identity("pod identity deleted"),
    "CreateCapability": _capability("capability created"),
    "UpdateCapability": _capability("capability changed"),
    "DeleteCapability": _capability("capability deleted"),
}


def _policy(event: Any) -> str:
    return "" if pd.isna(event.policy_arn) else str(event.policy_arn).rpartition("/")[2]


def _groups(asked: Mapping[str, Any]) -> str:
    groups = ", ".join(map(str, items(asked.get("kubernetesGroups"))))
    return f"groups {groups}" if groups else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
