"""The story of an act: each request once, in the order of time, with what says so."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from eks_audit_nb.analysis.story import (
    ACT,
    ALSO,
    CAUSE,
    EVIDENCE,
    REFUSAL,
    TIMELINE,
    Story,
    other_acts_of,
    refusals_of,
    same_credential,
)

from rules import attributed, event

TOKEN = {"authentication.kubernetes.io/credential-id": ["JTI=7"]}
FORBID = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}


def refused(**changes: Any) -> dict[str, Any]:
    return event(annotations=FORBID, responseStatus={"code": 403}, **changes)


def test_each_request_has_its_most_telling_part() -> None:
    """A request that is two things is told as the more telling one, whichever came first."""
    found = attributed(event(verb="create"), event(verb="delete"), event(verb="get"))
    story = Story(found)
    story.add(ALSO, [0, 1], "the same credential")
    story.add(ACT, [1], "asked for")
    story.add(CAUSE, [1, 0], {0: "why"})
    told = story.timeline()
    assert list(told[["part", "what", "known"]].itertuples(index=False, name=None)) == [
        ("what it answers", "created pods/default/web", "why"),
        ("the act", "deleted pods/default/web", "asked for"),
    ]
    assert dict(told.dtypes.astype(str)) == TIMELINE


def test_too_many_are_counted() -> None:
    """Of too many requests the first are told and the rest counted; none is lost without a word."""
    found = attributed(*[event(verb="delete")] * 50)
    story = Story(found)
    story.add(ACT, range(50))
    assert len(story.timeline()) == len(story.evidence()) == 40
    assert story.left_out == {ACT: 10}
    assert Story(found).left_out == {}


def test_evidence() -> None:
    """Each event has the SHA-256 of its text, by which anyone can find it again."""
    found = attributed(event(verb="delete", auditID='o"dd'))
    story = Story(found)
    story.add_audit_ids(ACT, ['o"dd', None, "other"])
    (row,) = story.evidence().to_dict("records")
    assert row["sha256"] == hashlib.sha256(found["raw"][0].encode()).hexdigest()
    assert (row["audit_id"], row["object"], row["code"]) == ('o"dd', "pods/default/web", 200)
    assert dict(story.evidence().dtypes.astype(str)) == EVIDENCE


def test_what_the_same_credential_did() -> None:
    """A credential tells its holder from others of the same name; reads and refusals are no other acts."""
    user = {"username": "sa", "extra": TOKEN}
    found = attributed(
        event(verb="delete", user=user),
        event(verb="delete", user={"username": "sa"}),
        event(verb="patch", user={"username": "renamed", "extra": TOKEN}),
        event(user=user),
        refused(user=user),
        event(objectRef={"resource": "secrets"}, user=user),
    )
    act = found.astype(object).to_dict("records")[0]
    assert list(same_credential(found, act)) == [True, False, True, True, True, True]
    assert other_acts_of(found, act) == [0, 2, 5]
    assert refusals_of(found, act) == [4]


@pytest.mark.parametrize(("address", "is_same"), [("192.0.2.1", True), ("192.0.2.2", False)])
def test_callers_without_a_credential(address: str, is_same: bool) -> None:
    """Who shows no credential is told by name and address."""
    anonymous = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
    found = attributed(
        event(user=anonymous, sourceIPs=["192.0.2.1"]), refused(user=anonymous, sourceIPs=[address], verb="list")
    )
    act = found.astype(object).to_dict("records")[0]
    assert list(same_credential(found, act)) == [True, is_same]


def test_the_nearest_refusals_come_first() -> None:
    """Of what a caller was refused the nearest in time is kept first."""
    user = {"username": "eve"}
    found = attributed(*[refused(user=user)] * 3, event(user=user), refused(user=user))
    story = Story(found)
    act = found.astype(object).to_dict("records")[3]
    story.add(REFUSAL, refusals_of(found, act))
    assert refusals_of(found, act)[:2] in ([2, 4], [4, 2])
    assert story.timeline()["what"].unique() == ["tried to get pods/default/web"]
