"""Requests about RBAC and aws-auth, made for tests of the ways to a permission."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from eks_audit_nb import attribute

from conftest import audit_event

API = "rbac.authorization.k8s.io"
ADMIN = {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
RULES = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]


def attributed(*events: dict[str, Any]) -> pd.DataFrame:
    """The requests of events that were written and received a second apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    texts = [
        json.dumps({"auditID": f"e{number}", **event, "requestReceivedTimestamp": moment.isoformat()})
        for number, (event, moment) in enumerate(zip(events, times, strict=True))
    ]
    return attribute(pd.DataFrame({"@timestamp": times, "@message": pd.Series(texts, dtype="string")}))


def event(reason: str = "", **changes: Any) -> dict[str, Any]:
    """An allowed event with the authorizer's reason, and no audit id of its own."""
    annotations = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason}
    return audit_event(**{"annotations": annotations, "auditID": None, **changes})


def write(kind: str, name: str, verb: str = "create", namespace: str = "", **changes: Any) -> dict[str, Any]:
    """A request that writes a role or a binding; `rules` and `subjects` are what the server stored."""
    plural = f"{kind.lower()}s"
    body = {key: changes.pop(key) for key in ("rules", "subjects") if key in changes}
    metadata = {"name": name, "uid": f"uid-{name}", **({"namespace": namespace} if namespace else {})}
    target = {"resource": plural, "name": name, "apiGroup": API, **({"namespace": namespace} if namespace else {})}
    stored = {"kind": kind, "apiVersion": f"{API}/v1", "metadata": metadata, **body}
    where = f"/namespaces/{namespace}" if namespace else ""
    return event(
        **{
            "verb": verb,
            "objectRef": target,
            "requestURI": f"/apis/{API}/v1{where}/{plural}/{name}",
            "level": "RequestResponse",
            "responseStatus": {"code": 201 if verb == "create" else 200},
            "responseObject": stored if verb != "delete" else {"kind": "Status", "metadata": {}},
            "user": ADMIN,
            **changes,
        }
    )


def by_binding(name: str, role: str, subject: str, namespace: str = "", role_kind: str = "ClusterRole") -> str:
    """The reason that RBAC writes."""
    bound = f'RoleBinding "{name}/{namespace}"' if namespace else f'ClusterRoleBinding "{name}"'
    return f'RBAC: allowed by {bound} of {role_kind} "{role}" to {subject}'


READ = {"verb": "list", "requestURI": "/api/v1/secrets", "objectRef": {"resource": "secrets", "apiVersion": "v1"}}
