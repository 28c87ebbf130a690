"""What is said of an act, and how sure each part is."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb.analysis.issuers import CHAIN
from eks_audit_nb.analysis.statement import STATED, at, did, lead_of, stated, summary, telling_acts, who
from eks_audit_nb.analysis.typed import typed_frame

from rules import attributed, by_binding, event

NO_CHAIN = typed_frame([], CHAIN)
ALICE = {
    "username": "alice",
    "uid": "aws-iam-authenticator:111122223333:AROAX",
    "extra": {
        "arn": ["arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com"],
        "canonicalArn": ["arn:aws:iam::111122223333:role/Dev"],
        "accessKeyId": ["ASIAX"],
        "sessionName": ["alice@example.com"],
    },
}


def rows(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return attributed(*events).astype(object).to_dict("records")


def test_the_statement_in_two_sentences() -> None:
    """When, who with session and key, from where, what, and why."""
    told = summary(attributed(event(by_binding("b", "r", 'User "alice"'), user=ALICE, verb="delete")))
    assert told == (
        "At 2026-11-24 10:00:00.000 UTC the IAM principal arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com "
        "(session alice@example.com, username alice, key ASIAX), from 198.51.100.21, deleted pods/default/web. "
        "The API server allowed this because ClusterRoleBinding b grants ClusterRole r to User alice."
    )


FORBID = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"annotations": FORBID, "responseStatus": {"code": 403}}, "tried to get pods/default/web. It was refused by"),
        ({"responseStatus": {"code": 403, "message": "quota"}}, "Then admission refused it: quota."),
        ({"responseStatus": {"code": 404}}, "It then failed with the code 404."),
        (
            {"annotations": None, "user": {}, "responseStatus": {"code": 401}},
            "a caller whom the log does not name, from",
        ),
        ({"annotations": None, "responseStatus": {"code": 403}}, "the caller may not impersonate."),
        ({"user": {"username": "system:anonymous", "groups": ["system:unauthenticated"]}}, "an anonymous caller, from"),
        ({"impersonatedUser": {"username": "carol"}}, "acting as carol, read pods/default/web."),
        ({"sourceIPs": []}, "from an address that is not recorded"),
        ({"verb": "", "objectRef": None, "requestURI": "/x"}, "asked (no verb is recorded) of /x"),
    ],
)
def test_outcomes(changes: dict[str, Any], words: str) -> None:
    """What did not happen is not told as if it had."""
    assert words in summary(attributed(event(**changes)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verb": "create", "requestURI": "/x?dryRun=All"}, "asked, as a dry run that stores nothing, to create"),
        ({"verb": "delete", "requestObject": {"dryRun": ["All"]}}, "asked, as a dry run that stores nothing,"),
        ({"verb": "create", "requestObject": {"metadata": {"name": "dryRun"}}}, "created"),
        ({"verb": "get", "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "a", "name": "b"}},
         "opened a session (exec) in pods/a/b"),
        ({"verb": "create", "objectRef": {"resource": "pods", "subresource": "eviction", "name": "b"}},
         "evicted pods/b"),
        ({"verb": "get", "objectRef": {"resource": "deployments", "subresource": "scale", "name": "b"}},
         "read deployments/b (scale)"),
        ({"verb": "deletecollection", "objectRef": {"resource": "pods", "namespace": "a"}}, "deleted the collection"),
    ],
)  # fmt: skip
def test_acts_in_words(changes: dict[str, Any], words: str) -> None:
    """A dry run stores nothing, and an exec is an entry whatever its verb is."""
    assert did(rows(event(**changes))[0]).startswith(words)


def test_who_a_node_and_a_pod_are() -> None:
    """A service account is told with its pod and token, a node with its ARN and key."""
    extra = {"authentication.kubernetes.io/pod-name": ["web-1"]}
    extra["authentication.kubernetes.io/credential-id"] = ["JTI=7"]
    groups = ["system:serviceaccounts", "system:serviceaccounts:a"]
    user = {"username": "system:serviceaccount:a:b", "uid": "u", "groups": groups, "extra": extra}
    node = {**ALICE, "username": "system:node:ip-1", "groups": ["system:nodes"]}
    first, second = rows(event(user=user), event(user=node))
    assert who(first) == "the service account system:serviceaccount:a:b (pod web-1, credential JTI=7)"
    assert who(second).startswith("the node ip-1 (arn:aws:sts::111122223333:assumed-role/Dev/alice@example.com, key")


def certainties(acts: pd.DataFrame, chain: pd.DataFrame = NO_CHAIN) -> dict[str, tuple[str, str]]:
    told = stated(acts, chain)
    assert dict(told.dtypes.astype(str)) == STATED
    return {part: (text, sure) for part, text, sure in told[["part", "text", "certainty"]].itertuples(index=False)}


def test_what_the_client_wrote_is_a_claim() -> None:
    """User agent, forwarded addresses and what is said of the user acted as are claims; the caller is proven."""
    forged = "arn:aws:sts::111122223333:assumed-role/BreakGlass/carol"
    other = {"username": "carol", "extra": {"arn": [forged]}}
    found = certainties(
        attributed(event(user=ALICE, impersonatedUser=other, sourceIPs=["1.2.3.4", "198.51.100.21"], userAgent="x"))
    )
    assert found["Said of that user"] == (forged, "claimed")
    assert found["Forwarded for"] == ("1.2.3.4", "claimed")
    assert found["Client"] == ("x", "claimed")
    assert found["From"] == ("198.51.100.21 (public)", "proven")
    assert found["Who"][1] == found["Acting as"][1] == found["IAM session"][1] == "proven"
    assert [text for text, sure in found.values() if forged in text and sure != "claimed"] == []


def test_an_arn_of_another_authenticator_is_no_iam_session() -> None:
    """Only IAM's authenticator takes an ARN from what STS has signed; of any other user it is inferred at most."""
    user = {"username": "carol", "uid": "7", "groups": ["system:authenticated"], "extra": ALICE["extra"]}
    found = certainties(attributed(event(user=user)))
    assert "IAM session" not in found
    assert found["ARN"] == (ALICE["extra"]["arn"][0], "inferred")


def test_what_is_not_known_is_said() -> None:
    """No caller, no person, no response and no decision are parts of the statement, and not left out."""
    found = certainties(attributed(event(user={}, responseStatus=None, annotations=None, sourceIPs=None)))
    for part in ("Who", "Person behind it", "From", "Result", "Why"):
        assert found[part][1] == "not known", part


@pytest.mark.parametrize(
    ("basis", "certainty"),
    [
        ("end of the chain", "proven"),
        ("inferred: from the name of the session", "inferred"),
        ("unknown: x", "not known"),
    ],
)
def test_the_person_is_as_sure_as_the_chain(basis: str, certainty: str) -> None:
    """A person is named only as surely as the chain of credentials ends."""
    chain = typed_frame([{"step": 1, "basis": basis, "explanation": "bob", "holder": "alice"}], CHAIN)
    assert certainties(attributed(event(user=ALICE)), chain)["Person behind it"][1] == certainty


def test_an_empty_reason_is_inferred() -> None:
    """That system:masters allowed it is concluded from the groups; a reason in words is proven."""
    masters = {"username": "root", "groups": ["system:masters"]}
    assert certainties(attributed(event(user=masters)))["Why"][1] == "inferred"
    assert certainties(attributed(event(by_binding("b", "r", 'User "x"'))))["Why"][1] == "proven"


def test_telling_acts() -> None:
    """Of many requests changes, entries and reads of Secrets are told; of a single id everything is."""
    secret = {"resource": "secrets", "namespace": "a", "name": "b"}
    review = {"resource": "selfsubjectaccessreviews"}
    found = attributed(
        event(), event(verb="create"), event(objectRef=secret), event(verb="create", objectRef=review),
        event(verb="delete", responseStatus={"code": 404}),
    )  # fmt: skip
    assert list(telling_acts(found)["audit_id"]) == ["e1", "e2"]
    assert lead_of(telling_acts(found))["audit_id"] == "e1"
    assert len(telling_acts(found.head(1))) == 1
    only_reads = attributed(event(), event(responseStatus={"code": 403}))
    assert list(telling_acts(only_reads)["audit_id"]) == ["e1"]
    assert len(telling_acts(attributed(event(), event()))) == 2


def test_times() -> None:
    """Times are told in UTC to the millisecond; one that is missing is told too."""
    assert at(pd.Timestamp("2026-11-24T10:00:00.123456Z")) == "2026-11-24 10:00:00.123 UTC"
    assert at(pd.NaT) == "a time that is not recorded"


@pytest.mark.parametrize("odd", [None, 7, [], {}, "x" * 5000, "\ud800", "\n# h"])
def test_odd_events_are_told(odd: Any) -> None:
    """Whatever a field holds, a statement comes of it."""
    odd_event = event(
        userAgent=odd, verb=odd, objectRef=odd, user=odd, sourceIPs=odd, responseStatus=odd, requestURI=odd
    )
    acts = attributed(json.loads(json.dumps(odd_event)))
    assert summary(acts)
    assert len(stated(acts, NO_CHAIN)) >= 6
