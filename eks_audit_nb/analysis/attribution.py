"""Who made a request, what came of it, and on what grounds."""

from __future__ import annotations

import re

import pandas as pd

from eks_audit_nb.events import flatten, last_stages, unescaped

# The grammar of the annotation authorization.k8s.io/reason where an authorizer allowed a request.
# Source: kubernetes plugin/pkg/auth/authorizer/rbac and rbac/validation; the EKS form from events of a cluster.
_TEXT = r'"((?:\\.|[^"\\])*)"'
_REASON = re.compile(
    rf"(RBAC|EKS Access Policy): allowed by (ClusterRoleBinding|RoleBinding) {_TEXT} "
    rf"of (ClusterRole|Role) {_TEXT} to (User|Group|ServiceAccount) {_TEXT}"
)
# What the node authorizer says when it refuses. Source: kubernetes plugin/pkg/auth/authorizer/node.
_NODE = re.compile(
    r"no relationship found between node '|unknown node for user |node '|No Object name found|only the following |"
    r"can only (access|create|get|list|read|update)\b|cannot (get|read) subresource|cannot authorize \w+ subresources"
)
# Go's %q. Source: strconv.Quote.
_GO_ESCAPE = re.compile(
    r"\\(?:x(?P<byte>[0-9a-f]{2})|u(?P<short>[0-9a-f]{4})|U(?P<long>00(?:0[0-9a-f]|10)[0-9a-f]{4})|(?P<letter>.))",
    re.DOTALL,
)
_GO_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
REASON_COLUMNS = (
    # RBAC, EKS access policy, node authorizer, system:masters or node authorizer, no authorizer allowed it,
    # refused before authorization, or another authorizer; "not recorded" where the event ends before its decision.
    # The column `reason` keeps the words.
    "grounds",
    "binding_kind",
    "binding",
    "binding_namespace",
    "role_kind",
    "role",
    "subject_kind",
    "subject",
)
# responseStatus.message of a refusal by RBAC. Source: kubernetes apiserver responsewriters.ForbiddenMessage.
_WANTED = re.compile(
    rf"cannot (?P<verb>\S*) (?:resource (?P<resource>{_TEXT}) in API group (?P<group>{_TEXT})"
    rf"(?: in the namespace (?P<namespace>{_TEXT})| at the cluster scope)?|path (?P<path>{_TEXT}))"
)


def attribute(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a request with who made it, what came of it and why.

    Args:
        frame: Rows with `@timestamp` and `@message`.

    Returns:
        The columns of `events.COLUMNS`, those of `REASON_COLUMNS`, `outcome` and `wanted`, in the order of time.
    """
    requests = last_stages(flatten(frame))
    grounds = reasons(requests["decision"], requests["reason"])
    # Only a whole event with a 401 or a 403 says that there was no decision; elsewhere the decision is not in the log.
    is_open = requests["decision"].isna() & (~requests["code"].isin([401, 403]) | requests["is_truncated"])
    grounds["grounds"] = grounds["grounds"].mask(is_open, "not recorded")
    return requests.join(grounds).assign(outcome=outcome(requests), wanted=wanted_permission(requests["message"]))


def outcome(requests: pd.DataFrame) -> pd.Series:
    """What came of each request, as text.

    allowed, refused by authorization, refused by admission, impersonation refused, not authenticated, failed, or no
    response recorded. A 403 with the decision "allow" was refused later, by admission; one without any decision was
    refused before authorization, which is where impersonation is checked.
    """
    code, decision = requests["code"], requests["decision"]
    is_403 = code.eq(403).fillna(False)
    result = pd.Series("failed", index=requests.index, dtype="string")
    result = result.mask(code.lt(400).fillna(False), "allowed")
    result = result.mask(code.eq(401).fillna(False), "not authenticated")
    result = result.mask(is_403 & decision.isna() & ~requests["is_truncated"], "impersonation refused")
    result = result.mask(is_403 & decision.eq("allow").fillna(False), "refused by admission")
    result = result.mask(is_403 & decision.eq("forbid").fillna(False), "refused by authorization")
    return result.mask(code.isna(), "no response recorded")


def reasons(decision: pd.Series, reason: pd.Series) -> pd.DataFrame:
    """Take the authorizer's reason apart; the columns of `REASON_COLUMNS`, all text.

    An allow without a reason is one by the group system:masters, which bypasses RBAC, or by the node authorizer. A
    forbid without a reason says that no authorizer allowed it.
    """
    pairs = list(zip(decision, reason, strict=True))
    distinct = {pair: _reason(*pair) for pair in set(pairs)}
    rows = [distinct[pair] for pair in pairs]
    return pd.DataFrame(rows, columns=list(REASON_COLUMNS), index=decision.index, dtype="string")


def stated_decisions(decisions: pd.DataFrame) -> pd.DataFrame:
    """The rows of the query `authorization_decisions` with their reasons taken apart.

    Args:
        decisions: decision and reason as fields of the event, and decision_in_text and reason_in_text as they stand in
            its text, which count where CloudWatch did not discover the fields.

    Returns:
        The same rows with `decision` and `reason` settled, and the columns of `REASON_COLUMNS`.
    """
    decision = decisions["decision"].fillna(decisions["decision_in_text"])
    reason = decisions["reason"].fillna(unescaped(decisions["reason_in_text"]))
    return decisions.assign(decision=decision, reason=reason).join(reasons(decision, reason))


def wanted_permission(message: pd.Series) -> pd.Series:
    """The permission that a refusal's message names, such as "patch configmaps in kube-system"; missing elsewhere."""
    texts = {text: _wanted(text) for text in message.dropna().unique()}
    return message.map(texts, na_action="ignore").astype("string")


def _reason(decision: object, reason: object) -> tuple[str | None, ...]:
    empty = (None,) * (len(REASON_COLUMNS) - 1)
    if pd.isna(decision):  # type: ignore[call-overload]
        return ("refused before authorization", *empty)
    if pd.isna(reason) or not reason:  # type: ignore[call-overload]
        allowed = decision == "allow"
        return ("system:masters or node authorizer" if allowed else "no authorizer allowed it", *empty)
    found = _REASON.fullmatch(str(reason))
    if not found:
        if decision == "forbid" and str(reason).startswith("RBAC: "):  # a rule of RBAC that could not be resolved
            return ("no authorizer allowed it", *empty)
        return ("node authorizer" if _NODE.match(str(reason)) else "another authorizer", *empty)
    mechanism, binding_kind, binding, role_kind, role, subject_kind, subject = found.groups()
    binding, role, subject = (_unquoted(text) for text in (binding, role, subject))
    namespace = None
    if binding_kind == "RoleBinding":
        binding, _, namespace = binding.rpartition("/")
    grounds = "EKS access policy" if mechanism.startswith("EKS") else mechanism
    return (grounds, binding_kind, binding, namespace, role_kind, role, subject_kind, subject)


def _unquoted(text: str) -> str:
    """Undo Go's %q, the quotes around it already taken off."""
    return _GO_ESCAPE.sub(_go_character, text)


def _go_character(found: re.Match[str]) -> str:
    letter = found["letter"]
    if letter:
        return _GO_LETTERS.get(letter, letter)
    code = int(found["byte"] or found["short"] or found["long"], 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


def _wanted(text: str) -> str | None:
    found = _WANTED.search(text)
    if not found:
        return None
    verb = found["verb"]
    resource, group, namespace, path = (
        _unquoted(found[name][1:-1]) if found[name] else "" for name in ("resource", "group", "namespace", "path")
    )
    if path:
        return f"{verb} {path}"
    place = f"in {namespace}" if namespace else "at the cluster scope"
    return f"{verb} {resource}{'.' if group else ''}{group} {place}"
