"""Permissions that lead to more than they say."""

from __future__ import annotations

import pytest

from eks_audit_nb.analysis.grave import grave_of


@pytest.mark.parametrize(
    ("verb", "resource", "is_grave"),
    [
        ("get", "secrets", True),
        ("delete", "secrets", False),
        ("create", "pods", True),
        ("get", "pods", False),
        ("create", "pods/exec", True),
        ("impersonate", "users", True),
        ("bind", "clusterroles", True),
        ("get", "clusterroles", False),
        ("update", "rolebindings", True),
        ("get", "nodes/proxy", True),
        ("patch", "mutatingwebhookconfigurations", True),
        ("get", "configmaps", False),
    ],
)
def test_grave_permissions(verb: str, resource: str, is_grave: bool) -> None:
    """What leads to more than it says is marked."""
    assert bool(grave_of({"verb": verb, "resource": resource, "url": None})) == is_grave
