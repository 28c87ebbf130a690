"""Who made the binding, the role and the mapping that an authorizer names."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from eks_audit_nb.analysis.asked import asked_requests
from eks_audit_nb.analysis.attribution import attribute
from eks_audit_nb.analysis.grants import (
    access_rules,
    binding_history,
    group_in_words,
    matching_rule,
    origins,
    reason_in_words,
    role_history,
    rule_text,
    rules_of,
    subjects_of,
)
from eks_audit_nb.analysis.paths import ways_of
from eks_audit_nb.sources.files import FileSource

from rules import READ, RULES, attributed, by_binding, event, write

PEOPLE = [{"kind": "User", "name": "eve"}, {"kind": "Group", "name": "ops"}]


def first_way(*events: dict[str, Any]) -> tuple[dict[str, Any], pd.DataFrame]:
    requests = attributed(*events)
    return ways_of(requests.tail(1)).astype(object).to_dict("records")[0], requests


def test_origins() -> None:
    """Binding and role are found with who made them, why that was allowed, and whether it came before the request."""
    reason = by_binding("b", "r", 'User "eve"')
    requests = attributed(
        write("ClusterRole", "r", rules=RULES),
        write("ClusterRoleBinding", "b", subjects=PEOPLE),
        write("ClusterRoleBinding", "other", subjects=PEOPLE),
        event(reason, user={"username": "eve"}, **READ),
        write("ClusterRoleBinding", "b", "delete"),
    )
    ways = ways_of(requests[requests["username"].eq("eve")])
    found = origins(ways, requests)
    assert list(found[["part", "name", "act", "is_before"]].itertuples(index=False, name=None)) == [
        ("role", "clusterroles/r", "create", True),
        ("binding", "clusterrolebindings/b", "create", True),
        ("binding", "clusterrolebindings/b", "delete", False),
    ]
    assert set(found["username"]) == {"admin"}
    assert found["why"].str.contains("system:masters").all()


def test_a_role_lies_in_the_namespace_of_its_binding() -> None:
    """A Role of the same name in another namespace is another one, and so is a binding."""
    reason = by_binding("b", "r", 'User "eve"', "shop", "Role")
    way, requests = first_way(
        write("Role", "r", namespace="shop", rules=RULES),
        write("Role", "r", namespace="bank", rules=[]),
        write("RoleBinding", "b", namespace="bank", subjects=PEOPLE),
        event(reason, user={"username": "eve"}, **READ),
    )
    assert list(role_history(requests, way)["namespace"]) == ["shop"]
    assert binding_history(requests, way).empty


def test_refused_writes_and_dry_runs_made_nothing() -> None:
    """A request that was refused, or that only tried, is no origin of a rule."""
    tried = write("ClusterRoleBinding", "b", subjects=PEOPLE)
    tried["requestURI"] += "?dryRun=All"
    refused = write("ClusterRoleBinding", "b", responseStatus={"code": 403})
    way, requests = first_way(tried, refused, event(by_binding("b", "r", 'User "eve"'), **READ))
    assert binding_history(requests, way).empty


def test_subjects_and_rules_are_those_of_the_last_state() -> None:
    """What a binding and a role held last counts, also where it was then deleted; nothing known is None or ""."""
    reason = by_binding("b", "r", 'User "eve"')
    way, requests = first_way(
        write("ClusterRole", "r", rules=[]),
        write("ClusterRole", "r", "update", rules=RULES),
        write("ClusterRoleBinding", "b", subjects=PEOPLE),
        write("ClusterRoleBinding", "b", "delete"),
        event(reason, **READ),
    )
    assert subjects_of(binding_history(requests, way)) == PEOPLE
    assert rules_of(role_history(requests, way), "r") == (RULES, "the log")
    none = requests.head(0)
    assert subjects_of(binding_history(none, way)) is None
    assert rules_of(role_history(none, way), "r") == ([], "")
    assert rules_of(role_history(none, way), "cluster-admin")[1] == "the default of Kubernetes"


ASKED = {"verb": "get", "api_group": "", "resource": "pods/log", "name": "web", "namespace": "shop", "url": None}


@pytest.mark.parametrize(
    ("rule", "allows"),
    [
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}, True),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["*/log"]}, True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, False),
        ({"verbs": ["list"], "apiGroups": [""], "resources": ["pods/log"]}, False),
        ({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["pods/log"]}, False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"], "resourceNames": ["web"]}, True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"], "resourceNames": ["db"]}, False),
        ({"verbs": ["get"], "nonResourceURLs": ["*"]}, False),
        ({"verbs": "get", "apiGroups": None, "resources": 7}, False),
    ],
)
def test_rules_are_read_as_rbac_reads_them(rule: dict[str, Any], allows: bool) -> None:
    """Verb, group, resource with subresource, and name have to fit; a star fits everything."""
    assert (matching_rule([rule], ASKED) == rule) == allows


@pytest.mark.parametrize(("pattern", "allows"), [("/livez", True), ("/livez/*", False), ("/li*", True), ("*", True)])
def test_paths(pattern: str, allows: bool) -> None:
    """A path fits itself, a beginning with a star, and the star alone."""
    asked = {**ASKED, "resource": None, "url": "/livez"}
    assert bool(matching_rule([{"verbs": ["get"], "nonResourceURLs": [pattern]}], asked)) == allows


def test_rules_in_words() -> None:
    """A rule can be read."""
    assert rule_text(RULES[0]) == "get, list of secrets in the core group"
    named = {**RULES[0], "resourceNames": ["db"], "apiGroups": ["apps"]}
    assert rule_text(named) == "get, list of secrets named db in apps"
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert rule_text(everything) == "every verb of everything in every API group"
    assert rule_text({"verbs": ["get"], "nonResourceURLs": ["/livez"]}) == "get of the paths /livez"


def test_groups_that_the_api_server_fills() -> None:
    """Groups that everybody is in are told as such; others are not explained."""
    assert "anyone who reaches the API server" in group_in_words("system:unauthenticated")
    assert group_in_words("system:serviceaccounts:ci") == "every service account of the namespace ci is in it"
    assert group_in_words("acme:sre") == ""


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (by_binding("b", "r", 'Group "g"'), "ClusterRoleBinding b grants ClusterRole r to Group g"),
        (
            by_binding("b", "r", 'ServiceAccount "sa/ns"', "shop", "Role"),
            "RoleBinding b in the namespace shop grants Role r to ServiceAccount sa in the namespace ns",
        ),
        ("a webhook liked it", "an authorizer said: a webhook liked it"),
    ],
)
def test_reasons_in_words(reason: str, words: str) -> None:
    """The authorizer's reason as a part of a sentence."""
    row = attributed(event(reason)).astype(object).to_dict("records")[0]
    assert reason_in_words(row) == words
    assert reason_in_words({}) == ""


def test_a_caller_and_the_rules_in_one_reading(sample: FileSource) -> None:
    """One query gives what two others give: the requests of a caller or in its name, and the changes of access."""
    both = attribute(sample.run("caller_and_access_rules", principal="bob").frame)
    rules = attribute(sample.run("access_rules").frame)
    own = attribute(sample.run("requests_about", audit_id="", principal="bob").frame)
    assert 0 < len(rules) < len(both)
    pd.testing.assert_frame_equal(access_rules(both).reset_index(drop=True), rules.reset_index(drop=True))
    pd.testing.assert_frame_equal(asked_requests(both, principal="bob").reset_index(drop=True), own)
