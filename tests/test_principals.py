"""Who a caller is, and how sure that is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.principals import KINDS, PRINCIPAL_COLUMNS, principals, read_arn

ROLE = "arn:aws:iam::111122223333:role/Ops"
SESSION = "arn:aws:sts::111122223333:assumed-role/Ops/ann@example.com"
IAM = "aws-iam-authenticator:111122223333:"
EVERYONE = "system:authenticated"
NODES = "system:bootstrappers, system:nodes, system:authenticated"
ACCOUNTS = "system:serviceaccounts, system:serviceaccounts:ci, system:authenticated"
X509 = "X509SHA256=87ead34c"
JTI = "JTI=46639def"
EXTRA = {
    "uid": IAM + "AROAEXAMPLE",
    "groups": EVERYONE,
    "arn": SESSION,
    "canonical_arn": ROLE,
    "session": "ann@example.com",
    "access_key": "ASIAEXAMPLE",
    "principal_id": "AROAEXAMPLE",
}


def principal(**fields: str) -> dict[str, Any]:
    """What is said of a caller with these columns; None where a value is missing."""
    (row,) = principals(pd.DataFrame({name: [value] for name, value in fields.items()}, dtype="string")).to_dict(
        "records"
    )
    return {name: None if pd.isna(value) else value for name, value in row.items()}


@pytest.mark.parametrize(
    ("fields", "kind", "name", "basis"),
    [
        # IAM, as events since 2020 have it: whatever the username is.
        ({**EXTRA, "username": "ann"}, "IAM role session", ROLE, "proven"),
        ({**EXTRA, "username": "kubernetes-admin", "groups": "system:masters"}, "IAM role session", ROLE, "proven"),
        ({"username": "bob", "canonical_arn": "arn:aws:iam::111122223333:user/dev/bob"}, "IAM user", "=", "proven"),
        ({"username": "bob", "arn": "arn:aws:iam::111122223333:user/dev/bob"}, "IAM user", "=", "proven"),
        ({"username": "root", "arn": "arn:aws:iam::111122223333:root"}, "IAM user", "=", "proven"),
        ({"username": "x", "arn": "arn:aws:sts::111122223333:federated-user/bob"}, "IAM user", "=", "proven"),
        ({"username": "x", "canonical_arn": "arn:aws-us-gov:iam::111122223333:role/R"},
         "IAM role session", "=", "proven"),
        # Only the session is known: its role is concluded.
        ({"username": "ann", "arn": SESSION}, "IAM role session", ROLE, "inferred"),
        ({"username": SESSION, "uid": IAM + "AROAEXAMPLE"}, "IAM role session", ROLE, "inferred"),
        ({"username": SESSION}, "IAM role session", ROLE, "inferred"),
        ({"username": "arn:aws:iam::111122223333:user/bob"}, "IAM user", "=", "inferred"),
        # Events of 2019 have no extra: IAM's own id is all there is.
        ({"username": "kubernetes-admin", "uid": "heptio-authenticator-aws:111122223333:AROAEXAMPLE"},
         "IAM role session", "AROAEXAMPLE", "proven"),
        ({"username": "bob", "uid": "heptio-authenticator-aws:111122223333:AIDAEXAMPLE"},
         "IAM user", "AIDAEXAMPLE", "proven"),
        # Service accounts.
        ({"username": "system:serviceaccount:ci:bot", "uid": "142e82fe", "groups": ACCOUNTS, "credential_id": JTI},
         "service account", "=", "proven"),
        ({"username": "system:serviceaccount:ci:bot", "uid": "142e82fe", "groups": ACCOUNTS},
         "service account", "=", "proven"),
        ({"username": "system:serviceaccount:ci:bot", "groups": ACCOUNTS}, "service account", "=", "inferred"),
        ({"username": "system:serviceaccount:ci:bot"}, "service account", "=", "inferred"),
        # An ARN that another authenticator wrote makes nobody IAM's.
        ({**EXTRA, "username": "ann", "uid": "142e82fe"}, "OIDC user", "ann", "inferred"),
        ({"username": "system:serviceaccount:ci:bot", "uid": "142e82fe", "groups": ACCOUNTS, "arn": SESSION},
         "service account", "system:serviceaccount:ci:bot", "proven"),
        # Nodes: by IAM, by certificate, by name.
        ({**EXTRA, "username": "system:node:n-1", "groups": NODES}, "node", "n-1", "proven"),
        ({"username": "system:node:n-1", "groups": NODES, "credential_id": X509}, "node", "n-1", "proven"),
        ({"username": "system:node:n-1", "groups": NODES}, "node", "n-1", "inferred"),
        ({"username": "system:node:n-1"}, "node", "n-1", "inferred"),
        # The control plane.
        ({"username": "system:kube-scheduler", "groups": EVERYONE, "credential_id": X509},
         "Kubernetes component", "=", "proven"),
        ({"username": "system:kube-scheduler", "groups": EVERYONE}, "Kubernetes component", "=", "inferred"),
        ({"username": "system:apiserver", "uid": "a3fc", "groups": "system:authenticated, system:masters"},
         "Kubernetes component", "=", "proven"),
        ({"username": "eks:k8s-metrics", "groups": EVERYONE, "credential_id": X509},
         "AWS control plane", "=", "proven"),
        ({"username": "eks:k8s-metrics", "groups": EVERYONE}, "AWS control plane", "=", "inferred"),
        ({"username": "eks:node-manager", "uid": "aws-iam-authenticator:555566667777:AROAY",
          "canonical_arn": "arn:aws:iam::555566667777:role/AWSWesleyClusterManagerLambda-NodeManagerRole-1"},
         "AWS control plane", "eks:node-manager", "inferred"),
        # Others.
        ({"username": "system:anonymous", "groups": "system:unauthenticated"}, "anonymous", "=", "proven"),
        ({"username": "system:anonymous"}, "anonymous", "=", "inferred"),
        ({"username": "https://idp.example.com#ann", "groups": "idp:devs, system:authenticated"},
         "OIDC user", "=", "inferred"),
        ({"username": "admin", "groups": "system:masters, system:authenticated", "credential_id": X509},
         "unknown", "=", "proven"),
        ({"username": "kubernetes-admin", "groups": "system:masters"}, "unknown", "=", "inferred"),
        ({}, "unknown", None, "inferred"),
        ({"username": ""}, "unknown", None, "inferred"),
    ],
)  # fmt: skip
def test_kind_and_name(fields: dict[str, str], kind: str, name: str | None, basis: str) -> None:
    """Kind, name and certainty follow from what only one kind of authenticator writes, and from the name at last."""
    found = principal(**fields) if fields else principal(username="")
    if name == "=":
        name = fields.get("canonical_arn", fields.get("arn", fields["username"]))
    assert (found["principal_kind"], found["principal"], found["principal_basis"]) == (kind, name, basis)


@pytest.mark.parametrize(
    "username",
    [
        "eks:node-manager",
        "eks:fake",
        "system:kube-controller-manager",
        "system:serviceaccount:kube-system:replicaset-controller",
        "system:anonymous",
        "system:node:n-1",
        "https://idp.example.com#ann",
        "arn:aws:sts::999988887777:assumed-role/Other/dave",
    ],
)
def test_aws_auth_makes_no_one_else(username: str) -> None:
    """A role that aws-auth maps to a name of the control plane, a service account or another role stays that role."""
    found = principal(**EXTRA, username=username)
    assert (found["principal_kind"], found["principal"], found["account"]) == ("IAM role session", ROLE, "111122223333")
    assert found["session"] == "ann@example.com"


@pytest.mark.parametrize(
    ("username", "groups"),
    [
        ("system:serviceaccount:kube-system:admin", "system:authenticated"),
        ("system:serviceaccount:kube-system:admin", ACCOUNTS),  # groups of another namespace
        ("system:serviceaccount:ci:bot", "my-system:serviceaccounts, system:serviceaccounts:ci-2"),
        ("system:serviceaccount:ci", ACCOUNTS),
        ("system:node:n-1", "my-system:nodes, system:authenticated"),
        ("system:anonymous", "system:unauthenticated, system:authenticated"),
        ("system:anonymous", "devs"),
    ],
)
def test_names_of_an_identity_provider(username: str, groups: str) -> None:
    """A name that is written like a service account's, a node's or nobody's is none without the groups of one."""
    found = principal(username=username, groups=groups)
    assert found["principal_basis"] == "inferred"
    assert found["principal_kind"] in ("OIDC user", "Kubernetes component")


@pytest.mark.parametrize("username", ["system:serviceaccount:ci:bot", "system:anonymous", "system:node:n-1", SESSION])
def test_certificates_make_no_one_else(username: str) -> None:
    """A client certificate proves the name in it, and makes its holder no service account, no node and no IAM role."""
    found = principal(username=username, uid=IAM + "AROAEXAMPLE", groups=ACCOUNTS, credential_id=X509)
    told = (found["principal_kind"], found["principal"], found["account"], found["credential_kind"])
    assert told == ("unknown", username, None, "client certificate")


@pytest.mark.parametrize(
    ("fields", "evidence"),
    [
        ({**EXTRA, "username": "ann"}, "user.extra.canonicalArn, user.uid"),
        ({"username": "ann", "arn": SESSION}, "user.extra.arn"),
        ({"username": SESSION, "uid": IAM + "AROAEXAMPLE"}, "user.username, user.uid"),
        ({"username": "ann", "uid": IAM + "AROAEXAMPLE"}, "user.uid"),
        ({"username": "system:serviceaccount:ci:bot", "uid": "1", "groups": ACCOUNTS},
         "user.username, user.uid, user.groups"),
        ({**EXTRA, "username": "system:node:n-1", "groups": NODES},
         "user.username, user.groups, user.extra.canonicalArn, user.uid"),
        ({"username": "system:kube-scheduler", "credential_id": X509},
         "user.username, user.extra.authentication.kubernetes.io/credential-id"),
        ({"username": "ann"}, "user.username"),
        ({"username": ""}, ""),
    ],
)  # fmt: skip
def test_evidence(fields: dict[str, str], evidence: str) -> None:
    """The evidence names the fields of the event that say who it is."""
    assert principal(**fields)["evidence"] == evidence


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({"session": "ann@example.com", "username": SESSION.replace("@", "-")}, "ann@example.com"),
        ({"arn": SESSION, "username": "ann"}, "ann@example.com"),
        ({"principal_id": "AROAEXAMPLE:ann@example.com", "canonical_arn": ROLE}, "ann@example.com"),
        ({"uid": IAM + "AROAEXAMPLE:ann@example.com", "username": "ann"}, "ann@example.com"),
        ({"uid": IAM + "AROAEXAMPLE", "username": SESSION.replace("@", "-")}, "ann-example.com"),
        ({"uid": IAM + "AROAEXAMPLE", "username": "ann"}, None),
        ({"arn": "arn:aws:sts::111122223333:federated-user/bob"}, "bob"),
        ({"arn": "arn:aws:iam::111122223333:user/bob"}, None),
    ],
)
def test_session(fields: dict[str, str], session: str | None) -> None:
    """The session is that of the field that keeps it whole; a username has - for @, and is asked last."""
    assert principal(**fields)["session"] == session


@pytest.mark.parametrize(
    ("fields", "credential", "kind", "key_kind"),
    [
        ({**EXTRA, "username": "ann"}, "ASIAEXAMPLE", "access key", "session"),
        ({**EXTRA, "username": "ann", "access_key": "AKIAEXAMPLE"}, "AKIAEXAMPLE", "access key", "long-lived"),
        ({"username": "system:serviceaccount:ci:bot", "credential_id": JTI}, JTI, "token", None),
        ({"username": "system:kube-scheduler", "credential_id": X509}, X509, "client certificate", None),
        ({"username": SESSION, "uid": IAM + "AROAEXAMPLE"}, IAM + "AROAEXAMPLE/ann@example.com", "IAM session", None),
        ({"username": "kubernetes-admin", "uid": IAM + "AROAEXAMPLE"}, IAM + "AROAEXAMPLE", "IAM session", None),
        ({"username": "ann"}, "ann", "name only", None),
        ({"username": "system:anonymous"}, "system:anonymous", "none", None),
        ({"uid": "", "username": ""}, None, "none", None),
    ],
)
def test_credential(fields: dict[str, str], credential: str | None, kind: str, key_kind: str | None) -> None:
    """A credential is known by its key, by a token's or certificate's id, by IAM's id and the session, or by a name."""
    found = principal(**fields)
    assert (found["credential"], found["credential_kind"], found["access_key_kind"]) == (credential, kind, key_kind)


@pytest.mark.parametrize(
    "text",
    [
        *(
            None,
            "",
            "alice",
            "arn:aws:iam::1:user/x",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:role",
        ),
        *(
            "arn:aws:sts::111122223333:assumed-role/Ops",
            "arn:aws:iam::111122223333:root/x",
            "arn:aws:iam::111122223333:role",
        ),
        *(
            "arn:aws:iam::111122223333:group/x",
            "x arn:aws:iam::111122223333:user/x",
            "arn:aws:sts::111122223333:role/x",
        ),
    ],
)
def test_no_arn(text: str | None) -> None:
    """A text that is no ARN of a user, a role or a session is none."""
    assert read_arn(text) is None


FIELD = st.none() | st.text(max_size=20) | st.sampled_from([*EXTRA.values(), X509, JTI, NODES, ACCOUNTS, "eks:x"])
NAMES = ("username", "uid", "groups", "arn", "canonical_arn", "session", "access_key", "credential_id", "principal_id")


@given(st.lists(st.tuples(*[FIELD] * len(NAMES)), max_size=4))
def test_any_fields(rows: list[tuple[str | None, ...]]) -> None:
    """Whatever stands in the fields, each row has a kind and a certainty, and an account has 12 digits."""
    found = principals(pd.DataFrame(rows, columns=list(NAMES), dtype="string"))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == PRINCIPAL_COLUMNS
    assert found["principal_kind"].isin(KINDS).all()
    assert found["principal_basis"].isin(["proven", "inferred"]).all()
    assert found["account"].dropna().str.fullmatch(r"\d{12}").all()
    assert found["credential_kind"].notna().all()
