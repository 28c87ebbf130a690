"""Where a permission comes from: who made the binding, the role and the mapping that an authorizer names, and when.

Source: Kubernetes, "Using RBAC Authorization" (rules, default roles, bindings that the API server restores);
EKS User Guide, "Grant IAM users access to Kubernetes with a ConfigMap" and "with EKS access entries".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.asked import object_text
from eks_audit_nb.analysis.aws_auth import ADMIN_GROUP, mapping_changes
from eks_audit_nb.analysis.bodies import mapping, stored_object
from eks_audit_nb.analysis.history import object_history
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.events import parse_event

# One row for each request that made, changed or ended a part of a way.
ORIGINS = {
    "way": "Int64",
    "part": "string",  # binding, role, mapping
    "name": "string",  # resource/namespace/name
    "time": "datetime64[us, UTC]",
    "act": "string",
    "what": "string",
    "username": "string",
    "arn": "string",
    "session": "string",
    "access_key": "string",
    "source_ip": "string",
    "is_before": "boolean",  # before the last request that went this way
    "why": "string",  # why that request was allowed
    "audit_id": "string",
}
_RBAC = "rbac.authorization.k8s.io"
# Groups that the API server puts callers into by itself. Source: apiserver pkg/authentication/user.
_BUILT_IN = {
    "system:authenticated": "everybody who has authenticated is in it",
    "system:unauthenticated": "everybody who has not authenticated is in it: anyone who reaches the API server",
    "system:serviceaccounts": "every service account of the cluster is in it",
    "system:nodes": "nodes are in it",
}
_EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_EVERY_PATH = {"nonResourceURLs": ["*"], "verbs": ["*"]}


def access_rules(requests: pd.DataFrame) -> pd.DataFrame:
    """Of more requests those that the query `access_rules` would give; `requests` are rows of `attribute`."""
    is_rbac = requests["api_group"].eq(_RBAC)
    is_mapping = requests["resource"].eq("configmaps") & requests["namespace"].eq("kube-system")
    is_namespace = requests["resource"].eq("namespaces") & requests["verb"].eq("delete")
    found = is_rbac | (is_mapping & (requests["name"].eq("aws-auth") | requests["name"].isna())) | is_namespace
    return requests[found.fillna(False).astype(bool) & ~requests["verb"].isin(["get", "list", "watch"])]


def origins(ways: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    """What the log holds of each way's binding, role and mapping; the columns of `ORIGINS`, in the order of time.

    Args:
        ways: What `paths.ways_of` gives.
        rules: Rows of `attribute` for the query `access_rules`.
    """
    rows: list[dict[str, Any]] = []
    for way in records(ways):
        for part, history in (("binding", binding_history(rules, way)), ("role", role_history(rules, way))):
            rows += [{"way": way["way"], "part": part, **_origin(each, way)} for each in records(history)]
        found = mapping_of(rules, way)
        asked = rules.drop_duplicates("audit_id").set_index("audit_id")
        for entry in records(found):
            of_it = asked.loc[entry["audit_id"]].to_dict() if entry["audit_id"] in asked.index else {}
            what = f"{entry['change']}: {entry['identity']} becomes {entry['username'] or 'a user'}"
            what += f" in groups {entry['groups']}" if entry["groups"] else ""
            row = {**of_it, **entry, "username": of_it.get("username"), "act": of_it.get("verb"), "what": what}
            told = {"way": way["way"], "part": "mapping", "name": "configmaps/kube-system/aws-auth"}
            rows.append({**row, **told, "is_before": entry["time"] <= way["last"], "why": reason_in_words(of_it)})
    return typed_frame(sorted(rows, key=lambda row: (row["way"], row["time"])), ORIGINS)


def binding_history(rules: pd.DataFrame, way: Mapping[str, Any]) -> pd.DataFrame:
    """The requests that made, changed or deleted the binding that an authorizer named; rows of `object_history`."""
    if way["grounds"] != "RBAC":
        return rules.head(0)
    return _done(rules, f"{way['binding_kind'].lower()}s", way["binding_namespace"], way["binding"])


def role_history(rules: pd.DataFrame, way: Mapping[str, Any]) -> pd.DataFrame:
    """The same for the role; a Role lies in the namespace of its binding."""
    if way["grounds"] != "RBAC":
        return rules.head(0)
    namespace = way["binding_namespace"] if way["role_kind"] == "Role" else ""
    return _done(rules, f"{way['role_kind'].lower()}s", namespace, way["role"])


def mapping_of(rules: pd.DataFrame, way: Mapping[str, Any]) -> pd.DataFrame:
    """The entries of aws-auth that make the way's principal what it is; rows of `mapping_changes`.

    An entry counts for its IAM identity where it gives the group or the username that the way goes through.
    """
    if not known(way["principal"]).startswith("arn:"):
        return mapping_changes(rules.head(0))
    is_mapping = rules["resource"].eq("configmaps") & (rules["name"].eq("aws-auth") | rules["name"].isna())
    entries = mapping_changes(rules[is_mapping.fillna(False).astype(bool)])
    mine = entries[entries["identity"].eq(way["principal"]).fillna(False).astype(bool)]
    group, user = via_group(way), known(way["username"])
    gives = [
        group in known(groups).split(", ") if group else known(username) == user
        for groups, username in zip(mine["groups"], mine["username"], strict=True)
    ]
    return mine[pd.Series(gives, index=mine.index, dtype="bool")]


def via_group(way: Mapping[str, Any]) -> str:
    """The group through which a way leads; "" where it is for a user or a service account."""
    if way["subject_kind"] == "Group":
        return known(way["subject"])
    return ADMIN_GROUP if way["empty_reason"] == ADMIN_GROUP else ""


def group_in_words(group: str) -> str:
    """Who is in a group that the API server fills by itself; "" for others."""
    if group.startswith("system:serviceaccounts:"):
        return f"every service account of the namespace {group.rpartition(':')[2]} is in it"
    return _BUILT_IN.get(group, "")


def subjects_of(history: pd.DataFrame) -> list[dict[str, str]] | None:
    """The subjects of a binding, as its last state in the log has them; None where no state is there."""
    body = _last_body(history)
    subjects = None if body is None else body.get("subjects")
    if body is None:
        return None
    return [
        {key: value for key, value in each.items() if isinstance(value, str)}
        for each in (subjects if isinstance(subjects, list) else ())
        if isinstance(each, dict)
    ]


def rules_of(history: pd.DataFrame, role: str) -> tuple[list[dict[str, Any]], str]:
    """The rules of a role and where they are from: its last state in the log, Kubernetes' default, or "" for nowhere.

    Args:
        history: What `role_history` gives, up to the time that matters.
        role: The role's name.
    """
    body = _last_body(history)
    found = None if body is None else body.get("rules")
    if isinstance(found, list):
        return [each for each in found if isinstance(each, dict)], "the log"
    if role == "cluster-admin":
        return [_EVERYTHING, _EVERY_PATH], "the default of Kubernetes"
    return [], ""


def matching_rule(rules: Iterable[Mapping[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first rule that allows a permission, as RBAC reads it; None where none does.

    Args:
        rules: Of a role.
        asked: A row of `access.used_permissions`.
    """
    for rule in rules:
        if known(asked["verb"]) not in _words(rule, "verbs") and "*" not in _words(rule, "verbs"):
            continue
        if known(asked["resource"]):
            if _allows_resource(rule, asked):
                return dict(rule)
        elif any(_is_path(pattern, known(asked["url"])) for pattern in _words(rule, "nonResourceURLs")):
            return dict(rule)
    return None


def rule_text(rule: Mapping[str, Any]) -> str:
    """A rule in a line, such as "get, list of secrets (named db) in the core group"."""
    verbs = ", ".join(_words(rule, "verbs")) or "no verb"
    verbs = "every verb" if verbs == "*" else verbs
    if paths := _words(rule, "nonResourceURLs"):
        return f"{verbs} of the paths {', '.join(paths)}"
    groups = ", ".join(each or "the core group" for each in _words(rule, "apiGroups"))
    resources, names = ", ".join(_words(rule, "resources")), ", ".join(_words(rule, "resourceNames"))
    what = "everything" if resources == "*" else resources
    where = "every API group" if groups == "*" else groups
    return f"{verbs} of {what}{f' named {names}' if names else ''} in {where}"


def reason_in_words(request: Mapping[str, Any]) -> str:
    """Why a request was allowed or refused, as a part of a sentence; "" where there is nothing to go by.

    Args:
        request: A row of `attribute`, or anything with its columns `grounds` to `empty_reason`.
    """
    grounds = known(request.get("grounds"))
    if grounds == "RBAC":
        return f"{binding_text(request)} grants {role_text(request)} to {subject_text(request)}"
    if grounds == "EKS access policy":
        policy = known(request.get("access_policy")) or known(request.get("role"))
        where = known(request.get("binding_namespace"))
        scope = f"for the namespace {where}" if where else "for the whole cluster"
        return f"the EKS access policy {policy} is associated with {entry_of(request)} {scope}"
    silent = known(request.get("empty_reason"))
    if silent == ADMIN_GROUP:
        who = "the user who was acted as" if known(request.get("impersonated")) else "the caller"
        return f"{who} is in the group system:masters, which no rule of RBAC can restrain"
    if silent == "node authorizer":
        return "the node authorizer allows a node what belongs to it"
    return {
        "system:masters or node authorizer": "an authorizer allowed it without a word: system:masters, or the node "
        "authorizer",
        "node authorizer": f"the node authorizer said: {known(request.get('reason'))}",
        "another authorizer": f"an authorizer said: {known(request.get('reason'))}",
        "no authorizer allowed it": "no authorizer had a rule that allows it",
        "refused before authorization": "it was turned away before any authorizer was asked",
        "not recorded": "the decision is not in the log",
    }.get(grounds, "")


def binding_text(way: Mapping[str, Any]) -> str:
    """Such as "ClusterRoleBinding ci-admin", or "RoleBinding edit in the namespace shop"."""
    where = known(way.get("binding_namespace"))
    return (
        f"{known(way.get('binding_kind'))} {known(way.get('binding'))}{f' in the namespace {where}' if where else ''}"
    )


def role_text(way: Mapping[str, Any]) -> str:
    """Such as "ClusterRole cluster-admin"."""
    return f"{known(way.get('role_kind'))} {known(way.get('role'))}"


def subject_text(way: Mapping[str, Any]) -> str:
    """Such as "Group acme:sre", or "ServiceAccount deployer in the namespace ci"."""
    kind, subject = known(way.get("subject_kind")), known(way.get("subject"))
    if kind == "ServiceAccount":
        name, _, namespace = subject.partition("/")
        return f"ServiceAccount {name} in the namespace {namespace}"
    return f"{kind} {subject}"


def entry_of(way: Mapping[str, Any]) -> str:
    """The IAM identity of the access entry that an EKS access policy is associated with."""
    return known(way.get("binding")).removesuffix(f"+{known(way.get('role'))}")


def known(value: object) -> str:
    """The text; "" where it is missing."""
    return value if isinstance(value, str) else ""


def _origin(request: Mapping[str, Any], way: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **request,
        "name": object_text(request),
        "is_before": request["time"] <= way["last"],
        "why": reason_in_words(request),
    }


def _done(rules: pd.DataFrame, plural: str, namespace: Any, name: Any) -> pd.DataFrame:
    if not known(name):
        return rules.head(0)
    history = object_history(rules, f"{plural}.{_RBAC}", known(namespace), name)
    return history[history["effect"] != "none"]


def _last_body(history: pd.DataFrame) -> dict[str, Any] | None:
    if "effect" not in history:  # an empty frame of another way
        return None
    texts = history.loc[history["effect"].eq("done"), "raw"].dropna()
    bodies = (stored_object(parse_event(text)) for text in texts[::-1])
    return next((body for body in bodies if body is not None), None)


def _allows_resource(rule: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    groups, resources, names = (_words(rule, key) for key in ("apiGroups", "resources", "resourceNames"))
    resource = known(asked["resource"])
    wanted = {"*", resource, f"*/{resource.partition('/')[2]}" if "/" in resource else resource}
    is_group = "*" in groups or known(asked["api_group"]) in groups
    return is_group and bool(wanted & set(resources)) and (not names or known(asked["name"]) in names)


def _is_path(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def _words(rule: Mapping[str, Any], key: str) -> list[str]:
    values = mapping(rule).get(key)
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []
