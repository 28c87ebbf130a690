"""Which control plane logs are on, and switching audit logging on: said first, done only when told, waited for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from eks_audit_nb.cluster import LOG_TYPES, LoggingStatus, enable_audit_logging, logging_status
from eks_audit_nb.cluster.control_plane_logs import Prices
from eks_audit_nb.errors import ClusterError, ParameterError

from fake_eks import FakeEks, serve
from loopback import point_boto3_at

ALL_OFF = [{"types": list(LOG_TYPES), "enabled": False}]
API_ON = [{"types": ["api"], "enabled": True}, {"types": ["audit", "authenticator"], "enabled": False}]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEks]:
    """EKS with the cluster "prod", and boto3 pointed at it."""
    fake = FakeEks()
    with serve(fake) as address:
        point_boto3_at(monkeypatch, eks=address)
        yield fake


@pytest.fixture(scope="module")
def shared() -> Any:
    """A session of boto3, which reads the API's model once."""
    return boto3.Session(region_name="eu-west-1")


@pytest.fixture
def session(service: FakeEks, shared: Any) -> Any:
    """A session of boto3 with a region, pointed at the service."""
    return shared


# --- what is on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setups", "enabled"),
    [
        ([], ()),
        (ALL_OFF, ()),
        ([{"types": list(LOG_TYPES), "enabled": True}], LOG_TYPES),
        ([{"types": ["audit"], "enabled": True}, {"types": ["api", "scheduler"], "enabled": False}], ("audit",)),
        ([{"types": ["api"], "enabled": False}, {"types": ["authenticator"], "enabled": True}], ("authenticator",)),
        ([{"types": ["newKind", "audit"], "enabled": True}], ("audit", "newKind")),
    ],
)
def test_logging_status(service: FakeEks, session: Any, setups: list[dict[str, Any]], enabled: tuple[str, ...]) -> None:
    """What is on is what EKS lists as enabled, and audit is on only where it is among that."""
    service.logging = setups
    status = logging_status(session, "prod")
    assert (status.cluster, status.enabled, status.region) == ("prod", enabled, "eu-west-1")
    assert (status.endpoint, status.authentication_mode) == (service.endpoint, "API_AND_CONFIG_MAP")
    assert status.is_audit_on == ("audit" in enabled)
    assert set(status.missing) == set(LOG_TYPES) - set(enabled)
    assert service.asked == ["DescribeCluster"]


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
    with pytest.raises(ClusterError, match="ResourceNotFoundException: No cluster found for name: staging"):
        logging_status(session, "staging")


@pytest.mark.parametrize("operation", ["DescribeCluster", "UpdateClusterConfig", "DescribeUpdate"])
def test_access_denied(service: FakeEks, session: Any, operation: str) -> None:
    """A caller who may not ask is told which permission is missing."""
    service.forbidden = {operation}
    with pytest.raises(ClusterError, match=rf"AccessDeniedException: .* The caller needs eks:{operation} on prod"):
        enable_audit_logging(session, "prod", apply=True, pause=0)


def test_an_update_that_cannot_be_watched_is_named(service: FakeEks, session: Any) -> None:
    """Who may start the update and not look at it is told that it has begun, with its id."""
    service.forbidden = {"DescribeUpdate"}
    said: list[str] = []
    with pytest.raises(ClusterError, match="whose update [0-9a-f-]{36} has begun"):
        enable_audit_logging(session, "prod", apply=True, pause=0, progress=said.append)
    assert "has begun" in said[0]


def test_no_credentials(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the question to EKS is an error and no traceback of boto3."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ClusterError, match="There are no AWS credentials"):
        logging_status(boto3.Session(region_name="eu-west-1"), "prod")


# --- switching it on ------------------------------------------------------------------------------------------------


def test_nothing_is_changed_without_apply(service: FakeEks, session: Any) -> None:
    """Without apply EKS is asked once what is on, nothing is changed, and it is said what would be done."""
    service.logging = API_ON
    change = enable_audit_logging(session, "prod")
    assert service.asked == ["DescribeCluster"]
    assert not change.is_applied
    assert change.after == change.before
    text = str(change)
    assert "With apply=True this asks EKS to send the audit and authenticator logs of prod" in text
    assert "eks:UpdateClusterConfig" in text


def test_what_it_costs(session: Any) -> None:
    """The price is a parameter, and it is said that the volume is unknown and how to estimate it."""
    text = str(enable_audit_logging(session, "prod"))
    assert "$0.50 for each gigabyte that it takes in (1 GB $0.50, 10 GB $5.00, 100 GB $50.00) and $0.03" in text
    assert "How much a cluster writes is not known beforehand" in text
    assert "IncomingBytes of the log group /aws/eks/prod/cluster" in text
    dear = str(enable_audit_logging(session, "prod", prices=Prices(0.63, 0.04)))
    assert "$0.63 for each gigabyte that it takes in (1 GB $0.63" in dear
    assert "$0.04 for each that it keeps" in dear


def test_lines_that_do_the_same(service: FakeEks, session: Any) -> None:
    """The lines for eksctl and for AWS's command line name the cluster, the region and what is missing, no more."""
    service.logging = [{"types": ["audit"], "enabled": True}]
    eksctl, aws = enable_audit_logging(session, "prod").commands
    assert shlex.split(eksctl) == shlex.split(
        "eksctl utils update-cluster-logging --region eu-west-1 --cluster prod --enable-types authenticator --approve"
    )
    *words, setup = shlex.split(aws)
    assert words == shlex.split("aws eks update-cluster-config --region eu-west-1 --name prod --logging")
    assert json.loads(setup) == {"clusterLogging": [{"types": ["authenticator"], "enabled": True}]}


def test_apply(service: FakeEks, session: Any) -> None:
    """With apply what is missing is switched on, the update is waited for, and nothing is asked twice."""
    service.logging = API_ON
    service.statuses = ["InProgress", "InProgress", "Successful"]
    change = enable_audit_logging(session, "prod", apply=True, pause=0)
    assert service.asked == ["DescribeCluster", "UpdateClusterConfig", *["DescribeUpdate"] * 3]
    sent = dict(service.requests)["UpdateClusterConfig"]["logging"]
    assert sent == {"clusterLogging": [{"types": ["audit", "authenticator"], "enabled": True}]}
    assert change.is_applied
    assert str(change).startswith(f"Switched on: the audit and authenticator logs of prod (update {change.update_id}).")
    assert change.after.enabled == ("api", "audit", "authenticator")
    assert logging_status(session, "prod") == change.after


def test_apply_again(service: FakeEks, session: Any) -> None:
    """What is on already is left alone: no update is asked for."""
    service.logging = [{"types": ["audit", "authenticator"], "enabled": True}]
    change = enable_audit_logging(session, "prod", apply=True, pause=0)
    assert service.asked == ["DescribeCluster"]
    assert str(change) == "Nothing to do: prod sends the audit and authenticator logs to CloudWatch already."
    assert change.commands == ()


def test_no_changes_needed(service: FakeEks, session: Any) -> None:
    """Where somebody was quicker, EKS's "No changes needed" is fine."""
    message = "No changes needed for the logging config provided"
    service.refusals["UpdateClusterConfig"] = (400, "InvalidParameterException", message)
    change = enable_audit_logging(session, "prod", apply=True, pause=0)
    assert service.asked == ["DescribeCluster", "UpdateClusterConfig"]
    assert change.after.is_audit_on
    assert change.update_id == ""


def test_another_invalid_parameter(service: FakeEks, session: Any) -> None:
    """Any other InvalidParameterException is an error with EKS's words."""
    service.refusals["UpdateClusterConfig"] = (400, "InvalidParameterException", "No such logging type")
    with pytest.raises(ClusterError, match="InvalidParameterException: No such logging type"):
        enable_audit_logging(session, "prod", apply=True, pause=0)


def test_another_update_is_running(service: FakeEks, session: Any) -> None:
    """While the cluster is being updated it is said to try again later."""
    service.refusals["UpdateClusterConfig"] = (409, "ResourceInUseException", "Cannot LoggingUpdate.")
    with pytest.raises(ClusterError, match=r"being updated already: Cannot LoggingUpdate\. Try again"):
        enable_audit_logging(session, "prod", apply=True, pause=0)


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_an_update_that_fails(service: FakeEks, session: Any, status: str) -> None:
    """An update that fails or is cancelled is an error with all the reasons that EKS gives."""
    service.statuses = ["InProgress", status]
    service.update_errors = [
        {"errorCode": "IpNotAvailable", "errorMessage": "No free address.", "resourceIds": ["subnet-1", "subnet-2"]},
        {"errorCode": "AccessDenied", "errorMessage": "The role is missing."},
    ]
    wanted = (
        rf"status {status}: IpNotAvailable: No free address \(subnet-1, subnet-2\); AccessDenied: The role is missing"
    )
    with pytest.raises(ClusterError, match=wanted):
        enable_audit_logging(session, "prod", apply=True, pause=0)


def test_an_update_that_does_not_end(service: FakeEks, session: Any) -> None:
    """Patience ends with an error that says how to look at the update."""
    service.statuses = ["InProgress"]
    with pytest.raises(ClusterError, match="still in progress .* aws eks describe-update --name prod --update-id"):
        enable_audit_logging(session, "prod", apply=True, pause=0.01, patience=0.05)


def test_a_kind_that_there_is_not(service: FakeEks, session: Any) -> None:
    """A misspelt kind is refused before anything is asked."""
    with pytest.raises(ParameterError, match="no logs of the kind 'audits'. There are: api, audit"):
        enable_audit_logging(session, "prod", types=["audits"])
    assert service.asked == []
