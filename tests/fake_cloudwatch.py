"""A server on loopback that speaks the wire protocol of CloudWatch Logs and EKS, for real boto3 clients.

It answers queries with the project's own engine. What a test wants it to do beside that is set in `Behaviour`.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.window import Window


@dataclass
class Behaviour:
    """How the service behaves."""

    statuses: list[str] = field(default_factory=list)  # reported before the final one
    final_status: str = "Complete"
    page_size: int = 10_000
    cap: int = 100_000
    skipped: int = 0
    lost_rows: int = 0  # rows that are counted and not delivered
    logging: list[dict[str, Any]] = field(default_factory=list)
    refusal: tuple[int, str, str] | None = None  # status, code, message of StartQuery
    forbidden: set[str] = field(default_factory=set)  # calls that the caller may not make


@dataclass
class FakeCloudWatch:
    """The state of the service: one log group, its events, and what was asked."""

    cluster: str
    store: EventStore
    behaviour: Behaviour = field(default_factory=Behaviour)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    _queries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, action: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body for one call."""
        self.requests.append((action, request))
        handlers = {
            "StartQuery": self._start_query,
            "GetQueryResults": self._get_query_results,
            "StopQuery": self._stop_query,
            "DescribeCluster": self._describe_cluster,
        }
        if action not in handlers:
            return _error(400, "UnknownOperationException", action)
        if action in self.behaviour.forbidden:
            return _error(400, "AccessDeniedException", f"User is not authorized to perform: {action}")
        return handlers[action](request)

    def _start_query(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.behaviour.refusal:
            return _error(*self.behaviour.refusal)
        if request.get("logGroupName") != f"/aws/eks/{self.cluster}/cluster":
            return _error(400, "ResourceNotFoundException", f"Log group '{request.get('logGroupName')}' does not exist")
        try:
            query = parse(request["queryString"])
        except QueryError as error:
            status, body = _error(400, "MalformedQueryException", error.message)
            body["queryCompileError"] = {"location": error.location(), "message": error.message}
            return status, body
        answer = self.store.ask(query, Window(request["startTime"], request["endTime"]))
        names = list(answer.values)
        rows = [
            [{"field": name, "value": answer.values[name][i]} for name in names if answer.values[name][i] is not None]
            for i in range(answer.rows)
        ]
        query_id = str(uuid.uuid4())
        cap = min(request.get("limit", 10_000), self.behaviour.cap)
        self._queries[query_id] = {
            "rows": rows[:cap],
            "statuses": list(self.behaviour.statuses),
            "statistics": {
                "recordsMatched": float(answer.rows),
                "recordsScanned": float(answer.scanned.events),
                "bytesScanned": float(answer.scanned.bytes),
                "estimatedRecordsSkipped": float(self.behaviour.skipped),
                "resultCount": float(len(rows[:cap])),
            },
        }
        return 200, {"queryId": query_id}

    def _get_query_results(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        query = self._queries.get(request["queryId"])
        if query is None:
            return _error(400, "ResourceNotFoundException", f"No query with id {request['queryId']}")
        rows = query["rows"]
        if query["statuses"]:
            # While it runs the service gives some rows, which need not be in the final result.
            return 200, {"status": query["statuses"].pop(0), "results": rows[:3], "statistics": {}}
        size = request.get("maxItems") or self.behaviour.page_size
        begin = int(request.get("nextToken", "0"))
        page = rows[begin : begin + size]
        body = {"status": self.behaviour.final_status, "results": page, "statistics": query["statistics"]}
        if begin + size < len(rows):
            body["nextToken"] = str(begin + size)
        elif self.behaviour.lost_rows:
            body["results"] = page[: -self.behaviour.lost_rows]
        return 200, body

    def _stop_query(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.stopped.append(request["queryId"])
        if self.behaviour.final_status in ("Failed", "Timeout", "Cancelled"):
            return _error(400, "InvalidParameterException", "The query has already ended")
        return 200, {"success": True}

    def _describe_cluster(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request["name"] != self.cluster:
            return _error(404, "ResourceNotFoundException", f"No cluster found for name: {request['name']}.")
        setups = self.behaviour.logging
        return 200, {"cluster": {"name": self.cluster, "status": "ACTIVE", "logging": {"clusterLogging": setups}}}


def _error(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"__type": code, "message": message}


@contextmanager
def serve(service: FakeCloudWatch) -> Iterator[str]:
    """Run the server; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            action = self.headers["X-Amz-Target"].partition(".")[2]
            self._reply(*service.answer(action, json.loads(body)), content_type="application/x-amz-json-1.1")

        def do_GET(self) -> None:
            name = self.path.removeprefix("/clusters/")
            self._reply(*service.answer("DescribeCluster", {"name": name}), content_type="application/json")

        def _reply(self, status: int, body: dict[str, Any], content_type: str) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
            if status >= 400:
                self.send_header("x-amzn-ErrorType", body["__type"])
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests read `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_boto3_at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Set the environment so that boto3 asks this server, and reads no configuration of the machine."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL_LOGS",
        "AWS_ENDPOINT_URL_EKS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
