"""HTTP on loopback for a service of AWS: the JSON 1.1 protocol as boto3 speaks it, and the ways in which it breaks."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

import loopback


class Service(Protocol):
    """What can be served: it answers one call with a status and a body."""

    def answer(self, action: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]: ...


class RefusedError(Exception):
    """A call that the service refuses, with AWS's code; `more` is what the body holds beside code and message."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.body = {"__type": code, "message": message, **more}


class LostConnectionError(Exception):
    """The connection ends: before the answer, or in the middle of the `body` that was announced."""

    def __init__(self, body: dict[str, Any] | None = None) -> None:
        super().__init__("the connection is lost")
        self.body = body


@contextmanager
def serve(service: Service) -> Iterator[str]:
    """Run the server; gives its address. What it stands for may be changed while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet an answer, sent at once: else each one waits 40 ms for the last one's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            action = self.headers["X-Amz-Target"].partition(".")[2]
            self._answer(action, json.loads(body), "application/x-amz-json-1.1")

        def do_GET(self) -> None:
            name = self.path.removeprefix("/clusters/")
            self._answer("DescribeCluster", {"name": name}, "application/json")

        def _answer(self, action: str, request: dict[str, Any], content_type: str) -> None:
            try:
                status, body = service.answer(action, request)
            except RefusedError as refused:
                self._reply(refused.status, refused.body, content_type)
            except LostConnectionError as lost:
                if lost.body is not None:
                    self._reply(200, lost.body, content_type, is_cut=True)
                self._hang_up()
            else:
                self._reply(status, body, content_type)

        def _reply(self, status: int, body: dict[str, Any], content_type: str, *, is_cut: bool = False) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
            if status >= 400:
                self.send_header("x-amzn-ErrorType", body["__type"])
            self.end_headers()
            self.wfile.write(payload[: len(payload) // 2] if is_cut else payload)
            self.wfile.flush()

        def _hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests read `requests`."""

    with loopback.serve(Handler) as address:
        yield address
