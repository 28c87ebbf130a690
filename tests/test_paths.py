"""The way from a caller to what it was allowed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis.asked import asked_requests
from eks_audit_nb.analysis.paths import OTHERS, PATH, WAYS, marked, others_on, paths, ways_of
from eks_audit_nb.sources.files import FileSource

from rules import ADMIN, READ, RULES, attributed, by_binding, event, write

Labels = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def requests(sample: FileSource) -> pd.DataFrame:
    """Every request of the sample, attributed."""
    return attribute(sample.run("fields @timestamp, @message").frame)


@pytest.fixture(scope="module")
def rules(sample: FileSource) -> pd.DataFrame:
    """Those that the query of access rules finds."""
    return attribute(sample.run("access_rules").frame)


@pytest.fixture(scope="module")
def decisions(sample: FileSource) -> pd.DataFrame:
    """Who was allowed by what."""
    return sample.run("decisions_by_caller").frame


def steps_of(requests: pd.DataFrame, rules: pd.DataFrame, label: dict[str, Any]) -> pd.DataFrame:
    asked = asked_requests(requests, label["primary_audit_ids"][0])
    return paths(ways_of(asked), asked, rules).set_index("part")


def test_a_binding_that_its_user_made(requests: pd.DataFrame, rules: pd.DataFrame, labels: Labels) -> None:
    """The way of the privileged pod leads over a binding that the caller itself had made, and says how it could."""
    steps = steps_of(requests, rules, labels["privileged_pod"])
    assert list(steps.index) == ["caller", "subject", "binding", "role", "rule"]
    assert list(steps["name"])[1:] == [
        "ServiceAccount deployer in the namespace ci",
        "ClusterRoleBinding ci-admin",
        "ClusterRole cluster-admin",
        "every verb of everything in every API group",
    ]
    made = steps.loc["binding"]
    assert made["audit_id"] == labels["crb_cluster_admin"]["primary_audit_ids"][0]
    assert "by system:serviceaccount:ci:deployer, since ClusterRoleBinding ci-deployer" in made["explanation"]
    assert set(steps["basis"]) == {"proven"}


def test_an_anonymous_read(requests: pd.DataFrame, rules: pd.DataFrame, labels: Labels) -> None:
    """The root cause of the anonymous read is the binding that its label names, with who made it."""
    label = labels["anonymous_binding_then_read"]
    steps = steps_of(requests, rules, label)
    cause = label["attribution"]["root_cause"]
    assert steps.loc["binding", "name"] == f"ClusterRoleBinding {cause['name']}"
    assert f"by {cause['username']} (arn:aws:sts::" in steps.loc["binding", "explanation"]
    assert steps.loc["rule", "name"] == "get, list of secrets in the core group"


def test_an_access_policy(requests: pd.DataFrame, rules: pd.DataFrame, labels: Labels) -> None:
    """An EKS access policy is told as entry, policy and scope, and where its making is recorded."""
    steps = steps_of(requests, rules, labels["namespace_delete"])
    assert steps.loc["access entry", "name"] == "arn:aws:iam::111122223333:role/TerraformCloud"
    assert steps.loc["access policy", "name"].endswith("/AmazonEKSClusterAdminPolicy")
    assert "for the whole cluster" in steps.loc["access policy", "explanation"]
    assert "CloudTrail" in steps.loc["access policy", "explanation"]


def test_impersonation(requests: pd.DataFrame, rules: pd.DataFrame, labels: Labels) -> None:
    """The caller stands first, then the one who is acted as, whose group counts."""
    steps = steps_of(requests, rules, labels["impersonate_cluster_admin"])
    assert list(steps.index) == ["caller", "acts as", "subject", "authorizer", "permission"]
    assert "bob" in steps.loc["caller", "explanation"]
    assert steps.loc["acts as", "name"] == "kubernetes-admin"
    assert steps.loc["subject", "explanation"] == "the caller asked to be treated as in it"


def test_a_group_of_aws_auth() -> None:
    """Where a change of aws-auth gave the group, the step names it; a change that came later did not."""
    user = {
        "username": "eve",
        "uid": "aws-iam-authenticator:111122223333:AROAX",
        "groups": ["system:masters", "system:authenticated"],
        "extra": {"canonicalArn": ["arn:aws:iam::111122223333:role/Eve"]},
    }
    held = "- rolearn: arn:aws:iam::111122223333:role/Eve\n  username: eve\n  groups: [system:masters]\n"
    target = {"resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"}
    body = {"kind": "ConfigMap", "metadata": {"name": "aws-auth", "uid": "u"}}

    def mapping(data: str) -> dict[str, Any]:
        return event(
            verb="update",
            level="RequestResponse",
            objectRef=target,
            requestURI="/api/v1/namespaces/kube-system/configmaps/aws-auth",
            responseObject={**body, "data": {"mapRoles": data}},
            user=ADMIN,
        )

    changes = [mapping(""), mapping(held)]
    asked = event(user=user, auditID="asked", **READ)
    for order, words in (([*changes, asked], "added at 2026-11-24 10:00:01 UTC"), ([asked, *changes], "not in what")):
        found = attributed(*order)
        act = found[found["audit_id"].eq("asked")]
        (subject,) = paths(ways_of(act), act, found).query("part == 'subject'").to_dict("records")
        assert subject["name"] == "Group system:masters"
        assert words in subject["explanation"]


def test_what_the_log_does_not_have() -> None:
    """A binding and a role from before the window are not known, and so is the rule."""
    found = attributed(event(by_binding("b", "r", 'Group "ops"'), user={"username": "eve", "groups": ["ops"]}, **READ))
    steps = paths(ways_of(found), found, found).set_index("part")
    assert list(steps.loc[["binding", "role", "permission"], "basis"]) == ["not known"] * 3
    assert "older, or its event is lost" in steps.loc["binding", "explanation"]


def test_a_role_that_was_changed_meanwhile() -> None:
    """Where the role as the log has it would not allow it, that is said instead of a rule."""
    found = attributed(
        write("ClusterRole", "r", rules=[{**RULES[0], "verbs": ["watch"]}]),
        event(by_binding("b", "r", 'User "eve"'), user={"username": "eve"}, **READ),
    )
    act = found.tail(1)
    step = paths(ways_of(act), act, found).tail(1).to_dict("records")[0]
    assert (step["part"], step["basis"]) == ("permission", "not known")
    assert "holds no rule for this" in step["explanation"]


def test_ways() -> None:
    """Requests that one rule allowed to one caller are one way, the busiest first; refused ones are none."""
    reason = by_binding("b", "r", 'User "eve"')
    eve = {"username": "eve"}
    refused = event(user=eve, responseStatus={"code": 403}, **READ)
    refused["annotations"] = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}
    found = attributed(event("", user=ADMIN), *[event(reason, user=eve, **READ)] * 2, refused)
    ways = ways_of(found)
    assert list(ways["label"]) == ["ClusterRoleBinding b", "system:masters"]
    assert list(ways["requests"]) == [2, 1]
    assert ways["asked_for"][0] == "list secrets at the cluster scope"
    assert dict(ways.dtypes.astype(str)) == WAYS
    assert list(marked(found)["label"])[-1] == "not allowed"
    nothing = ways_of(found.head(0))
    assert dict(nothing.dtypes.astype(str)) == WAYS
    assert dict(paths(nothing, found, found).dtypes.astype(str)) == PATH


def test_grave_ways_come_first(requests: pd.DataFrame) -> None:
    """The one read of Secrets by an anonymous caller stands before hundreds of looks at the version."""
    ways = ways_of(requests[requests["username"].eq("system:anonymous")])
    assert list(ways["label"]) == ["ClusterRoleBinding debug-anon", "ClusterRoleBinding system:public-info-viewer"]
    assert ways["grave"][0] == "reads Secrets"
    assert pd.isna(ways["grave"][1])


def test_who_else_goes_this_way(
    requests: pd.DataFrame, decisions: pd.DataFrame, rules: pd.DataFrame, labels: Labels
) -> None:
    """Others who were allowed by the same binding are counted, also those who acted as somebody."""
    asked = asked_requests(requests, labels["scale_to_zero"]["primary_audit_ids"][0])
    found = others_on(ways_of(asked), decisions)
    told = found[["username", "acted_as", "subject"]].astype(object).where(found.notna(), None)
    assert list(told.itertuples(index=False, name=None)) == [
        ("alice", None, "acme:developers"),
        ("carol", "alice", "acme:developers"),
    ]
    mine = requests[requests["binding"].eq("developers") & requests["binding_namespace"].eq("payments")]
    assert found["requests"].sum() == mine["username"].ne("dave").sum()
    assert dict(found.dtypes.astype(str)) == OTHERS


def test_who_else_is_in_system_masters(requests: pd.DataFrame, decisions: pd.DataFrame, labels: Labels) -> None:
    """Of system:masters, which allows without a word, the others are told by their groups; nodes are none of them."""
    asked = asked_requests(requests, labels["impersonate_cluster_admin"]["primary_audit_ids"][0])
    found = others_on(ways_of(asked), decisions)
    assert set(found["username"]) == {"kubernetes-admin", "system:apiserver"}


def test_a_name_that_ends_in_nul() -> None:
    """A caller whose name ends in a NUL, which some comparisons pass over, has its way as every other one."""
    found = attributed(event(by_binding("b", "r", 'Group "g"'), user={"username": "eve\0", "groups": ["g"]}, **READ))
    assert paths(ways_of(found), found, found)["name"].tolist()[:2] == ["eve\0", "Group g"]
