"""Who was given access through the EKS API: every operation in words, and who became an administrator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.analysis import access_changes
from eks_audit_nb.analysis.access_entries import COLUMNS, OPERATIONS
from eks_audit_nb.cloudtrail_events import ACCESS_OPERATIONS, cloudtrail_frame

from fake_cloudtrail import POLICY, assume_role_event, cloudtrail_event

T0 = "2026-11-24T22:30:00Z"
ROLE = "arn:aws:iam::111122223333:role/Shadow"
CLUSTER_WIDE = {"type": "cluster"}
SOME = {"type": "namespace", "namespaces": ["a", "b"]}


def policy(name: str, scope: dict[str, Any]) -> dict[str, Any]:
    """The parameters of AssociateAccessPolicy."""
    return {"name": "prod", "principalArn": ROLE, "policyArn": f"{POLICY}/{name}", "accessScope": scope}


def changes_of(*events: dict[str, Any], cluster: str = "") -> list[dict[str, Any]]:
    """The rows for events, as dictionaries."""
    found = access_changes(cloudtrail_frame(events), cluster)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    return found.to_dict("records")  # type: ignore[return-value]


def change_of(name: str, asked: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    (row,) = changes_of(cloudtrail_event(name, T0, asked, **changes))
    return row


def test_every_operation_has_words() -> None:
    """What is asked of CloudTrail is what can be told."""
    assert tuple(OPERATIONS) == ACCESS_OPERATIONS


@pytest.mark.parametrize(
    ("name", "asked", "change", "identity", "grants"),
    [
        (
            "CreateAccessEntry",
            {"name": "prod", "principalArn": ROLE, "kubernetesGroups": ["dev", "ops"]},
            *("access entry created", ROLE, "groups dev, ops"),
        ),
        ("CreateAccessEntry", {"name": "prod", "principalArn": ROLE}, "access entry created", ROLE, "no groups"),
        (
            "UpdateAccessEntry",
            {"name": "prod", "principalArn": ROLE, "kubernetesGroups": ["dev"]},
            *("access entry changed", ROLE, "groups dev"),
        ),
        (
            "UpdateAccessEntry",
            {"name": "prod", "principalArn": ROLE, "username": "x"},
            *("access entry changed", ROLE, "groups as before"),
        ),
        ("DeleteAccessEntry", {"name": "prod", "principalArn": ROLE}, "access entry deleted", ROLE, ""),
        (
            "AssociateAccessPolicy",
            policy("AmazonEKSViewPolicy", SOME),
            *("access policy given", ROLE, "AmazonEKSViewPolicy"),
        ),
        (
            "DisassociateAccessPolicy",
            {"name": "prod", "principalArn": ROLE, "policyArn": f"{POLICY}/AmazonEKSViewPolicy"},
            *("access policy taken", ROLE, "AmazonEKSViewPolicy"),
        ),
        (
            "CreateCluster",
            {"name": "prod"},
            *("cluster created", "arn:aws:iam::111122223333:role/Admin", "AmazonEKSClusterAdminPolicy for its creator"),
        ),
        (
            "UpdateClusterConfig",
            {"name": "prod", "accessConfig": {"authenticationMode": "API"}},
            *("cluster settings changed", None, "authentication mode API"),
        ),
        (
            "UpdateClusterConfig",
            {"name": "prod", "logging": {"clusterLogging": [{"types": ["audit", "api"], "enabled": False}]}},
            *("cluster settings changed", None, "logs audit, api OFF"),
        ),
        (
            "UpdateClusterConfig",
            {"name": "prod", "resourcesVpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}},
            *("cluster settings changed", None, "public endpoint on; public endpoint open to 0.0.0.0/0"),
        ),
        (
            "AssociateIdentityProviderConfig",
            {"name": "prod", "oidc": {"issuerUrl": "https://id.example.com", "groupsClaim": "groups"}},
            *("identity provider added", "https://id.example.com", "groups from the claim groups"),
        ),
        (
            "DisassociateIdentityProviderConfig",
            {"name": "prod", "identityProviderConfig": {"type": "oidc", "name": "corp"}},
            *("identity provider removed", "corp", ""),
        ),
        (
            "CreatePodIdentityAssociation",
            {"name": "prod", "namespace": "payments", "serviceAccount": "worker", "roleArn": ROLE},
            *("pod identity created", "payments/worker", ROLE),
        ),
        (
            "DeletePodIdentityAssociation",
            {"name": "prod", "associationId": "a-1"},
            *("pod identity deleted", "a-1", ""),
        ),
        (
            "CreateCapability",
            {"name": "prod", "capabilityName": "cd", "type": "ARGOCD", "roleArn": ROLE},
            *("capability created", ROLE, "ARGOCD"),
        ),
    ],
)
def test_changes(name: str, asked: dict[str, Any], change: str, identity: str | None, grants: str) -> None:
    """Each operation says whose access it changes, and to what."""
    row = change_of(name, asked)
    assert (row["change"], row["grants"], row["cluster"]) == (change, grants, "prod")
    if identity:
        assert row["identity"] == identity
    assert row["outcome"] == "done"
    assert row["arn"] == "arn:aws:sts::111122223333:assumed-role/Admin/alice"
    assert row["access_key"] == "ASIAALICE"


@pytest.mark.parametrize(
    ("name", "scope", "is_admin"),
    [
        ("AmazonEKSClusterAdminPolicy", CLUSTER_WIDE, True),
        ("AmazonEKSClusterAdminPolicy", SOME, False),
        ("AmazonEKSAdminPolicy", CLUSTER_WIDE, False),
        ("AmazonEKSViewPolicy", CLUSTER_WIDE, False),
    ],
)
def test_administrators(name: str, scope: dict[str, Any], is_admin: bool) -> None:
    """An administrator is who may do everything in the whole cluster."""
    row = change_of("AssociateAccessPolicy", policy(name, scope))
    assert row["is_admin"] is is_admin
    assert row["scope"] == ("cluster" if scope is CLUSTER_WIDE else "namespace: a, b")
    assert bool(row["explanation"]) == (name != "AmazonEKSViewPolicy")


def test_a_creator_without_rights() -> None:
    """Who creates a cluster is its administrator, unless it was created without that."""
    config = {"bootstrapClusterCreatorAdminPermissions": False, "authenticationMode": "API"}
    row = change_of("CreateCluster", {"name": "prod", "accessConfig": config})
    assert (row["is_admin"], row["grants"]) == (False, "nothing for its creator")
    assert row["explanation"] == "authentication mode API"


def test_what_eks_answered() -> None:
    """The user that an entry becomes, and its type, are told from EKS's answer."""
    answer = {"accessEntry": {"principalArn": ROLE, "type": "EC2_LINUX", "username": "system:node:x"}}
    row = change_of("CreateAccessEntry", {"name": "prod"}, responseElements=answer)
    assert row["identity"] == ROLE
    assert row["explanation"] == "of the type EC2_LINUX becomes the user system:node:x"


def test_a_failure_changes_nothing() -> None:
    """A request that failed is shown with its error, and makes nobody an administrator."""
    asked = policy("AmazonEKSClusterAdminPolicy", CLUSTER_WIDE)
    row = change_of("AssociateAccessPolicy", asked, errorCode="AccessDenied", errorMessage="not authorized")
    assert (row["outcome"], row["explanation"], row["is_admin"]) == ("AccessDenied", "not authorized", False)


def test_other_settings_are_left_out() -> None:
    """A change of a cluster's settings that lets nobody in or out is none of access."""
    assert changes_of(cloudtrail_event("UpdateClusterConfig", T0, {"name": "prod", "deletionProtection": True})) == []


def test_other_events_are_left_out() -> None:
    """Reads, other services and other clusters are left out; a request without parameters may be about any cluster."""
    events = [
        cloudtrail_event("DescribeCluster", T0, {"name": "prod"}),
        cloudtrail_event("DeleteAccessEntry", T0, {"name": "prod"}, eventSource="other.amazonaws.com"),
        assume_role_event(T0, "ASIABOB"),
        cloudtrail_event("DeleteAccessEntry", T0, {"name": "other", "principalArn": ROLE}),
        cloudtrail_event("CreateAccessEntry", T0, None, errorCode="AccessDenied"),
    ]
    assert [row["event_name"] for row in changes_of(*events, cluster="prod")] == ["CreateAccessEntry"]
    assert len(changes_of(*events)) == 2


def test_nothing() -> None:
    """Without events there are no rows, of the right types."""
    assert changes_of() == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    *("name", "principalArn", "policyArn", "accessScope", "kubernetesGroups", "username", "type", "accessConfig"),
    *("logging", "resourcesVpcConfig", "oidc", "identityProviderConfig", "namespace", "serviceAccount", "roleArn"),
    *("associationId", "capabilityName", "clusterName"),
)


@settings(max_examples=50)
@given(
    st.sampled_from(ACCESS_OPERATIONS),
    VALUES | st.dictionaries(st.sampled_from(KEYS), VALUES),
    VALUES | st.dictionaries(st.sampled_from(["accessEntry", "association", "cluster"]), VALUES),
)
def test_any_parameters_are_survived(name: str, asked: Any, given: Any) -> None:
    """Whatever the parameters are, an operation gives at most one row with the dtypes that are promised."""
    event = {**cloudtrail_event(name, T0, {}), "requestParameters": asked, "responseElements": given}
    assert len(changes_of(event)) <= 1
