"""The answers of the notebooks 09 and 11 in a sentence, also when there is little to say."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from test_draft import draft_of

from eks_audit_nb import analysis, attribute
from eks_audit_nb.reporting import sentences
from eks_audit_nb.sources.files import FileSource

from rules import attributed, event

NOBODY = "No request in this window was made by deplyer, or in its name."
VELERO = "system:serviceaccount:velero:velero"
Labels = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def decisions(sample: FileSource) -> pd.DataFrame:
    """Who was allowed by what."""
    return sample.run("decisions_by_caller").frame


@pytest.fixture(scope="module")
def rules(sample: FileSource) -> pd.DataFrame:
    """Changes of access."""
    return attribute(sample.run("access_rules").frame)


def why(sample: FileSource, decisions: pd.DataFrame, rules: pd.DataFrame, audit_id: str, principal: str = "") -> str:
    found = attribute(sample.run("requests_about", **analysis.asked_for(audit_id, principal)).frame)
    asked = analysis.asked_requests(found, audit_id, principal)
    ways = analysis.ways_of(asked)
    return sentences.why_allowed(asked, ways, analysis.origins(ways, rules), decisions, audit_id, principal)


def test_one_event(sample: FileSource, decisions: pd.DataFrame, rules: pd.DataFrame, labels: Labels) -> None:
    """The sentence says who did what, by which rule, who made that, and that it was the caller itself."""
    text = why(sample, decisions, rules, labels["privileged_pod"]["primary_audit_ids"][0])
    assert "asked from 203.0.113.77 to create pods/kube-system/node-shell. It was allowed because ClusterRole" in text
    assert "by system:serviceaccount:ci:deployer, THE SAME CALLER, who could, since ClusterRoleBinding ci-dep" in text
    text = why(sample, decisions, rules, labels["scale_to_zero"]["primary_audit_ids"][0])
    assert text.endswith("2 other callers went the same way (alice, carol as alice).")
    assert "THE SAME CALLER" not in text


def test_refusals(sample: FileSource, decisions: pd.DataFrame, rules: pd.DataFrame, labels: Labels) -> None:
    """Of what was refused the sentence says what was missing."""
    text = why(sample, decisions, rules, labels["secret_read_denied"]["primary_audit_ids"][0])
    assert "It was refused by authorization: no authorizer had a rule that allows it." in text
    assert text.endswith("The permission that was missing: get secrets in payments.")
    text = why(sample, decisions, rules, labels["impersonate_denied"]["primary_audit_ids"][0])
    assert "Impersonation was refused" in text


def test_a_principal(sample: FileSource, decisions: pd.DataFrame, rules: pd.DataFrame) -> None:
    """Of a principal the ways are counted and the busiest is told."""
    text = why(sample, decisions, rules, "", "bob")
    arn = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Operations_91c0ffee22bb/bob@example.com"
    assert text.startswith(f"bob ({arn}) made 107 requests between")
    assert (
        "All of them were allowed, by 4 ways. The one to look at first, which reads Secrets, allowed 2: the user who"
        in text
    )


@pytest.mark.parametrize(
    ("audit_id", "principal", "text"),
    [
        ("", "", "Nothing was asked for: give an audit id or a principal."),
        ("x`y", "", "No request in this window has the audit id x\\u0060y."),
        ("", "zzzzzz", "No request in this window was made by zzzzzz, or in its name."),
        (
            "",
            "deplyer",
            f"{NOBODY} Callers in the log with names like it: system:serviceaccount:ci:deployer, {VELERO}.",
        ),
    ],
)
def test_nothing(
    sample: FileSource, decisions: pd.DataFrame, rules: pd.DataFrame, audit_id: str, principal: str, text: str
) -> None:
    """Where nothing is found the sentence says what was looked for, and names that are like it."""
    assert why(sample, decisions, rules, audit_id, principal) == text


def test_hostile_names_in_a_sentence() -> None:
    """Line breaks and escapes of a name do not leave the sentence."""
    asked = attributed(event(user={"username": "a\nb\x1b[31m\u202e"}))
    nobody = pd.DataFrame({"username": []})
    ways = analysis.ways_of(asked).head(0)
    assert sentences.why_allowed(asked, ways, analysis.origins(ways, asked), nobody).isprintable()


def test_write_up(sample: FileSource, labels: Labels) -> None:
    """The sentence is the statement, with how much of it is proven and on how many events it rests."""
    text = sentences.write_up(draft_of(sample, labels["deployment_delete"]["primary_audit_ids"][0]))
    assert "deleted deployments/storefront/checkout. The API server allowed this because ClusterRoleBinding" in text
    assert text.endswith(
        "Of 11 parts of this statement 9 are proven by the log; 4 things are not known. It rests on 21 events."
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("none",), "has the audit id none"),
        (("", "nobody"), "was made by nobody, or in its name"),
        (("", "", "pods/a/b"), "created, changed, entered or deleted pods/a/b"),
        (("",), "Nothing was asked for"),
    ],
)
def test_nothing_to_write_up(sample: FileSource, asked: tuple[str, ...], words: str) -> None:
    """Where nothing is found the sentence says what was looked for."""
    window = {"start": "2026-11-24T22:30:00Z", "end": "2026-11-24T22:30:01Z"}
    assert words in sentences.write_up(draft_of(sample, *asked, **window), *asked)
