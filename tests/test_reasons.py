"""The authorizers' words: taken apart, and written again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.reasons import (
    REASON_COLUMNS,
    WANTED_COLUMNS,
    go_quoted,
    reasons,
    wanted_permission,
    wanted_permissions,
    write_reason,
)


def text(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="string")


def parts(decision: str | None, reason: str | None) -> dict[str, str]:
    """What a reason is taken apart into, without what is missing."""
    (row,) = reasons(text(decision), text(reason)).astype(object).to_dict("records")
    return {name: value for name, value in row.items() if not pd.isna(value)}


# --- grounds --------------------------------------------------------------------------------------------------------

MASTERS = "system:masters or node authorizer"
POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


@pytest.mark.parametrize(
    ("mechanism", "binding", "role", "subject", "expected"),
    [
        (
            "RBAC",
            'ClusterRoleBinding "prometheus"',
            'ClusterRole "prom"',
            'ServiceAccount "prom/watch"',
            (
                "RBAC",
                "ClusterRoleBinding",
                "prometheus",
                None,
                "ClusterRole",
                "prom",
                "ServiceAccount",
                "prom/watch",
                None,
            ),
        ),
        (
            "RBAC",
            'RoleBinding "runner/ci"',
            'Role "runner"',
            'User "alice"',
            ("RBAC", "RoleBinding", "runner", "ci", "Role", "runner", "User", "alice", None),
        ),
        (
            "RBAC",
            'RoleBinding "edit/shop"',
            'ClusterRole "edit"',
            'Group "devs"',
            ("RBAC", "RoleBinding", "edit", "shop", "ClusterRole", "edit", "Group", "devs", None),
        ),
        (
            "EKS Access Policy",
            f'ClusterRoleBinding "arn:aws:iam::1:role/Ops+{POLICY}"',
            f'ClusterRole "{POLICY}"',
            'User "AROAX"',
            (
                "EKS access policy",
                "ClusterRoleBinding",
                f"arn:aws:iam::1:role/Ops+{POLICY}",
                None,
                "ClusterRole",
                POLICY,
                "User",
                "AROAX",
                "AmazonEKSClusterAdminPolicy",
            ),
        ),
    ],
)
def test_allowed_by_a_binding(
    mechanism: str, binding: str, role: str, subject: str, expected: tuple[str | None, ...]
) -> None:
    """A reason that names a binding is taken apart into mechanism, binding, role and subject."""
    reason = f"{mechanism}: allowed by {binding} of {role} to {subject}"
    named = dict(zip(REASON_COLUMNS, expected, strict=True))
    assert parts("allow", reason) == {name: value for name, value in named.items() if value is not None}


@pytest.mark.parametrize(
    ("decision", "reason", "grounds"),
    [
        ("allow", "", MASTERS),
        ("allow", None, MASTERS),
        ("forbid", "", "no authorizer allowed it"),
        ("forbid", 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found', "no authorizer allowed it"),
        ("forbid", "no relationship found between node 'ip-10-0-1-11.ec2.internal' and this object", "node authorizer"),
        ("forbid", 'unknown node for user "system:node:"', "node authorizer"),
        ("forbid", "node 'a' cannot read 'b', only its own Node object", "node authorizer"),
        ("forbid", "node 'a' cannot read all nodes, only its own Node object", "node authorizer"),
        ("forbid", "can only read namespaced object of this type", "node authorizer"),
        ("forbid", "can only get individual resources of this type", "node authorizer"),
        ("forbid", "can only get/update/patch this type", "node authorizer"),
        ("forbid", "can only get, create, update, patch, or delete a node lease", "node authorizer"),
        ("forbid", 'can only access leases in the "kube-node-lease" system namespace', "node authorizer"),
        ("forbid", "can only list/watch pods with spec.nodeName field selector", "node authorizer"),
        ("forbid", "can only create tokens for individual service accounts", "node authorizer"),
        ("forbid", "can only update status subresource", "node authorizer"),
        ("forbid", "cannot authorize CSINode subresources", "node authorizer"),
        ("forbid", "cannot get subresource", "node authorizer"),
        ("forbid", "No Object name found", "node authorizer"),
        ("allow", "policy 7 of our webhook says so", "another authorizer"),
        ("forbid", "internal error", "another authorizer"),
        ("allow", 'RBAC: allowed by ClusterRoleBinding "cut of', "another authorizer"),
        (None, None, "refused before authorization"),
    ],
)
def test_grounds(decision: str | None, reason: str | None, grounds: str) -> None:
    """A reason that names no binding gives its grounds, and nothing that was not said."""
    assert parts(decision, reason) == {"grounds": grounds}


def test_reasons_of_real_logs(corpus: Path) -> None:
    """Every reason of the recorded log is understood, and what it is taken apart into gives its words again."""
    pairs = json.loads((corpus / "reasons.json").read_text(encoding="utf-8"))
    absent = {"(absent)": None}
    frame = pd.DataFrame(pairs)
    frame["decision"] = frame["decision"].map(lambda value: absent.get(value, value)).astype("string")
    frame["reason"] = frame["reason"].map(lambda value: absent.get(value, value)).astype("string")
    found = frame.join(reasons(frame["decision"], frame["reason"]))
    assert len(found) == len(pairs) > 70
    assert not found["grounds"].eq("another authorizer").any()
    assert set(found.loc[found["decision"].eq("allow"), "grounds"]) == {
        "RBAC",
        "EKS access policy",
        MASTERS,
    }
    worded = found[found["reason"].fillna("").str.contains("allowed by")]
    assert len(worded) > 60
    for row in worded.to_dict("records"):
        assert write_reason(row) == row["reason"]


def quoted(value: str) -> str:
    """The text as Go's %q writes it. Source: the Go language's strconv.Quote."""
    letters = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
    written = []
    for character in value:
        if character in '"\\':
            written.append(f"\\{character}")
        elif character in letters:
            written.append(letters[character])
        elif character.isprintable():
            written.append(character)
        elif character < " " or character == "\x7f":
            written.append(f"\\x{ord(character):02x}")
        elif ord(character) < 0x10000:
            written.append(f"\\u{ord(character):04x}")
        else:
            written.append(f"\\U{ord(character):08x}")
    return '"' + "".join(written) + '"'


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(
    st.sampled_from(["RBAC", "EKS Access Policy"]),
    NAMES,
    st.none() | st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["ClusterRole", "Role"]),
    NAMES,
    st.sampled_from(["User", "Group", "ServiceAccount"]),
    NAMES,
)
def test_any_reason_of_the_grammar(
    mechanism: str, binding: str, namespace: str | None, role_kind: str, role: str, subject_kind: str, subject: str
) -> None:
    """Whatever names a binding, a role and a subject have, quotes and control characters too, they come back whole."""
    kind, full = ("ClusterRoleBinding", binding) if namespace is None else ("RoleBinding", f"{binding}/{namespace}")
    reason = (
        f"{mechanism}: allowed by {kind} {quoted(full)} of {role_kind} {quoted(role)} "
        f"to {subject_kind} {quoted(subject)}"
    )
    expected = {
        "grounds": "RBAC" if mechanism == "RBAC" else "EKS access policy",
        "binding_kind": kind,
        "binding": binding,
        "role_kind": role_kind,
        "role": role,
        "subject_kind": subject_kind,
        "subject": subject,
    }
    if namespace is not None:
        expected["binding_namespace"] = namespace
    assert go_quoted(full) == quoted(full)
    assert write_reason(expected) == reason
    assert parts("allow", reason) == expected


@given(st.from_regex(r"AmazonEKS[A-Za-z0-9]{0,30}", fullmatch=True), st.sampled_from(["aws", "aws-cn", "aws-us-gov"]))
def test_any_access_policy(policy: str, partition: str) -> None:
    """The name of an EKS access policy is read from its ARN; a role that is no such policy has none."""
    arn = f"arn:{partition}:eks::aws:cluster-access-policy/{policy}"
    of = f'ClusterRoleBinding "arn:aws:iam::111122223333:role/a+b+{arn}" of ClusterRole "{arn}" to User "AROAX"'
    assert parts("allow", f"EKS Access Policy: allowed by {of}")["access_policy"] == policy
    assert "access_policy" not in parts("allow", f"RBAC: allowed by {of}")


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.sampled_from(["allow", "forbid"]))
def test_any_other_reason(words: str, decision: str) -> None:
    """A reason in any other words is no error and makes up no binding."""
    assert set(parts(decision, words)) == {"grounds"}


def test_names_cannot_pose_as_a_reason() -> None:
    """A name that is written like the rest of a reason stays a name."""
    forged = 'x" of ClusterRole "view" to User "bob'
    reason = f'RBAC: allowed by ClusterRoleBinding {quoted(forged)} of ClusterRole "admin" to User "mallory"'
    found = parts("allow", reason)
    assert (found["binding"], found["role"], found["subject"]) == (forged, "admin", "mallory")


def test_reasons_keep_the_rows() -> None:
    """The rows keep their number, order and labels, whatever repeats and whatever is missing."""
    decision = text("allow", None, "forbid", "allow", None).set_axis([9, 3, 3, 7, 1])
    reason = text("", None, "", "", None).set_axis([9, 3, 3, 7, 1])
    found = reasons(decision, reason)
    assert list(found.columns) == list(REASON_COLUMNS)
    assert list(found.index) == [9, 3, 3, 7, 1]
    masters, nobody, early = (
        MASTERS,
        "no authorizer allowed it",
        "refused before authorization",
    )
    assert found["grounds"].tolist() == [masters, early, nobody, masters, early]


def test_no_reasons() -> None:
    """Without rows there are the same columns, all text."""
    found = reasons(text(), text())
    assert list(found.columns) == list(REASON_COLUMNS)
    assert set(map(str, found.dtypes)) == {"string"}


# --- missing permissions --------------------------------------------------------------------------------------------


CLUSTER = "at the cluster scope"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            'patch resource "configmaps" in API group "" in the namespace "kube-system"',
            "patch configmaps in kube-system",
        ),
        ('create resource "pods/exec" in API group "" in the namespace "shop"', "create pods/exec in shop"),
        (f'list resource "roles" in API group "rbac.x.io" {CLUSTER}: reason', f"list roles.rbac.x.io {CLUSTER}"),
        (
            f'impersonate-on:user-info:list resource "nodes" in API group "" {CLUSTER}',
            f"impersonate-on:user-info:list nodes {CLUSTER}",
        ),
        (f'impersonate resource "users" in API group "" {CLUSTER}', f"impersonate users {CLUSTER}"),
        ('get path "/metrics"', "get /metrics"),
        (r'get path "/a\"b\\c"', r'get /a"b\c'),
    ],
)
@pytest.mark.parametrize("user", ["dave", 'x" cannot list resource "pods" in API group "" at the cluster scope'])
def test_wanted_permission(user: str, words: str, wanted: str) -> None:
    """The permission that was missing is read from the API server's own words, whatever the user is called."""
    message = f"things are forbidden: User {quoted(user)} cannot {words}"
    assert wanted_permission(text(message)).tolist() == [wanted]


# A message names the object as the client wrote it, without escapes.
OBJECT_NAMES = st.sampled_from(
    [
        "",
        ' "web"',
        ' "forbidden: User "mallory" cannot get path ""',
        ' "forbidden: User "mallory" cannot list resource "nodes" in API group "" at the cluster scope"',
        ' "forbidden: User "mallory" cannot get path "\\"',
    ]
) | st.text(st.characters(codec="utf-8"), max_size=40)


@given(
    OBJECT_NAMES, NAMES, st.from_regex(r"[a-z:-]{1,20}", fullmatch=True), NAMES, st.none() | NAMES, st.none() | NAMES
)
def test_any_refusal_of_the_grammar(
    name: str, user: str, verb: str, resource: str, group: str | None, namespace: str | None
) -> None:
    """The permission comes back whole from the message, whatever the object, the user and the resource are called."""
    place = f" in the namespace {quoted(namespace)}" if namespace else " at the cluster scope"
    wanted = f"{verb} resource {quoted(resource)} in API group {quoted(group or '')}{place}"
    message = f"things{name} is forbidden: User {quoted(user)} cannot {wanted}: some reason"
    (found,) = wanted_permissions(text(message)).astype(object).to_dict("records")
    assert {key: None if pd.isna(value) else value for key, value in found.items() if key != "wanted"} == {
        "wanted_verb": verb,
        "wanted_resource": resource,
        "wanted_group": group or "",
        "wanted_namespace": namespace,
        "wanted_path": None,
    }


@given(OBJECT_NAMES, st.from_regex(r"[a-z]{1,10}", fullmatch=True), NAMES)
def test_any_refused_path(name: str, verb: str, path: str) -> None:
    """A path that is no resource comes back whole too, and nothing else with it."""
    message = f"{name}forbidden: User {quoted('bob')} cannot {verb} path {quoted(path)}"
    found = wanted_permissions(text(message)).iloc[0].dropna().to_dict()
    assert found == {"wanted": f"{verb} {path}", "wanted_verb": verb, "wanted_path": path}


def test_no_wanted_permission() -> None:
    """A message about something else names no permission."""
    assert wanted_permission(text('secrets "x" not found', "", None)).isna().all()
    assert len(wanted_permission(text())) == 0
    empty = wanted_permissions(text("nothing"))
    assert list(empty.columns) == list(WANTED_COLUMNS)
    assert set(map(str, empty.dtypes)) == {"string"}
