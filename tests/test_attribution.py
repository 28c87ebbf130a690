"""Who made a request, what came of it, and on what grounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis.attribution import REASON_COLUMNS, reasons, wanted_permission
from eks_audit_nb.events import COLUMNS
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event


def text(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="string")


def parts(decision: str | None, reason: str | None) -> dict[str, str]:
    """What a reason is taken apart into, without what is missing."""
    (row,) = reasons(text(decision), text(reason)).astype(object).to_dict("records")
    return {name: value for name, value in row.items() if not pd.isna(value)}


def attributed(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests of events that were written a second apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    frame = pd.DataFrame({"@timestamp": times, "@message": text(*map(json.dumps, events))})
    found = attribute(frame).astype(object)
    return found.where(found.notna(), None).to_dict("records")


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
            ("RBAC", "ClusterRoleBinding", "prometheus", None, "ClusterRole", "prom", "ServiceAccount", "prom/watch"),
        ),
        (
            "RBAC",
            'RoleBinding "runner/ci"',
            'Role "runner"',
            'User "alice"',
            ("RBAC", "RoleBinding", "runner", "ci", "Role", "runner", "User", "alice"),
        ),
        (
            "RBAC",
            'RoleBinding "edit/shop"',
            'ClusterRole "edit"',
            'Group "devs"',
            ("RBAC", "RoleBinding", "edit", "shop", "ClusterRole", "edit", "Group", "devs"),
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
    for row in found[found["reason"].fillna("").str.contains("allowed by")].itertuples():
        mechanism = "EKS Access Policy" if row.grounds == "EKS access policy" else row.grounds
        binding = row.binding if pd.isna(row.binding_namespace) else f"{row.binding}/{row.binding_namespace}"
        assert row.reason == (
            f'{mechanism}: allowed by {row.binding_kind} "{binding}" of {row.role_kind} "{row.role}" '
            f'to {row.subject_kind} "{row.subject}"'
        )


def go_quoted(value: str) -> str:
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
        f"{mechanism}: allowed by {kind} {go_quoted(full)} of {role_kind} {go_quoted(role)} "
        f"to {subject_kind} {go_quoted(subject)}"
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
    assert parts("allow", reason) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.sampled_from(["allow", "forbid"]))
def test_any_other_reason(words: str, decision: str) -> None:
    """A reason in any other words is no error and makes up no binding."""
    assert set(parts(decision, words)) == {"grounds"}


def test_names_cannot_pose_as_a_reason() -> None:
    """A name that is written like the rest of a reason stays a name."""
    forged = 'x" of ClusterRole "view" to User "bob'
    reason = f'RBAC: allowed by ClusterRoleBinding {go_quoted(forged)} of ClusterRole "admin" to User "mallory"'
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


# --- outcome --------------------------------------------------------------------------------------------------------


def refusal(code: int, decision: str | None) -> dict[str, Any]:
    annotations = {"authorization.k8s.io/decision": decision} if decision else {}
    return {"responseStatus": {"code": code}, "annotations": annotations}


@pytest.mark.parametrize(
    ("changes", "outcome", "grounds"),
    [
        ({}, "allowed", MASTERS),
        ({"responseStatus": {"code": 101}}, "allowed", MASTERS),
        (refusal(201, "allow"), "allowed", MASTERS),
        (refusal(403, "forbid"), "refused by authorization", "no authorizer allowed it"),
        (refusal(403, "allow"), "refused by admission", MASTERS),
        (refusal(403, None), "impersonation refused", "refused before authorization"),
        (refusal(401, None), "not authenticated", "refused before authorization"),
        (refusal(404, "allow"), "failed", MASTERS),
        (refusal(409, "allow"), "failed", MASTERS),
        (refusal(500, "allow"), "failed", MASTERS),
        (refusal(429, None), "failed", "not recorded"),
        (
            {"responseStatus": None, "annotations": None, "stage": "RequestReceived"},
            "no response recorded",
            "not recorded",
        ),
    ],
)
def test_outcome(changes: dict[str, Any], outcome: str, grounds: str) -> None:
    """What came of a request follows from its code and from whether an authorizer decided, and when."""
    (row,) = attributed(audit_event(**changes))
    assert (row["outcome"], row["grounds"]) == (outcome, grounds)


def test_a_cut_event_is_not_a_refused_one() -> None:
    """An event that breaks off before its annotations says what came of the request, and nothing of the grounds."""
    event = audit_event(verb="create", responseStatus={"code": 201})
    annotations = event.pop("annotations")
    whole = json.dumps({**event, "requestObject": {"data": "x" * 300}, "annotations": annotations})
    for code, outcome in (("201", "allowed"), ("403", "failed")):
        cut = whole.replace("201", code)[:-200] + "[Truncated...]"
        frame = pd.DataFrame({"@timestamp": [pd.Timestamp("2026-11-24T10:00:00Z")], "@message": text(cut)})
        (row,) = attribute(frame).to_dict("records")
        assert (row["outcome"], row["grounds"], row["is_truncated"]) == (outcome, "not recorded", True)


def test_stages_of_a_request_are_one_row() -> None:
    """A request is attributed once, by its last stage."""
    received = audit_event(stage="RequestReceived", responseStatus=None, annotations=None)
    (row,) = attributed(received, audit_event())
    assert (row["stage"], row["outcome"], row["grounds"]) == ("ResponseComplete", "allowed", MASTERS)


def test_columns(sample: FileSource) -> None:
    """The columns are those of an event and its reason, the outcome and the missing permission, also without a row."""
    names = [*COLUMNS, *REASON_COLUMNS, "outcome", "wanted"]
    for start, end in (("", ""), ("2020-01-01", "2020-01-02")):
        found = attribute(sample.run("refused_requests", start, end).frame)
        assert list(found.columns) == names
        assert {str(found[name].dtype) for name in (*REASON_COLUMNS, "outcome", "wanted")} == {"string"}
    assert len(found) == 0


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
    message = f"things are forbidden: User {go_quoted(user)} cannot {words}"
    assert wanted_permission(text(message)).tolist() == [wanted]


def test_no_wanted_permission() -> None:
    """A message about something else names no permission."""
    assert wanted_permission(text('secrets "x" not found', "", None)).isna().all()
    assert len(wanted_permission(text())) == 0
