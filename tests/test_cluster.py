"""The cluster's side: is audit logging on, and what can be said about that for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from eks_audit_nb.cluster import LOG_TYPES, LoggingStatus, logging_status, recording_state
from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from fake_cloudwatch import FakeCloudWatch, point_boto3_at, serve


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudWatch]:
    """EKS with the cluster "prod", and boto3 pointed at it."""
    fake = FakeCloudWatch("prod", EventStore([]))
    with serve(fake) as address:
        point_boto3_at(monkeypatch, address)
        yield fake
    fake.store.close()


@pytest.fixture
def session(service: FakeCloudWatch) -> Any:
    """A session of boto3 with a region."""
    return boto3.Session(region_name="eu-west-1")


@pytest.mark.parametrize(
    ("setups", "enabled"),
    [
        ([], ()),
        ([{"types": list(LOG_TYPES), "enabled": False}], ()),
        ([{"types": list(LOG_TYPES), "enabled": True}], LOG_TYPES),
        ([{"types": ["audit"], "enabled": True}, {"types": ["api", "scheduler"], "enabled": False}], ("audit",)),
        ([{"types": ["api"], "enabled": False}, {"types": ["authenticator"], "enabled": True}], ("authenticator",)),
    ],
)
def test_logging_status(
    service: FakeCloudWatch, session: Any, setups: list[dict[str, Any]], enabled: tuple[str, ...]
) -> None:
    """What is on is what EKS lists as enabled, and audit is on only where it is among that."""
    service.behaviour.logging = setups
    status = logging_status(session, "prod")
    assert status == LoggingStatus("prod", enabled)
    assert status.is_audit_on == ("audit" in enabled)
    assert set(status.missing) == set(LOG_TYPES) - set(enabled)
    assert [action for action, _ in service.requests] == ["DescribeCluster"]


def test_logging_that_is_off() -> None:
    """Where audit logging is off this is said loudly, with the command that switches it on."""
    text = str(LoggingStatus("prod", ("api",)))
    assert text.startswith("AUDIT LOGGING OF prod IS OFF: nothing that happens there is recorded.")
    assert 'aws eks update-cluster-config --name prod --logging \'{"clusterLogging":' in text


@pytest.mark.parametrize(
    ("enabled", "text"),
    [
        (LOG_TYPES, "Audit logging of prod is on."),
        (("audit", "api"), "Audit logging of prod is on. Off: authenticator, controllerManager, scheduler."),
    ],
)
def test_logging_that_is_on(enabled: tuple[str, ...], text: str) -> None:
    """Where audit logging is on, the kinds of logs that are off are named."""
    assert str(LoggingStatus("prod", enabled)) == text


def test_an_unknown_cluster(session: Any) -> None:
    """A cluster that EKS does not know is an error with EKS's own words."""
    with pytest.raises(CloudWatchError, match="ResourceNotFoundException: No cluster found for name: staging"):
        logging_status(session, "staging")


def test_access_denied(service: FakeCloudWatch, session: Any) -> None:
    """A caller who may not ask is told which permission is missing."""
    service.behaviour.forbidden = {"DescribeCluster"}
    with pytest.raises(CloudWatchError, match=r"AccessDeniedException: .* The caller needs eks:DescribeCluster on it"):
        logging_status(session, "prod")


def test_no_credentials(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the question to EKS is an error and no traceback of boto3."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CloudWatchError, match="EKS cannot be reached: Unable to locate credentials"):
        logging_status(boto3.Session(region_name="eu-west-1"), "prod")


def test_the_state_of_a_cluster(service: FakeCloudWatch) -> None:
    """For a cluster, EKS is asked whether it is being recorded now."""
    service.behaviour.logging = [{"types": ["audit"], "enabled": True}]
    source = CloudWatchSource("prod")
    assert recording_state(source).startswith("Audit logging of prod is on.")
    source.close()


def test_the_state_of_a_file(make_log: Callable[..., Path]) -> None:
    """A file cannot show whether logging is on now, and that is said."""
    state = recording_state(FileSource(str(make_log(audit_event()))))
    assert state == "This is a file: it shows what was recorded, and cannot show whether audit logging is on now."


def test_the_state_of_the_sample(sample: FileSource, labels: dict[str, dict[str, Any]]) -> None:
    """What is said about the sample agrees with its labels and its window."""
    hostile = sum(label["malicious"] for label in labels.values())
    state = recording_state(sample)
    assert f"in which {len(labels)} scenarios were played" in state
    assert f"{hostile} attacks and {len(labels) - hostile} harmless look-alikes" in state
    window = sample.window()
    assert window is not None
    assert "nine minutes" in state
    assert round((window.end - window.start).total_seconds() / 60) == 9


def test_the_log_is_described_without_the_right_to_ask_the_cluster(
    service: FakeCloudWatch,
) -> None:
    """Where EKS cannot be asked, because the cluster is gone or the caller may not, that is said and nothing fails."""
    source = CloudWatchSource("gone")
    text = recording_state(source)
    assert text.startswith("Whether audit logging is on could not be asked: ResourceNotFoundException")
    source.close()
