"""The README's table of what the caller needs, beside the policy for reading, is what the code calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from eks_audit_nb.cluster import describe_log_group, enable_audit_logging, logging_status
from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.cloudtrail import lookup_cloudtrail
from eks_audit_nb.window import from_milliseconds

import fake_cloudtrail
import fake_eks
from fake_cloudtrail import FakeCloudTrail
from fake_eks import FakeEks
from loopback import point_boto3_at

GROUP = "/aws/eks/prod/cluster"
STREAM = "kube-apiserver-audit-1"
T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
README = (Path(__file__).parent.parent / "README.md").read_text()
TABLE = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", README.partition("| the caller needs |")[2], re.MULTILINE))
NEEDED = {what: re.findall(r"`(\w+:\w+)`", actions) for what, actions in TABLE.items()}
DONE: dict[str, Callable[[Any], object]] = {
    "which logs are on": lambda session: logging_status(session, "prod"),
    "the log group": lambda session: describe_log_group(session, GROUP),
    "switching logs on": lambda session: enable_audit_logging(session, "prod", apply=True, pause=0),
    "changes of access entries": lambda session: lookup_cloudtrail(
        session, "prod", from_milliseconds(T), from_milliseconds(T), names=["CreateAccessEntry"]
    ),
}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeEks, FakeCloudTrail]]:
    """A cluster without audit logging, with a log group that has an audit event; and CloudTrail."""
    eks, trail = FakeEks(), FakeCloudTrail(requests_per_second=1000)
    eks.log_group = {"logGroupName": GROUP, "creationTime": T}
    eks.streams = [{"logStreamName": STREAM, "lastIngestionTime": T}]
    eks.newest = {STREAM: (T, T)}
    with fake_eks.serve(eks) as address, fake_cloudtrail.serve(trail) as trail_address:
        point_boto3_at(monkeypatch, eks=address, cloudwatch_logs=address, cloudtrail=trail_address)
        yield eks, trail


def test_the_table_is_of_this() -> None:
    """The table has the rows that are tried here, and the one on trial events, which need nothing of AWS."""
    assert {what for what, actions in NEEDED.items() if actions} == set(DONE)
    assert "trial events" in NEEDED


@pytest.mark.parametrize("what", DONE)
def test_what_is_called(services: tuple[FakeEks, FakeCloudTrail], what: str) -> None:
    """Each row names what is called for it, and nothing else; to switch logs on it is asked first which are on."""
    eks, trail = services
    DONE[what](boto3.Session(region_name="eu-west-1"))
    called = {f"{'logs' if 'Log' in name else 'eks'}:{name}" for name in eks.asked}
    called |= {"cloudtrail:LookupEvents" for _ in trail.requests}
    asked_first = {"eks:DescribeCluster"} if what == "switching logs on" else set()
    assert called == set(NEEDED[what]) | asked_first


@pytest.mark.parametrize(("what", "action"), [(what, action) for what in DONE for action in NEEDED[what]])
def test_what_is_missing_is_named(services: tuple[FakeEks, FakeCloudTrail], what: str, action: str) -> None:
    """Without any one of them the error names it."""
    eks, trail = services
    eks.forbidden = {action.partition(":")[2]}
    trail.is_forbidden = action.startswith("cloudtrail")
    with pytest.raises(SourceError, match=rf"\. The caller needs {action} on "):
        DONE[what](boto3.Session(region_name="eu-west-1"))
