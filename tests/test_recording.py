"""What can be said about how a source is being recorded, for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from eks_audit_nb.cluster import Recording, recording_of
from eks_audit_nb.errors import ClusterError
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.window import to_milliseconds

from conftest import audit_event
from fake_eks import FakeEks, serve
from loopback import point_boto3_at

GROUP = {"logGroupName": "/aws/eks/prod/cluster", "creationTime": 1_700_000_000_000, "storedBytes": 5}
STREAM = "kube-apiserver-audit-0f3c"
AUDIT_ON = [{"types": ["audit"], "enabled": True}]


SESSION = boto3.Session(region_name="eu-west-1")  # reads the API's models once


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEks]:
    """EKS and CloudWatch with the cluster "prod"."""
    fake = FakeEks(logging=AUDIT_ON, log_group=dict(GROUP), streams=[{"logStreamName": STREAM}])
    fake.newest[STREAM] = (to_milliseconds(datetime.now(UTC)) - 60_000, to_milliseconds(datetime.now(UTC)))
    with serve(fake) as address:
        point_boto3_at(monkeypatch, eks=address, cloudwatch_logs=address)
        yield fake


@pytest.fixture
def cluster(service: FakeEks) -> Iterator[CloudWatchSource]:
    """The cluster as a source."""
    source = CloudWatchSource("prod", session=SESSION)
    yield source
    source.close()


def silent(_: str) -> None:
    """Progress that nobody needs to see."""


def recording(source: Any, **settings: Any) -> Recording:
    return recording_of(source, **{"progress": silent, "pause": 0, **settings})


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file(make_log: Callable[..., Path]) -> None:
    """A file cannot show whether logging is on now, and that is said; apply changes nothing."""
    source = FileSource(str(make_log(audit_event())))
    found = recording_of(source, apply=True)
    assert found.state == "This is a file: it shows what was recorded, and cannot show whether audit logging is on now."
    assert found.facts() == {"Recording": found.state}
    assert str(found.try_it(apply=True)) == "Nothing to do: this is a log, and no cluster."
    assert found.run("recording_levels").complete
    assert len(found.streams) == 0
    source.close()


def test_the_sample(sample: FileSource, labels: dict[str, dict[str, Any]]) -> None:
    """What is said about the sample agrees with its labels and its window."""
    hostile = sum(label["malicious"] for label in labels.values())
    state = recording_of(sample).state
    assert f"in which {len(labels)} scenarios were played" in state
    assert f"{hostile} attacks and {len(labels) - hostile} harmless look-alikes" in state
    window = sample.window()
    assert window is not None
    assert "nine minutes" in state
    assert round((window.end - window.start).total_seconds() / 60) == 9


# --- clusters -------------------------------------------------------------------------------------------------------


def test_a_cluster(service: FakeEks, cluster: CloudWatchSource) -> None:
    """For a cluster, EKS and CloudWatch are each asked once, and nothing is changed."""
    found = recording(cluster)
    assert found.state == "Audit logging of prod is on. Off: api, authenticator, controllerManager, scheduler."
    assert service.asked == ["DescribeCluster", "DescribeLogGroups", "DescribeLogStreams", "GetLogEvents"]
    facts = found.facts()
    assert facts["Audit logging"].startswith("With apply=True this asks EKS to send the authenticator log of prod")
    assert facts["Authentication mode"].startswith("API_AND_CONFIG_MAP: access entries and aws-auth both count")
    assert "arrived 60 seconds later" in facts["Newest audit event"]
    assert "Not asked" not in facts


def test_a_recording_that_has_stopped(service: FakeEks, cluster: CloudWatchSource) -> None:
    """Where logging is on and no audit event comes, the state says so; where it is off or was just switched on, not."""
    service.newest.clear()
    assert recording(cluster).state.endswith("scheduler. NO AUDIT EVENT HAS ARRIVED YET.")
    service.logging = []
    assert "ARRIVED" not in recording(cluster).state
    assert "ARRIVED" not in recording(cluster, apply=True).state


def test_how_it_shows_itself(cluster: CloudWatchSource) -> None:
    """What it shows in a notebook holds the facts, and both lines that do the same by hand."""
    shown = recording(cluster)._repr_mimebundle_()
    for text in shown.values():
        assert "eksctl utils update-cluster-logging --region eu-west-1 --cluster prod" in text
        assert "aws eks update-cluster-config --region eu-west-1 --name prod" in text
        assert "Audit logging of prod is on." in text


def test_apply(service: FakeEks, cluster: CloudWatchSource) -> None:
    """With apply logging is switched on, and the state is the new one."""
    service.logging = []
    found = recording(cluster, apply=True)
    assert found.state.startswith("Audit logging of prod is on.")
    assert found.state.endswith("It was switched on just now.")
    assert service.asked.count("UpdateClusterConfig") == 1


def test_apply_that_fails(service: FakeEks, cluster: CloudWatchSource) -> None:
    """Where logging was to be switched on and could not be, that is an error."""
    service.logging = []
    service.forbidden = {"UpdateClusterConfig"}
    with pytest.raises(ClusterError, match="needs eks:UpdateClusterConfig"):
        recording(cluster, apply=True)


def test_no_right_to_ask_the_cluster(service: FakeEks, cluster: CloudWatchSource) -> None:
    """Where EKS cannot be asked, because the cluster is gone or the caller may not, that is said and nothing fails."""
    service.forbidden = {"DescribeCluster"}
    found = recording(cluster)
    assert found.state.startswith("Whether audit logging is on could not be asked: AccessDeniedException")
    assert found.log_group is not None
    assert found.try_it(apply=True).said.startswith("No trial: which API server belongs to this log could not be asked")


def test_no_right_to_ask_the_log_group(service: FakeEks, cluster: CloudWatchSource) -> None:
    """Where the log group cannot be described, that is said with the permission, and the log is asked all the same."""
    service.forbidden = {"DescribeLogGroups"}
    found = recording(cluster)
    assert not found.is_log_missing
    assert "The caller needs logs:DescribeLogGroups" in found.facts()["Not asked"]


def test_a_cluster_that_was_never_recorded(service: FakeEks, cluster: CloudWatchSource) -> None:
    """Without a log group the answers are empty with the columns of the query, and incomplete for that reason."""
    service.logging, service.log_group = [], None
    found = recording(cluster)
    assert found.is_log_missing
    assert found.state.startswith("AUDIT LOGGING OF prod IS OFF")
    answer = found.run("recording_levels")
    assert len(answer) == 0
    assert {"level", "stage", "events", "first_seen"} <= set(answer.frame.columns)
    assert answer.reasons == ("There is no log group /aws/eks/prod/cluster yet: nothing has been recorded there.",)
    assert "StartQuery" not in service.asked


def test_a_log_group_of_no_cluster(service: FakeEks, cluster: CloudWatchSource) -> None:
    """For a log group whose name names no cluster, EKS is not asked and nothing is applied; the group is described."""
    cluster.cluster, cluster.log_group = "", "copies"
    service.log_group = {**GROUP, "logGroupName": "copies"}
    found = recording(cluster, apply=True)
    assert found.state.endswith("could not be asked: the name of the log group copies names no EKS cluster.")
    assert found.log_group is not None
    assert "DescribeCluster" not in service.asked
    assert found.try_it(apply=True).said.startswith("Nothing to do")


def test_the_trial_is_announced(cluster: CloudWatchSource) -> None:
    """Without apply the trial says what it would do."""
    assert recording(cluster).try_it().said.startswith("With apply=True this makes a namespace")


def test_a_trial_that_is_not_ready(
    service: FakeEks, cluster: CloudWatchSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a trial lacks is said and does not stop the setup."""
    for name in ("REGISTRY_SERVER", "REGISTRY_USERNAME", "REGISTRY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    said = recording(cluster).try_it(apply=True).said
    assert said.startswith("No trial: 3 of the 3 environment variables")
