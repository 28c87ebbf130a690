"""EKS on its REST paths, and what CloudWatch Logs says about a log group, for real boto3 clients.

Source of the shapes: the API models that botocore ships.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from loopback import Request, aws_error, serve_json

Reply = tuple[int, dict[str, Any]]


@dataclass
class FakeEks:
    """One cluster, its updates, its log group, and what was asked.

    Attributes:
        logging: What DescribeCluster gives as clusterLogging; an update that succeeds changes it.
        statuses: What DescribeUpdate says, one after the other; the last one again and again.
        update_errors: What it says went wrong.
        forbidden: Operations that the caller may not use.
        refusals: Status, code and message by operation.
        log_group: As DescribeLogGroups gives it; None where there is none.
        streams: As DescribeLogStreams gives them.
        newest: The newest event of a stream, by its name: time and arrival in milliseconds.
        page_size: How many groups or streams a page holds.
    """

    cluster: str = "prod"
    endpoint: str = "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"
    authentication_mode: str = "API_AND_CONFIG_MAP"
    logging: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=lambda: ["InProgress", "Successful"])
    update_errors: list[dict[str, Any]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    refusals: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    log_group: dict[str, Any] | None = None
    streams: list[dict[str, Any]] = field(default_factory=list)
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)
    page_size: int = 50
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _updates: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def asked(self) -> list[str]:
        """The operations that were asked, in order."""
        return [name for name, _ in self.requests]

    def answer(self, request: Request) -> Reply:
        """The status and the body for one call."""
        operation, given = self._operation(request)
        self.requests.append((operation, given))
        if operation in self.forbidden:
            return aws_error(403, "AccessDeniedException", f"User: alice is not authorized to perform: {operation}")
        if operation in self.refusals:
            return aws_error(*self.refusals[operation])
        handler = {
            "DescribeCluster": self._describe_cluster,
            "UpdateClusterConfig": self._update_cluster_config,
            "DescribeUpdate": self._describe_update,
            "DescribeLogGroups": self._describe_log_groups,
            "DescribeLogStreams": self._describe_log_streams,
            "GetLogEvents": self._get_log_events,
        }.get(operation)
        return handler(given) if handler else aws_error(400, "UnknownOperationException", operation)

    def _operation(self, request: Request) -> tuple[str, dict[str, Any]]:
        if request.action:
            return request.action, request.body or {}
        found = re.fullmatch(r"/clusters/([^/]+)(?:/(update-config)|/updates/([^/]+))?", request.path)
        if not found:
            return f"{request.method} {request.path}", {}
        given = {**(request.body or {}), "name": unquote(found[1])}
        if found[2] and request.method == "POST":
            return "UpdateClusterConfig", given
        if found[3]:
            return "DescribeUpdate", {**given, "updateId": unquote(found[3])}
        return "DescribeCluster", given

    def _describe_cluster(self, given: dict[str, Any]) -> Reply:
        if given["name"] != self.cluster:
            return self._no_cluster(given)
        described = {
            "name": self.cluster,
            "status": "ACTIVE",
            "endpoint": self.endpoint,
            "accessConfig": {"authenticationMode": self.authentication_mode},
            "logging": {"clusterLogging": self.logging},
        }
        return 200, {"cluster": described}

    def _update_cluster_config(self, given: dict[str, Any]) -> Reply:
        if given["name"] != self.cluster:
            return self._no_cluster(given)
        on = {kind for setup in self.logging if setup["enabled"] for kind in setup["types"]}
        known = on | {kind for setup in self.logging for kind in setup["types"]}
        wanted = set(on)
        for setup in given["logging"]["clusterLogging"]:
            wanted = wanted | set(setup["types"]) if setup["enabled"] else wanted - set(setup["types"])
        if wanted == on:
            message = "No changes needed for the logging config provided"
            return aws_error(400, "InvalidParameterException", message)
        update_id = str(uuid.uuid4())
        after = [{"types": sorted(wanted), "enabled": True}]
        after += [{"types": sorted(known - wanted), "enabled": False}] if known - wanted else []
        self._updates[update_id] = {"statuses": list(self.statuses), "after": after}
        return 200, {"update": {"id": update_id, "status": "InProgress", "type": "LoggingUpdate", "errors": []}}

    def _describe_update(self, given: dict[str, Any]) -> Reply:
        update = self._updates.get(given["updateId"])
        if update is None:
            return aws_error(404, "ResourceNotFoundException", f"No update found for ID: {given['updateId']}")
        status = update["statuses"].pop(0) if len(update["statuses"]) > 1 else update["statuses"][0]
        if status == "Successful":
            self.logging = update["after"]
        errors = [] if status in ("Successful", "InProgress") else self.update_errors
        return 200, {"update": {"id": given["updateId"], "status": status, "type": "LoggingUpdate", "errors": errors}}

    def _no_cluster(self, given: dict[str, Any]) -> Reply:
        return aws_error(404, "ResourceNotFoundException", f"No cluster found for name: {given['name']}.")

    def _describe_log_groups(self, given: dict[str, Any]) -> Reply:
        group = self.log_group
        name = group["logGroupName"] if group else ""
        # Another cluster's group whose name begins in the same way comes first.
        listed = [{**group, "logGroupName": f"{name}-2", "storedBytes": 1}, group] if group else []
        listed = [each for each in listed if each["logGroupName"].startswith(given.get("logGroupNamePrefix", ""))]
        return self._page(listed, "logGroups", given)

    def _describe_log_streams(self, given: dict[str, Any]) -> Reply:
        if not self.log_group or given["logGroupName"] != self.log_group["logGroupName"]:
            return aws_error(400, "ResourceNotFoundException", "The specified log group does not exist.")
        return self._page(sorted(self.streams, key=lambda each: str(each["logStreamName"])), "logStreams", given)

    def _page(self, listed: list[dict[str, Any]], key: str, given: dict[str, Any]) -> Reply:
        begin = int(given.get("nextToken", 0))
        body: dict[str, Any] = {key: listed[begin : begin + self.page_size]}
        if begin + self.page_size < len(listed):
            body["nextToken"] = str(begin + self.page_size)
        return 200, body

    def _get_log_events(self, given: dict[str, Any]) -> Reply:
        if given["logStreamName"] not in self.newest:
            return 200, {"events": []}
        written, arrived = self.newest[given["logStreamName"]]
        event = {"timestamp": written, "ingestionTime": arrived, "message": "{}"}
        return 200, {"events": [event], "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}


@contextmanager
def serve(service: FakeEks) -> Iterator[str]:
    """Run the server; gives its address."""
    with serve_json(service.answer) as address:
        yield address
