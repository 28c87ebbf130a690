"""The way from a caller to what it was allowed: subject, binding, role and rule, or access entry and access policy.

The authorizers name the first rule that allowed a request, not every rule that would have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.access import used_permissions
from eks_audit_nb.analysis.attribution import stated_decisions
from eks_audit_nb.analysis.aws_auth import ADMIN_GROUP
from eks_audit_nb.analysis.grants import (
    binding_history,
    binding_text,
    entry_of,
    group_in_words,
    known,
    mapping_of,
    matching_rule,
    reason_in_words,
    role_history,
    rule_text,
    rules_of,
    subject_text,
    via_group,
)
from eks_audit_nb.analysis.grave import grave_of
from eks_audit_nb.analysis.principals import INFERRED, PROVEN
from eks_audit_nb.analysis.reasons import REASON_COLUMNS
from eks_audit_nb.analysis.typed import records, typed_frame

NOT_KNOWN = "not known"
# One row for each way by which requests were allowed.
WAYS = {
    "way": "Int64",  # 1 for the first to look at
    "username": "string",
    "impersonated": "string",
    "principal_kind": "string",
    "principal": "string",
    **dict.fromkeys(REASON_COLUMNS, "string"),
    "empty_reason": "string",
    "reason": "string",
    "asked_for": "string",  # the permissions that were used, the first few
    "label": "string",  # the way in a few words
    "grave": "string",  # what a permission that was used leads to; missing for most
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    **dict.fromkeys(("verb", "api_group", "resource", "namespace", "audit_id"), "string"),  # of the last request
}
PATH = {
    "way": "Int64",
    "step": "Int64",
    # caller, acts as, subject, binding, role, rule, permission; or access entry, access policy; or authorizer
    "part": "string",
    "name": "string",
    "explanation": "string",
    "basis": "string",  # proven, inferred, not known
    "audit_id": "string",  # of the event that says so
}
OTHERS = {
    "way": "Int64",
    "username": "string",
    "acted_as": "string",
    "subject_kind": "string",
    "subject": "string",
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
}
_KEYS = ["username", "impersonated", *REASON_COLUMNS, "empty_reason"]
_MOST = 4


def ways_of(requests: pd.DataFrame) -> pd.DataFrame:
    """By which ways requests were allowed, those to grave permissions first, then the busiest; the columns of `WAYS`.

    Args:
        requests: Rows of `attribute`; those that no authorizer allowed are passed over.
    """
    allowed = requests[requests["decision"].eq("allow").fillna(False).astype(bool)]
    rows = []
    for _, members in allowed.groupby(_KEYS, dropna=False, sort=False):
        last = records(members.tail(1))[0]
        asked = used_permissions(members, rbac_user(last))
        counted = {"requests": len(members), "first": members["time"].min(), "last": members["time"].max()}
        grave = next(filter(None, map(grave_of, records(asked))), None)
        rows.append({**last, **counted, "asked_for": permissions_text(asked), "label": label_of(last), "grave": grave})
    rows.sort(key=lambda row: (not row["grave"], -row["requests"], row["first"]))
    return typed_frame(({**row, "way": number} for number, row in enumerate(rows, start=1)), WAYS)


def rbac_user(request: Mapping[str, Any]) -> str:
    """Whose rights an authorizer looks at: of the user who is acted as, where there is one."""
    return known(request["impersonated"]) or known(request["username"])


def label_of(way: Mapping[str, Any]) -> str:
    """A way in a few words, such as "ClusterRoleBinding ci-admin"."""
    if known(way["grounds"]) == "RBAC":
        return binding_text(way)
    if known(way["grounds"]) == "EKS access policy":
        return known(way["access_policy"]) or known(way["role"])
    return known(way["empty_reason"]) or known(way["grounds"])


def marked(requests: pd.DataFrame) -> pd.DataFrame:
    """The requests with `label`: the way that allowed each, or "not allowed"; for figures."""
    is_allowed = requests["decision"].eq("allow").fillna(False)
    labels = [
        label_of(request) if allowed else "not allowed"
        for request, allowed in zip(records(requests), is_allowed, strict=True)
    ]
    return requests.assign(label=pd.array(labels, dtype="string"))


def permissions_text(permissions: pd.DataFrame) -> str:
    """The first permissions in a line, such as "list secrets of the whole cluster; get pods in shop"."""
    told = [permission_text(each) for each in records(permissions.head(_MOST))]
    more = len(permissions) - len(told)
    return "; ".join(told) + (f" and {more:,} more" if more > 0 else "")


def permission_text(asked: Mapping[str, Any]) -> str:
    """A row of `used_permissions` in words."""
    if known(asked["url"]):
        return f"{known(asked['verb'])} {known(asked['url'])}"
    group, name, namespace = (known(asked[each]) for each in ("api_group", "name", "namespace"))
    what = f"{known(asked['resource'])}{f'.{group}' if group else ''}{f' {name}' if name else ''}"
    return f"{known(asked['verb'])} {what} {f'in {namespace}' if namespace else 'at the cluster scope'}"


def paths(ways: pd.DataFrame, requests: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    """Each way, step by step; the columns of `PATH`.

    Args:
        ways: What `ways_of` gives.
        requests: The rows of `attribute` that they were made of.
        rules: Rows of `attribute` for the query `access_rules`.
    """
    found: list[dict[str, Any]] = []
    for way in records(ways):
        members = _members(requests, way)
        before = rules[rules["time"] <= way["last"]]
        steps = [*_caller(way, members), *_ground(way, members, before)]
        found += [{**step, "way": way["way"], "step": number} for number, step in enumerate(steps, start=1)]
    return typed_frame(found, PATH)


def others_on(ways: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Who else was allowed by the binding, the access policy or the group of each way; the columns of `OTHERS`.

    Args:
        ways: What `ways_of` gives.
        decisions: Rows of the query `decisions_by_caller`.
    """
    stated = stated_decisions(decisions)
    stated = stated[stated["decision"].eq("allow").fillna(False).astype(bool)]
    groups = stated["groups"].mask(stated["acted_as"].notna(), stated["acted_as_groups"]).fillna("")
    rows: list[dict[str, Any]] = []
    for way in records(ways):
        if known(way["binding"]):
            same = pd.Series(True, index=stated.index)
            for name in ("grounds", "binding_kind", "binding", "binding_namespace"):
                same &= stated[name].fillna("").eq(known(way[name]))
        else:
            group = {ADMIN_GROUP: ADMIN_GROUP, "node authorizer": "system:nodes"}.get(known(way["empty_reason"]), "?")
            same = stated["grounds"].eq(way["grounds"]) & groups.str.contains(f'"{group}"', regex=False)
        is_own = stated["username"].fillna("").eq(known(way["username"]))
        is_own &= stated["acted_as"].fillna("").eq(known(way["impersonated"]))
        found = stated[(same & ~is_own).fillna(False).astype(bool)]
        keys = ["username", "acted_as", "subject_kind", "subject"]
        counted = found.groupby(keys, dropna=False, sort=False).agg(
            requests=("requests", "sum"), first=("first_seen", "min"), last=("last_seen", "max")
        )
        rows += [{**each, "way": way["way"]} for each in records(counted.reset_index())]
    return typed_frame(rows, OTHERS).sort_values(["way", "requests"], ascending=[True, False], ignore_index=True)


def _members(requests: pd.DataFrame, way: Mapping[str, Any]) -> pd.DataFrame:
    same = requests["decision"].eq("allow").fillna(False)
    for name in _KEYS:
        same &= requests[name].fillna("").isin([known(way[name])])  # eq takes a NUL at the end for nothing
    return requests[same.astype(bool)]


# --- the steps ------------------------------------------------------------------------------------------------------

_Steps = Iterator[dict[str, Any]]


def _step(part: str, name: str, explanation: str, basis: str = PROVEN, audit_id: Any = None) -> dict[str, Any]:
    return {"part": part, "name": name, "explanation": explanation, "basis": basis, "audit_id": audit_id}


def _caller(way: Mapping[str, Any], members: pd.DataFrame) -> _Steps:
    last = records(members.tail(1))[0]
    told = [known(last["principal_kind"])]
    if known(last["username"]) != known(last["principal"]):
        told.append(f"with the username {known(last['username'])}")
    for words, column in (("session", "session"), ("credential", "credential"), ("from", "source_ip")):
        values = list(dict.fromkeys(members[column].dropna()))
        if values and not (column == "credential" and values[0] == last["username"]):
            more = f" and {len(values) - 1} more" if len(values) > 1 else ""
            told.append(f"{words} {values[0]}{more}")
    yield _step("caller", known(last["principal"]), ", ".join(told), last["principal_basis"], last["audit_id"])
    if known(way["impersonated"]):
        text = (
            "the caller asked to be treated as this user; from here on this user's rights count. Which rule lets the "
        )
        text += "caller impersonate is not in the log"
        yield _step("acts as", known(way["impersonated"]), text, PROVEN, last["audit_id"])


def _ground(way: Mapping[str, Any], members: pd.DataFrame, rules: pd.DataFrame) -> _Steps:
    grounds, silent = known(way["grounds"]), known(way["empty_reason"])
    if grounds == "RBAC":
        yield from _rbac(way, members, rules)
    elif grounds == "EKS access policy":
        yield from _access_policy(way)
    elif silent == ADMIN_GROUP:
        yield _in_group(way, rules)
        yield _step("authorizer", "system:masters", "everything is allowed to this group; RBAC is not asked", INFERRED)
        yield _step("permission", way["asked_for"], "what was used of it")
    elif silent == "node authorizer":
        yield _step("subject", "Group system:nodes", "the groups of the event name it", PROVEN, way["audit_id"])
        text = "it allows a node its own objects, its pods, and the Secrets and ConfigMaps that they use"
        yield _step("authorizer", "node authorizer", text, INFERRED)
        yield _step("permission", way["asked_for"], "what was used of it")
    else:
        yield _step("authorizer", label_of(way), reason_in_words(way), NOT_KNOWN)
        yield _step("permission", way["asked_for"], "what was used of it")


def _rbac(way: Mapping[str, Any], members: pd.DataFrame, rules: pd.DataFrame) -> _Steps:
    if known(way["subject_kind"]) == "Group":
        yield _in_group(way, rules)
    elif known(way["subject_kind"]) == "ServiceAccount":
        yield _step("subject", subject_text(way), "the service account itself", PROVEN, way["audit_id"])
    else:
        yield _named_user(way, rules)
    binding, role = binding_history(rules, way), role_history(rules, way)
    yield _step("binding", binding_text(way), *_made(binding, "binding"))
    yield _step("role", f"{known(way['role_kind'])} {known(way['role'])}", *_made(role, "role"))
    yield from _rules(way, members, role)


def _rules(way: Mapping[str, Any], members: pd.DataFrame, role: pd.DataFrame) -> _Steps:
    body, origin = rules_of(role, known(way["role"]))
    asked = records(used_permissions(members, rbac_user(way)))
    by_rule: dict[str, list[str]] = {}
    for each in asked:
        rule = matching_rule(body, each)
        by_rule.setdefault(rule_text(rule) if rule else "", []).append(permission_text(each))
    for rule_words, needed in by_rule.items():
        what = "; ".join(needed[:_MOST]) + (f" and {len(needed) - _MOST:,} more" if len(needed) > _MOST else "")
        if rule_words:
            basis = PROVEN if origin == "the log" else INFERRED
            yield _step("rule", rule_words, f"needed for: {what}. The rule is known from {origin}", basis)
        elif origin:
            text = "the role as the log has it holds no rule for this: it was changed outside of what was read"
            yield _step("permission", what, text, NOT_KNOWN)
        else:
            text = (
                "a rule of this role allows it; what else the role allows is not in the log: look at it in the cluster"
            )
            yield _step("permission", what, text, NOT_KNOWN)


def _access_policy(way: Mapping[str, Any]) -> _Steps:
    text = f"the access entry of this IAM identity in the cluster; the authorizer knows it as {known(way['subject'])}"
    yield _step("access entry", entry_of(way), text, PROVEN, way["audit_id"])
    where = known(way["binding_namespace"])
    scope = f"for the namespace {where}" if where else "for the whole cluster"
    text = f"associated with the entry {scope}. Who did so is in CloudTrail (AssociateAccessPolicy), not in this log"
    yield _step("access policy", known(way["role"]), text, PROVEN, way["audit_id"])
    yield _step("permission", way["asked_for"], "what was used of the policy")


def _in_group(way: Mapping[str, Any], rules: pd.DataFrame) -> dict[str, Any]:
    group = via_group(way)
    if words := group_in_words(group):
        return _step("subject", f"Group {group}", words, PROVEN, way["audit_id"])
    if known(way["impersonated"]):
        return _step("subject", f"Group {group}", "the caller asked to be treated as in it", PROVEN, way["audit_id"])
    entries = records(mapping_of(rules, way))
    if entries:
        text = f"the entry of aws-auth gives the group: {entries[-1]['change']} at {_at(entries[-1]['time'])}"
        return _step("subject", f"Group {group}", text, PROVEN, entries[-1]["audit_id"])
    if known(way["principal"]).startswith("arn:"):
        text = (
            "the groups of the event name it. What gave the group is not in what was read: an entry of aws-auth from "
        )
        text += "before, or an access entry"
        if group == ADMIN_GROUP:
            text = "the groups of the event name it. What gave the group is not in what was read: an entry of aws-auth "
            text += "from before, or the cluster was created by this identity. Access entries cannot give it"
        return _step("subject", f"Group {group}", text, PROVEN, way["audit_id"])
    text = "the groups of the event name it"
    return _step("subject", f"Group {group}", text, PROVEN, way["audit_id"])


def _named_user(way: Mapping[str, Any], rules: pd.DataFrame) -> dict[str, Any]:
    entries = records(mapping_of(rules, way))
    text = "the user is named in the binding"
    if entries:
        text += f"; the entry of aws-auth gives the name: {entries[-1]['change']} at {_at(entries[-1]['time'])}"
    return _step("subject", subject_text(way), text, PROVEN, entries[-1]["audit_id"] if entries else way["audit_id"])


def _made(history: pd.DataFrame, what: str) -> tuple[str, str, Any]:
    """Who made or last changed a part of the way, with the basis and the audit id."""
    written = history[history["effect"].isin(["done"]) & ~history["act"].isin(["delete", "delete collection"])]
    if written.empty:
        return f"who made this {what} is not in what was read: it is older, or its event is lost", NOT_KNOWN, None
    made, last = records(written.head(1))[0], records(written.tail(1))[0]
    text = f"{_by('made' if made['act'] == 'create' else 'changed', made)}"
    if made["act"] == "create" and known(made["grounds"]) and reason_in_words(made):
        text += f", since {reason_in_words(made)}"
    if last["audit_id"] != made["audit_id"]:
        text += f"; {_by('last changed', last)}"
    return text, PROVEN, last["audit_id"]


def _by(did: str, request: Mapping[str, Any]) -> str:
    who = known(request["username"]) or "a caller without a name"
    arn = known(request["arn"])
    acted = known(request["impersonated"])
    return (
        f"{did} at {_at(request['time'])} by {who}{f' acting as {acted}' if acted else ''}{f' ({arn})' if arn else ''}"
    )


def _at(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
