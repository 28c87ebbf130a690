"""What a principal used and was refused, and through which bindings."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis.access import PERMISSIONS, refused_access, used_permissions, ways_in
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event


def attributed(*events: dict[str, Any]) -> pd.DataFrame:
    """The requests of events that were written a second apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    texts = pd.Series([json.dumps(event) for event in events], dtype="string")
    numbered = pd.DataFrame({"@timestamp": times, "@message": texts})
    return attribute(numbered)


def used(*events: dict[str, Any], principal: str = "alice") -> set[tuple[str | None, ...]]:
    """Namespace, group, resource, name, URL and verb of each permission."""
    found = used_permissions(attributed(*events), principal).astype(object)
    keys = ["namespace", "api_group", "resource", "name", "url", "verb"]
    return {tuple(None if pd.isna(value) else value for value in row) for row in found[keys].to_numpy().tolist()}


def on(verb: str, uri: str, **target: str) -> dict[str, Any]:
    return audit_event(verb=verb, requestURI=uri, objectRef=target or None, auditID=f"{verb} {uri}")


def test_names_only_where_rbac_is_asked_with_one() -> None:
    """A create and a deletecollection have no name, one of a subresource has, and a list has with metadata.name."""
    pods = "/api/v1/namespaces/shop/pods"
    shop = {"resource": "pods", "namespace": "shop"}
    found = used(
        on("create", pods, **shop, name="web"),
        on("deletecollection", pods, **shop),
        on("create", f"{pods}/web/exec", **shop, name="web", subresource="exec"),
        on("list", f"{pods}?fieldSelector=metadata.name%3Dweb", **shop, name="web"),
        on("watch", f"{pods}?watch=true", **shop),
        on("get", f"{pods}/web", **shop, name="web"),
    )
    assert found == {
        ("shop", "", "pods", None, None, "create"),
        ("shop", "", "pods", None, None, "deletecollection"),
        ("shop", "", "pods/exec", "web", None, "create"),
        ("shop", "", "pods", "web", None, "list"),
        ("shop", "", "pods", None, None, "watch"),
        ("shop", "", "pods", "web", None, "get"),
    }


def test_paths_are_read_as_rbac_reads_them() -> None:
    """A path that is no resource is kept without its query and with its escapes undone."""
    assert used(on("get", "/a%20b/c?x=%2F")) == {(None, None, None, None, "/a b/c", "get")}


def test_only_what_was_allowed() -> None:
    """What failed after it was allowed has used its permission; what was refused, or never decided on, has not."""
    forbidden = audit_event(annotations={"authorization.k8s.io/decision": "forbid"}, responseStatus={"code": 403})
    undecided = audit_event(annotations=None, responseStatus={"code": 401})
    assert used(forbidden, undecided) == set()
    assert len(used(audit_event(responseStatus={"code": 404}))) == 1


SERVICE_ACCOUNT = "system:serviceaccount:shop:web"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (
            {"username": "bob", "groups": ["ops", "system:authenticated"], "uid": "7", "extra": {"scope": ["a", "b"]}},
            {
                (None, "", "users", "bob", None, "impersonate"),
                (None, "", "groups", "ops", None, "impersonate"),
                (None, "authentication.k8s.io", "uids", "7", None, "impersonate"),
                (None, "authentication.k8s.io", "userextras/scope", "a", None, "impersonate"),
                (None, "authentication.k8s.io", "userextras/scope", "b", None, "impersonate"),
            },
        ),
        (
            {
                "username": SERVICE_ACCOUNT,
                "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
            },
            {("shop", "", "serviceaccounts", "web", None, "impersonate")},
        ),
        (
            {"username": "bob", "groups": "not a list", "extra": ["neither"], "uid": 7},
            {(None, "", "users", "bob", None, "impersonate")},
        ),
    ],
)
def test_impersonation(other: dict[str, Any], expected: set[tuple[str | None, ...]]) -> None:
    """The caller needs to impersonate just whom it named, and the named one needs what was then done."""
    event = audit_event(impersonatedUser=other)
    assert used(event) == expected
    assert used(event, principal=other["username"]) == {("default", "", "pods", "web", None, "get")}


def test_impersonation_that_led_to_a_refusal() -> None:
    """Who was allowed to impersonate needed that permission, also where the impersonated user was then refused."""
    event = audit_event(impersonatedUser={"username": "bob"}, annotations={"authorization.k8s.io/decision": "forbid"})
    assert used(event) == {(None, "", "users", "bob", None, "impersonate")}
    assert used(event, principal="bob") == set()


@pytest.mark.parametrize(
    ("mode", "user", "who"),
    [
        ("user-info", "bob", (None, "authentication.k8s.io", "users", "bob")),
        ("serviceaccount", SERVICE_ACCOUNT, ("shop", "authentication.k8s.io", "serviceaccounts", "web")),
        ("arbitrary-node", "system:node:n1", (None, "authentication.k8s.io", "nodes", "n1")),
        ("associated-node", "system:node:n1", (None, "authentication.k8s.io", "nodes", None)),
    ],
)
def test_constrained_impersonation(mode: str, user: str, who: tuple[str | None, ...]) -> None:
    """Constrained impersonation needs whom one may be, and what one may do as such."""
    event = audit_event(
        impersonatedUser={"username": user}, authenticationMetadata={"impersonationConstraint": f"impersonate:{mode}"}
    )
    assert used(event) == {
        (*who, None, f"impersonate:{mode}"),
        ("default", "", "pods", "web", None, f"impersonate-on:{mode}:get"),
    }


@pytest.mark.parametrize(
    ("target", "verb", "uri"),
    [
        ({"resource": "*"}, "get", "/api/v1/*"),
        ({"resource": "*", "subresource": "status"}, "get", "/api/v1/*/x/status"),
        ({"resource": "pods", "apiGroup": "*"}, "get", "/apis/*/v1/pods"),
        ({"resource": "pods"}, "*", "/api/v1/pods"),
        ({"resource": "pods"}, "", "/api/v1/pods"),
        ({}, "get", "/metrics/*"),
    ],
)
def test_stars_in_a_request_are_not_stars_in_a_rule(target: dict[str, str], verb: str, uri: str) -> None:
    """What a rule cannot say without allowing more is marked."""
    found = used_permissions(attributed(on(verb, uri, **target)), "alice")
    assert found["is_expressible"].tolist() == [False]


def test_types() -> None:
    """The columns and their types stay the same where nothing was used."""
    empty = used_permissions(attributed(audit_event()), "nobody")
    assert len(empty) == 0
    assert {name: str(dtype) for name, dtype in empty.dtypes.items()} == PERMISSIONS
    assert {name: str(kind) for name, kind in used_permissions(attributed(audit_event()), "alice").dtypes.items()} == (
        PERMISSIONS
    )


def test_ways_in_and_refusals(sample: FileSource) -> None:
    """A stolen token's bindings and refusals are those that the log names, counted."""
    requests = attribute(sample.run('fields @timestamp, @message | filter user.username like "payments-api"').frame)
    thief = "system:serviceaccount:payments:payments-api"
    ways = ways_in(requests, thief)
    assert ways[["binding", "binding_namespace", "role", "requests"]].to_numpy().tolist()[2:] == [
        ["app-secret-reader", "data", "secret-reader", 2],
        ["app-secret-reader", "payments", "secret-reader", 2],
    ]
    refused = refused_access(requests, thief)
    assert "list secrets in kube-system" in set(refused["wanted"])
    assert refused["requests"].sum() + ways["requests"].sum() == len(requests)


def test_acting_as_another() -> None:
    """What was allowed in another's name is shown under both, with who asked."""
    reason = 'RBAC: allowed by ClusterRoleBinding "ops" of ClusterRole "ops" to User "bob"'
    annotations = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason}
    requests = attributed(audit_event(impersonatedUser={"username": "bob"}, annotations=annotations))
    for principal in ("alice", "bob"):
        (row,) = ways_in(requests, principal).to_dict("records")
        assert (row["username"], row["impersonated"], row["binding"], row["requests"]) == ("alice", "bob", "ops", 1)
