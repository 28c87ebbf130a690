"""Credentials that are not where they belong: away from their node or pod, at two addresses, after their end.

Every row says what the log shows and how sure that is. None of them says by itself that a credential was stolen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.addresses import PUBLIC, address_kind
from eks_audit_nb.analysis.credentials import credential_kind
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.events import parse_event

FINDINGS = {
    "finding": "string",
    "certainty": "string",  # of what the finding says: proven, inferred, or unknown
    "credential": "string",
    "username": "string",
    "pod": "string",
    "node": "string",
    "addresses": "string",  # from which it was used, joined by ", "
    "expected": "string",  # those of its node and pod, joined by ", "
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "evidence": "string",  # auditIDs, joined by ", "
    "explanation": "string",
}
PODS = {
    "pod_uid": "string",
    "namespace": "string",
    "pod": "string",
    "addresses": "string",  # the pod's and its host's, joined by ", "
    "deleted": "datetime64[us, UTC]",  # when it was gone, not when its deletion was asked for
    "audit_id": "string",  # of its deletion
}
OUTSIDE = "used from outside"  # a public address, which neither its node nor its pod has
OTHER_NODE = "used from another node"
OTHER_ADDRESS = "not at its pod's address"
SEVERAL = "several addresses"
NO_POD = "bound to no pod"
NO_POD_UNKNOWN = "bound to no pod, issuer unknown"
NO_ID = "token without an id"  # a service account's, out of a Secret
AFTER_POD = "used after its pod"
AFTER_EXPIRY = "used after its expiry"
# The worst first.
_ORDER = (OUTSIDE, OTHER_NODE, AFTER_POD, AFTER_EXPIRY, NO_POD, NO_ID, SEVERAL, OTHER_ADDRESS, NO_POD_UNKNOWN)

_NODE, _SERVICE_ACCOUNT = "system:node:", "system:serviceaccount:"
_CONTROLLER_MANAGER = "system:kube-controller-manager"
# An accepted token is accepted ten seconds more without another look. Source: kube-apiserver, its cache of tokens.
_CACHED = pd.Timedelta(seconds=10)
# Clocks may differ by a minute where a token's times are checked. Source: go-jose jwt, DefaultLeeway.
_LEEWAY = pd.Timedelta(minutes=1)


def pod_facts(requests: pd.DataFrame) -> pd.DataFrame:
    """What the log shows of pods: their addresses, and when they were gone; the columns of `PODS`, one row a pod.

    Args:
        requests: Rows of `attribute`. Kubelets write addresses with `patch pods/status`. A deletion counts where the
            object is gone with it, which for a running pod is the kubelet's own at the end of the grace period.
    """
    worked = requests[requests["code"].lt(300).fillna(False)]
    is_status = worked["resource"].eq("pods/status") & worked["verb"].isin(["patch", "update"])
    is_status &= worked["username"].str.startswith(_NODE)  # others could write anything there
    is_deletion = worked["resource"].eq("pods") & worked["verb"].eq("delete")
    pods: dict[str, dict[str, Any]] = {}
    request: Any
    for request in worked[(is_status | is_deletion).fillna(False)].itertuples():
        event = parse_event(str(request.raw))
        sent, stored = _mapping(event.get("requestObject")), _mapping(event.get("responseObject"))
        is_gone = request.resource == "pods"
        if is_gone and not _is_final(sent, stored):
            continue
        uid = _uid(sent, stored) or ("" if pd.isna(request.object_uid) else str(request.object_uid))
        if not uid:
            continue
        pod = pods.setdefault(
            uid, {"pod_uid": uid, "namespace": request.namespace, "pod": request.name, "addresses": set()}
        )
        if is_gone:
            pod |= {"deleted": request.time, "audit_id": request.audit_id}
        else:
            pod["addresses"] |= _pod_addresses(_mapping(sent.get("status")))
    rows = [{**pod, "addresses": _joined(pod["addresses"])} for pod in pods.values()]
    return typed_frame(rows, PODS)


def credential_findings(uses: pd.DataFrame, issued: pd.DataFrame, pods: pd.DataFrame) -> pd.DataFrame:
    """Credentials whose use does not fit what they were made for; the columns of `FINDINGS`, the gravest first.

    Args:
        uses: What `credential_uses` or `stated_uses` gives.
        issued: What `issued_credentials` gives.
        pods: What `pod_facts` gives.

    Returns:
        A row for each credential and finding. "proven" says that the log shows it, not that somebody meant harm;
        "unknown" that the log does not hold what would decide.
    """
    nodes = _node_addresses(uses)
    owners = {address: name for name, addresses in nodes.items() for address in addresses}
    known = {row["pod_uid"]: row for row in records(pods)}
    issuers = {row["credential"]: row for row in records(issued)}
    rows: list[dict[str, Any]] = []
    plain = uses.assign(username=uses["username"].fillna(""), key=uses["credential"].fillna(""))
    has_ids = plain["key"].str.startswith("JTI=").any()
    together: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in records(plain):
        together.setdefault((each["username"], each["key"]), []).append(each)
    for (username, key), uses_of_it in together.items():
        if key.startswith("JTI="):
            rows += _away(uses_of_it, nodes, owners, known)
            rows += _ended(uses_of_it, known, issuers.get(key))
            if username.startswith(_SERVICE_ACCOUNT):
                rows += _unbound(uses_of_it, issuers.get(key))
        elif not key and has_ids and username.startswith(_SERVICE_ACCOUNT):
            # Where tokens have ids, what has none is a token from a Secret, which lasts until that is deleted.
            text = "Other tokens in this log have ids. One without is a long-lived token out of a Secret."
            rows.append(_finding(NO_ID, "inferred", uses_of_it, (), text))
        if key:
            rows += _several(username, key, uses_of_it, nodes, known)
    frame = typed_frame(rows, FINDINGS)
    rank = frame["finding"].map({name: place for place, name in enumerate(_ORDER)})
    return frame.assign(rank=rank).sort_values(["rank", "first"], kind="stable", ignore_index=True).drop(columns="rank")


@cache
def is_private(address: str) -> bool:
    """Whether an address belongs to no public network; what is no address counts as private, since nothing is known."""
    return address_kind(address) != PUBLIC


def _away(
    uses: list[dict[str, Any]], nodes: Mapping[str, set[str]], owners: Mapping[str, str], pods: Mapping[str, Any]
) -> list[dict[str, Any]]:
    node = _text(uses[0]["node"])
    if not node and not _text(uses[0]["pod"]):
        return []
    node_homes, pod_homes = nodes.get(node, set()), _homes(uses[0], pods)
    homes = node_homes | pod_homes
    away = [use for use in uses if _text(use["source_ip"]) and use["source_ip"] not in homes]
    outside = [use for use in away if not is_private(use["source_ip"])]
    elsewhere = [use for use in away if use["source_ip"] in owners and use not in outside]
    private = [use for use in away if use not in outside and use not in elsewhere]
    found = []
    if outside:
        certainty, text = "inferred", "Where its node and its pod are is not in the log. The address is a public one."
        if homes:
            certainty, text = "proven", "None of its node's or its pod's own addresses is this one."
            if any(not is_private(address) for address in node_homes):
                certainty = "inferred"
                text += " The node itself uses a public address, so this may be a second one of the same gateway."
        found.append(_finding(OUTSIDE, certainty, outside, homes, text))
    if elsewhere:
        names = _joined({owners[use["source_ip"]] for use in elsewhere})
        found.append(_finding(OTHER_NODE, "proven", elsewhere, homes, f"The kubelet of {names} comes from there."))
    if private and pod_homes:
        text = "The kubelet reported other addresses for this pod. A proxy or a translation of addresses can do this."
        found.append(_finding(OTHER_ADDRESS, "inferred", private, homes, text))
    return found


def _several(
    username: str, key: str, uses: list[dict[str, Any]], nodes: Mapping[str, set[str]], pods: Mapping[str, Any]
) -> list[dict[str, Any]]:
    addresses = {use["source_ip"] for use in uses if _text(use["source_ip"])}
    homes = nodes.get(_text(uses[0]["node"]), set()) | _homes(uses[0], pods)
    is_component = username.startswith(("system:kube-", "eks:", "system:apiserver"))
    if len(addresses) < 2 or addresses <= homes or is_component:
        return []
    text = "A person's computer that changes its network does this too."
    if username.startswith(_NODE):
        outside = [use for use in uses if not is_private(_text(use["source_ip"]))]
        own = {address for address in addresses if is_private(address)}
        if own and outside:
            text = "The node's own address is a private one; this one is public."
            return [_finding(OUTSIDE, "proven", outside, own, text)]
        text = "A node keeps its address."
    elif credential_kind(key) == "service account token":
        text = "A pod keeps its address while it runs. Two address families or two network interfaces do this too."
    return [_finding(SEVERAL, "inferred", uses, homes, text)]


def _ended(
    uses: list[dict[str, Any]], pods: Mapping[str, Any], issue: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    found = []
    pod = pods.get(_text(uses[0]["pod_uid"]))
    if pod is not None and not pd.isna(pod["deleted"]):
        late = [use for use in uses if use["last"] > pod["deleted"] + _CACHED]
        if late:
            text = f"The pod was gone at {pod['deleted']:%Y-%m-%d %H:%M:%S} UTC, and its token should be with it."
            found.append(_finding(AFTER_POD, "proven", late, (), text, pod["audit_id"]))
    if issue is not None and not pd.isna(issue["expires"]):
        late = [use for use in uses if use["last"] > issue["expires"] + _LEEWAY]
        if late:
            text = (
                f"It was asked for until {issue['expires']:%Y-%m-%d %H:%M:%S} UTC. The API server may have given "
                "another time, which the log does not hold."
            )
            found.append(_finding(AFTER_EXPIRY, "inferred", late, (), text, issue["audit_id"]))
    return found


def _unbound(uses: list[dict[str, Any]], issue: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if _text(uses[0]["pod"]):
        return []
    if issue is None:
        text = "A token of a controller, of `kubectl create token` or of another system: the log cannot tell."
        return [_finding(NO_POD_UNKNOWN, "unknown", uses, (), text)]
    if issue["username"] == _CONTROLLER_MANAGER:
        return []  # it makes such tokens for its own controllers
    where = f" from {issue['source_ip']}" if _text(issue["source_ip"]) else ""
    text = f"{_text(issue['username']) or 'Somebody without a name'} had it issued{where}."
    return [_finding(NO_POD, "proven", uses, (), text, issue["audit_id"])]


def _finding(
    finding: str,
    certainty: str,
    uses: list[dict[str, Any]],
    expected: Iterable[str],
    explanation: str,
    audit_id: object = None,
) -> dict[str, Any]:
    evidence = [use["audit_id"] for use in uses[:5]]
    if _text(audit_id):
        evidence.insert(0, audit_id)
    return {
        **{name: uses[0][name] for name in ("credential", "username", "pod", "node")},
        "finding": finding,
        "certainty": certainty,
        "addresses": _joined({use["source_ip"] for use in uses}),
        "expected": _joined(expected),
        "requests": sum(use["requests"] for use in uses),
        "first": min(use["first"] for use in uses),
        "last": max(use["last"] for use in uses),
        "evidence": ", ".join(dict.fromkeys(each for each in evidence if _text(each))) or None,
        "explanation": explanation,
    }


def _node_addresses(uses: pd.DataFrame) -> dict[str, set[str]]:
    """The addresses of the nodes' own requests, by the node's name.

    A node that comes from private and from public addresses is one at the private ones: the others may be a thief's.
    """
    own = uses[uses["username"].str.startswith(_NODE).fillna(False)].dropna(subset=["source_ip"])
    found: dict[str, set[str]] = {}
    for username, addresses in own.groupby("username")["source_ip"]:
        private = {address for address in addresses if is_private(address)}
        found[str(username).removeprefix(_NODE)] = private or set(addresses)
    return found


def _homes(use: Mapping[str, Any], pods: Mapping[str, Any]) -> set[str]:
    pod = pods.get(_text(use["pod_uid"]))
    return set(pod["addresses"].split(", ")) if pod is not None and _text(pod["addresses"]) else set()


def _is_final(options: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether the object was gone with this deletion, and not only marked for it."""
    grace = _mapping(answer.get("metadata")).get("deletionGracePeriodSeconds")
    return options.get("gracePeriodSeconds") == 0 or grace == 0 or answer.get("kind") == "Status"


def _uid(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    places = (
        _mapping(stored.get("metadata")).get("uid"),
        _mapping(sent.get("preconditions")).get("uid"),
        _mapping(sent.get("metadata")).get("uid"),
        _mapping(stored.get("details")).get("uid"),
    )
    return next((uid for uid in places if isinstance(uid, str) and uid), "")


def _pod_addresses(status: Mapping[str, Any]) -> set[str]:
    found = {status.get("podIP"), status.get("hostIP")}
    for name in ("podIPs", "hostIPs"):
        listed = status.get(name)
        found |= {_text(_mapping(each).get("ip")) for each in listed} if isinstance(listed, list) else set()
    return {address for address in found if isinstance(address, str) and address}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _joined(values: Iterable[object]) -> str | None:
    return ", ".join(sorted(value for value in values if isinstance(value, str))) or None
