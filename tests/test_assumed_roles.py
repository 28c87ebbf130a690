"""AWS keys, by CloudTrail's events: who assumed the role, and which pod got a key."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb.analysis.assumed_roles import POD_SESSIONS, SESSIONS, pod_sessions, role_sessions
from eks_audit_nb.analysis.credentials import USES
from eks_audit_nb.analysis.issuers import (
    END,
    PROVEN,
    UNKNOWN,
    credential_chain,
    credential_origins,
)
from eks_audit_nb.analysis.typed import typed_frame

ACCOUNT = "111122223333"


def trail(*events: dict[str, Any] | str) -> pd.DataFrame:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return pd.DataFrame({"raw": pd.Series(texts, dtype="string")})


def assumed(
    key: str, identity: dict[str, Any], event: str = "AssumeRole", role: str = "Ops", session: str = "s", **changes: Any
) -> dict[str, Any]:
    """An event that issued a key."""
    return {
        "eventTime": "2026-11-24T10:00:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": event,
        "eventID": f"issued {key}",
        "sourceIPAddress": "198.51.100.21",
        "userAgent": "aws-cli/2.30",
        "userIdentity": identity,
        "requestParameters": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "roleSessionName": session},
        "responseElements": {
            "credentials": {"accessKeyId": key, "expiration": "Nov 24, 2026, 11:00:00\u202fPM"},
            "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"},
        },
        **changes,
    }


SAML = {"type": "SAMLUser", "userName": "alice@example.com", "identityProvider": "x"}
IAM_USER = {"type": "IAMUser", "userName": "bob", "arn": f"arn:aws:iam::{ACCOUNT}:user/bob", "accessKeyId": "AKIA1"}


def chained(*events: dict[str, Any], key: str = "ASIA1") -> list[dict[str, Any]]:
    """The way back from a key that the audit log shows in use."""
    uses = typed_frame([{"username": "admin", "credential": key, "requests": 1}], USES)
    sessions = role_sessions(trail(*events))
    found = credential_chain(key, sessions, uses).astype(object)
    (origin,) = credential_origins(sessions, uses).astype(object).to_dict("records")
    rows: list[dict[str, Any]] = found.where(found.notna(), None).to_dict("records")  # type: ignore[assignment]
    return [*rows, {"behind": None if pd.isna(origin["behind"]) else origin["behind"]}]


def test_the_person_of_a_login() -> None:
    """A key leads to the event that issued it, and that one names the identity provider's user."""
    first, last, origin = chained(assumed("ASIA1", SAML, "AssumeRoleWithSAML", session="alice@example.com"))
    assert (first["basis"], first["audit_id"], first["username"]) == (PROVEN, "issued ASIA1", "alice@example.com")
    assert first["holder"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops/alice@example.com"
    assert last["basis"] == END
    assert origin["behind"] == "alice@example.com, as the identity provider named the user"


def test_chained_roles() -> None:
    """A role that was assumed with another role's session is followed through that one's key to the IAM user."""
    second = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Jump/x", "accessKeyId": "ASIA2"}
    *rows, origin = chained(assumed("ASIA2", IAM_USER, role="Jump"), assumed("ASIA1", second))
    assert [row["credential"] for row in rows] == ["ASIA1", "ASIA2", "AKIA1"]
    assert [row["basis"] for row in rows] == [PROVEN, PROVEN, END]
    assert origin["behind"] == "the IAM user bob"


@pytest.mark.parametrize(
    "identity",
    [
        {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Jump/alice", "accessKeyId": "ASIA9"},
        {"type": "AWSAccount", "accountId": "444455556666", "principalId": "AROA1:alice"},
        {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
        {"type": "WebIdentityUser", "userName": "system:serviceaccount:shop:web"},
        {"type": "WebIdentityUser", "userName": "repo:example/shop:ref:refs/heads/main"},
        {},
        [],
        {"type": 7, "userName": ["alice"], "arn": {}},
    ],
)
def test_no_person_without_evidence(identity: Any) -> None:
    """A session's name, a service, a workload or a damaged event names no person."""
    *rows, origin = chained(assumed("ASIA1", identity, session="alice"))
    assert origin["behind"] is None
    assert "names" not in rows[-1]["explanation"] or "names the caller" in rows[-1]["explanation"]


def test_another_account() -> None:
    """A caller from another account is not the end: that account's trail has the rest."""
    *_, last, _ = chained(assumed("ASIA1", {"type": "AWSAccount", "principalId": "AROA1:x"}))
    assert last["basis"] == UNKNOWN


def test_source_identity() -> None:
    """A source identity, which a session carries along through every role, is named as such."""
    second = {"type": "AssumedRole", "accessKeyId": "ASIA9", "sessionContext": {"sourceIdentity": "carol"}}
    *_, last, origin = chained(assumed("ASIA1", second))
    assert origin["behind"] == "the source identity carol"
    assert last["basis"] == UNKNOWN
    assert "the source identity carol" in last["explanation"]


def test_keys_once() -> None:
    """An event that stands in two trails is one; one that was refused, or is no JSON, issued nothing."""
    refused = assumed("x", SAML, responseElements=None, errorCode="AccessDenied")
    broken = '{"responseElements": {"credentials": '
    sessions = role_sessions(trail(assumed("ASIA1", SAML), assumed("ASIA1", SAML), refused, broken))
    assert sessions["credential"].tolist() == ["ASIA1"]
    assert sessions["expires"].tolist() == [pd.Timestamp("2026-11-24T23:00:00Z")]
    assert {name: str(dtype) for name, dtype in sessions.dtypes.items()} == SESSIONS
    assert {name: str(dtype) for name, dtype in role_sessions(trail()).dtypes.items()} == SESSIONS


# --- pods -----------------------------------------------------------------------------------------------------------


def call(key: str, time: str) -> dict[str, Any]:
    return {"eventName": "GetObject", "eventTime": time, "userIdentity": {"accessKeyId": key}}


def pods_of(*events: dict[str, Any]) -> list[dict[str, Any]]:
    found = pod_sessions(trail(*events))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == POD_SESSIONS
    found = found.astype(object)
    return found.where(found.notna(), None).to_dict("records")  # type: ignore[return-value]


def test_irsa() -> None:
    """A web identity of a service account says which account got a key, and how often that was used."""
    web = {"type": "WebIdentityUser", "userName": "system:serviceaccount:shop:web"}
    event = assumed("ASIA1", web, "AssumeRoleWithWebIdentity", role="web")
    (row,) = pods_of(event, call("ASIA1", "2026-11-24T10:05:00Z"), call("ASIA7", "2026-11-24T10:06:00Z"))
    assert (row["way"], row["namespace"], row["service_account"], row["pod"]) == ("IRSA", "shop", "web", None)
    assert (row["access_key"], row["calls"]) == ("ASIA1", 1)
    assert row["last_call"] == pd.Timestamp("2026-11-24T10:05:00Z")


def test_refused_irsa() -> None:
    """A service account that was refused a role is a row without a key."""
    web = {"type": "WebIdentityUser", "userName": "system:serviceaccount:shop:web"}
    (row,) = pods_of(assumed("x", web, "AssumeRoleWithWebIdentity", responseElements=None, errorCode="AccessDenied"))
    assert (row["access_key"], row["error"], row["calls"]) == (None, "AccessDenied", 0)


def test_pod_identity() -> None:
    """EKS Pod Identity says the account by its own event, and by the tags of the session the pod too."""
    tags = {"kubernetes-namespace": "shop", "kubernetes-service-account": "web", "kubernetes-pod-name": "web-1"}
    service = {"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}
    event = assumed("ASIA1", service)
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    own = assumed("ASIA2", {"type": "AssumedRole"}, "AssumeRoleForPodIdentity")
    own["responseElements"]["subject"] = {"namespace": "shop", "serviceAccount": "web"}
    for asked in ({"tags": listed}, {"principalTags": tags}):
        (row,) = pods_of({**event, "requestParameters": asked})
        assert (row["namespace"], row["service_account"], row["pod"]) == ("shop", "web", "web-1")
    (row,) = pods_of(own)
    assert (row["way"], row["namespace"], row["service_account"]) == ("Pod Identity", "shop", "web")


@pytest.mark.parametrize("name", ["repo:example/shop:ref:refs/heads/main", "system:serviceaccount:a:b:c", 7, None])
def test_others_are_no_pods(name: Any) -> None:
    """The web identity of a pipeline, or one that only looks like an account's, is no pod's."""
    assert pods_of(assumed("ASIA1", {"type": "WebIdentityUser", "userName": name}, "AssumeRoleWithWebIdentity")) == []
