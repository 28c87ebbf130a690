"""Roles made from what was used: all of it is allowed, nothing is there that was not needed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis.access import PERMISSIONS, used_permissions
from eks_audit_nb.analysis.roles import role_manifests, role_yaml
from eks_audit_nb.sources.files import FileSource

Asked = dict[str, str | None]
SUBJECT = "system:serviceaccount:shop:web"


def permissions(asked: list[Asked], is_expressible: bool = True) -> pd.DataFrame:
    rows = [{**each, "requests": 1, "is_expressible": is_expressible} for each in asked]
    return pd.DataFrame(rows, columns=list(PERMISSIONS)).astype(PERMISSIONS)


# --- an evaluator of RBAC, after kubernetes pkg/apis/rbac/v1/evaluation_helpers.go --------------------------------


def rule_allows(rule: dict[str, Any], asked: Asked) -> bool:
    if not {"*", asked["verb"]} & set(rule["verbs"]):
        return False
    if asked["resource"] is None:
        return any(
            url in ("*", asked["url"]) or (url.endswith("*") and str(asked["url"]).startswith(url.rstrip("*")))
            for url in rule.get("nonResourceURLs", [])
        )
    sub = asked["resource"].partition("/")[2]
    kinds = {"*", asked["resource"], *([f"*/{sub}"] if sub else [])}
    names = rule.get("resourceNames", [])
    return (
        bool({"*", asked["api_group"]} & set(rule.get("apiGroups", [])))
        and bool(kinds & set(rule.get("resources", [])))
        and (not names or asked["name"] in names)
    )


def allows(manifests: list[dict[str, Any]], asked: Asked) -> bool:
    """Whether a ClusterRoleBinding, or a RoleBinding in the namespace, leads to a rule that allows the request."""
    roles = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): each for each in manifests}
    for binding in manifests:
        namespace = binding["metadata"].get("namespace")
        reaches = binding["kind"] == "ClusterRoleBinding" or (
            binding["kind"] == "RoleBinding" and namespace == asked["namespace"] and asked["resource"] is not None
        )
        if reaches and {"kind": "ServiceAccount", "name": "web", "namespace": "shop"} in binding["subjects"]:
            role = roles[(binding["roleRef"]["kind"], namespace, binding["roleRef"]["name"])]
            if any(rule_allows(rule, asked) for rule in role["rules"]):
                return True
    return False


def one_word_less(manifests: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Every way to take one word out of one rule; a list that ends up empty takes the rule with it."""
    for place, manifest in enumerate(manifests):
        for number, rule in enumerate(manifest.get("rules", [])):
            for key, words in rule.items():
                for word in words:
                    changed = copy.deepcopy(manifests)
                    rules = changed[place]["rules"]
                    rules[number][key].remove(word)
                    if not rules[number][key]:
                        del rules[number]
                    yield changed


WORDS = st.sampled_from(["a", "b", "c"])
VERBS = st.sampled_from(["get", "list", "create"])
RESOURCES = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from([None, "n1", "n2"]),
        "api_group": st.sampled_from(["", "apps"]),
        "resource": st.sampled_from(["pods", "pods/log", "jobs"]),
        "name": st.none() | WORDS,
        "url": st.none(),
        "verb": VERBS,
    }
)
PATHS = st.fixed_dictionaries(
    {
        "namespace": st.none(),
        "api_group": st.none(),
        "resource": st.none(),
        "name": st.none(),
        "url": WORDS.map("/{}".format),
        "verb": VERBS,
    }
)
ASKED = st.lists(RESOURCES | PATHS, max_size=14)


@given(ASKED)
def test_all_is_allowed_and_all_is_needed(asked: list[Asked]) -> None:
    """Every request is allowed by the roles, and without any one word of any rule some request is not."""
    made = role_manifests(permissions(asked), SUBJECT)
    assert all(allows(made, each) for each in asked)
    for less in one_word_less(made):
        assert not all(allows(less, each) for each in asked)


@given(ASKED, RESOURCES | PATHS)
def test_nothing_else_is_allowed(asked: list[Asked], other: Asked) -> None:
    """What the roles allow was asked for: as it is, for any name, or for the whole cluster."""
    made = role_manifests(permissions(asked), SUBJECT)
    wider = [
        {**other, "namespace": place, "name": name}
        for place in (None, other["namespace"])
        for name in (None, other["name"])
    ]
    assert allows(made, other) == any(each in asked for each in wider)


@given(ASKED)
def test_the_order_of_requests_does_not_matter(asked: list[Asked]) -> None:
    """The same permissions give the same text, and the text reads back as the same objects."""
    text = role_yaml(permissions(asked), SUBJECT)
    assert text == role_yaml(permissions(asked[::-1]), SUBJECT)
    assert list(yaml.safe_load_all(text)) == role_manifests(permissions(asked), SUBJECT)


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.text(st.characters(codec="utf-8"), min_size=1)
)
def test_any_text_is_quoted(name: str, principal: str) -> None:
    """Names and users of any form stay what they are in the YAML."""
    asked: Asked = {"namespace": None, "api_group": "", "resource": "pods", "name": name, "url": None, "verb": "get"}
    role, binding = yaml.safe_load_all(role_yaml(permissions([asked]), principal))
    assert role["rules"][0]["resourceNames"] == [name]
    if binding["subjects"][0]["kind"] == "User":
        assert binding["subjects"][0]["name"] == principal


def test_what_no_rule_can_say() -> None:
    """A permission that no rule can grant alone is left out, and the text says so."""
    asked: Asked = {"namespace": None, "api_group": "", "resource": "*", "name": None, "url": None, "verb": "get"}
    assert role_yaml(permissions([asked], is_expressible=False), SUBJECT).startswith("# Left out: 1 permissions")
    assert role_manifests(permissions([asked], is_expressible=False), SUBJECT) == []


def test_names() -> None:
    """Roles are called after the principal, and principals that read alike get names that differ."""
    asked: Asked = {"namespace": "n", "api_group": "", "resource": "pods", "name": None, "url": None, "verb": "list"}
    named = [role_manifests(permissions([asked]), each)[0]["metadata"]["name"] for each in ("alice", "Alice", "ali ce")]
    assert named[0] == "used-by-alice"
    assert len(set(named)) == 3
    assert role_manifests(permissions([asked]), "alice", "mine")[0]["metadata"] == {"name": "mine", "namespace": "n"}


@pytest.mark.parametrize("principal", ["bob", "carol", "system:serviceaccount:ci:deployer"])
def test_the_sample(sample: FileSource, principal: str) -> None:
    """Whatever a principal of the sample was allowed is allowed by the roles that are made from it."""
    query = "fields @timestamp, @message | filter user.username = {{principal}}"
    requests = attribute(sample.run(query, principal=principal).frame)
    used = used_permissions(requests, principal)
    made = role_manifests(used, SUBJECT)
    asked = used[["namespace", "api_group", "resource", "name", "url", "verb"]].astype(object)
    rows = asked.where(asked.notna(), None).to_dict("records")
    assert len(rows) > 10
    assert all(allows(made, row) for row in rows)  # type: ignore[arg-type]
