"""The smallest roles that would have allowed what was used, as YAML for `kubectl apply`.

How RBAC matches: kubernetes plugin/pkg/auth/authorizer/rbac. Every word of a rule was needed by a request: rules are
joined only where that adds nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd
import yaml

_API = "rbac.authorization.k8s.io"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_LONGEST_NAME = 50
# namespace or "" for the cluster, API group, resource, verb, and the name or "" for any.
_Permission = tuple[str, str, str, str, str]


def role_yaml(permissions: pd.DataFrame, principal: str, name: str = "") -> str:
    """The roles and bindings of `role_manifests` as YAML; an empty text where nothing was used.

    Args:
        permissions: What `used_permissions` gives.
        principal: The username that the bindings name.
        name: What roles and bindings are called; made from the principal where it is empty.
    """
    manifests = role_manifests(permissions, principal, name)
    left_out = permissions[~permissions["is_expressible"]]
    note = f"# Left out: {len(left_out)} permissions that no rule can grant without granting more.\n"
    return (note if len(left_out) else "") + (
        yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=True, width=120) if manifests else ""
    )


def role_manifests(permissions: pd.DataFrame, principal: str, name: str = "") -> list[dict[str, Any]]:
    """A ClusterRole for what was used of the cluster, a Role in each namespace for the rest, and their bindings.

    Args:
        permissions: What `used_permissions` gives; rows that are not `is_expressible` are left out.
        principal: The username that the bindings name. A user of EKS's access entries is named as the log names it.
        name: What roles and bindings are called; made from the principal where it is empty.

    Returns:
        Objects of rbac.authorization.k8s.io/v1. A name restricts a rule only where RBAC is asked with a name; it is not
        for creates, and for lists and watches only with the field selector metadata.name.
    """
    usable = permissions[permissions["is_expressible"]]
    texts = usable[["namespace", "api_group", "resource", "verb", "name"]].fillna("").astype(object)
    is_resource = usable["resource"].notna()
    used: set[_Permission] = set(map(tuple, texts[is_resource].to_numpy().tolist()))
    paths = {(str(row.url), str(row.verb)) for row in usable[~is_resource].itertuples()}
    needed = _without_covered(used)
    subject, name = _subject(principal), name or _name(principal)
    cluster = _rules(each for each in needed if not each[0]) + _path_rules(paths)
    made = _objects("", name, subject, cluster) if cluster else []
    for namespace in sorted({each[0] for each in needed if each[0]}):
        made += _objects(namespace, name, subject, _rules(each for each in needed if each[0] == namespace))
    return made


def _without_covered(used: set[_Permission]) -> set[_Permission]:
    """What is not granted already by the same permission for any name, or for the whole cluster."""

    def is_covered(each: _Permission) -> bool:
        namespace, group, resource, verb, name = each
        wider = {(place, group, resource, verb, whose) for place in ("", namespace) for whose in ("", name)} - {each}
        return not wider.isdisjoint(used)

    return {each for each in used if not is_covered(each)}


def _rules(permissions: Iterable[_Permission]) -> list[dict[str, Any]]:
    names: dict[tuple[str, str, str], set[str]] = {}
    for _, group, resource, verb, name in permissions:
        names.setdefault((group, resource, verb), set()).update({name} - {""})
    verbs: dict[tuple[str, str, frozenset[str]], set[str]] = {}
    for (group, resource, verb), these in names.items():
        verbs.setdefault((group, resource, frozenset(these)), set()).add(verb)
    # Resources, then groups, are joined where all the rest is the same.
    resources: dict[tuple[str, frozenset[str], frozenset[str]], set[str]] = {}
    for (group, resource, named), those in verbs.items():
        resources.setdefault((group, frozenset(those), named), set()).add(resource)
    groups: dict[tuple[frozenset[str], frozenset[str], frozenset[str]], set[str]] = {}
    for (group, allowed, named), kinds in resources.items():
        groups.setdefault((frozenset(kinds), allowed, named), set()).add(group)
    rules = []
    for (kinds_of_it, allowed, named), of_groups in groups.items():
        rule = {"apiGroups": sorted(of_groups), "resources": sorted(kinds_of_it)}
        rules.append({**rule, **({"resourceNames": sorted(named)} if named else {}), "verbs": sorted(allowed)})
    return sorted(rules, key=lambda rule: (rule["apiGroups"], rule["resources"], rule["verbs"]))


def _path_rules(paths: set[tuple[str, str]]) -> list[dict[str, Any]]:
    verbs: dict[str, set[str]] = {}
    for path, verb in paths:
        verbs.setdefault(path, set()).add(verb)
    joined: dict[frozenset[str], set[str]] = {}
    for path, those in verbs.items():
        joined.setdefault(frozenset(those), set()).add(path)
    rules = [{"nonResourceURLs": sorted(urls), "verbs": sorted(those)} for those, urls in joined.items()]
    return sorted(rules, key=lambda rule: (rule["verbs"], rule["nonResourceURLs"]))


def _objects(namespace: str, name: str, subject: dict[str, str], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return [
        {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": dict(metadata), "rules": rules},
        {
            "apiVersion": f"{_API}/v1",
            "kind": f"{kind}Binding",
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": _API, "kind": kind, "name": name},
            "subjects": [dict(subject)],
        },
    ]


def _subject(principal: str) -> dict[str, str]:
    parts = principal.split(":")
    if principal.startswith(_SERVICE_ACCOUNT) and len(parts) == 4 and all(parts):
        return {"kind": "ServiceAccount", "name": parts[3], "namespace": parts[2]}
    return {"apiGroup": _API, "kind": "User", "name": principal}


def _name(principal: str) -> str:
    """A name that Kubernetes takes; a sum of the principal keeps apart those that read alike."""
    plain = re.sub(r"[^a-z0-9]+", "-", principal.removeprefix(_SERVICE_ACCOUNT).lower()).strip("-")
    if plain == principal and len(plain) <= _LONGEST_NAME:
        return f"used-by-{plain}"
    return f"used-by-{plain[:_LONGEST_NAME]}-{hashlib.sha256(principal.encode()).hexdigest()[:6]}"
