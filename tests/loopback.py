"""A small HTTP server on loopback that speaks JSON: what the fakes of AWS and of Kubernetes answer through."""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

_NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Request:
    """One request as the server sees it."""

    method: str
    path: str  # as it was sent: still percent-encoded
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in small letters
    body: Any
    address: str

    @property
    def action(self) -> str:
        """The operation that the JSON protocol of AWS names."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


class _Server(ThreadingHTTPServer):
    request_queue_size = 200

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up, as one that was interrupted does, is no fault of the server.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


Answer = Callable[[Request], tuple[int, dict[str, Any]]]


@contextmanager
def serve_json(answer: Answer) -> Iterator[str]:
    """Run a server whose answers a function gives; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            request = Request(
                self.command,
                url.path,
                parse_qs(url.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(content) if content else None,
                self.client_address[0],
            )
            status, body = answer(request)
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
            if status >= 400 and "__type" in body:
                self.send_header("x-amzn-ErrorType", body["__type"])
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815  # the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serve(Handler) as address:
        yield address


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server that hands each request to a handler; yields its address."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_boto3_at(monkeypatch: pytest.MonkeyPatch, address: str = _NOBODY, **addresses: str) -> None:
    """Set the environment so that boto3 asks these services and no others, and reads no configuration of the machine.

    Args:
        monkeypatch: Undoes it.
        address: Of any service.
        **addresses: By the name that botocore has for the service in AWS_ENDPOINT_URL_NAME, in small letters.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    settings |= {f"AWS_ENDPOINT_URL_{name.upper()}": each for name, each in addresses.items()}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def aws_error(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    """An error as AWS's JSON protocols send it."""
    return status, {"__type": code, "message": message}
