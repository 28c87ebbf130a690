"""STS on loopback for real boto3 clients: AssumeRole, for profiles that name a role.

Source of the shapes: the API model that botocore ships, and the AWS STS API Reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

from loopback import serve as serve_handler

_ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE{number}</AccessKeyId><SecretAccessKey>none</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
_ERROR = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{}</Code><Message>{}</Message></Error></ErrorResponse>"""


@dataclass
class FakeSts:
    """What was asked, and a refusal: code and message. Each session has a key of its own."""

    refusal: tuple[str, str] | None = None
    requests: list[dict[str, str]] = field(default_factory=list)

    def answer(self, request: dict[str, str]) -> tuple[int, str]:
        """The status and the body for one call."""
        self.requests.append(request)
        if self.refusal:
            return 403, _ERROR.format(*self.refusal)
        return 200, _ROLE.format(number=len(self.requests))


@contextmanager
def serve(service: FakeSts) -> Iterator[str]:
    """Run the server; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, body = service.answer(dict(parse_qsl(content)))
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serve_handler(Handler) as address:
        yield address
