"""The log group of a cluster: how long it keeps events, its streams, and how late the newest event came."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from eks_audit_nb.aws import explained
from eks_audit_nb.errors import ClusterError
from eks_audit_nb.sources.base import size_text
from eks_audit_nb.window import from_milliseconds

STREAM_COLUMNS = {
    "log_stream": "string",
    "kind": "string",  # audit, api, authenticator, controllerManager, cloudControllerManager, scheduler, other
    "first_event": "datetime64[us, UTC]",
    "last_event": "datetime64[us, UTC]",  # as the service lists it, which can be an hour behind
    "last_ingestion": "datetime64[us, UTC]",
}
# What the names of streams begin with, the longer ones first: the API server's own log is not the audit log.
# Source: EKS User Guide, "Send control plane logs to CloudWatch Logs".
_KINDS = {
    "kube-apiserver-audit-": "audit",
    "kube-apiserver-": "api",
    "authenticator-": "authenticator",
    "kube-controller-manager-": "controllerManager",
    "cloud-controller-manager-": "cloudControllerManager",
    "kube-scheduler-": "scheduler",
}
# Events come from every control plane instance, each with a stream of its own; there are two to a few at a time.
_NEWEST_STREAMS = 8
# A cluster writes audit events every second, if only its own; delivery takes minutes.
_SILENCE = timedelta(minutes=15)


@dataclass(frozen=True, eq=False)
class LogGroup:
    """What CloudWatch says about a log group.

    Attributes:
        name: Its name.
        retention_days: How long events are kept; None for ever.
        stored_bytes: What it holds, as the service counts it about once a day.
        created: When it was made; events before that are not in it.
        log_class: STANDARD or INFREQUENT_ACCESS.
        streams: The columns of `STREAM_COLUMNS`, the last written first.
        newest_event: The time of the newest audit event; None without one.
        newest_ingestion: When CloudWatch took it in.
        asked: When all this was asked.
    """

    name: str
    retention_days: int | None
    stored_bytes: int
    created: datetime
    log_class: str
    streams: pd.DataFrame = field(repr=False)
    newest_event: datetime | None
    newest_ingestion: datetime | None
    asked: datetime

    @property
    def delay(self) -> timedelta | None:
        """How long the newest audit event took to arrive."""
        if self.newest_event is None or self.newest_ingestion is None:
            return None
        return self.newest_ingestion - self.newest_event

    @property
    def silence(self) -> timedelta | None:
        """How long ago the newest audit event arrived."""
        return None if self.newest_ingestion is None else self.asked - self.newest_ingestion

    @property
    def is_silent(self) -> bool:
        """Whether audit events have stopped coming, or never came."""
        return self.silence is None or self.silence > _SILENCE

    @property
    def warning(self) -> str:
        """What is said where audit events have stopped coming; "" where they come."""
        if self.silence is None:
            return "NO AUDIT EVENT HAS ARRIVED YET."
        if not self.is_silent:
            return ""
        return (
            f"NO AUDIT EVENT HAS ARRIVED FOR {_span(self.silence).upper()}: recording has stopped, or delivery is late."
        )

    def facts(self) -> dict[str, str]:
        """What there is to know, a line each."""
        kinds = self.streams["kind"].value_counts()
        streams = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items()) or "none"
        kept = f"{self.retention_days:,} days" if self.retention_days else "for ever, which costs more every month"
        return {
            "Log group": f"{self.name}, {self.log_class}, made {_text(self.created)}",
            "Kept": f"{kept}; {size_text(self.stored_bytes)} stored",
            "Streams": streams,
            "Newest audit event": self._newest(),
        }

    def _newest(self) -> str:
        if self.newest_event is None or self.delay is None or self.silence is None:
            return f"none. {self.warning}"
        return (
            f"{_text(self.newest_event)}, arrived {_span(self.delay)} later and {_span(self.silence)} before this was "
            f"asked. {self.warning}".strip()
        )


def kind_of_stream(name: str) -> str:
    """The kind of log that a stream holds."""
    return next((kind for start, kind in _KINDS.items() if name.startswith(start)), "other")


def describe_log_group(session: Any, name: str, *, now: datetime | None = None) -> LogGroup | None:
    """Ask CloudWatch about a log group; None where there is none of this name.

    Needs logs:DescribeLogGroups, logs:DescribeLogStreams and logs:GetLogEvents. None of them costs anything.

    Raises:
        ClusterError: The caller may not ask, or AWS cannot be reached.
    """
    with closing(session.client("logs")) as logs:
        with explained("logs:DescribeLogGroups", name, ClusterError):
            groups = _all(logs.get_paginator("describe_log_groups"), "logGroups", logGroupNamePrefix=name)
        group = next((each for each in groups if each["logGroupName"] == name), None)
        if group is None:
            return None
        with explained("logs:DescribeLogStreams", name, ClusterError):
            streams = stream_table(_all(logs.get_paginator("describe_log_streams"), "logStreams", logGroupName=name))
        newest_event, newest_ingestion = _newest(logs, name, streams)
    return LogGroup(
        name,
        group.get("retentionInDays"),
        int(group.get("storedBytes", 0)),
        from_milliseconds(int(group.get("creationTime", 0))),
        str(group.get("logGroupClass", "STANDARD")),
        streams,
        newest_event,
        newest_ingestion,
        now or datetime.now(UTC),
    )


def stream_table(listed: list[dict[str, Any]]) -> pd.DataFrame:
    """The streams as DescribeLogStreams lists them, as a frame with the columns of `STREAM_COLUMNS`."""
    rows = [
        {
            "log_stream": each["logStreamName"],
            "kind": kind_of_stream(each["logStreamName"]),
            "first_event": _time(each.get("firstEventTimestamp")),
            "last_event": _time(each.get("lastEventTimestamp")),
            "last_ingestion": _time(each.get("lastIngestionTime")),
        }
        for each in listed
    ]
    frame = pd.DataFrame(rows, columns=list(STREAM_COLUMNS)).astype(STREAM_COLUMNS)
    return frame.sort_values(["last_ingestion", "log_stream"], ascending=[False, True]).reset_index(drop=True)


def _all(paginator: Any, key: str, **request: Any) -> list[dict[str, Any]]:
    return [each for page in paginator.paginate(**request) for each in page.get(key, [])]


def _newest(logs: Any, group: str, streams: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    """The newest audit event and when it arrived, from the streams themselves: what lists them is behind."""
    newest: tuple[int, int] | None = None
    for stream in streams.loc[streams["kind"] == "audit", "log_stream"].head(_NEWEST_STREAMS):
        with explained("logs:GetLogEvents", group, ClusterError):
            events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=False, limit=1)[
                "events"
            ]
        for event in events:
            found = (int(event["timestamp"]), int(event["ingestionTime"]))
            newest = found if newest is None else max(newest, found)
    return (from_milliseconds(newest[0]), from_milliseconds(newest[1])) if newest else (None, None)


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_milliseconds(milliseconds)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
