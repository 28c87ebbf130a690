"""Permissions that lead to more than they say.

Source: Kubernetes, "Role Based Access Control Good Practices", privilege escalation risks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eks_audit_nb.analysis.grants import known

_WORKLOADS = frozenset(
    {"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"}
)


def grave_of(asked: Mapping[str, Any]) -> str:
    """Why a permission leads to more than it says, such as "reads Secrets"; "" for most.

    Args:
        asked: A row of `access.used_permissions`, or anything with verb, resource and url.
    """
    verb, resource, url = (known(asked[name]) for name in ("verb", "resource", "url"))
    is_write = verb in ("create", "update", "patch", "*")
    if verb in ("impersonate", "bind", "escalate") or verb.startswith("impersonate"):
        return "gives itself the rights of others"
    if resource.startswith(("clusterrole", "role")) and is_write:
        return "writes the rules of access"
    if resource == "secrets" and verb in ("get", "list", "watch", "*"):
        return "reads Secrets"
    if resource == "secrets" and verb == "create":
        return "can make a long-lived token"
    if resource == "serviceaccounts/token":
        return "issues tokens of a service account"
    if resource.startswith("nodes/proxy"):
        return "commands the kubelet, past this log"
    if resource.startswith(("certificatesigningrequests/approval", "signers")):
        return "issues certificates"
    if resource in ("pods/exec", "pods/attach", "pods/ephemeralcontainers"):
        return "enters pods"
    if resource in _WORKLOADS and is_write:
        return "runs code with the rights of any service account of the namespace"
    if resource.endswith("webhookconfigurations") and is_write:
        return "decides what admission lets through"
    return "reaches everything" if resource == "*" or url == "*" else ""
