"""The notebooks on setup and on access, run against a cluster: what they do, say, and never show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_trial_events import CREDENTIALS, forms_of_the_password

from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.reading.lines import Tally, read_events
from eks_audit_nb.reporting.notebooks import find_notebooks
from eks_audit_nb.reporting.run import DONE, NotebookRun, run_report

import fake_cloudtrail
import fake_cloudwatch
import fake_eks
import fake_kubernetes
from fake_cloudtrail import POLICY, FakeCloudTrail, cloudtrail_event
from fake_cloudwatch import FakeCloudWatch
from fake_eks import FakeEks
from fake_kubernetes import FakeKubernetes, write_kubeconfig
from loopback import point_boto3_at


class RecordedKubernetes(FakeKubernetes):
    """A cluster whose events arrive in CloudWatch as soon as they are written."""

    def __init__(self, log: FakeCloudWatch, folder: Path) -> None:
        super().__init__()
        self.log = log
        self.path = folder / "events.jsonl"

    def deliver(self) -> None:
        """Put all events so far into the log group."""
        self.path.write_text("".join(json.dumps(event) + "\n" for event in self.events), encoding="utf-8")
        self.log.store = EventStore(read_events([self.path], Tally()))

    def answer(self, request: fake_kubernetes.Request) -> fake_kubernetes.Reply:
        reply = super().answer(request)
        self.deliver()
        return reply


@dataclass
class Account:
    """Everything that the notebooks reach."""

    eks: FakeEks
    cloudtrail: FakeCloudTrail
    kubernetes: RecordedKubernetes
    out: Path

    def run(self, **parameters: str) -> tuple[NotebookRun, NotebookRun, str]:
        """Run both notebooks on the cluster; gives what came of each, and all that they wrote."""
        notebooks = find_notebooks(["00", "02"])
        report = run_report("cloudwatch:prod", notebooks, self.out, parameters=parameters, progress=False)
        assert report.exit_code == DONE, [(run.error, run.doubts) for run in report.runs]
        setup, access = report.runs
        return setup, access, "\n".join(path.read_text(encoding="utf-8") for path in sorted(self.out.iterdir()))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A cluster "prod" without audit logging, with a kubeconfig and registry credentials in the environment."""
    log = FakeCloudWatch("prod", EventStore([]))
    trail = FakeCloudTrail(requests_per_second=1000)
    cluster = RecordedKubernetes(log, tmp_path)
    with ExitStack() as stack:
        server = stack.enter_context(fake_kubernetes.serve(cluster))
        eks = FakeEks(endpoint=server, logging=[{"types": ["api"], "enabled": True}], statuses=["Successful"])
        point_boto3_at(
            monkeypatch,
            eks=stack.enter_context(fake_eks.serve(eks)),
            cloudtrail=stack.enter_context(fake_cloudtrail.serve(trail)),
            cloudwatch_logs=stack.enter_context(fake_cloudwatch.serve(log)),
        )
        monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "kubeconfig", server)))
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        cluster.namespaces["default"] = {"metadata": {"name": "default"}}
        yield Account(eks, trail, cluster, tmp_path / "out")


def grant(moment: datetime) -> dict[str, Any]:
    """Somebody is made an administrator through the EKS API."""
    asked = {
        "name": "prod",
        "principalArn": "arn:aws:iam::111122223333:role/Shadow",
        "policyArn": f"{POLICY}/AmazonEKSClusterAdminPolicy",
        "accessScope": {"type": "cluster"},
    }
    return cloudtrail_event("AssociateAccessPolicy", moment, asked)


def test_nothing_is_changed_unasked(account: Account) -> None:
    """Without apply it is said what would be done, what it costs and how to do it by hand; a refusal is a sentence."""
    account.cloudtrail.is_forbidden = True
    setup, access, written = account.run()
    assert setup.headline.startswith("AUDIT LOGGING OF prod IS OFF: nothing that happens there is recorded.")
    assert "UpdateClusterConfig" not in account.eks.asked
    assert account.kubernetes.events == []
    for text in (
        "With apply=True this asks EKS to send the audit and authenticator logs of prod",
        "$0.50 for each gigabyte",
        "eksctl utils update-cluster-logging --region eu-west-1 --cluster prod --enable-types audit,authenticator",
        "With apply=True this makes a namespace",
    ):
        assert text in written
    assert access.headline.startswith("Nobody created, changed or deleted the aws-auth ConfigMap in this window. ")
    assert "The caller needs cloudtrail:LookupEvents" in access.headline


def test_with_apply(account: Account) -> None:
    """With apply the log is switched on and the trial is found in it; nothing that is written holds the credentials.

    The notebook on aws-auth counts the changes through the EKS API too.
    """
    account.cloudtrail.events = [grant(datetime.now(UTC) - timedelta(hours=1))]
    setup, access, written = account.run(apply="true")
    assert setup.headline.startswith("Audit logging of prod is on.")
    assert account.eks.asked.count("UpdateClusterConfig") == 1
    assert "All of it is in the log" in written
    assert "delete regcred" in written
    assert account.kubernetes.made
    assert (list(account.kubernetes.namespaces), account.kubernetes.secrets) == (["default"], {})
    for form in forms_of_the_password():
        assert form not in written
        assert json.dumps(form)[1:-1] not in written
    assert "AmazonEKSClusterAdminPolicy was given to arn:aws:iam::111122223333:role/Shadow." in access.headline
    assert [result["name"] for result in access.results] == ["aws_auth_changes", "cloudtrail"]


def test_an_export_beside_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a file an export is named, by a path from where the command runs, and is read whole."""
    monkeypatch.chdir(tmp_path)
    Path("trail.json").write_text(json.dumps({"Records": [grant(datetime(2026, 11, 24, 22, 30, tzinfo=UTC))]}))
    given = {"cloudtrail": "trail.json"}
    report = run_report("sample", find_notebooks(["02"]), tmp_path, parameters=given, progress=False)
    assert report.exit_code == DONE, report.runs[0].error
    assert report.runs[0].headline.startswith("5 requests to change aws-auth: 4 succeeded")
    assert "There was 1 change of access through the EKS API" in report.runs[0].headline
