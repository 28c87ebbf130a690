"""What closes a way, and what the caller would need to keep."""

from __future__ import annotations

import shlex
from typing import Any

import pandas as pd
import pytest
import yaml

from eks_audit_nb import attribute
from eks_audit_nb.analysis.asked import asked_requests
from eks_audit_nb.analysis.closing import CLOSING, closings, kept_roles, used_by_ways
from eks_audit_nb.analysis.paths import others_on, ways_of
from eks_audit_nb.sources.files import FileSource

from rules import READ, attributed, by_binding, event, write

Labels = dict[str, dict[str, Any]]
NOBODY = pd.DataFrame({"way": pd.Series([], dtype="Int64"), "requests": [], "username": [], "acted_as": []})
EVE = {"username": "eve", "groups": ["ops"]}


def closed(reason: str, *rules: dict[str, Any], cluster: str = "", **changes: Any) -> dict[str, Any]:
    """How the way of one request is closed."""
    found = attributed(*rules, event(reason, auditID="asked", **{"user": EVE, **READ, **changes}))
    ways = ways_of(found[found["audit_id"].eq("asked")])
    return closings(ways, NOBODY, found, cluster).astype(object).to_dict("records")[0]


def lines(told: dict[str, Any]) -> list[list[str]]:
    """The commands as the shell splits them, comments left out."""
    return [shlex.split(line, comments=True) for line in told["commands"].splitlines() if not line.startswith("#")]


def test_a_binding_with_one_subject_is_deleted() -> None:
    """First a copy is kept, then the binding goes, then a question shows that it worked."""
    told = closed(
        by_binding("b", "r", 'User "eve"'), write("ClusterRoleBinding", "b", subjects=[{"kind": "User", "name": "eve"}])
    )
    assert told["commands"].startswith("# Read them first: they change the cluster.\n")
    assert lines(told) == [
        ["kubectl", "get", "clusterrolebinding/b", "--output=yaml", ">", "clusterrolebinding-b.yaml"],
        ["kubectl", "delete", "clusterrolebinding/b"],
        ["kubectl", "auth", "can-i", "list", "secrets", "--all-namespaces", "--as=eve"],
    ]
    assert told["effect"] == "Ends the binding, whose only subject is User eve."
    assert told["breaks"] == "In this window nobody else was allowed by it."


def test_of_several_subjects_one_is_taken_out() -> None:
    """Where others are in the binding, or nobody knows who is, it is edited; the groups are part of the question."""
    both = [{"kind": "Group", "name": "ops"}, {"kind": "User", "name": "bob"}]
    reason = by_binding("b", "r", 'Group "ops"', "shop")
    for rules, words in (
        ([write("RoleBinding", "b", namespace="shop", subjects=both)], "knows 2"),
        ([], "not in the log"),
    ):
        told = closed(reason, *rules, objectRef={"resource": "pods/log", "namespace": "shop"}, verb="get")
        commands = lines(told)
        assert commands[1] == ["kubectl", "edit", "rolebinding/b", "--namespace=shop"]
        assert commands[2] == ["kubectl", "delete", "rolebinding/b", "--namespace=shop"]
        assert commands[3][-3:] == ["--namespace=shop", "--as=eve", "--as-group=ops"]
        assert words in told["effect"]


def test_a_binding_that_is_gone_is_not_deleted_again() -> None:
    """Where the log shows that the binding was deleted afterwards, that is said."""
    reason = by_binding("b", "r", 'User "eve"')
    told = closed(reason, write("ClusterRoleBinding", "b"), write("ClusterRoleBinding", "b", "delete"))
    assert lines(told) == [["kubectl", "get", "clusterrolebinding/b"]]
    assert "by admin: this way is closed already" in told["effect"]


def test_bindings_of_kubernetes_are_left() -> None:
    """What the API server restores is not deleted."""
    told = closed(by_binding("system:discovery", "system:discovery", 'Group "system:authenticated"'))
    assert "delete" not in told["commands"]
    assert "comes back" in told["effect"]


@pytest.mark.parametrize("name", ["--all", "-f", "a b", "$(id)", "a;id", "a'b", "a\nid", "x\x1b[31m", "`id`", "#x"])
def test_names_of_the_log_are_quoted(name: str) -> None:
    """Whatever a binding and a user are called, each command is one line with the same words, and no option more."""
    quoted = name.replace("\n", "\\n").replace("\x1b", "\\x1b")
    told = closed(by_binding(quoted, "r", f'User "{quoted}"'), user={"username": name})
    assert told["label"] == f"ClusterRoleBinding {name}"
    assert all(each.isprintable() for each in told["commands"].splitlines())
    if name.isprintable():
        _, edit, delete, check = lines(told)
        assert edit == ["kubectl", "edit", f"clusterrolebinding/{name}"]
        assert delete == ["kubectl", "delete", f"clusterrolebinding/{name}"]
        assert check[-1] == f"--as={name}"


def test_an_access_policy_is_taken_from_its_entry(sample: FileSource, labels: Labels) -> None:
    """The AWS CLI gets the cluster's name where it is known, the identity and the policy."""
    found = attribute(sample.run("requests_about", audit_id=labels["namespace_delete"]["primary_audit_ids"][0]).frame)
    for cluster, named in (("prod", "prod"), ("", "CLUSTER")):
        (told,) = closings(ways_of(found), NOBODY, found.head(0), cluster).to_dict("records")
        arn = "arn:aws:iam::111122223333:role/TerraformCloud"
        policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
        where = ["--cluster-name", named, "--principal-arn", arn]
        assert ["aws", "eks", "disassociate-access-policy", *where, "--policy-arn", policy] in lines(told)


def test_system_masters() -> None:
    """The entry of aws-auth goes; who took the group by impersonation loses another right; components are left."""
    iam = {
        "username": "eve",
        "uid": "aws-iam-authenticator:111122223333:AROAX",
        "groups": ["system:masters"],
        "extra": {"canonicalArn": ["arn:aws:iam::111122223333:role/Eve"]},
    }
    told = closed("", user=iam, cluster="prod")
    where = ["--cluster", "prod", "--arn", "arn:aws:iam::111122223333:role/Eve"]
    assert ["eksctl", "delete", "iamidentitymapping", *where] in lines(told)
    other = {"username": "root", "groups": ["system:masters"]}
    assert "impersonate" in closed("", impersonatedUser=other)["commands"]
    own = {"username": "system:apiserver", "uid": "u", "groups": ["system:masters"]}
    told = closed("", user=own)
    assert pd.isna(told["commands"])
    assert told["effect"] == "A part of the control plane. There is nothing to close."


def test_nodes_and_what_is_not_known() -> None:
    """A node is emptied; where the log names no rule there is nothing to change."""
    node = {"username": "system:node:ip-1", "groups": ["system:nodes", "system:authenticated"]}
    assert lines(closed("", user=node))[0] == ["kubectl", "cordon", "node/ip-1"]
    assert pd.isna(closed("a webhook liked it")["commands"])


def test_what_else_breaks(sample: FileSource, labels: Labels) -> None:
    """Who else was allowed by the binding is named and counted."""
    found = attribute(sample.run("requests_about", audit_id=labels["scale_to_zero"]["primary_audit_ids"][0]).frame)
    ways = ways_of(found)
    others = others_on(ways, sample.run("decisions_by_caller").frame)
    told = closings(ways, others, found.head(0))
    assert told["breaks"][0] == "Deleting it also ends what 37 other requests needed: alice (36), carol as alice (1)."
    assert list(told[["other_callers", "other_requests"]].iloc[0]) == [2, 37]
    assert dict(told.dtypes.astype(str)) == CLOSING
    assert dict(closings(ways.head(0), others, found).dtypes.astype(str)) == CLOSING


def test_what_the_caller_would_need_to_keep(sample: FileSource, labels: Labels) -> None:
    """The proposal leaves out the event that was asked about, what went another way, and what is grave."""
    own = attribute(sample.run("requests_about", audit_id="", principal="system:serviceaccount:ci:deployer").frame)
    asked = asked_requests(own, labels["privileged_pod"]["primary_audit_ids"][0])
    used = used_by_ways(own, asked)
    assert "create pods in kube-system" not in set(used["permission"])
    assert "create clusterrolebindings.rbac.authorization.k8s.io at the cluster scope" not in set(used["permission"])
    grave = dict(zip(used["permission"], used["grave"], strict=True))
    assert grave["create pods in default"] == "runs code with the rights of any service account of the namespace"
    text = kept_roles(used)
    assert "# Left out, since it issues tokens of a service account: create serviceaccounts/token" in text
    objects = [each for each in yaml.safe_load_all(text) if each]
    granted = {word for each in objects for rule in each.get("rules", ()) for word in rule.get("resources", ())}
    assert "configmaps" in granted
    assert granted.isdisjoint({"pods/ephemeralcontainers", "serviceaccounts/token", "nodes/proxy", "daemonsets"})
    assert kept_roles(used.head(0)) == ""


def test_nobody_without_an_identity_is_given_a_role(sample: FileSource) -> None:
    """For anonymous callers, and for what was done in the name of others, nothing is proposed."""
    own = attribute(sample.run("requests_about", audit_id="", principal="system:anonymous").frame)
    assert used_by_ways(own, own).empty
    acted = own.assign(username="eve", impersonated="bob")
    assert used_by_ways(acted, acted).empty
