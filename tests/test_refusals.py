"""What AWS refuses is told with what to do: the missing IAM action, log group, logging, or an earlier time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eks_audit_nb.collecting import collect_cluster
from eks_audit_nb.errors import CloudWatchError, EksAuditError
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.cloudwatch.refusals import missing_action

from fake_cloudwatch import Behaviour, FakeCloudWatch, LogGroup, delivered, serve
from loopback import point_boto3_at
from pacers import hasty

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
PROD, STAGING = "/aws/eks/prod/cluster", "/aws/eks/staging-1/cluster"
START, END = "2026-11-24T10:00:00Z", "2026-11-24T10:59:59.999Z"
ROWS = "fields @timestamp, @message"
ON = [{"types": ["audit"], "enabled": True}]
README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeCloudWatch]:
    """The service, and boto3 pointed at it."""
    fake = FakeCloudWatch.of()
    with serve(fake) as address, pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(monkeypatch, address)
        yield fake


@pytest.fixture
def service(server: FakeCloudWatch) -> FakeCloudWatch:
    """The service as new, with the groups of two clusters; audit logging of "prod" is on."""
    events = delivered([(T + number, f'{{"auditID":"{number}"}}') for number in range(5)])
    groups = (LogGroup(PROD, events, creation_ms=T - 1000), LogGroup(STAGING, []))
    server.become(*groups, behaviour=Behaviour(logging=ON))
    return server


def refusal(groups: str, text: str = ROWS, start: str = START, end: str = END) -> str:
    """What is said when a source cannot be asked."""
    source = CloudWatchSource(groups, pacer=hasty())
    try:
        with pytest.raises(CloudWatchError) as error:
            source.run(text, start, end)
    finally:
        source.close()
    return str(error.value)


@pytest.mark.parametrize("action", ["StartQuery", "GetQueryResults"])
@pytest.mark.parametrize("text", [ROWS, "stats count(*)"])
def test_the_missing_action(service: FakeCloudWatch, action: str, text: str) -> None:
    """A call that is not allowed is an error with the name of its IAM action."""
    service.behaviour.forbidden = {action}
    said = refusal("prod", text)
    assert said.startswith("AccessDeniedException: ")
    assert f"The caller's IAM policy lacks logs:{action}." in said


@pytest.mark.parametrize(
    ("message", "action"),
    [
        (
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: kms:Decrypt on resource: x",
            "kms:Decrypt",
        ),
        ("is not authorized to perform:logs:StartQuery", "logs:StartQuery"),
        ("no", "logs:GetQueryResults"),
    ],
)
def test_which_action(message: str, action: str) -> None:
    """AWS's own message names the action, which may be of another service; without one it is that of the call."""
    assert missing_action(message, "GetQueryResults") == action


def test_an_explicit_deny(service: FakeCloudWatch) -> None:
    """Where a policy denies a call, no other one is said to be lacking: it would not help."""
    message = (
        "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: logs:StartQuery on resource: x "
        "with an explicit deny in a service control policy"
    )
    service.behaviour.refusal = (400, "AccessDeniedException", message)
    said = refusal("prod", "stats count(*)")
    assert said.endswith(
        "control policy. A policy denies logs:StartQuery whatever others allow; whoever wrote it has to lift that."
    )


def test_a_misspelt_cluster(service: FakeCloudWatch) -> None:
    """A log group that is not there is named with the nearest one that is."""
    said = refusal("stagin-1")
    assert "There is no log group /aws/eks/stagin-1/cluster in this account and region" in said
    assert f"Did you mean {STAGING}?" in said


def test_another_name(service: FakeCloudWatch) -> None:
    """Where no name is near, those that are there are listed."""
    assert f"There are: {PROD}, {STAGING}." in refusal("team/y.log")


def test_one_of_several(service: FakeCloudWatch) -> None:
    """Of several log groups the one that is missing is named."""
    said = refusal("prod,staging-2")
    assert "no log group /aws/eks/staging-2/cluster in" in said


def test_without_the_right_to_look(service: FakeCloudWatch) -> None:
    """Who may not list log groups or describe clusters is told what is known without that."""
    service.behaviour.forbidden = {"DescribeLogGroups", "DescribeCluster"}
    said = refusal("stagin-1")
    assert "There is no log group /aws/eks/stagin-1/cluster" in said
    assert "Did you mean" not in said


def test_logging_that_is_off(service: FakeCloudWatch) -> None:
    """Where the cluster is there and its audit logging is off, that is said, with the command that switches it on."""
    service.behaviour.logging = []
    del service.groups[PROD]
    said = refusal("prod")
    assert "AUDIT LOGGING OF prod IS OFF" in said
    assert "aws eks update-cluster-config --region eu-west-1 --name prod" in said


def test_a_window_without_events(service: FakeCloudWatch) -> None:
    """Where nothing lies in the window, that is noted, and whether audit logging is off."""
    source = CloudWatchSource("prod", pacer=hasty())
    nothing = ("2026-11-24T11:00:00Z", "2026-11-24T12:00:00Z")
    assert "The log group holds no event in this window." in source.run(ROWS, *nothing).notes
    service.behaviour.logging = []
    notes = source.run("stats count(*)", *nothing).notes
    source.close()
    assert any("AUDIT LOGGING OF prod IS OFF" in note for note in notes)


def test_before_the_creation(service: FakeCloudWatch) -> None:
    """A window before the log group's creation is an error that says when it was created."""
    said = refusal("prod", start="2026-11-20", end="2026-11-21")
    assert "The window lies before the log group's creation. It was created at 2026-11-24 09:59:59.000 UTC." in said


def test_several_clusters(service: FakeCloudWatch) -> None:
    """Several log groups are one log, by name and by ARN."""
    service.groups[STAGING] = LogGroup(STAGING, delivered([(T + 9, '{"auditID":"other"}')], group=STAGING))
    arn = f"arn:aws:logs:eu-west-1:111122223333:log-group:{STAGING}"
    for groups in ("prod,staging-1", f"{PROD},{STAGING}", f"prod,{arn}"):
        source = CloudWatchSource(groups, pacer=hasty())
        result = source.run("fields auditID, @log", START, END)
        source.close()
        assert list(result.frame["auditID"]) == ["other", "4", "3", "2", "1", "0"]
        assert result.source == f"cloudwatch:{groups}"


@pytest.mark.parametrize("groups", ["prod@ap-south-1", "arn:aws:logs:ap-south-1:111122223333:log-group:x"])
def test_the_region_of_the_name(service: FakeCloudWatch, groups: str) -> None:
    """A region in the name is the one that is asked, whatever the environment says."""
    source = CloudWatchSource(groups)
    assert source.region == source.session.client("logs").meta.region_name == "ap-south-1"
    source.close()


def test_profiles(service: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile of boto3's configuration gives the region and the credentials."""
    config = "[profile audit]\nregion = ca-central-1\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = none\n"
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "audit")
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    source = CloudWatchSource("prod", pacer=hasty())
    assert source.region == "ca-central-1"
    assert source.session.get_credentials().access_key == "AKIAEXAMPLE"
    assert len(source.run(ROWS, START, END)) == 5
    source.close()


# --- the policy -----------------------------------------------------------------------------------------------------


def test_the_least_policy(service: FakeCloudWatch, tmp_path: Path) -> None:
    """The policy in the README allows what queries, estimates and collect call, whatever happens, and nothing else."""
    day = ("2026-11-24T10:00:00Z", "2026-11-24T10:59:59Z")
    before = ("2026-11-20T10:00:00Z", "2026-11-20T10:59:59Z")
    behind = ("2026-11-25T10:00:00Z", "2026-11-25T10:59:59Z")
    plain, capped = Behaviour(logging=ON), Behaviour(cap=2, timeout_above=3)
    cases = [("prod", plain, day), ("prod", capped, day), ("prod", Behaviour(final_status="Failed"), day)]
    cases += [("prodd", plain, day), ("prod", plain, before), ("prod", plain, behind)]
    cases += [("prod", Behaviour(forbidden={"GetQueryResults"}), day)]
    for groups, behaviour, window in cases:
        source = CloudWatchSource(groups, pacer=hasty(attempts=2), max_rows=3)
        service.behaviour = behaviour
        for text in (ROWS, "stats count(*) by verb"):
            for action in (source.run, source.estimate, lambda *given, of=source: list(of.windows(*given))):
                with suppress(EksAuditError):
                    action(text, *window)
        with suppress(EksAuditError):
            collect_cluster(source, tmp_path / f"{len(service.requests)}", *window, say=lambda _: None)
        source.close()
    called = {f"{'eks' if action == 'DescribeCluster' else 'logs'}:{action}" for action, _ in service.requests}
    policy = json.loads(re.findall(r"```json\n(.*?)```", README.read_text(), re.DOTALL)[0])
    assert {action for statement in policy["Statement"] for action in statement["Action"]} == called
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])
