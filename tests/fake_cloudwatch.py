"""A server on loopback that speaks the wire protocol of CloudWatch Logs and EKS, for real boto3 clients.

    fake = FakeCloudWatch.of(LogGroup("/aws/eks/prod/cluster", delivered([(1_795_514_400_000, '{"verb":"get"}')])))
    with serve(fake) as address:
        point_boto3_at(monkeypatch, address)
        ...
        fake.become(other_group, behaviour=mixed(seed))  # another log and other manners, the same server

Queries are answered by the project's own engine. What a test wants the service to do beside that is set in
`Behaviour`; what was asked of it is in `calls`, `requests`, `most_concurrent` and `bytes_scanned`.

| module | what is in it |
|---|---|
| `fake_behaviour` | bounds, quotas, and each way in which the service can go wrong |
| `fake_log_groups` | log groups made from lists of events |
| `fake_answers` | from a query to rows |
| `fake_queries` | StartQuery, GetQueryResults, StopQuery, DescribeQueries |
| `fake_reading` | DescribeLogGroups, DescribeLogStreams, FilterLogEvents, GetLogEvents, GetLogRecord and more |
| `fake_wire` | HTTP, and how a connection is lost |
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from eks_audit_nb.engine.store import EventStore

from fake_behaviour import RATES, Behaviour, Fault, Occasions, mixed, with_quotas
from fake_log_groups import ACCOUNT, AUDIT_STREAM, REGION, LogGroup, delivered
from fake_queries import Running, describe_queries, get_query_results, now_ms, start_query, stop_query
from fake_reading import (
    describe_log_groups,
    describe_log_streams,
    filter_log_events,
    get_log_events,
    get_log_group_fields,
    get_log_record,
)
from fake_wire import LostConnectionError, RefusedError, serve
from loopback import point_boto3_at

__all__ = [
    "ACCOUNT",
    "AUDIT_STREAM",
    "RATES",
    "REGION",
    "Behaviour",
    "FakeCloudWatch",
    "Fault",
    "LogGroup",
    "Occasions",
    "delivered",
    "mixed",
    "pointed",
    "serve",
    "with_quotas",
]

_ACTIONS: dict[str, Callable[[FakeCloudWatch, dict[str, Any]], dict[str, Any]]] = {
    "StartQuery": start_query,
    "GetQueryResults": get_query_results,
    "StopQuery": stop_query,
    "DescribeQueries": describe_queries,
    "DescribeLogGroups": describe_log_groups,
    "DescribeLogStreams": describe_log_streams,
    "FilterLogEvents": filter_log_events,
    "GetLogEvents": get_log_events,
    "GetLogRecord": get_log_record,
    "GetLogGroupFields": get_log_group_fields,
}


@dataclass(frozen=True)
class Call:
    """One call: what was asked, when by the service's clock (seconds), and the code of the refusal, "" without one."""

    action: str
    at: float
    code: str


class FakeCloudWatch:
    """The state of the service: its log groups, how it behaves, and what was asked of it.

    Attributes:
        cluster: The cluster that DescribeCluster knows; `store` is the log of its group.
        groups: The log groups by name.
        behaviour: How the service behaves; set a new one at any time.
        now_ms: The time of the service, so that events that arrive later are not there yet; None: the machine's time,
            and every event is there.
        clock: Where seconds come from, for quotas and for how long queries run.
        requests: Action and request of each call of CloudWatch Logs and EKS, in order, refused ones too.
        calls: The same with times and refusals.
        stopped: The queries that StopQuery was called for.
        queries: The queries by id, in order.
        most_concurrent: The most queries that ran at once.
        bytes_scanned: What all queries scanned.
    """

    def __init__(self, cluster: str, store: EventStore | None = None, behaviour: Behaviour | None = None) -> None:
        self.cluster = cluster
        self.clock: Callable[[], float] = time.monotonic
        self._lock = threading.RLock()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[Call] = []
        self.stopped: list[str] = []
        self.queries: dict[str, Running] = {}
        self._allowed: dict[str, tuple[float, float]] = {}
        self.become(behaviour=behaviour)
        if store is not None:
            self.store = store

    @classmethod
    def of(cls, *groups: LogGroup, behaviour: Behaviour | None = None) -> FakeCloudWatch:
        """The service with these log groups."""
        fake = cls("prod")
        fake.become(*groups, behaviour=behaviour)
        return fake

    def become(self, *groups: LogGroup, behaviour: Behaviour | None = None, now_ms: int | None = None) -> None:
        """Be as new, with other log groups and other manners; the server keeps running."""
        with self._lock:
            self.groups = {group.name: group for group in groups}
            self.behaviour = behaviour or Behaviour()
            self.now_ms = now_ms
            self.forget()

    def forget(self) -> None:
        """Forget what was asked; log groups and behaviour stay."""
        with self._lock:
            for each in (self.requests, self.calls, self.stopped, self.queries, self._allowed):
                each.clear()
            self.most_concurrent, self.bytes_scanned = 0, 0

    @property
    def store(self) -> EventStore:
        """The log of the cluster's group."""
        store = self.groups[self.log_group].store
        assert store is not None
        return store

    @store.setter
    def store(self, store: EventStore) -> None:
        if self.log_group not in self.groups or self.groups[self.log_group].store is not store:
            self.groups[self.log_group] = LogGroup(self.log_group, store=store)

    @property
    def log_group(self) -> str:
        """The name of the cluster's group."""
        return f"/aws/eks/{self.cluster}/cluster"

    # --- what tests ask ---

    def called(self, action: str) -> int:
        """How often an action was called, refused calls too."""
        return sum(call.action == action for call in self.calls)

    def refusals(self) -> Counter[str]:
        """How many calls were refused, by code."""
        return Counter(call.code for call in self.calls if call.code)

    def most_in(self, seconds: float, action: str) -> int:
        """The most calls of an action that fell into any stretch of so many seconds."""
        times = [call.at for call in self.calls if call.action == action]
        return max((bisect_right(times, at + seconds) - i for i, at in enumerate(times)), default=0)

    def running(self) -> list[Running]:
        """The queries that run now."""
        return [query for query in self.queries.values() if self.is_running(query)]

    def is_running(self, query: Running) -> bool:
        """Whether a query runs: for its seconds, or until somebody is told its final status."""
        if query.is_told:
            return False
        seconds = self.behaviour.seconds
        return bool(query.pending) or not seconds or self.clock() < query.started + seconds

    def time_ms(self) -> int:
        """What time it is for the service."""
        return now_ms() if self.now_ms is None else self.now_ms

    # --- what clients ask ---

    def answer(self, action: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body for one call.

        Raises:
            LostConnectionError: The connection ends before or in the answer.
        """
        with self._lock:
            at, code = self.clock(), ""
            self.requests.append((action, request))
            try:
                return 200, self._answer(action, request)
            except RefusedError as refused:
                code = refused.body["__type"]
                return refused.status, refused.body
            except LostConnectionError:
                code = "connection lost"
                raise
            finally:
                self.calls.append(Call(action, at, code))

    def group(self, name: str) -> LogGroup:
        """The log group of a name or an ARN."""
        group = next((group for group in self.groups.values() if name in (group.name, group.arn)), None)
        if group is None:
            raise RefusedError(
                "ResourceNotFoundException", f"Log group '{name}' does not exist for account ID '{ACCOUNT}'"
            )
        return group

    def _answer(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        if action == "DescribeCluster":
            return self._describe_cluster(request)
        if action not in _ACTIONS:
            raise RefusedError("UnknownOperationException", action)
        self._check_permission(f"logs:{action}")
        self._check_rate(action)
        happens = self.behaviour.happens
        if happens(Fault.HANG_UP, action):
            raise LostConnectionError
        if happens(Fault.UNAVAILABLE, action):
            raise RefusedError("ServiceUnavailableException", "The service cannot complete the request.", 503)
        body = _ACTIONS[action](self, request)
        is_forgotten, is_cut = happens(Fault.FORGET, action), happens(Fault.CUT, action)
        if is_forgotten or is_cut:
            # A query whose id nobody knows runs on in the service for its seconds.
            if "queryId" in body and not self.behaviour.seconds:
                self.queries[body["queryId"]].is_told = True
            raise LostConnectionError(None if is_forgotten else body)
        return body

    def _check_permission(self, permission: str) -> None:
        if permission.partition(":")[2] in self.behaviour.forbidden:
            raise RefusedError(
                "AccessDeniedException",
                f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: {permission} "
                f"because no identity-based policy allows the {permission} action",
            )

    def _check_rate(self, action: str) -> None:
        """Let a call through while its bucket holds one: so many a second flow in, and no more than that stay."""
        rate = self.behaviour.rates.get(action)
        if rate is not None:
            now = self.clock()
            left, since = self._allowed.get(action, (float(rate), now))
            left = min(float(rate), left + (now - since) * rate + 1e-6)  # which makes up for rounding
            self._allowed[action] = (left - 1 if left >= 1 else left, now)
            if left < 1:
                raise RefusedError("ThrottlingException", "Rate exceeded")
        if self.behaviour.happens(Fault.THROTTLE, action):
            raise RefusedError("ThrottlingException", "Rate exceeded")

    def _describe_cluster(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_permission("eks:DescribeCluster")
        if request["name"] != self.cluster:
            raise RefusedError("ResourceNotFoundException", f"No cluster found for name: {request['name']}.", 404)
        setups = self.behaviour.logging
        return {"cluster": {"name": self.cluster, "status": "ACTIVE", "logging": {"clusterLogging": setups}}}


@contextmanager
def pointed(*groups: LogGroup) -> Iterator[FakeCloudWatch]:
    """The service at work, and boto3 pointed at it."""
    fake = FakeCloudWatch.of(*groups)
    with serve(fake) as address, pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(monkeypatch, address)
        yield fake
