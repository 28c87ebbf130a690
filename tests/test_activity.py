"""What one principal did is its own, told in sessions, and said in a sentence."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import analysis, attribute
from eks_audit_nb.analysis.activity import CLAIMED_ADDRESS, IN_ITS_NAME, OWN
from eks_audit_nb.reporting import sentences
from eks_audit_nb.sources.files import FileSource

ALICE = {
    "username": "alice",
    "groups": ["system:authenticated"],
    "extra": {"accessKeyId": ["ASIA0000000000000001"], "sessionName": ["alice@example.com"]},
}


def event(received: str, verb: str = "get", **changes: Any) -> dict[str, Any]:
    """An event by alice at a time of day."""
    return {
        "auditID": received,
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": "/api/v1/namespaces/shop/pods/web",
        "user": ALICE,
        "sourceIPs": ["203.0.113.5"],
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-11-24T{received}Z",
        "stageTimestamp": f"2026-11-24T{received}Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **changes,
    }


def activity(principal: str, *events: dict[str, Any]) -> pd.DataFrame:
    times = pd.to_datetime([each["stageTimestamp"] for each in events], utc=True).as_unit("us")
    frame = pd.DataFrame({"@timestamp": times, "@message": [json.dumps(each) for each in events]})
    return analysis.activity_of(attribute(frame), analysis.subject_of(principal))


@pytest.fixture(scope="module")
def identities(sample: FileSource) -> pd.DataFrame:
    return analysis.stated_identities(sample.run("identity_uses").frame)


def said(sample: FileSource, identities: pd.DataFrame, principal: str) -> str:
    subject = analysis.subject_of(principal)
    found = analysis.activity_of(attribute(sample.run("principal_activity", principal=subject.text).frame), subject)
    own = analysis.in_sessions(found[found["part"] == OWN])
    ties = analysis.ties(subject, identities, own["issued_credential_id"].dropna())
    return sentences.principal_activity(subject, found, analysis.sessions(own), ties, identities)


def test_impersonation() -> None:
    """What the principal did as somebody else is its own; what others did as the principal is not."""
    other = {"username": "bob", "groups": ["system:authenticated"]}
    found = activity(
        "alice",
        event("22:00:00", impersonatedUser={"username": "root"}),
        event("22:01:00", user=other, impersonatedUser={"username": "alice"}),
        event("22:02:00", user=other),
    )
    assert list(found["part"]) == [OWN, IN_ITS_NAME]
    assert list(found["acted_as"]) == ["root", "alice"]


def test_claimed_addresses() -> None:
    """Only the last address is where a request came from; the ones before it are a claim, and shown apart."""
    found = activity(
        "203.0.113.9",
        event("22:00:00", sourceIPs=["203.0.113.9", "203.0.113.5"]),
        event("22:01:00", sourceIPs=["198.51.100.1", "203.0.113.9"]),
        event("22:02:00", sourceIPs=["203.0.113.99"]),
    )
    assert list(found["part"]) == [CLAIMED_ADDRESS, OWN]


@pytest.mark.parametrize(
    ("changes", "deed"),
    [
        ({}, "read"),
        ({"verb": "delete"}, "change"),
        ({"verb": "delete", "requestURI": "/api/v1/namespaces/shop/pods/web?dryRun=All"}, "dry run"),
        ({"verb": "delete", "responseStatus": {"code": 404}}, "failed"),
        ({"verb": "delete", "responseStatus": {"code": 401}, "annotations": {}}, "refused"),
        ({"verb": "create", "objectRef": {"resource": "selfsubjectaccessreviews"}}, "read"),
        ({"verb": "get", "objectRef": {"resource": "pods", "subresource": "exec"}}, "entry"),
        ({"verb": "create", "objectRef": {"resource": "serviceaccounts", "subresource": "token"}}, "credential"),
        ({"verb": "create", "objectRef": {"resource": "certificatesigningrequests"}}, "credential"),
        ({"verb": "post", "objectRef": None, "requestURI": "/openapi/v2"}, "read"),
    ],
)
def test_deeds(changes: dict[str, Any], deed: str) -> None:
    """What a request was is told by its verb, its subresource and what came of it."""
    assert list(activity("alice", event("22:00:00", **changes))["deed"]) == [deed]


def test_pauses_part_sessions() -> None:
    """A pause that is longer than so many minutes begins a new session; another address is another session."""
    found = activity(
        "alice",
        event("22:00:00"),
        event("22:30:00"),
        event("22:10:00", sourceIPs=["203.0.113.6"]),
        event("23:00:01"),
    )
    sessions = analysis.sessions(analysis.in_sessions(found, 30))
    assert list(sessions["number"]) == [1, 2, 3]
    assert list(sessions["source_ip"]) == ["203.0.113.5", "203.0.113.6", "203.0.113.5"]
    assert list(sessions["requests"]) == [2, 1, 1]
    assert len(analysis.sessions(analysis.in_sessions(found, 31))) == 2
    assert len(analysis.sessions(analysis.in_sessions(found, 1))) == 4


def test_an_open_watch_is_no_pause() -> None:
    """While a watch is open its session goes on."""
    watch = event("22:00:00", "watch", stageTimestamp="2026-11-24T23:00:00Z")
    found = activity("alice", watch, event("22:01:00"), event("23:20:00"))
    assert len(analysis.sessions(analysis.in_sessions(found, 30))) == 1


def test_no_requests() -> None:
    """Nothing found gives empty tables, not errors."""
    own = analysis.in_sessions(activity("bob", event("22:00:00")))
    assert own.empty
    for made in (analysis.sessions, analysis.deeds, analysis.by_resource, analysis.refusals, analysis.places):
        assert made(own).empty


def test_details() -> None:
    """The command of an exec, the token that was issued and what a binding grants stand beside the act."""
    shell = "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=id"
    granted = {"roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": [{"kind": "User", "name": "eve"}, 7]}
    found = activity(
        "alice",
        event("22:00:00", objectRef={"resource": "pods", "subresource": "exec", "name": "web"}, requestURI=shell),
        event("22:01:00", "create", objectRef={"resource": "clusterrolebindings"}, requestObject=granted),
        event("22:02:00", "create", objectRef={"resource": "rolebindings"}, requestObject={"roleRef": ["x"]}),
        event("22:03:00", "delete", requestObject=[None]),
    )
    acts = analysis.deeds(found)
    assert list(acts["act"]) == ["exec", "create", "create", "delete"]
    assert list(acts["detail"].fillna("")) == ["sh -c id", "ClusterRole admin to User/eve", "", ""]
    assert list(acts["object"])[:1] == ["pods/web (exec)"]


def test_one_address_behind_three_names(sample: FileSource, identities: pd.DataFrame) -> None:
    """The sentence says under which names an address went, what it did and where its credentials came from else."""
    text = said(sample, identities, "203.0.113.77")
    assert text.startswith(
        "203.0.113.77, found as a source address, made 41 requests in 3 sessions, from 2026-11-24 22:30:13 to 22:36:27"
        " UTC, as system:serviceaccount:ci:deployer, system:node:ip-10-0-1-11.ec2.internal, "
    )
    assert "It made 11 changes, 2 entries (exec, proxy), 3 requests for credentials; 6 requests were refused." in text
    assert "It had 1 token issued, and none was seen in use." in text
    assert text.endswith("and from 10.0.1.11.")


def test_acting_as_others(sample: FileSource, identities: pd.DataFrame) -> None:
    """The sentence tells acts of impersonation from acts of others in the principal's name."""
    assert "4 requests it made as kubernetes-admin, carol, by impersonation." in said(sample, identities, "bob")
    text = said(sample, identities, "carol@example.com")
    assert "1 request it made as alice, by impersonation." in text
    assert text.endswith("bob made 2 requests in its name, which are not counted here.")


def test_nothing_to_tell(sample: FileSource, identities: pd.DataFrame) -> None:
    """A name that is not there is told with the nearest; no name at all with whom one could ask for."""
    assert said(sample, identities, "alise") == "alise made no request in this window. Nearest in the log: alice."
    text = said(sample, identities, "203.0.113.78")
    assert text.startswith("203.0.113.78 made no request in this window. It was understood as: source address. Nearest")
    text = said(sample, identities, "")
    assert text.startswith("Nobody was asked for: name a principal. In this log are, among others: kubernetes-admin")
