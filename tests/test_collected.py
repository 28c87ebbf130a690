"""A report of several notebooks on a cluster collects once; what is not in the log is still asked of the cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eks_audit_nb import cli, connect
from eks_audit_nb.arguments import build_parser
from eks_audit_nb.cli import main
from eks_audit_nb.cluster import recording_of
from eks_audit_nb.errors import CloudWatchError, SourceError
from eks_audit_nb.reporting.collected import collect_for_report
from eks_audit_nb.reporting.notebooks import find_notebooks
from eks_audit_nb.sources.cloudtrail import trail_of
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.clusters import cluster_behind
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.window import to_milliseconds

import fake_cloudtrail
import fake_cloudwatch
import fake_eks
from conftest import audit_event
from fake_cloudtrail import FakeCloudTrail
from fake_cloudwatch import Behaviour, FakeCloudWatch, Fault, LogGroup, Occasions, delivered
from fake_eks import FakeEks
from logs import stamp
from loopback import point_boto3_at

PROD = "/aws/eks/prod/cluster"
NOW = to_milliseconds(datetime.now(UTC) - timedelta(hours=1))


@dataclass
class Account:
    """Everything that is asked."""

    eks: FakeEks
    trail: FakeCloudTrail
    log: FakeCloudWatch

    def row_queries(self) -> list[str]:
        """The queries that were asked, estimates left out."""
        asked = [request["queryString"] for action, request in self.log.requests if action == "StartQuery"]
        return [text for text in asked if not text.endswith("estimate")]


@pytest.fixture(scope="module")
def servers() -> Iterator[Account]:
    """EKS, CloudTrail and CloudWatch with the cluster "prod", and boto3 pointed at them."""
    log, trail = FakeCloudWatch.of(), FakeCloudTrail(requests_per_second=1000)
    eks = FakeEks(logging=[{"types": ["audit"], "enabled": True}])
    with ExitStack() as stack, pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(
            monkeypatch,
            eks=stack.enter_context(fake_eks.serve(eks)),
            cloudtrail=stack.enter_context(fake_cloudtrail.serve(trail)),
            cloudwatch_logs=stack.enter_context(fake_cloudwatch.serve(log)),
        )
        yield Account(eks, trail, log)


@pytest.fixture
def account(servers: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The same with thirty events of an hour ago, nothing asked yet, and an empty cache."""
    monkeypatch.setenv("EKS_AUDIT_CACHE", str(tmp_path / "cache"))
    events = [(NOW + n, json.dumps(audit_event(auditID=f"{n}", stageTimestamp=stamp(NOW + n)))) for n in range(30)]
    servers.log.become(LogGroup(PROD, delivered(events)))
    return servers


def silent(_: str) -> None:
    """Progress that nobody needs to see."""


def test_a_report_collects_once(account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two notebooks ask one case; setup still describes the cluster; the index says what was collected and its cost."""
    assert main(["report", "cloudwatch:prod", "00", "02", "--out", str(tmp_path / "out")]) == 0
    assert len(account.row_queries()) == 2  # the rows, and the count that proves them
    assert "this scans about" in capsys.readouterr().err
    index = (tmp_path / "out" / "index.html").read_text()
    assert "30 events were collected once, and all notebooks asked them" in index
    assert "<td>cloudwatch:prod</td>" in index
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert record["source"] == "cloudwatch:prod"
    assert "30 events were collected once" in record["collected"]
    setup, access = record["notebooks"]
    assert setup["headline"].startswith("Audit logging of prod is on.")
    assert setup["results"][0]["source"].startswith("cloudwatch:prod, collected in ")
    assert setup["results"][0]["events_scanned"] == 30
    assert [each["name"] for each in access["results"]] == ["aws_auth_changes", "cloudtrail"]
    written = (tmp_path / "out" / "00_setup.html").read_text()
    assert "Newest audit event" in written


def test_what_the_cache_keeps(account: Account) -> None:
    """The same window again asks for nothing; the case may ask its cluster, in whose name it answers."""
    start, end = (datetime.fromtimestamp(NOW // 1000 + s, UTC).isoformat() for s in (-60, 60))
    first = collect_for_report("cloudwatch:prod", start, end, silent)
    assert first.case is not None
    account.log.forget()
    again = collect_for_report("cloudwatch:prod", start, end, silent)
    assert again.case == first.case
    assert account.row_queries() == []
    assert first.parameters["live"] == "true"


def test_nothing_to_collect(account: Account) -> None:
    """Without an event, and without a log group, each notebook asks the cluster, and the reason is told."""
    account.log.become(LogGroup(PROD, []))
    gathered = collect_for_report("cloudwatch:prod", "", "", silent)
    assert (gathered.case, gathered.parameters) == (None, {})
    assert "Nothing was collected, and each notebook asked the cluster: There is no audit event" in gathered.said
    account.log.become()
    assert "Nothing was collected" in collect_for_report("cloudwatch:prod", "", "", silent).said


def test_a_cluster_without_a_log_group(account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the setup notebook, which says what is wrong, a misspelt cluster is one error and no notebook runs."""
    assert main(["report", "cloudwatch:prd", "02", "04", "--out", str(tmp_path / "out")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_failure_on_the_way(account: Account) -> None:
    """A service that fails once rows are there is an error: to ask each notebook then would be paid for again."""
    account.log.behaviour = Behaviour(faults={Fault.CANCEL: Occasions(every=3)})
    with pytest.raises(CloudWatchError, match="the same command goes on from there") as raised:
        collect_for_report("cloudwatch:prod", "-2h", "", silent)
    again = re.search("This window again is: --start ([0-9T:.-]+Z) --end ([0-9T:.-]+Z)$", str(raised.value))
    assert again
    account.log.behaviour = Behaviour()
    said: list[str] = []
    assert collect_for_report("cloudwatch:prod", again[1], again[2], said.append).case
    assert said[0].startswith("Going on with what was begun. Windows that are here: 1,")


def test_interrupted(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C tells the window in which the report is gone on with, since its times may count from now."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eks_audit_nb.collecting.cluster.prove", interrupt)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        collect_for_report("cloudwatch:prod", "-2h", "", said.append)
    assert said[-1].startswith("This window again is: --start ")


@pytest.mark.parametrize("notebooks", [["04"], ["02", "04"]])
def test_what_a_report_may_scan(
    account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str], notebooks: list[str]
) -> None:
    """With --max-bytes a report collects or is refused before it scans anything, be it of one notebook."""
    command = ["report", "cloudwatch:prod", *notebooks, "--out", str(tmp_path / "out"), "--max-bytes"]
    assert main([*command, "1000"]) == 1
    assert "This would scan up to" in capsys.readouterr().err
    assert account.row_queries() == []
    if len(notebooks) == 1:
        assert main([*command, "1000000"]) == 0
        assert len(account.row_queries()) == 2


@pytest.mark.parametrize("source", ["sample", "cloudwatch:prod"])
def test_what_cannot_be_bounded(account: Account, source: str) -> None:
    """Where nothing is collected --max-bytes is an error: it would hold nobody."""
    given = build_parser().parse_args(["report", source, "02", "--no-collect", "--max-bytes", "9"])
    with pytest.raises(SourceError, match="--max-bytes is for a cluster whose events are collected"):
        cli._gathered(given, find_notebooks(["02"]))
    assert account.log.calls == []


def test_the_cluster_behind_a_case(account: Account, tmp_path: Path) -> None:
    """A case asks its cluster only where it is opened so; else it says what it is, and CloudTrail is not asked."""
    out = tmp_path / "case"
    assert main(["collect", "cloudwatch:prod", "--out", str(out)]) == 0
    before = len(account.eks.asked)
    plain, live = connect(str(out)), connect(str(out), is_live=True)
    assert cluster_behind(plain) is None
    cluster = cluster_behind(live)
    assert cluster is not None
    assert (cluster.name, cluster.region) == ("cloudwatch:prod", "eu-west-1")
    said = recording_of(plain).state
    assert said.startswith("This is a case collected from cloudwatch:prod at ")
    assert len(account.eks.asked) == before
    assert not trail_of(plain).is_read
    recording = recording_of(live, progress=silent)
    assert recording.state.startswith("Audit logging of prod is on.")
    assert recording.log_group is not None
    assert recording.log_group.newest_event is not None
    assert trail_of(live, requests_per_second=1000).cluster == "prod"
    assert len(recording.run("recording_levels").frame) == 1
    assert account.row_queries()[2:] == []  # the events are asked of the case
    for source in (plain, live):
        source.close()


def test_files_have_no_cluster(sample: FileSource) -> None:
    """Files have no cluster behind them, whatever is wanted."""
    live = connect("sample", is_live=True)
    assert cluster_behind(live) is None
    live.close()


def test_several_log_groups(account: Account) -> None:
    """Of several log groups the first is described, and that is said; one that is no cluster's is no error."""
    account.log.groups["/mine/logs"] = LogGroup("/mine/logs", delivered([(NOW, "{}")]))
    both = CloudWatchSource("prod,/mine/logs")
    problems = " ".join(recording_of(both, progress=silent).problems)
    assert "What is said of logging and of the log group is about prod only, and not about /mine/logs." in problems
    mine = CloudWatchSource("/mine/logs")
    found = recording_of(mine, progress=silent)
    assert "the name of the log group /mine/logs names no EKS cluster" in found.state
    assert str(found.try_it(apply=True)) == "Nothing to do: this is a log, and no cluster."
    both.close()
    mine.close()


@pytest.mark.parametrize(
    "arguments", [["cloudwatch:prod", "02", "04", "--no-collect"], ["cloudwatch:prod", "02"], ["sample", "02", "04"]]
)
def test_who_asks_by_itself(account: Account, arguments: list[str]) -> None:
    """Nothing is collected for one notebook, for files, and where that is not wanted."""
    given = build_parser().parse_args(["report", *arguments])
    assert cli._gathered(given, find_notebooks(given.notebooks)) == arguments[0]
    assert account.log.calls == []
