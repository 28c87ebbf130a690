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


def test_no_events(sample: FileSource) -> None:
    """A window without events gives the same checks, and each says that there is nothing."""
    found = checks_of(sample, "2020-01-01", "2020-01-02")
    assert list(found) == list(checks_of(sample))
    assert found["Stages"][0] == "none"
    assert found["Events of level RequestResponse"][0] == "0 of 0 (none)"
    assert found["Level of secrets"][0] == "no events"
    assert found["Exec, attach and port-forward"][0] == "0 events"


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


def test_authenticator_log() -> None:
    """Lines of the authenticator's log are counted where its stream is there."""
    levels = pd.DataFrame({"level": ["Metadata"], "stage": ["ResponseComplete"], "events": [1]})
    row = {"resource": "pods", "subresource": None, "verb": "get", "level": "Metadata", "events": 1}
    resources = pd.DataFrame([row])
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
