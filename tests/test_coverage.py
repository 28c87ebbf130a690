"""What a log records and what it cannot show, judged from its own events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb.analysis import coverage
from eks_audit_nb.analysis.coverage import COLUMNS
from eks_audit_nb.sources import Source
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

QUERIES = ("recording_levels", "recording_resources", "recording_streams")


def checks_of(source: Source, start: str = "", end: str = "") -> dict[str, tuple[str, str]]:
    """What each check found, and what that means."""
    found = coverage(*(source.run(name, start, end).frame for name in QUERIES))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    return {row.check: (row.finding, row.meaning) for row in found.itertuples()}


def about(resource: str, verb: str = "get", level: str = "Metadata", **changes: Any) -> dict[str, Any]:
    """An event about a resource."""
    return audit_event(
        verb=verb, level=level, objectRef={"resource": resource, "name": "x", "namespace": "y"}, **changes
    )


def resource_of(event: dict[str, Any]) -> str:
    """The resource that an event is about."""
    return str((event.get("objectRef") or {}).get("resource", ""))


@pytest.fixture
def checks(make_log: Callable[..., Path]) -> Callable[..., dict[str, tuple[str, str]]]:
    """The checks of a log of some events."""

    def run(*events: dict[str, Any]) -> dict[str, tuple[str, str]]:
        source = FileSource(str(make_log(*events)))
        found = checks_of(source)
        source.close()
        return found

    return run


Checks = Callable[..., dict[str, tuple[str, str]]]


def test_the_sample(sample: FileSource, sample_events: list[dict[str, Any]]) -> None:
    """On the sample the numbers are those that a plain count gives."""
    found = checks_of(sample)
    both = sum(event["level"] == "RequestResponse" for event in sample_events)
    assert found["Events of level RequestResponse"][0].startswith(f"{both:,} of {len(sample_events):,} (")
    levels = Counter(event["level"] for event in sample_events if resource_of(event) == "secrets")
    finding, meaning = found["Level of secrets"]
    assert finding == f"Metadata {levels['Metadata']:,}, Request {levels['Request']:,}"
    assert meaning == "Who touched which one is recorded; what was in it is not."
    sessions = {"exec", "attach", "portforward"}
    targets = [event.get("objectRef") or {} for event in sample_events]
    opened = sum(each.get("resource") == "pods" and each.get("subresource") in sessions for each in targets)
    assert found["Exec, attach and port-forward"][0] == f"{opened} events"
    complete = sum(event["stage"] == "ResponseComplete" for event in sample_events)
    assert found["Stages"][0].startswith(f"ResponseComplete {complete:,}, ")
    texts = [json.dumps(event, ensure_ascii=False) for event in sample_events]
    with_decision = sum("authorization.k8s.io/decision" in (e.get("annotations") or {}) for e in sample_events)
    answered = sum(event["stage"] != "RequestReceived" for event in sample_events)
    assert found["Authorization decisions"][0] == f"{with_decision:,} of {answered:,} events"
    keys = sum('"accessKeyId":' in text.replace('\\"', "") for text in texts)
    assert found["AWS access keys"][0] == f"{keys:,} events"
    assert keys > 100
    tokens = [e for e in sample_events if (e.get("objectRef") or {}).get("subresource") == "token"]
    issued = sum("authentication.kubernetes.io/issued-credential-id" in (e.get("annotations") or {}) for e in tokens)
    assert found["Token requests"] == (
        f"{len(tokens):,} events, {issued:,} with the id of the token",
        "A token can be traced back to who asked for it.",
    )
    with_id = sum("authentication.kubernetes.io/credential-id" in e["user"].get("extra", {}) for e in sample_events)
    assert found["Ids of service-account tokens"][0] == f"{with_id:,} events"
    core = sum(resource_of(e) == "events" and not e["objectRef"].get("apiGroup") for e in sample_events)
    others = sum(resource_of(e) == "events" for e in sample_events) - core
    assert found["Core events (kubectl get events)"][0] == f"{core:,} events, and {others:,} of events.k8s.io"
    assert found["Truncated events"][0] == "none"


def test_no_events(sample: FileSource) -> None:
    """A window without events gives the same checks, and each says that there is nothing."""
    found = checks_of(sample, "2020-01-01", "2020-01-02")
    assert list(found) == list(checks_of(sample))
    assert found["Stages"][0] == "none"
    assert found["Events of level RequestResponse"][0] == "0 of 0 (none)"
    assert found["Level of secrets"][0] == "no events"
    assert found["Exec, attach and port-forward"][0] == "0 events"
    for check in ("Truncated events", "Authorization decisions", "AWS access keys", "Ids of service-account tokens"):
        assert found[check][1] == "There is nothing in this window to judge by."


def test_bodies(checks: Checks) -> None:
    """Where no event has both bodies, it is said that objects cannot be seen."""
    assert checks(about("pods"))["Events of level RequestResponse"] == (
        "0 of 1 (0%)",
        "What objects looked like cannot be seen in this log.",
    )
    some = checks(about("pods"), about("pods", "update", "RequestResponse"))
    assert some["Events of level RequestResponse"] == (
        "1 of 2 (50%)",
        "Only these say what an object looked like after the request.",
    )


@pytest.mark.parametrize(
    ("verb", "level", "holds"),
    [
        ("get", "Metadata", False),
        ("create", "Metadata", False),
        ("get", "Request", False),
        ("list", "Request", False),
        ("delete", "Request", False),
        ("deletecollection", "Request", False),
        ("delete", "RequestResponse", False),
        ("create", "Request", True),
        ("update", "Request", True),
        ("patch", "RequestResponse", True),
        ("get", "RequestResponse", True),
        ("list", "RequestResponse", True),
        ("deletecollection", "RequestResponse", True),
    ],
)
def test_contents_of_secrets(checks: Checks, verb: str, level: str, holds: bool) -> None:
    """That the log holds values of Secrets is said loudly exactly where a body of theirs was recorded."""
    finding, meaning = checks(about("secrets"), about("secrets", verb, level))["Level of secrets"]
    assert ("THE LOG HOLDS SECRET VALUES" in meaning) == holds
    assert f"{level} " in finding


def test_contents_of_configmaps(checks: Checks) -> None:
    """For ConfigMaps, recorded contents are what EKS does for aws-auth."""
    found = checks(about("configmaps"), about("configmaps", "update", "RequestResponse"))["Level of configmaps"]
    assert found == (
        "Metadata 1, RequestResponse 1",
        "Contents are recorded for some; EKS records those of changes to aws-auth.",
    )


def test_a_resource_that_nobody_touched(checks: Checks) -> None:
    """No events about a resource is no proof that nobody touched it, and the meaning says so."""
    finding, meaning = checks(about("pods"))["Level of secrets"]
    assert (finding, meaning) == (
        "no events",
        "Either nobody asked for any, or the audit policy leaves them out.",
    )


def test_authenticator_log(make_log: Callable[..., Path]) -> None:
    """Lines of the authenticator's log are counted where its stream is there."""
    source = FileSource(str(make_log(audit_event())))
    levels, resources = source.run("recording_levels").frame, source.run("recording_resources").frame
    source.close()
    for name, finding in (
        ("authenticator-0f3c", "1,200 lines"),
        ("kube-apiserver-audit-0f3c", "not there"),
        (None, "not there"),
    ):
        streams = pd.DataFrame({"log_stream": pd.Series([name], dtype="string"), "events": [1200]})
        found = coverage(levels, resources, streams).set_index("check")["finding"]
        assert found["Authenticator log"] == finding


def test_events_without_level_or_stage(checks: Checks) -> None:
    """Events that lack what is counted are no error."""
    found = checks(json.loads('{"auditID": "x", "stageTimestamp": "2026-11-24T10:00:00Z"}'))
    assert found["Events of level RequestResponse"][0] == "0 of 1 (0%)"


def test_truncated_events(checks: Checks, make_log: Callable[..., Path]) -> None:
    """Events that were cut are counted, those of CloudWatch, which are no JSON, and those of the API server."""
    bare = about("pods", annotations={"audit.k8s.io/truncated": "true"})
    finding, meaning = checks(about("pods"), bare)["Truncated events"]
    assert finding == "0 cut short, 1 without bodies"
    assert meaning.endswith("Who did what is still there.")
    cut = json.dumps(about("pods"))[:200] + "[Truncated...]"
    source = FileSource(str(make_log(about("pods"), cut, name="cut.jsonl")))
    finding, meaning = checks_of(source)["Truncated events"]
    source.close()
    assert finding == "1 cut short, 0 without bodies"
    assert "[Truncated...]" in meaning


def test_core_events(checks: Checks) -> None:
    """Core events are told from those of events.k8s.io, which are the same to kubectl and not to the policy."""
    check = "Core events (kubectl get events)"
    new = about("events")
    new["objectRef"]["apiGroup"] = "events.k8s.io"
    assert checks(new)[check][0] == "0 events, and 1 of events.k8s.io"
    finding, meaning = checks(about("events", "create"), new)[check]
    assert finding == "1 events, and 1 of events.k8s.io"
    assert meaning.startswith("Recorded here")


def test_token_requests(checks: Checks) -> None:
    """Token requests without the id of the token cannot be followed to its use, and that is said."""
    asked = about("serviceaccounts", "create", "Request")
    asked["objectRef"]["subresource"] = "token"
    assert checks(about("pods"))["Token requests"][1].startswith("Either nobody asked")
    finding, meaning = checks(asked)["Token requests"]
    assert finding == "1 events, 0 with the id of the token"
    assert "not which token each got" in meaning


def test_no_decisions(checks: Checks) -> None:
    """A log without the annotations cannot say why anything was allowed, and that is said loudly."""
    assert checks(about("pods"))["Authorization decisions"][0] == "1 of 1 events"
    finding, meaning = checks(about("pods", annotations=None))["Authorization decisions"]
    assert finding == "0 of 1 events"
    assert meaning.startswith("WHY REQUESTS WERE ALLOWED CANNOT BE TOLD")


def test_quoted_marks_do_not_count(checks: Checks) -> None:
    """What a client writes into its user agent is no mark: inside a text of JSON the quotes are escaped."""
    claimed = about("pods", annotations=None, userAgent='"authorization.k8s.io/decision":"allow" "accessKeyId":["x"]')
    found = checks(claimed)
    assert found["Authorization decisions"][0] == "0 of 1 events"
    assert found["AWS access keys"][0] == "0 events"
