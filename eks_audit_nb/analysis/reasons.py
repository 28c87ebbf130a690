"""The authorizers' words, taken apart and written: why a request was allowed, and what a refused one would have needed.

Source: kubernetes plugin/pkg/auth/authorizer/rbac, its node authorizer, and apiserver's
responsewriters.ForbiddenMessage, its admission plugins webhook and validating policy (which need not answer with 403);
the form of EKS access policies from events of a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from eks_audit_nb.analysis.distinct import worked_once

_TEXT = r'"((?:\\.|[^"\\])*)"'
_REASON = re.compile(
    rf"(RBAC|EKS Access Policy): allowed by (ClusterRoleBinding|RoleBinding) {_TEXT} "
    rf"of (ClusterRole|Role) {_TEXT} to (User|Group|ServiceAccount) {_TEXT}"
)
_ACCESS_POLICY = re.compile(r"arn:aws[a-z-]*:eks::aws:cluster-access-policy/(.+)", re.DOTALL)
# What the node authorizer says when it refuses.
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
_WRITTEN_LETTERS = {character: f"\\{letter}" for letter, character in _GO_LETTERS.items()}
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
    "access_policy",  # the policy's name, such as AmazonEKSViewPolicy
)
WANTED_COLUMNS = ("wanted", "wanted_verb", "wanted_resource", "wanted_group", "wanted_namespace", "wanted_path")
# The last such words of a message are the API server's: a name before them stands as the client wrote it, without
# escapes, and can be written like them.
_WANTED = re.compile(
    rf".*forbidden: User {_TEXT} cannot (?P<verb>\S*) "
    rf"(?:resource (?P<resource>{_TEXT}) in API group (?P<group>{_TEXT})"
    rf"(?: in the namespace (?P<namespace>{_TEXT})| at the cluster scope)?|path (?P<path>{_TEXT}))",
    re.DOTALL,
)

# A webhook that gives no code refuses with 400, a policy that gives no reason with 422.
_DENIED = re.compile(
    rf"admission webhook {_TEXT} denied the request|[^\"]*(?:{_TEXT})? is forbidden: ValidatingAdmissionPolicy '",
    re.DOTALL,
)


def reasons(decision: pd.Series, reason: pd.Series) -> pd.DataFrame:
    """Take the authorizer's reason apart; the columns of `REASON_COLUMNS`, all text.

    An allow without a reason is one by the group system:masters, which bypasses RBAC, or by the node authorizer. A
    forbid without a reason says that no authorizer allowed it.
    """
    found = worked_once([decision, reason], _reason, dict.fromkeys(REASON_COLUMNS, "string"))
    return pd.DataFrame(found, copy=False)


def write_reason(parts: Mapping[str, str]) -> str:
    """The words of a reason that names a binding, from what `reasons` takes it apart into.

    Raises:
        KeyError: A part is missing.
    """
    binding = parts["binding"]
    if parts["binding_kind"] == "RoleBinding":
        binding = f"{binding}/{parts['binding_namespace']}"
    mechanism = {"RBAC": "RBAC", "EKS access policy": "EKS Access Policy"}[parts["grounds"]]
    return (
        f"{mechanism}: allowed by {parts['binding_kind']} {go_quoted(binding)} "
        f"of {parts['role_kind']} {go_quoted(parts['role'])} to {parts['subject_kind']} {go_quoted(parts['subject'])}"
    )


def wanted_permissions(message: pd.Series) -> pd.DataFrame:
    """The permission that a refusal's message names; the columns of `WANTED_COLUMNS`, all text, missing elsewhere.

    `wanted` puts it in words, such as "patch configmaps in kube-system"; the core API group is "".
    """
    found = worked_once([message], _wanted, dict.fromkeys(WANTED_COLUMNS, "string"))
    return pd.DataFrame(found, copy=False)


def wanted_permission(message: pd.Series) -> pd.Series:
    """The permission that a refusal's message names, such as "patch configmaps in kube-system"; missing elsewhere."""
    return wanted_permissions(message)["wanted"]


def denied_by_admission(message: pd.Series) -> pd.Series:
    """Whether a message is that of an admission webhook or a ValidatingAdmissionPolicy that refused, as boolean."""
    (found,) = worked_once([message], lambda text: (bool(text and _DENIED.match(text)),), {"is": "boolean"}).values()
    return found


def go_quoted(text: str) -> str:
    """The text as Go's %q writes it. Source: strconv.Quote."""
    return '"' + "".join(map(_written, text)) + '"'


def _reason(decision: str | None, reason: str | None) -> tuple[str | None, ...]:
    empty = (None,) * (len(REASON_COLUMNS) - 1)
    if decision is None:
        return ("refused before authorization", *empty)
    if not reason:
        allowed = decision == "allow"
        return ("system:masters or node authorizer" if allowed else "no authorizer allowed it", *empty)
    found = _REASON.fullmatch(reason)
    if not found:
        if decision == "forbid" and reason.startswith("RBAC: "):  # a rule of RBAC that could not be resolved
            return ("no authorizer allowed it", *empty)
        return ("node authorizer" if _NODE.match(reason) else "another authorizer", *empty)
    mechanism, binding_kind, binding, role_kind, role, subject_kind, subject = found.groups()
    binding, role, subject = (_unquoted(text) for text in (binding, role, subject))
    namespace = policy = None
    if binding_kind == "RoleBinding":
        binding, _, namespace = binding.rpartition("/")
    if mechanism == "RBAC":
        return ("RBAC", binding_kind, binding, namespace, role_kind, role, subject_kind, subject, None)
    named = _ACCESS_POLICY.fullmatch(role)
    policy = named[1] if named else None
    return ("EKS access policy", binding_kind, binding, namespace, role_kind, role, subject_kind, subject, policy)


def _wanted(message: str | None) -> tuple[str | None, ...]:
    found = _WANTED.match(message) if message else None
    if not found:
        return (None,) * len(WANTED_COLUMNS)
    verb = found["verb"]
    resource, group, namespace, path = (
        _unquoted(found[name][1:-1]) if found[name] else None for name in ("resource", "group", "namespace", "path")
    )
    if path is not None:
        return (f"{verb} {path}", verb, None, None, None, path)
    place = f"in {namespace}" if namespace else "at the cluster scope"
    return (f"{verb} {resource}{'.' if group else ''}{group} {place}", verb, resource, group, namespace, None)


def _unquoted(text: str) -> str:
    """Undo Go's %q, the quotes around it already taken off."""
    return _GO_ESCAPE.sub(_go_character, text)


def _go_character(found: re.Match[str]) -> str:
    letter = found["letter"]
    if letter:
        return _GO_LETTERS.get(letter, letter)
    code = int(found["byte"] or found["short"] or found["long"], 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


def _written(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character in _WRITTEN_LETTERS:
        return _WRITTEN_LETTERS[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
