"""Credentials that a log shows being issued and in use, and the way from one back to its issuers (issuers.py)."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis.credentials import (
    ISSUED,
    USES,
    credential_uses,
    issued_credentials,
    stated_uses,
)
from eks_audit_nb.analysis.issuers import (
    CHAIN,
    END,
    INFERRED,
    ORIGINS,
    PROVEN,
    UNKNOWN,
    credential_chain,
    credential_origins,
)
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

PREFIX = "authentication.kubernetes.io/"
NODE = "system:node:n1"


def attributed(*events: dict[str, Any]) -> pd.DataFrame:
    """The requests of events that were written a second apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    texts = pd.Series([json.dumps(event) for event in events], dtype="string")
    return attribute(pd.DataFrame({"@timestamp": times, "@message": texts}))


def caller(username: str, credential: str | None, **extra: str) -> dict[str, Any]:
    """A user who shows a credential, an AWS key where it looks like one."""
    if credential:
        extra["accessKeyId" if credential.startswith("A") else f"{PREFIX}credential-id"] = credential
    return {"username": username, "extra": {key: [value] for key, value in extra.items()}}


def token_request(issued: str, user: dict[str, Any], body: Any = None, **changes: Any) -> dict[str, Any]:
    """The event that issued a token for the service account shop/web."""
    return audit_event(
        verb="create",
        auditID=f"issued {issued}",
        requestURI="/api/v1/namespaces/shop/serviceaccounts/web/token",
        objectRef={"resource": "serviceaccounts", "subresource": "token", "namespace": "shop", "name": "web"},
        user=user,
        responseStatus={"code": 201},
        requestObject=body,
        annotations={f"{PREFIX}issued-credential-id": issued, "authorization.k8s.io/decision": "allow"},
        **changes,
    )


def chain(credential: str, *events: dict[str, Any], sessions: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    requests = attributed(*events)
    found = credential_chain(credential, issued_credentials(requests, sessions), credential_uses(requests))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == CHAIN
    found = found.astype(object)
    return found.where(found.notna(), None).to_dict("records")  # type: ignore[return-value]


def test_back_to_a_node() -> None:
    """A token is followed to the token that had it issued, and that one to its node, each by the same id."""
    rows = chain(
        "JTI=2",
        token_request("JTI=1", caller(NODE, "ASIA1")),
        token_request("JTI=2", caller("system:serviceaccount:shop:web", "JTI=1")),
    )
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert [row["credential"] for row in rows] == ["JTI=2", "JTI=1", "ASIA1"]
    assert [row["basis"] for row in rows] == [PROVEN, PROVEN, UNKNOWN]
    assert [row["audit_id"] for row in rows] == ["issued JTI=2", "issued JTI=1", None]
    assert rows[2]["holder"] == NODE
    assert "the chain ends at this node" in rows[2]["explanation"]


def test_back_to_an_iam_user() -> None:
    """A long-lived key is the end: it belongs to the IAM user whom its ARN names."""
    arn = "arn:aws:iam::111122223333:user/alice"
    rows = chain("JTI=1", token_request("JTI=1", caller("alice", "AKIA1", arn=arn)))
    assert rows[-1]["basis"] == END
    assert arn in rows[-1]["explanation"]


def test_the_login_in_a_session_is_inferred() -> None:
    """A session of IAM Identity Center is named after the login; that is told as an inference, other names are not."""
    arn = "arn:aws:sts::111122223333:assumed-role/{}/alice@example.com"
    for role, basis in (("AWSReservedSSO_Admin_0a1b", INFERRED), ("Admin", UNKNOWN)):
        rows = chain("JTI=1", token_request("JTI=1", caller("admin", "ASIA1", arn=arn.format(role))))
        assert rows[-1]["basis"] == basis
        assert ("alice@example.com" in rows[-1]["explanation"]) == (basis == INFERRED)


def test_issuer_not_in_the_log() -> None:
    """A token that nothing in the log issued is shown with its holder and with the reasons why that can be."""
    (row,) = chain("JTI=1", audit_event(user=caller("system:serviceaccount:shop:web", "JTI=1")))
    assert (row["holder"], row["basis"]) == ("system:serviceaccount:shop:web", UNKNOWN)
    assert "older than the window" in row["explanation"]


def test_a_caller_without_a_credential() -> None:
    """Where the event does not say what its caller showed, the chain ends with that caller."""
    rows = chain("JTI=1", token_request("JTI=1", {"username": "alice"}))
    assert (rows[-1]["holder"], rows[-1]["credential"], rows[-1]["basis"]) == ("alice", None, UNKNOWN)


def test_ids_are_found_as_people_write_them() -> None:
    """A token's id is found without its prefix; an id that is nowhere gives no row, and neither does an empty one."""
    event = token_request("JTI=1", caller(NODE, "ASIA1"))
    assert chain(" 1 ", event) == chain("JTI=1", event)
    assert chain("nowhere", event) == chain("", event) == []


def test_circles_end() -> None:
    """A log that says that two tokens issued each other is called damaged or forged."""
    rows = chain("JTI=1", token_request("JTI=1", caller("a", "JTI=2")), token_request("JTI=2", caller("b", "JTI=1")))
    assert [row["credential"] for row in rows] == ["JTI=1", "JTI=2", "JTI=1"]
    assert "forged" in rows[-1]["explanation"]


def issued_frame(parents: dict[str, str | None]) -> pd.DataFrame:
    rows = [{"credential": each, "by_credential": by, "username": f"user of {by}"} for each, by in parents.items()]
    return typed_frame(rows, ISSUED)


def uses_frame(credentials: list[str]) -> pd.DataFrame:
    rows = [{"credential": each, "username": f"user of {each}", "requests": 1} for each in credentials]
    return typed_frame(rows, USES)


def test_long_chains() -> None:
    """A chain of ten thousand steps is followed to its end."""
    issued = issued_frame({f"JTI={number}": f"JTI={number + 1}" for number in range(10_000)})
    assert len(credential_chain("JTI=0", issued, uses_frame([]))) == 10_001
    (row,) = credential_origins(issued, uses_frame(["JTI=0"])).to_dict("records")
    assert (row["steps"], row["origin"], row["origin_credential"]) == (10_000, "user of JTI=10000", "JTI=10000")


IDS = st.integers(0, 4).map("JTI={}".format)


@settings(max_examples=40)
@given(st.dictionaries(IDS, st.none() | IDS, max_size=7), st.lists(IDS, min_size=1, max_size=7, unique=True))
def test_origins_agree_with_chains(parents: dict[str, str | None], shown: list[str]) -> None:
    """The end that is found for all credentials at once is the end of each one's chain, circles included."""
    issued, uses = issued_frame(parents), uses_frame(shown)
    origins = credential_origins(issued, uses)
    assert {name: str(dtype) for name, dtype in origins.dtypes.items()} == ORIGINS
    for row in origins.to_dict("records"):
        rows = credential_chain(str(row["credential"]), issued, uses).to_dict("records")
        proven = [each for each in rows if each["basis"] == PROVEN]
        has_circle = "forged" in str(rows[-1]["explanation"])
        if not has_circle:
            assert row["steps"] == len(proven)
            assert row["origin"] == (proven[-1]["username"] if proven else f"user of {row['credential']}")
            assert pd.isna(row["origin_credential"]) == pd.isna(rows[-1]["credential"])
        else:
            assert row["origin_credential"] in set(parents)


def test_what_a_token_request_says() -> None:
    """The pod, the time and the audience come from the body; the hour of a pod's own token is not its end."""
    bound = {"kind": "Pod", "name": "web-1", "uid": "u1"}
    spec = {"boundObjectRef": bound, "expirationSeconds": 600, "audiences": ["sts.amazonaws.com"]}
    requests = attributed(
        token_request("JTI=1", caller(NODE, "ASIA1"), {"spec": spec}),
        token_request("JTI=2", caller(NODE, "ASIA1"), {"spec": {**spec, "expirationSeconds": 3607}}),
        token_request("JTI=3", caller(NODE, "ASIA1"), {"spec": {"boundObjectRef": {"kind": "Secret", "name": "s"}}}),
    )
    issued = issued_credentials(requests)
    assert issued["pod"].tolist()[:2] == ["web-1", "web-1"]
    assert (issued["expires"] - issued["issued"]).dt.total_seconds().tolist()[0] == 600
    assert issued["expires"].isna().tolist() == [False, True, True]
    assert issued["remark"].tolist()[1:] == ["for sts.amazonaws.com", "bound to the Secret s"]
    assert set(issued["holder"]) == {"system:serviceaccount:shop:web"}


@pytest.mark.parametrize(
    "body", [[], "x", {"spec": []}, {"spec": {"boundObjectRef": [], "expirationSeconds": 10**30, "audiences": 7}}]
)
def test_bodies_of_any_form(body: Any) -> None:
    """A body that is not what it should be does not hide who issued the token."""
    issued = issued_credentials(attributed(token_request("JTI=1", caller(NODE, "ASIA1"), body)))
    assert issued["username"].tolist() == [NODE]
    assert issued["expires"].isna().all()


def test_an_impersonating_caller() -> None:
    """A token that was asked for in another's name is traced to the caller, and says in whose name."""
    rows = chain("JTI=1", token_request("JTI=1", caller("alice", "ASIA1"), impersonatedUser={"username": "bob"}))
    assert rows[0]["username"] == "alice"
    assert rows[0]["explanation"] == "the caller acted as bob"


def test_uses_count_when_requests_came() -> None:
    """A watch counts when it came, not when it ended, and each request once."""
    watch = audit_event(verb="watch", user=caller("a", "JTI=1"), requestReceivedTimestamp="2026-11-24T09:00:00.000000Z")
    uses = credential_uses(attributed({**watch, "stage": "ResponseStarted"}, watch))
    assert uses["requests"].tolist() == [1]
    assert uses["last"].tolist() == [pd.Timestamp("2026-11-24T09:00:00Z")]


def test_the_query_counts_as_the_frame_does(sample: FileSource) -> None:
    """What the service counts by the query is what the frame of all events gives, but for the moment of writing."""
    stated = stated_uses(sample.run("credential_uses").frame)
    counted = credential_uses(attribute(sample.run("fields @timestamp, @message | limit 100000").frame))
    keys = ["username", "arn", "credential", "pod", "pod_uid", "node", "source_ip", "requests"]
    assert {name: str(dtype) for name, dtype in stated.dtypes.items()} == USES
    both = [frame[keys].fillna("").sort_values(keys).reset_index(drop=True) for frame in (stated, counted)]
    pd.testing.assert_frame_equal(*both)


@pytest.fixture(scope="module")
def in_sample(sample: FileSource) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was issued in the sample, and what was used."""
    issued = issued_credentials(attribute(sample.run("credential_events").frame))
    return issued, stated_uses(sample.run("credential_uses").frame)


@pytest.mark.parametrize(
    ("credential", "callers"),
    [
        (
            "fadf1374-b802-42c3-a45c-5f93f9bb3881",
            ["system:serviceaccount:ci:deployer", "system:node:ip-10-0-2-11.ec2.internal"],
        ),
        (
            "X509SHA256=c3efcd2ef44ce07835430465c4a91d46af93e588a2a577f01995923a2738093d",
            ["system:serviceaccount:ci:deployer", "system:node:ip-10-0-2-11.ec2.internal"],
        ),
        ("JTI=4126ef58-3a9f-49de-9208-35d11fb0a3c3", ["system:kube-controller-manager"]),
    ],
)
def test_the_sample(in_sample: tuple[pd.DataFrame, pd.DataFrame], credential: str, callers: list[str]) -> None:
    """A minted token, a certificate and a controller's token of the sample lead back to their issuers."""
    found = credential_chain(credential, *in_sample)
    assert found["username"].dropna().tolist() == callers
    assert found["basis"].tolist() == [PROVEN] * len(callers) + [UNKNOWN]


def test_nothing() -> None:
    """Frames without a row keep their columns and types."""
    empty = attributed()
    issued, uses = issued_credentials(empty), credential_uses(empty)
    assert {name: str(dtype) for name, dtype in issued.dtypes.items()} == ISSUED
    assert {name: str(dtype) for name, dtype in uses.dtypes.items()} == USES
    assert {name: str(dtype) for name, dtype in credential_origins(issued, uses).dtypes.items()} == ORIGINS
