"""The cluster's side: is audit logging on."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.base import SAMPLE, Source
from eks_audit_nb.sources.cloudwatch import CloudWatchSource

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


@dataclass(frozen=True)
class LoggingStatus:
    """Which kinds of control plane logs a cluster sends to CloudWatch."""

    cluster: str
    enabled: tuple[str, ...]

    @property
    def is_audit_on(self) -> bool:
        """Whether audit events are sent."""
        return "audit" in self.enabled

    @property
    def missing(self) -> tuple[str, ...]:
        """The kinds that are off."""
        return tuple(kind for kind in LOG_TYPES if kind not in self.enabled)

    def __str__(self) -> str:
        if self.is_audit_on:
            others = f" Off: {', '.join(self.missing)}." if self.missing else ""
            return f"Audit logging of {self.cluster} is on.{others}"
        return (
            f"AUDIT LOGGING OF {self.cluster} IS OFF: nothing that happens there is recorded. Switch it on with: "
            f"aws eks update-cluster-config --name {self.cluster} "
            """--logging '{"clusterLogging":[{"types":["audit","authenticator"],"enabled":true}]}'"""
        )


def logging_status(session: Any, cluster: str) -> LoggingStatus:
    """Ask EKS which logs are on (eks:DescribeCluster).

    Raises:
        CloudWatchError: The cluster is not there, or the caller may not ask.
    """
    try:
        with closing(session.client("eks")) as eks:
            described = eks.describe_cluster(name=cluster)["cluster"]
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        advice = "The caller needs eks:DescribeCluster on it." if code == "AccessDeniedException" else ""
        raise CloudWatchError(f"{code}: {message} {advice}".strip()) from None
    except BotoCoreError as error:
        raise CloudWatchError(f"EKS cannot be reached: {error}") from None
    setups = described.get("logging", {}).get("clusterLogging", [])
    return LoggingStatus(cluster, tuple(kind for setup in setups if setup.get("enabled") for kind in setup["types"]))


def recording_state(source: Source) -> str:
    """What can be said about whether the source is being recorded right now, in a sentence or two."""
    if isinstance(source, CloudWatchSource):
        try:
            return str(logging_status(source.session, source.cluster))
        except CloudWatchError as error:
            # The log may be readable all the same: after the cluster's end, or without eks:DescribeCluster.
            return f"Whether audit logging is on could not be asked: {error}"
    if source.name == SAMPLE:
        return (
            "This is the log that ships with the package: nine minutes of a test cluster in which 53 scenarios were "
            "played, 40 attacks and 13 harmless look-alikes. Give source a file or cloudwatch:CLUSTER for your own."
        )
    return "This is a file: it shows what was recorded, and cannot show whether audit logging is on now."
