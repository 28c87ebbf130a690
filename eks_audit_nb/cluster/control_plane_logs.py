"""Which control plane logs a cluster sends to CloudWatch, and switching audit logging on.

Source: EKS User Guide, "Send control plane logs to CloudWatch Logs"; EKS API, UpdateClusterConfig and DescribeUpdate.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from eks_audit_nb.aws import code_of, explained
from eks_audit_nb.errors import ClusterError, ParameterError

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# What an investigation needs: who did what, and which IAM identity became which user.
WANTED_TYPES = ("audit", "authenticator")

# AWS's list price in us-east-1 for vended logs, first tier: dollars for a gigabyte that is taken in, and for a gigabyte
# kept for a month. Source: aws.amazon.com/cloudwatch/pricing.
LIST_INGESTION_PRICE = 0.50
LIST_STORAGE_PRICE = 0.03

# How often a running update is looked at, and how long at most, seconds. An update takes a few minutes.
_PAUSE = 5.0
_PATIENCE = 1200.0
_NOTHING_TO_DO = "No changes needed"


@dataclass(frozen=True)
class Prices:
    """What CloudWatch charges; AWS's us-east-1 list prices for vended logs by default.

    Attributes:
        ingestion: Dollars for a gigabyte that it takes in.
        storage: Dollars for a gigabyte that it keeps for a month.
    """

    ingestion: float = LIST_INGESTION_PRICE
    storage: float = LIST_STORAGE_PRICE


@dataclass(frozen=True)
class LoggingStatus:
    """Which kinds of control plane logs a cluster sends to CloudWatch.

    Attributes:
        cluster: Its name.
        enabled: The kinds that are on.
        region: Where it is; "" where that is not known.
        endpoint: The address of its API server; "" where EKS gives none.
        authentication_mode: CONFIG_MAP, API_AND_CONFIG_MAP or API; "" where EKS gives none.
    """

    cluster: str
    enabled: tuple[str, ...]
    region: str = ""
    endpoint: str = ""
    authentication_mode: str = ""

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
            f"{aws_command(self.cluster, WANTED_TYPES, self.region)}"
        )


@dataclass(frozen=True)
class LoggingChange:
    """What switching logs on would do, or did.

    Attributes:
        before: What was on.
        wanted: The kinds that were asked for.
        is_applied: Whether the cluster was changed; False too where there was nothing to change.
        update_id: EKS's id of the update; "" without one.
        prices: What CloudWatch charges.
    """

    before: LoggingStatus
    wanted: tuple[str, ...]
    is_applied: bool = False
    update_id: str = ""
    prices: Prices = field(default_factory=Prices)

    @property
    def missing(self) -> tuple[str, ...]:
        """The wanted kinds that were off."""
        return tuple(kind for kind in self.wanted if kind not in self.before.enabled)

    @property
    def after(self) -> LoggingStatus:
        """What is on now."""
        if not self.is_applied:
            return self.before
        enabled = tuple(kind for kind in LOG_TYPES if kind in {*self.before.enabled, *self.wanted})
        return replace(self.before, enabled=enabled)

    @property
    def commands(self) -> tuple[str, ...]:
        """The lines that do the same with eksctl and with AWS's own command line; none where nothing is to be done."""
        if not self.missing:
            return ()
        cluster, region = self.before.cluster, self.before.region
        return (eksctl_command(cluster, self.missing, region), aws_command(cluster, self.missing, region))

    def __str__(self) -> str:
        cluster = self.before.cluster
        if not self.missing:
            return f"Nothing to do: {cluster} sends {_listed(self.wanted)} to CloudWatch already."
        kinds = _listed(self.missing)
        if self.is_applied:
            update = f" (update {self.update_id})" if self.update_id else ""
            return f"Switched on: {kinds} of {cluster}{update}. The first events arrive within minutes. {self.cost}"
        return (
            f"With apply=True this asks EKS to send {kinds} of {cluster} to the log group /aws/eks/{cluster}/cluster "
            f"(eks:UpdateClusterConfig), and waits until that is done. Nothing restarts. {self.cost}"
        )

    @property
    def cost(self) -> str:
        """What it costs, and why that cannot be known beforehand."""
        return cost_text(self.before.cluster, self.prices)


def cost_text(cluster: str, prices: Prices) -> str:
    """What recording costs, and how to find out how much there will be."""
    examples = ", ".join(f"{gigabytes} GB ${gigabytes * prices.ingestion:,.2f}" for gigabytes in (1, 10, 100))
    return (
        f"CloudWatch charges ${prices.ingestion:.2f} for each gigabyte that it takes in ({examples}) and "
        f"${prices.storage:.2f} for each that it keeps for a month; by default it keeps logs for ever. "
        "How much a cluster writes is not known beforehand: it grows with the requests to its API server, at about "
        "2 kB an event. To estimate it, switch it on for an hour, add up the metric IncomingBytes of the log group "
        f"/aws/eks/{cluster}/cluster (namespace AWS/Logs), and multiply by 730 for a month."
    )


def logging_status(session: Any, cluster: str) -> LoggingStatus:
    """Ask EKS which logs are on (eks:DescribeCluster).

    Raises:
        ClusterError: The cluster is not there, or the caller may not ask.
    """
    # Where only the logs have an endpoint, boto3 would wait minutes for EKS.
    brief = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
    with explained("eks:DescribeCluster", cluster, ClusterError), closing(session.client("eks", config=brief)) as eks:
        described = eks.describe_cluster(name=cluster)["cluster"]
        region = str(eks.meta.region_name or "")
    setups = described.get("logging", {}).get("clusterLogging", [])
    enabled = {kind for setup in setups if setup.get("enabled") for kind in setup.get("types", [])}
    return LoggingStatus(
        cluster,
        # In the order of the kinds, with what AWS may have added behind them.
        (*(kind for kind in LOG_TYPES if kind in enabled), *sorted(enabled.difference(LOG_TYPES))),
        region,
        described.get("endpoint", ""),
        described.get("accessConfig", {}).get("authenticationMode", ""),
    )


def enable_audit_logging(
    session: Any,
    cluster: str,
    *,
    apply: bool = False,
    types: Iterable[str] = WANTED_TYPES,
    prices: Prices | None = None,
    pause: float = _PAUSE,
    patience: float = _PATIENCE,
    progress: Callable[[str], object] = lambda _: None,
) -> LoggingChange:
    """Switch logs on, or say what that would do.

    Args:
        session: A boto3 session.
        cluster: Its name.
        apply: Whether to do it; without it EKS is only asked what is on.
        types: The kinds to switch on, of `LOG_TYPES`; the others stay as they are.
        prices: What CloudWatch charges; AWS's us-east-1 list prices by default.
        pause: Seconds between looks at the running update.
        patience: Seconds after which a running update is an error.
        progress: Is told the update's id when it has begun.

    Raises:
        ParameterError: A kind that there is not.
        ClusterError: EKS refused, or the update failed, was cancelled, or did not end; with the service's reasons.
    """
    wanted = tuple(dict.fromkeys(types))
    for kind in wanted:
        if kind not in LOG_TYPES:
            raise ParameterError(f"There are no logs of the kind {kind!r}. There are: {', '.join(LOG_TYPES)}.")
    change = LoggingChange(logging_status(session, cluster), wanted, prices=prices or Prices())
    if not apply or not change.missing:
        return change
    with closing(session.client("eks")) as eks:
        update_id = _start(eks, cluster, change.missing)
        if update_id:
            progress(f"The update {update_id} of {cluster} has begun.")
            _finish(eks, cluster, update_id, pause, patience)
    return replace(change, is_applied=True, update_id=update_id)


def aws_command(cluster: str, types: Iterable[str], region: str = "") -> str:
    """The line for AWS's command line that switches logs on."""
    setup = json.dumps({"clusterLogging": [{"types": list(types), "enabled": True}]}, separators=(",", ":"))
    where = f" --region {shlex.quote(region)}" if region else ""
    return f"aws eks update-cluster-config{where} --name {shlex.quote(cluster)} --logging {shlex.quote(setup)}"


def eksctl_command(cluster: str, types: Iterable[str], region: str = "") -> str:
    """The line for eksctl that switches logs on."""
    where = f" --region {shlex.quote(region)}" if region else ""
    kinds = ",".join(types)
    return (
        f"eksctl utils update-cluster-logging{where} --cluster {shlex.quote(cluster)} --enable-types {kinds} --approve"
    )


def _start(eks: Any, cluster: str, types: tuple[str, ...]) -> str:
    """Begin the update; gives its id, or "" where EKS says that nothing is to be changed."""
    with explained("eks:UpdateClusterConfig", cluster, ClusterError):
        try:
            setup = {"clusterLogging": [{"types": list(types), "enabled": True}]}
            return str(eks.update_cluster_config(name=cluster, logging=setup)["update"]["id"])
        except ClientError as failure:
            message = failure.response["Error"].get("Message", "")
            # Somebody else was quicker.
            if code_of(failure) == "InvalidParameterException" and _NOTHING_TO_DO in message:
                return ""
            if code_of(failure) == "ResourceInUseException":
                raise ClusterError(
                    f"{cluster} is being updated already: {message} Try again when that is done."
                ) from None
            raise


def _finish(eks: Any, cluster: str, update_id: str, pause: float, patience: float) -> None:
    began = time.monotonic()
    while True:
        with explained("eks:DescribeUpdate", f"{cluster}, whose update {update_id} has begun,", ClusterError):
            update = eks.describe_update(name=cluster, updateId=update_id)["update"]
        status = update.get("status")
        if status == "Successful":
            return
        if status != "InProgress":
            reasons = "; ".join(_reason(each) for each in update.get("errors", []))
            raise ClusterError(
                f"The update {update_id} of {cluster} ended with the status {status}: "
                f"{reasons or 'EKS gives no reason'}. Nothing was switched on."
            )
        if time.monotonic() - began > patience:
            raise ClusterError(
                f"The update {update_id} of {cluster} is still in progress after {patience:.0f} seconds. Look at it "
                f"with: aws eks describe-update --name {shlex.quote(cluster)} --update-id {shlex.quote(update_id)}"
            )
        time.sleep(pause)


def _reason(error: dict[str, Any]) -> str:
    named = ", ".join(error.get("resourceIds", []))
    text = f"{error.get('errorCode', 'Unknown')}: {error.get('errorMessage', '')}".rstrip(" .")
    return f"{text} ({named})" if named else text


def _listed(kinds: tuple[str, ...]) -> str:
    return f"the {' and '.join(kinds)} log{'s' if len(kinds) > 1 else ''}"
