"""What the project promises on the log that ships, held against its labels and against plain counts with json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.sources.files import FileSource

Labels = dict[str, dict[str, Any]]
Events = list[dict[str, Any]]

# Requests without an identity that were turned away and belong to no attack.
OTHERS_TURNED_AWAY = 4


def primary(labels: Labels, *scenarios: str) -> set[str]:
    """The auditIDs of the acts themselves."""
    return {audit_id for scenario in scenarios for audit_id in labels[scenario]["primary_audit_ids"]}


def ids_of(frame: pd.DataFrame) -> list[str]:
    """The auditIDs of the events in a frame, in its order."""
    return [json.loads(text)["auditID"] for text in frame["@message"]]


def target(event: dict[str, Any]) -> dict[str, Any]:
    """What an event is about."""
    return event.get("objectRef") or {}


def code(event: dict[str, Any]) -> int:
    return int((event.get("responseStatus") or {}).get("code", 0))


# --- the sample itself ----------------------------------------------------------------------------------------------


def test_size(sample: FileSource, sample_events: Events) -> None:
    """The sample has at least 10,000 events and at most 2.5 MB."""
    assert len(sample_events) >= 10_000
    assert sample.files[0].stat().st_size <= 2_500_000
    assert sample.manifest.events == len(sample_events)


def test_whole(sample: FileSource) -> None:
    """Every line of the sample is a whole event."""
    assert set(sample.manifest.conditions) == {""}
    assert sample.manifest.broken_files == ()
    assert sample.run("stats count(*)").complete


def test_no_artefacts(sample_events: Events) -> None:
    """No event is about the ConfigMap, the roles or the user that come from how the recording was made."""
    for event in sample_events:
        assert "openshift-service-ca.crt" not in target(event).get("name", "")
        assert "service-ca-cert-publisher" not in event["user"].get("username", "")
        assert "openshift" not in event["requestURI"]


def test_pods_are_whole(sample_events: Events) -> None:
    """Events of pods are kept, though the artefact is one of the volumes in them."""
    created = [
        e for e in sample_events if target(e).get("resource") == "pods" and e["verb"] == "create" and code(e) == 201
    ]
    assert len(created) > 50
    assert any("openshift-service-ca.crt" in json.dumps(event) for event in created)


def test_labels_are_in_the_log(sample_events: Events, labels: Labels) -> None:
    """Every event that a label names is in the log, except those that the label itself says were not recorded."""
    present = {event["auditID"] for event in sample_events}
    assert len(labels) == 53
    for scenario, label in labels.items():
        absent = set(label["not_in_log"])
        named = {*label["primary_audit_ids"], *label["audit_ids"], *label["consequence_audit_ids"]}
        assert named - absent <= present, scenario
        assert absent.isdisjoint(present), scenario
        assert label["primary_audit_ids"] or scenario == "policy_drops_these"


def test_labels_know_the_actor(sample: FileSource, labels: Labels) -> None:
    """Each labelled act is attributed to the user whom its label names."""
    requests = attribute(sample.run("fields @timestamp, @message").frame).set_index("audit_id")
    for scenario, label in labels.items():
        expected = label["attribution"].get("username")
        here = [audit_id for audit_id in label["primary_audit_ids"] if audit_id not in label["not_in_log"]]
        if expected and here:
            users = set(requests.loc[here, "username"].fillna(""))
            assert users <= set(label["observed"]["usernames"]) | {""}, scenario
            assert expected in users, scenario


def test_readme_of_the_sample(sample: FileSource, sample_events: Events) -> None:
    """What the sample's README says about its size and its times is so."""
    readme = (Path(sample.files[0]).parent / "README.md").read_text(encoding="utf-8")
    window = sample.window()
    assert window is not None
    assert f"{len(sample_events):,} audit events" in readme
    assert f"{window.start:%Y-%m-%d %H:%M:%S} to {window.end:%H:%M:%S} UTC" in readme


# --- changes to aws-auth --------------------------------------------------------------------------------------------

CHANGES = ("aws_auth_update", "aws_auth_patch", "aws_auth_change_by_platform", "aws_auth_patch_denied")


def test_changes_by_the_guide(sample: FileSource, labels: Labels) -> None:
    """The guide's query finds the four labelled changes of aws-auth and nothing else."""
    found = ids_of(sample.run("guide_aws_auth_changes").frame)
    assert len(found) == 4
    assert set(found) == primary(labels, *CHANGES)


def test_changes(sample: FileSource, sample_events: Events, labels: Labels) -> None:
    """Ours finds these four, and the creation of aws-auth that the guide's does not ask for."""
    found = ids_of(sample.run("aws_auth_changes").frame)
    assert len(found) == 5
    (creation,) = set(found) - primary(labels, *CHANGES)
    (event,) = [event for event in sample_events if event["auditID"] == creation]
    assert (event["verb"], target(event)["name"], event["user"]["username"]) == (
        "create",
        "aws-auth",
        "kubernetes-admin",
    )
    expected = [
        event["auditID"]
        for event in sample_events
        if target(event).get("resource") == "configmaps"
        and target(event).get("namespace") == "kube-system"
        and target(event).get("name") == "aws-auth"
        and event["verb"] in ("create", "update", "patch", "delete")
    ]
    assert found == expected


# --- requests without an identity -----------------------------------------------------------------------------------


def test_failed_anonymous_requests_by_the_guide(sample: FileSource, sample_events: Events) -> None:
    """The guide's query gives the 21 events of the 20 refused anonymous requests, the latest first."""
    found = ids_of(sample.run("guide_failed_anonymous_requests").frame)
    expected = [
        event["auditID"]
        for event in sample_events
        if event["user"].get("username") == "system:anonymous" and code(event) in (401, 403)
    ]
    assert Counter(found) == Counter(expected)
    assert (len(found), len(set(found))) == (21, 20)
    times = sample.run("guide_failed_anonymous_requests").frame["@timestamp"]
    assert times.is_monotonic_decreasing


def test_failed_anonymous_requests(sample: FileSource, sample_events: Events, labels: Labels) -> None:
    """Ours gives 28 requests: the anonymous probe, the invalid tokens, and four others that were turned away."""
    found = attribute(sample.run("failed_anonymous_requests").frame)
    assert len(found) == 28
    attacks = primary(labels, "anonymous_probe", "invalid_tokens_401")
    assert attacks <= set(found["audit_id"])
    assert len(set(found["audit_id"]) - attacks) == OTHERS_TURNED_AWAY
    expected = {
        event["auditID"]
        for event in sample_events
        if code(event) == 401 or (code(event) == 403 and event["user"].get("username") == "system:anonymous")
    }
    assert set(found["audit_id"]) == expected
    assert set(found["outcome"]) == {"not authenticated", "refused by authorization"}


# --- Secrets --------------------------------------------------------------------------------------------------------


def minutes(events: Iterable[dict[str, Any]]) -> dict[str, int]:
    """The number of events in each minute, by its first instant."""
    return dict(Counter(event["stageTimestamp"][:16] for event in events))


def test_secret_activity_by_the_guide(sample: FileSource, sample_events: Events) -> None:
    """The guide's counts of events about Secrets are those of a plain count, minute by minute."""
    frame = sample.run("guide_secret_activity").frame
    counted = minutes(event for event in sample_events if target(event).get("resource") == "secrets")
    assert {f"{time:%Y-%m-%dT%H:%M}": n for time, n in frame.itertuples(index=False)} == counted
    assert len(counted) > 5


def test_secret_activity(sample: FileSource, sample_events: Events) -> None:
    """Ours gives each of these events once, the earliest first."""
    frame = sample.run("secret_activity").frame
    expected = [event["auditID"] for event in sample_events if target(event).get("resource") == "secrets"]
    assert Counter(ids_of(frame)) == Counter(expected)
    assert frame["@timestamp"].is_monotonic_increasing


# --- decisions and refusals -----------------------------------------------------------------------------------------


def test_authorization_decisions(sample: FileSource, sample_events: Events) -> None:
    """Every request's decision and reason are counted, with the number of users, as a plain count gives them."""
    plain: dict[tuple[str, str], set[str]] = {}
    for event in sample_events:
        notes = event.get("annotations") or {}
        if event["stage"] != "RequestReceived" and "authorization.k8s.io/decision" in notes:
            key = (notes["authorization.k8s.io/decision"], notes.get("authorization.k8s.io/reason", ""))
            plain.setdefault(key, set()).add(event["auditID"])
    frame = sample.run("authorization_decisions").frame
    rows = frame[frame["decision"].notna()]
    found = {(row.decision, row.reason): row.requests for row in rows.itertuples()}
    in_text = {(row.decision_in_text, json.loads(f'"{row.reason_in_text}"')): row.requests for row in rows.itertuples()}
    assert found == in_text
    assert found == {key: len(ids) for key, ids in plain.items()}


def test_refused_requests(sample: FileSource, sample_events: Events) -> None:
    """Every event with a 401 or a 403 is found, and only these."""
    expected = [event["auditID"] for event in sample_events if code(event) in (401, 403)]
    assert Counter(ids_of(sample.run("refused_requests").frame)) == Counter(expected)


@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [
        ("secret_read_denied", "refused by authorization"),
        ("rbac_escalation_denied", "refused by admission"),
        ("psa_denied", "refused by admission"),
        ("impersonate_denied", "impersonation refused"),
        ("invalid_tokens_401", "not authenticated"),
    ],
)
def test_outcomes(sample: FileSource, labels: Labels, scenario: str, outcome: str) -> None:
    """What came of a labelled refusal is told by where in the API server it was refused."""
    found = attribute(sample.run("refused_requests").frame).set_index("audit_id")
    assert set(found.loc[sorted(primary(labels, scenario)), "outcome"]) == {outcome}
