"""The draft of a write-up, from an audit id, an object or a principal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis.asked import asked_for, asked_requests, together
from eks_audit_nb.analysis.draft import ACTIVITY, Draft, _ended, drafted, surroundings
from eks_audit_nb.cloudtrail_events import cloudtrail_frame
from eks_audit_nb.reporting.writeup import write_up
from eks_audit_nb.sources.base import Source
from eks_audit_nb.sources.files import FileSource

from rules import ADMIN, attributed, event

Labels = dict[str, dict[str, Any]]
NO_LEVELS = pd.DataFrame({"cut_short": [0], "without_bodies": [0]})


def draft_of(source: Source, *asked: str, trail: pd.DataFrame | None = None, **window: str) -> Draft:
    """What notebook 11 does, from audit id, principal and object."""
    start, end = window.get("start", ""), window.get("end", "")
    found = source.run("requests_about", start, end, **asked_for(*asked))
    around = surroundings(asked_requests(attribute(found.frame), *asked))
    context = source.run("write_up_context", start, end, **around)
    requests = attribute(together(found.frame, context.frame))
    acts = asked_requests(requests, *asked)
    if window:  # who did what needs no more
        return drafted(requests, acts, _no_activity(), NO_LEVELS, trail, found, context)
    activity = source.run("caller_activity", username=around["username"])
    return drafted(requests, acts, activity.frame, source.run("recording_levels").frame, trail, found, context)


@pytest.fixture(scope="module")
def deleted(sample: FileSource, labels: Labels) -> Draft:
    """The deletion of a Deployment, with all that the sample holds around it."""
    return draft_of(sample, labels["deployment_delete"]["primary_audit_ids"][0])


def recorded(labels: Labels) -> Iterator[tuple[str, dict[str, Any], str]]:
    for scenario, label in labels.items():
        ids = [each for each in label["primary_audit_ids"] if each not in label["not_in_log"]]
        if ids:
            yield scenario, label, ids[0]


def test_scenarios_are_written_up(sample: FileSource, labels: Labels) -> None:
    """From the first audit id of a label the write-up names its actor, ARN, address, verb and object (one in four)."""
    assert_written_up(sample, list(recorded(labels))[::4])


@pytest.mark.deep
def test_every_scenario_is_written_up(sample: FileSource, labels: Labels) -> None:
    """So it does from the first audit id of every label."""
    all_of_them = list(recorded(labels))
    assert len(all_of_them) == 52
    assert_written_up(sample, all_of_them)


def assert_written_up(sample: FileSource, scenarios: list[tuple[str, dict[str, Any], str]]) -> None:
    requests = attribute(sample.run("fields @timestamp, @message").frame)
    for scenario, label, audit_id in scenarios:
        (act,) = [each for each in label["primary_events"] if each["auditID"] == audit_id][:1]
        # The seconds around it are enough to say who did what; that keeps fifty write-ups quick.
        began, ended = (pd.Timestamp(label[each]) for each in ("t_start", "t_end"))
        around = requests[requests["time"].between(began - pd.Timedelta("1s"), ended + pd.Timedelta("1s"))]
        draft = drafted(around, asked_requests(around, audit_id), _no_activity(), NO_LEVELS)
        said, expected = dict(zip(draft.stated["part"], draft.stated["text"], strict=True)), label["attribution"]
        assert expected["username"] in draft.acts["username"].fillna("").tolist(), scenario
        assert f"from {expected['sourceIP']}," in draft.summary, scenario
        assert said["From"].startswith(f"{expected['sourceIP']} ("), scenario
        assert said["Act"].startswith(f"{act['verb']} "), scenario
        if "arn" in expected:
            assert said["IAM session"] == expected["arn"], scenario
            assert expected["arn"] in draft.summary, scenario
        elif expected["username"].startswith("system:serviceaccount:"):
            assert said["Who"] == f"service account {expected['username']}", scenario
            assert expected["username"] in draft.summary, scenario
        if "impersonated" in expected:
            assert said["Acting as"] == expected["impersonated"], scenario
        (row,) = draft.acts.to_dict("records")
        for part in ("namespace", "name"):
            if part in expected and row["verb"] == expected.get("verb", row["verb"]) and isinstance(row[part], str):
                assert row[part] in draft.summary, scenario
        assert audit_id in set(draft.evidence["audit_id"]), scenario


def test_the_forged_arn_is_never_a_fact(sample: FileSource, labels: Labels) -> None:
    """What a caller says of the user it acts as stands once, as a claim, and nowhere else in the document."""
    draft = draft_of(sample, labels["impersonate_forged_arn"]["primary_audit_ids"][0])
    assert "BreakGlass" not in draft.summary
    mine = draft.stated[draft.stated["text"].str.contains("BreakGlass")]
    assert list(mine[["part", "certainty"]].itertuples(index=False, name=None)) == [("Said of that user", "claimed")]
    text = write_up(draft, "", "sample").markdown
    assert [line for line in text.splitlines() if "BreakGlass" in line and "| claimed |" not in line] == []
    assert "What the request says of that user was written by the caller" in " ".join(draft.unknown["why"])


@pytest.mark.parametrize("scenario", ["deployment_delete", "scale_to_zero", "namespace_delete"])
def test_consequences_are_those_of_the_label(sample: FileSource, labels: Labels, scenario: str) -> None:
    """What followed is what the label says that controllers did, and cause and consequence are told apart."""
    label = labels[scenario]
    draft = draft_of(sample, label["primary_audit_ids"][0])
    parts = draft.timeline.groupby("part")["audit_id"].agg(set)
    assert parts["the act"] == set(label["primary_audit_ids"])
    assert set(label["consequence_audit_ids"]) <= parts["what followed"]
    if scenario == "deployment_delete":
        assert draft.effects[0].startswith("Controllers and nodes answered it with 5 acts: 5 linked by uid")


def test_root_cause(sample: FileSource, labels: Labels) -> None:
    """The anonymous read's cause is the binding, with who made it; both are in the timeline and the evidence."""
    draft = draft_of(sample, labels["anonymous_binding_then_read"]["primary_audit_ids"][0])
    cause = next(each for each in draft.cause if each.startswith("ClusterRoleBinding debug-anon (proven): made at"))
    assert "by kubernetes-admin (arn:aws:sts::111122223333:assumed-role/PlatformAdmin/" in cause
    given = draft.timeline[draft.timeline["part"].eq("access given")]
    assert {"created clusterrolebindings/debug-anon", "created clusterroles/debug-secret-view"} <= set(given["what"])
    admin = draft.callers[draft.callers["usernames"].eq("kubernetes-admin")].iloc[0]
    assert admin["principals"] == "arn:aws:iam::111122223333:role/PlatformAdmin"
    by = draft.evidence.loc[draft.evidence["audit_id"].isin(given["audit_id"]), "credential"]
    assert set(by) == {admin["credential"]} == {"ASIA4B998050680AC19F"}
    assert draft.evidence.loc[draft.evidence["username"].eq("system:anonymous"), "credential"].isna().all()
    assert set(draft.evidence["sha256"].str.len()) == {64}


def test_who_made_the_own_rule(sample: FileSource, labels: Labels) -> None:
    """That the caller gave itself the right is said."""
    draft = draft_of(sample, labels["privileged_pod"]["primary_audit_ids"][0])
    assert "The caller itself made or changed a part of the rule that allowed it." in draft.cause
    assert "The caller itself" not in " ".join(draft_of(sample, labels["scale_to_zero"]["primary_audit_ids"][0]).cause)


def test_an_object_that_a_controller_ended(sample: FileSource) -> None:
    """Of a pod that its node removed the write-up names the person who deleted the Deployment."""
    draft = draft_of(sample, "", "", "pods/storefront/checkout-f54c6c7d8-wfhlv")
    assert "It answers another request: the IAM principal arn:aws:sts::" in draft.summary
    (behind,) = draft.stated[draft.stated["part"].eq("Behind it")].to_dict("records")
    assert "bob@example.com" in behind["text"]
    assert behind["certainty"] == "proven"
    assert "what it answers" in set(draft.timeline["part"])


def test_a_principal(sample: FileSource) -> None:
    """Of a principal everything is told that it changed, and what it was refused; the lead is a grave one."""
    draft = draft_of(sample, "", "system:serviceaccount:ci:deployer")
    assert "created clusterrolebindings/ci-admin" in draft.summary
    assert "more requests are told below." in draft.summary
    assert len(draft.timeline[draft.timeline["part"].eq("the act")]) == len(draft.acts) == 17


def test_activity(deleted: Draft) -> None:
    """What else the credential did is counted by kind of request; refusals keep their code."""
    told = deleted.activity
    assert dict(told.dtypes.astype(str)) == ACTIVITY
    assert told["requests"].sum() == 107
    assert set(told["addresses"]) == {"198.51.100.34"}
    assert "delete deployments in storefront" in set(told["what"])


def test_cloudtrail_names_the_person(sample: FileSource, labels: Labels) -> None:
    """With CloudTrail's event of the key's making, the person stands there, proven, and is no open question."""
    event = {
        "eventTime": "2026-11-24T22:00:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithSAML",
        "eventID": "ct-1",
        "userIdentity": {"type": "SAMLUser", "userName": "bob.real@example.com"},
        "responseElements": {"credentials": {"accessKeyId": "ASIAAB4118FC7775B116"}},
    }
    trail = cloudtrail_frame([event])
    draft = draft_of(sample, labels["deployment_delete"]["primary_audit_ids"][0], trail=trail)
    (person,) = draft.stated[draft.stated["part"].eq("Person behind it")].to_dict("records")
    assert "bob.real@example.com" in person["text"]
    assert person["certainty"] == "proven"
    assert "Who assumed the role" not in set(draft.unknown["what"])


def test_nothing_found(sample: FileSource) -> None:
    """Where nothing is found the draft is empty and has every frame."""
    for asked in (("no such id",), ("", "nobody"), ("", "", "pods/shop/none"), ("",)):
        draft = draft_of(sample, *asked, start="2026-11-24T22:30:00Z", end="2026-11-24T22:30:01Z")
        assert draft.summary == ""
        assert draft.acts.empty
        assert draft.evidence.empty


def test_one_id_on_several_requests() -> None:
    """Where several requests have the audit id that was asked for, all are told, and that it is so."""
    acts = attributed(
        event(auditID="same", verb="delete", user={"username": "bob"}),
        event(auditID="same", verb="delete", user={"username": "alice"}),
    )
    draft = drafted(acts, asked_requests(acts, "same"), _no_activity(), NO_LEVELS)
    assert len(draft.timeline) == 2
    assert "Which of several requests was meant" in set(draft.unknown["what"])


def test_surroundings_fit_into_a_query() -> None:
    """Many long names, or names with quotes of both kinds, leave a query that the service takes."""
    target = {"resource": "configmaps", "namespace": "a"}
    events = [event(verb="delete", objectRef={**target, "name": f"{number:0250d}"}) for number in range(60)]
    events.append(event(verb="delete", objectRef={**target, "name": 'o\'clock "x"'}))
    found = surroundings(attributed(*events))
    assert found["namespaces"] == ["a"]
    assert 5 < len(found["names"]) < 12
    assert len(json.dumps(found["names"])) < 3000
    assert surroundings(attributed(event()).head(0)) == {"username": "", "namespaces": [""], "names": [""]}


def test_truncated_events(sample: FileSource) -> None:
    """Of a truncated event it is said that its bodies are lost."""
    cut = event(auditID="cut", verb="update", level="Metadata", user=ADMIN)
    cut["annotations"]["audit.k8s.io/truncated"] = "true"
    acts = attributed(cut)
    levels = pd.DataFrame({"cut_short": [2], "without_bodies": [1]})
    what = set(drafted(acts, acts, _no_activity(), levels).unknown["what"])
    assert {"What was sent and stored", "What stood in truncated events", "What exactly was changed"} <= what


def _no_activity() -> pd.DataFrame:
    names = ("verb", "resource", "subresource", "namespace", "code", "acted_as", "access_key", "credential_id")
    more = ("addresses", "requests", "first_seen", "last_seen")
    return pd.DataFrame({name: pd.Series([], dtype="string") for name in (*names, *more)})


def test_what_was_deleted_in_consequence(sample: FileSource) -> None:
    """A collection that was asked to be emptied is told by what the answer names, and else as not known."""
    listed = json.dumps({"responseObject": {"items": [{"metadata": {"name": "web", "namespace": "shop"}}]}})
    empty, silent = json.dumps({"responseObject": {"items": []}}), "{}"
    acts = [("delete", "done", "secrets/shop/x", silent), ("delete", "none", "secrets/shop/y", silent)]
    acts += [("delete collection", "may have", f"{kind}/shop/*", raw) for kind, raw in
             (("pods", listed), ("jobs", empty), ("leases", silent))]  # fmt: skip
    caused = pd.DataFrame(acts, columns=["act", "effect", "object", "raw"], dtype="string")
    assert _ended(caused) == (["secrets/shop/x", "pods/shop/web"], ["leases/shop/*"])
    draft = draft_of(sample, "", "", "namespaces/tmp-preview")
    assert not any(each.startswith("Deleted in consequence") for each in draft.effects)
    assert any(
        each.startswith("Asked to be emptied, and the log does not say of what: pods/") for each in draft.effects
    )
