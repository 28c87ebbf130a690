"""The requests that a question is about."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis.asked import (
    asked_for,
    asked_requests,
    caller_of,
    named_object,
    nearest_callers,
    object_text,
    together,
)
from eks_audit_nb.errors import ParameterError
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

ARN = "arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com"
EXTRA = {"arn": [ARN], "accessKeyId": ["ASIAEXAMPLE"], "sessionName": ["alice@example.com"]}
UID = "aws-iam-authenticator:111122223333:AROAEXAMPLE"


def frame_of(*events: dict[str, Any]) -> pd.DataFrame:
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    return pd.DataFrame({"@timestamp": times, "@message": pd.Series(list(map(json.dumps, events)), dtype="string")})


@pytest.fixture(scope="module")
def requests() -> pd.DataFrame:
    """A role's session, a user with the same audit id, one who acts as alice, and a token."""
    token = {"username": "system:serviceaccount:ci:deployer", "extra": {}}
    token["extra"] = {"authentication.kubernetes.io/credential-id": ["JTI=7f"]}
    return attribute(
        frame_of(
            audit_event(auditID="a", user={"username": "alice", "uid": UID, "extra": EXTRA}),
            audit_event(auditID='x"y', user={"username": "dave"}),
            audit_event(auditID='x"y', user={"username": "bob"}, impersonatedUser={"username": "alice"}),
            audit_event(auditID="t", user=token),
        )
    )


@pytest.mark.parametrize(
    ("principal", "callers"),
    [
        ("alice", ["alice", "bob"]),
        (f" {ARN} ", ["alice"]),
        ("arn:aws:iam::111122223333:role/Dev", ["alice"]),
        ("alice@example.com", ["alice"]),
        ("ASIAEXAMPLE", ["alice"]),
        ("JTI=7f", ["system:serviceaccount:ci:deployer"]),
        ("7f", ["system:serviceaccount:ci:deployer"]),
        ("nobody", []),
    ],
)
def test_a_principal_has_many_names(requests: pd.DataFrame, principal: str, callers: list[str]) -> None:
    """A username, both ARNs, a session's name, a key and a token name the same principal; acting as it counts."""
    assert list(asked_requests(requests, "", principal)["username"]) == callers


def test_an_audit_id_can_be_of_several_requests(requests: pd.DataFrame) -> None:
    """Clients choose audit ids: all requests with it are found, and nothing is found for none."""
    assert list(asked_requests(requests, 'x"y')["username"]) == ["dave", "bob"]
    assert asked_requests(requests).empty
    assert asked_requests(requests, "  ").empty


def test_what_counts_before_what(requests: pd.DataFrame) -> None:
    """An object counts before a principal, and that before an audit id; the query is asked for one of them."""
    assert list(asked_requests(requests, "a", "dave")["username"]) == ["dave"]
    assert asked_requests(requests, "a", "dave", "pods/default/none").empty
    nothing = {"audit_id": "", "principal": "", "resource": "", "namespace": "", "name": ""}
    assert asked_for() == nothing
    assert asked_for(" a ") == {**nothing, "audit_id": "a"}
    assert asked_for("a", "bob ") == {**nothing, "principal": "bob"}
    place = {"resource": "deployments", "namespace": "shop", "name": "web"}
    assert asked_for("a", "bob", "deployments.apps/shop/web") == {**nothing, **place}


def test_an_object_is_asked_for_by_what_ended_it(sample: FileSource) -> None:
    """Of an object the request counts that ended it, and else the one that changed it last."""
    for named, verb, who in (
        ("clusterrolebindings/debug-anon", "delete", "kubernetes-admin"),
        ("deployments/payments/ledger", "patch", "dave"),
    ):
        found = attribute(sample.run("requests_about", **asked_for("", "", named)).frame)
        (act,) = asked_requests(found, "", "", named).to_dict("records")
        assert (act["verb"], act["username"]) == (verb, who)


@pytest.mark.parametrize(
    "hostile", ["'", '"', '" or 1 = 1 or auditID = "', "a\\b", "{{name}}", "a" * 300, "\n| limit 1"]
)
def test_any_audit_id_can_be_asked_for(make_log: Any, hostile: str) -> None:
    """Whatever a client writes as an audit id finds its own request, and no other."""
    path = make_log(audit_event(auditID=hostile), audit_event(auditID="other", user={"username": "bob"}))
    source = FileSource(str(path))
    found = attribute(source.run("requests_about", **asked_for(hostile)).frame)
    source.close()
    asked = asked_requests(found, hostile)
    assert len(asked) == (1 if hostile.strip() == hostile else len(asked))
    assert "bob" not in set(asked["username"])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("", "", "")),
        (" clusterroles/view ", ("clusterroles", "", "view")),
        ("deployments/shop/web", ("deployments", "shop", "web")),
    ],
)
def test_named_object(text: str, parts: tuple[str, str, str]) -> None:
    """Resource, namespace and name; the namespace may be left out."""
    assert named_object(text) == parts


@pytest.mark.parametrize("text", ["web", "a/b/c/d", "/web", "pods/shop/"])
def test_an_object_that_is_not_named_as_it_should_be(text: str) -> None:
    """The error says how an object is named."""
    with pytest.raises(ParameterError, match="such as deployments/storefront/checkout"):
        named_object(text)


def test_callers(requests: pd.DataFrame) -> None:
    """The caller of most requests, "" for none; and names that are like one that was misspelt."""
    assert caller_of(requests) in set(requests["username"])
    assert caller_of(requests.head(0)) == ""
    names = [*requests["username"], None, pd.NA]
    assert nearest_callers(names, "deplyer") == ["system:serviceaccount:ci:deployer"]
    assert nearest_callers(names, "alise") == ["alice"]
    assert nearest_callers(names, "zzz") == nearest_callers(names, "") == []


def test_names_that_no_query_can_hold() -> None:
    """Who is called by both kinds of quotes is asked for by the credential, and the user is told so of an audit id."""
    odd = 'o\'clock "x"'
    user = {"username": odd, "uid": UID, "extra": {**EXTRA, "accessKeyId": ["ASIAODD"]}}
    assert caller_of(attribute(frame_of(audit_event(user=user)))) == "ASIAODD"
    assert caller_of(attribute(frame_of(audit_event(user={"username": odd})))) == ""


def test_together() -> None:
    """The same event of two queries counts once."""
    frame = frame_of(audit_event(auditID="a"), audit_event(auditID="b"))
    assert list(together(frame.tail(1), frame)["@message"]) == list(frame["@message"])


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"resource": "secrets", "namespace": "shop", "name": "db"}, "secrets/shop/db"),
        ({"resource": "deployments/scale", "namespace": "shop", "name": "web"}, "deployments/shop/web (scale)"),
        ({"resource": "secrets", "namespace": "shop"}, "secrets in shop"),
        ({"resource": "secrets"}, "secrets of the whole cluster"),
        ({"resource": "namespaces", "namespace": "shop", "name": "shop"}, "namespaces/shop"),
        ({"uri": "/livez?verbose"}, "/livez"),
    ],
)
def test_object_text(row: dict[str, str], text: str) -> None:
    """What a request was about, in a few words."""
    assert object_text(row) == text
