"""Whose requests the made log holds: people, roles and addresses are made up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

ACCOUNT = "111122223333"
_TOKEN = "authentication.kubernetes.io"  # noqa: S105  # what the keys about a service account's token begin with


@dataclass(frozen=True)
class Actor:
    """Whose requests: what an event says of the caller, and why the caller is let in."""

    user: dict[str, Any]
    address: str
    agent: str
    reason: str = ""

    @property
    def short_name(self) -> str:
        """The last part of the name."""
        return str(self.user["username"]).rpartition(":")[2]


def iam(name: str, role: str, session: str, groups: list[str], address: str, agent: str, reason: str) -> Actor:
    """A caller that the IAM authenticator let in."""
    draw = random.Random(role)  # noqa: S311  # a key that stays the same, and no secret
    principal = f"AROA{draw.getrandbits(68):017X}"
    extra = {
        "accessKeyId": [f"ASIA{draw.getrandbits(64):016X}"],
        "arn": [f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"],
        "canonicalArn": [f"arn:aws:iam::{ACCOUNT}:role/{role}"],
        "principalId": [principal],
        "sessionName": [session],
        "sigs.k8s.io/aws-iam-authenticator/principalId": [principal],
    }
    uid = f"aws-iam-authenticator:{ACCOUNT}:{principal}"
    user = {"username": name, "uid": uid, "groups": [*groups, "system:authenticated"], "extra": extra}
    return Actor(user, address, agent, reason)


def node(number: int) -> Actor:
    """A node's kubelet."""
    address = f"10.0.{number % 3 + 1}.{number // 3 + 11}"
    name = f"ip-{address.replace('.', '-')}.ec2.internal"
    groups = ["system:bootstrappers", "system:nodes"]
    agent = "kubelet/v1.33.5-eks-113cf36 (linux/amd64) kubernetes/98b3519"
    return iam(
        f"system:node:{name}", "prod-nodegroup-NodeInstanceRole", f"i-0{number:016x}", groups, address, agent, ""
    )


def service_account(draw: random.Random, namespace: str, name: str) -> Actor:
    """A pod with its token."""
    uids = [made_uuid(draw) for _ in range(4)]
    extra = {
        f"{_TOKEN}/credential-id": [f"JTI={uids[0]}"],
        f"{_TOKEN}/node-name": [f"ip-10-0-{draw.randint(1, 3)}-{draw.randint(11, 30)}.ec2.internal"],
        f"{_TOKEN}/node-uid": [uids[1]],
        f"{_TOKEN}/pod-name": [f"{name}-{draw.getrandbits(36):09x}-{draw.getrandbits(20):05x}"],
        f"{_TOKEN}/pod-uid": [uids[2]],
    }
    user = {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "uid": uids[3],
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
        "extra": extra,
    }
    reason = (
        f'RBAC: allowed by ClusterRoleBinding "{name}" of ClusterRole "{name}" to ServiceAccount "{name}/{namespace}"'
    )
    address = f"10.0.{draw.randint(8, 15)}.{draw.randint(2, 250)}"
    return Actor(user, address, f"{name}/v0.{draw.randint(1, 30)}.0 (linux/amd64) kubernetes/$Format", reason)


def component(name: str) -> Actor:
    """A part of the control plane."""
    user = {"username": name, "groups": ["system:authenticated"]}
    reason = f'RBAC: allowed by ClusterRoleBinding "{name}" of ClusterRole "{name}" to User "{name}"'
    agent = f"{name.rpartition(':')[2]}/v1.33.5-eks-113cf36 (linux/amd64) kubernetes/98b3519/leader-election"
    return Actor(user, "172.16.61.24", agent, reason)


ANONYMOUS = Actor({"username": "system:anonymous", "groups": ["system:unauthenticated"]}, "203.0.113.77", "curl/8.11.1")


def iam_people() -> list[Actor]:
    """Roles that people and pipelines take."""
    roles = (
        "PlatformAdmin",
        "Developer",
        "Operations",
        "ReadOnly",
        "SecurityAudit",
        "GitHubActionsDeploy",
        "Terraform",
    )
    agents = ("kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0", "Helm/3.17.3", "HashiCorp/1.0 Terraform/1.9.8")
    return [
        iam(
            f"{role.lower()}-{number}",
            role,
            f"session-{number}@example.com",
            [f"example:{role.lower()}"],
            f"198.51.100.{10 * number + order}",
            agents[(number + order) % len(agents)],
            f'RBAC: allowed by ClusterRoleBinding "{role}" of ClusterRole "{role}" to Group "example:{role.lower()}"',
        )
        for order, role in enumerate(roles)
        for number in range(1, 4)
    ]


def made_uuid(draw: random.Random) -> str:
    """A random UUID."""
    text = f"{draw.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
