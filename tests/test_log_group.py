"""The log group of a cluster: what it keeps, which streams are the audit log's, and how late events are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from eks_audit_nb.cluster import LogGroup, describe_log_group
from eks_audit_nb.cluster.log_group import STREAM_COLUMNS, kind_of_stream
from eks_audit_nb.errors import ClusterError
from eks_audit_nb.window import to_milliseconds

from fake_eks import FakeEks, serve
from loopback import point_boto3_at

NAME = "/aws/eks/prod/cluster"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def before(**span: float) -> int:
    """Milliseconds of an instant before now."""
    return to_milliseconds(NOW - timedelta(**span))


def stream(name: str, **arrived: float) -> dict[str, Any]:
    """A stream as the service lists it."""
    return {
        "logStreamName": name,
        "firstEventTimestamp": before(days=9),
        "lastEventTimestamp": before(hours=1),
        "lastIngestionTime": before(**arrived),
    }


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEks]:
    """The log group of "prod", with two audit streams and others."""
    fake = FakeEks()
    fake.log_group = {
        "logGroupName": NAME,
        "retentionInDays": 90,
        "storedBytes": 12_300_000_000,
        "creationTime": before(days=10),
        "logGroupClass": "STANDARD",
    }
    fake.streams = [
        stream("kube-apiserver-audit-aa", minutes=3),
        stream("kube-apiserver-audit-bb", hours=5),
        stream("kube-apiserver-aa", minutes=1),
        stream("authenticator-aa", minutes=2),
        {"logStreamName": "kube-scheduler-aa"},
    ]
    fake.newest = {
        "kube-apiserver-audit-aa": (before(minutes=5), before(minutes=3)),
        "kube-apiserver-audit-bb": (before(hours=6), before(hours=5)),
        "kube-apiserver-aa": (before(seconds=1), before(seconds=1)),
    }
    fake.page_size = 2
    with serve(fake) as address:
        point_boto3_at(monkeypatch, cloudwatch_logs=address)
        yield fake


SESSION = boto3.Session(region_name="eu-west-1")  # reads the API's model once


def described() -> LogGroup | None:
    return describe_log_group(SESSION, NAME, now=NOW)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("kube-apiserver-audit-0f3c", "audit"),
        ("kube-apiserver-0f3c", "api"),
        ("authenticator-0f3c", "authenticator"),
        ("kube-controller-manager-0f3c", "controllerManager"),
        ("cloud-controller-manager-0f3c", "cloudControllerManager"),
        ("kube-scheduler-0f3c", "scheduler"),
        ("mine", "other"),
    ],
)
def test_kinds_of_streams(name: str, kind: str) -> None:
    """The audit log's streams are told from those of the API server's own log, whose names begin alike."""
    assert kind_of_stream(name) == kind


def test_what_there_is_to_know(service: FakeEks) -> None:
    """Retention, bytes and streams are what the service says, over all its pages."""
    group = described()
    assert group is not None
    assert (group.name, group.retention_days, group.stored_bytes) == (NAME, 90, 12_300_000_000)
    assert group.created == NOW - timedelta(days=10)
    assert {name: str(dtype) for name, dtype in group.streams.dtypes.items()} == STREAM_COLUMNS
    assert group.streams["log_stream"].iloc[0] == "kube-apiserver-aa"
    assert len(group.streams) == 5
    facts = group.facts()
    assert facts["Kept"] == "90 days; 12.3 GB stored"
    assert facts["Streams"] == "2 audit, 1 api, 1 authenticator, 1 scheduler"


def test_the_newest_event(service: FakeEks) -> None:
    """The newest event is that of the audit streams, with how late it came and how long ago that was."""
    group = described()
    assert group is not None
    assert group.newest_event == NOW - timedelta(minutes=5)
    assert group.delay == timedelta(minutes=2)
    assert group.silence == timedelta(minutes=3)
    assert (group.is_silent, group.warning) == (False, "")
    assert group.facts()["Newest audit event"] == (
        "2026-11-24 11:55:00 UTC, arrived 2 minutes later and 3 minutes before this was asked."
    )


def test_silence_is_told(service: FakeEks) -> None:
    """Where no audit event has come for a quarter of an hour, that is said loudly."""
    service.newest["kube-apiserver-audit-aa"] = (before(minutes=20), before(minutes=16))
    group = described()
    assert group is not None
    assert group.is_silent
    assert group.warning == "NO AUDIT EVENT HAS ARRIVED FOR 16 MINUTES: recording has stopped, or delivery is late."
    assert group.facts()["Newest audit event"].endswith(group.warning)


def test_no_audit_stream(service: FakeEks) -> None:
    """A log group without an audit event is silent, whatever other logs it holds."""
    service.streams = [stream("kube-apiserver-aa", minutes=1)]
    group = described()
    assert group is not None
    assert group.newest_event is None
    assert group.delay is None
    assert group.is_silent
    assert group.facts()["Newest audit event"] == "none. NO AUDIT EVENT HAS ARRIVED YET."


def test_kept_for_ever(service: FakeEks) -> None:
    """A log group without a retention keeps events for ever, and costs more every month."""
    assert service.log_group
    del service.log_group["retentionInDays"]
    group = described()
    assert group is not None
    assert group.retention_days is None
    assert group.facts()["Kept"].startswith("for ever, which costs more every month")


def test_no_log_group(service: FakeEks) -> None:
    """A log group that is not there is none, also where another one's name begins alike."""
    service.log_group = {"logGroupName": f"{NAME}s"}
    assert described() is None
    service.log_group = None
    assert described() is None


@pytest.mark.parametrize("operation", ["DescribeLogGroups", "DescribeLogStreams", "GetLogEvents"])
def test_access_denied(service: FakeEks, operation: str) -> None:
    """A caller who may not ask is told which permission is missing."""
    service.forbidden = {operation}
    with pytest.raises(ClusterError, match=rf"The caller needs logs:{operation} on {NAME}"):
        described()
