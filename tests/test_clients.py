"""Which program a user agent names."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.clients import CLIENT_COLUMNS, clients

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
MANAGER = "kube-controller-manager/v1.36.2 (linux/amd64) kubernetes/98b3519/system:serviceaccount:kube-system:x"


def client(user_agent: str | None) -> tuple[object, ...]:
    """Program, version and whether it was cut; None where there is none."""
    (row,) = clients(pd.Series([user_agent], dtype="string")).astype(object).to_dict("records")
    return tuple(None if pd.isna(row[name]) else row[name] for name in CLIENT_COLUMNS)


@pytest.mark.parametrize(
    ("user_agent", "name", "version"),
    [
        ("kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0", "kubectl", "1.33.1"),
        ("kubectl1.27/v1.27.3 (darwin/arm64) kubernetes/25b4e43", "kubectl1.27", "1.27.3"),
        ("kubectl.exe/v1.33.1 (windows/amd64) kubernetes/8adc0f0", "kubectl", "1.33.1"),
        ("kubelet/v1.33.5-eks-113cf36 (linux/amd64) kubernetes/98b3519", "kubelet", "1.33.5-eks-113cf36"),
        ("aws-k8s-agent/v0.0.0 (linux/amd64) kubernetes/$Format", "aws-k8s-agent", "0.0.0"),
        (MANAGER, "kube-controller-manager", "1.36.2"),
        ("Helm/3.17.3", "helm", "3.17.3"),
        ("HashiCorp/1.0 Terraform/1.9.8", "terraform", "1.9.8"),
        ("Terraform/1.5.0 (+https://www.terraform.io) Terraform-Plugin-SDK/2.30.0", "terraform", "1.5.0"),
        ("argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format", "argocd", "0.0.0"),
        ("argocd-server/v2.9.3 (linux/amd64) kubernetes/$Format", "argocd", "2.9.3"),
        ("elbv2.k8s.aws/v2.13.4 aws-load-balancer-controller/v2.13.4", "aws-load-balancer-controller", "2.13.4"),
        ("OpenAPI-Generator/34.1.0/python", "python client", "34.1.0"),
        ("Swagger-Codegen/12.0.1/python", "python client", "12.0.1"),
        ("OpenAPI-Generator/1.0/java", "java client", "1.0"),
        ("python-requests/2.32.3", "python client", "2.32.3"),
        ("Python-urllib/3.12", "python client", "3.12"),
        ("curl/8.5.0", "curl", "8.5.0"),
        (BROWSER, "browser", "5.0"),
        ("Go-http-client/2.0", "go-http-client", "2.0"),
        ("gitlab-runner 18.2.1 linux/amd64", "gitlab-runner", "18.2.1"),
        ("kube-probe/1.36+", "kube-probe", "1.36+"),
        ("stratus-red-team_83213ad0", "stratus-red-team_83213ad0", None),
        ("vault/v2", "vault", "2"),
        ("viewer/vnext", "viewer", "vnext"),
        ("my tool", "my", None),
        ("", "unknown", None),
        (None, "unknown", None),
        (" kubectl/v1.33.1", "unknown", None),
        ("<script>alert(1)</script>", "unknown", None),
        ("x" * 65, "unknown", None),
        ("ünïcode/1", "unknown", None),
        ("kubectl\n/v1", "kubectl", None),
    ],
)
def test_client(user_agent: str | None, name: str, version: str | None) -> None:
    """The program is the first product that a user agent names, or the family that it belongs to."""
    assert client(user_agent) == (name, version, False)


def test_a_cut_user_agent() -> None:
    """A user agent that the API server cut is marked, and its first product still read."""
    whole = "kubectl/v1.33.1 (linux/amd64) " + "x" * 994
    assert client(whole + "...TRUNCATED") == ("kubectl", "1.33.1", True)
    assert client("y" * 1024 + "...TRUNCATED") == ("unknown", None, True)
    assert client("...TRUNCATED") == ("unknown", None, True)


@given(st.text(max_size=60))
def test_any_user_agent(user_agent: str) -> None:
    """Anything can stand in a user agent: it is never an error, and a name is short and plain."""
    name, version, is_cut = client(user_agent)
    assert isinstance(name, str)
    assert name
    assert len(name) <= 64
    assert name.isascii()
    assert version is None or len(str(version)) <= 64
    assert is_cut is user_agent.endswith("...TRUNCATED")


def test_dtypes() -> None:
    """Name and version are text, whether it was cut is a truth value, also without a row."""
    found = clients(pd.Series([], dtype="string"))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == CLIENT_COLUMNS
