"""What a write-up cannot say is said, and only where it is so."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from eks_audit_nb.analysis.causes import cause_links
from eks_audit_nb.analysis.issuers import CHAIN
from eks_audit_nb.analysis.paths import paths, ways_of
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.analysis.unknowns import UNKNOWN, unknowns

from rules import READ, attributed, by_binding, event, write

LEVELS = pd.DataFrame({"cut_short": [0], "without_bodies": [0]})
ROLE = {
    "username": "alice",
    "uid": "aws-iam-authenticator:111122223333:AROAX",
    "extra": {"arn": ["arn:aws:sts::111122223333:assumed-role/Dev/alice"]},
}


def open_ends(*events: dict[str, Any], **given: Any) -> set[str]:
    """What is open of the last of some requests."""
    found = attributed(*events)
    acts = found.tail(1)
    chain = typed_frame([{"step": 1, "basis": given.get("basis", "end of the chain")}], CHAIN)
    steps = paths(ways_of(acts), acts, found)
    told = unknowns(acts, chain, steps, cause_links(acts), given.get("levels", LEVELS), given.get("trail", False))
    assert dict(told.dtypes.astype(str)) == UNKNOWN
    return set(told["what"])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"user": ROLE}, "Which person held the session"),
        ({"user": ROLE}, "Who assumed the role"),
        ({"user": {}}, "Who the caller was"),
        ({"verb": "update", "level": "Metadata"}, "What exactly was changed"),
        ({"verb": "update", "level": "Request"}, "What exactly was changed"),
        ({"responseStatus": None}, "Whether it was carried out"),
        ({"objectRef": {"resource": "pods", "subresource": "exec"}}, "What was done in the session"),
        ({"objectRef": {"resource": "secrets"}}, "What the Secrets were used for"),
        ({"impersonatedUser": {"username": "x"}}, "Why the caller may impersonate"),
        ({"annotations": None}, "Why it was allowed or refused"),
        ({"user": {"username": "r", "groups": ["system:masters"]}}, "What put the caller into system:masters"),
    ],
)
def test_gaps_of_an_act(changes: dict[str, Any], what: str) -> None:
    """Each gap is told where the act has it, and an act without it does not tell it."""
    assert what in open_ends(event(**changes))
    plain = event(by_binding("b", "r", 'User "u"'), verb="patch", level="RequestResponse", user={"username": "u"})
    assert what not in open_ends(plain)


def test_the_window_is_always_a_gap() -> None:
    """What lies outside of the window is never known."""
    assert "What happened before and after the window" in open_ends(event())


def test_rules_from_before() -> None:
    """A binding whose making is not in the log is a gap, and one whose making is there is none."""
    act = event(by_binding("b", "r", 'User "eve"'), user={"username": "eve"}, **READ)
    assert "Who made ClusterRoleBinding b" in open_ends(act)
    assert "Who made ClusterRoleBinding b" not in open_ends(write("ClusterRoleBinding", "b"), act)


def test_cloudtrail_closes_a_gap() -> None:
    """Where CloudTrail's events are there, who assumed the role is not asked for."""
    assert "Who assumed the role" not in open_ends(event(user=ROLE), trail=True)


def test_an_issuer_that_is_not_in_the_log() -> None:
    """A chain of credentials that ends nowhere is a gap; of a role's session it is told as such."""
    assert "Who had the credential issued" in open_ends(event(), basis="unknown: the issuer is not in the log")
    assert "Who had the credential issued" not in open_ends(event(user=ROLE), basis="unknown: x")


def test_doubts_and_truncated_events() -> None:
    """Why rows may be missing, and how many events were cut, is told."""
    acts = attributed(event())
    levels = pd.DataFrame({"cut_short": [2], "without_bodies": [1]})
    steps = paths(ways_of(acts), acts, acts)
    told = unknowns(acts, typed_frame([], CHAIN), steps, cause_links(acts), levels, False, ("3 lines are cut.",) * 2)
    why = list(told["why"])
    assert why.count("3 lines are cut.") == 1
    assert "3 events of the window were too large to be recorded whole." in why


def test_inferred_consequences() -> None:
    """What is linked by name or time only is told as a gap."""
    linked = pd.DataFrame({"certainty": ["inferred", "not in the log", "proven by uid"]})
    acts = attributed(event())
    told = unknowns(acts, typed_frame([], CHAIN), paths(ways_of(acts), acts, acts), linked, LEVELS, False)
    assert {"Whether all that followed was caused by it", "What set off some acts of controllers"} <= set(told["what"])
