"""Other clients of CloudWatch Logs work with the service in the tests: a check that it speaks as AWS does.

They are heavy, so they are an extra of their own: `pip install -e ".[test,peers]"`, then `pytest -m deep` here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from conftest import audit_event
from fake_cloudwatch import Behaviour, FakeCloudWatch, LogGroup, delivered, serve
from loopback import point_boto3_at

pytestmark = pytest.mark.deep

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
PROD = "/aws/eks/prod/cluster"
IDS = [f"id-{i:02}" for i in range(12)]
WINDOW = {"start_time": datetime.fromtimestamp(T / 1000, UTC), "end_time": datetime.fromtimestamp(T / 1000 + 11, UTC)}
Aws = Callable[..., dict[str, Any]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudWatch]:
    """The service with twelve events, a second apart and from three streams."""
    events = [(T + 1000 * i, json.dumps(audit_event(auditID=name)), f"audit-{i % 3}") for i, name in enumerate(IDS)]
    service = FakeCloudWatch.of(LogGroup(PROD, delivered(events)))
    with serve(service) as address:
        point_boto3_at(monkeypatch, address)
        yield service


@pytest.fixture
def aws(fake: FakeCloudWatch) -> Aws:
    """AWS's command line client for `aws logs`; gives what it prints."""
    beside = Path(sys.executable).with_name("aws")
    program = str(beside) if beside.exists() else shutil.which("aws")
    if program is None:
        pytest.skip("awscli is not installed: it is in the extra `peers`")

    def run(*arguments: str) -> dict[str, Any]:
        command = [program, "--region", "eu-west-1", "--output", "json", "logs", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return dict(json.loads(done.stdout))

    return run


@pytest.fixture
def wrangler(fake: FakeCloudWatch) -> Any:
    """The CloudWatch part of awswrangler."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("awswrangler", reason="awswrangler is not installed: it is in the extra `peers`")
    return module.cloudwatch


def start(aws: Aws, text: str) -> str:
    """Start a query over all events in seconds, as the client's help has it; gives its id."""
    window = ("--start-time", str(T // 1000), "--end-time", str(T // 1000 + 11))
    return str(aws("start-query", "--log-group-name", PROD, *window, "--query-string", text)["queryId"])


def test_aws_cli_queries(aws: Aws) -> None:
    """`aws logs start-query` and `get-query-results` give the rows, page by page, and the statistics."""
    query_id = start(aws, "fields @timestamp, auditID | sort @timestamp asc")
    page = aws("get-query-results", "--query-id", query_id, "--max-items", "7")
    found = [{cell["field"]: cell["value"] for cell in row} for row in page["results"]]
    assert page["status"] == "Complete"
    assert page["statistics"]["recordsMatched"] == 12  # its model of the API may be older than resultCount
    assert found[0]["@timestamp"] == "2026-11-24 10:00:00.000"
    rest = aws("get-query-results", "--query-id", query_id, "--next-token", page["nextToken"])
    found += [{cell["field"]: cell["value"] for cell in row} for row in rest["results"]]
    assert [row["auditID"] for row in found] == IDS
    record = aws("get-log-record", "--log-record-pointer", found[3]["@ptr"])["logRecord"]
    assert record["auditID"] == "id-03"
    assert [query["status"] for query in aws("describe-queries")["queries"]] == ["Complete"]


def test_aws_cli_refusals(aws: Aws) -> None:
    """The client shows the service's code and words."""
    with pytest.raises(RuntimeError, match=r"\(MalformedQueryException\).*StartQuery"):
        start(aws, "nonsense")
    query_id = start(aws, "fields auditID")
    aws("get-query-results", "--query-id", query_id)
    with pytest.raises(RuntimeError, match=r"\(InvalidParameterException\).*already ended"):
        aws("stop-query", "--query-id", query_id)


def test_aws_cli_events(fake: FakeCloudWatch, aws: Aws) -> None:
    """`aws logs filter-log-events` follows the pages by itself, as do the lists of groups and streams."""
    fake.behaviour = Behaviour(page_size=5)
    events = aws("filter-log-events", "--log-group-name", PROD, "--start-time", str(T + 1000))["events"]
    assert [json.loads(event["message"])["auditID"] for event in events] == IDS[1:]
    assert fake.called("FilterLogEvents") == 3
    streams = aws("describe-log-streams", "--log-group-name", PROD, "--page-size", "1")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["audit-0", "audit-1", "audit-2"]
    assert [group["logGroupName"] for group in aws("describe-log-groups")["logGroups"]] == [PROD]
    fields = aws("get-log-group-fields", "--log-group-name", PROD, "--time", str(T // 1000))["logGroupFields"]
    assert {"name": "user.username", "percent": 100} in fields


def test_awswrangler(fake: FakeCloudWatch, wrangler: Any) -> None:
    """`read_logs` gives the rows as a frame, after waiting for them, and `describe_log_streams` the streams."""
    fake.behaviour = Behaviour(statuses=["Running"])
    session = boto3.Session(region_name="eu-west-1")
    text = "fields @timestamp, auditID, responseStatus.code | sort @timestamp asc"
    frame = wrangler.read_logs(text, [PROD], **WINDOW, boto3_session=session)
    assert list(frame.columns) == ["timestamp", "auditID", "responseStatus.code", "ptr"]
    assert list(frame["auditID"]) == IDS
    assert str(frame["timestamp"].iloc[0]) == "2026-11-24 10:00:00"
    assert fake.called("GetQueryResults") == 2
    assert len(wrangler.describe_log_streams(PROD, boto3_session=session)) == 3


def test_awswrangler_takes_the_first_page_for_all(fake: FakeCloudWatch, wrangler: Any) -> None:
    """`read_logs` follows no token: of a result in pages it gives the first one and says nothing."""
    fake.behaviour = Behaviour(page_size=5)
    session = boto3.Session(region_name="eu-west-1")
    frame = wrangler.read_logs("fields auditID", [PROD], **WINDOW, boto3_session=session)
    assert len(frame) == 5
    assert next(iter(fake.queries.values())).statistics["resultCount"] == 12
