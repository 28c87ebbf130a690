"""S3 on loopback for real boto3 clients: ListObjectsV2 and GetObject, in XML, and the ways in which they break.

Source of the shapes and errors: the API model that botocore ships, and the Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from loopback import point_boto3_at, serve

LIST, GET = "ListObjectsV2", "GetObject"


class Fault(StrEnum):
    """What can go wrong, each with what happens then."""

    SLOW_DOWN = "the call is refused: SlowDown, status 503"
    INTERNAL = "the call is refused: InternalError, status 500"
    HANG_UP = "the connection is closed without an answer"
    CUT = "the connection is closed in the middle of the body"
    CUT_QUIETLY = "the body is cut, and the length that is announced with it"
    REPEAT_PAGE = "a token leads to the page before once more"
    LOSE_OBJECT = "a page comes without its last object, which is counted"
    IGNORE_RANGE = "the whole object comes where a part was asked for"


@dataclass
class StoredObject:
    """One object and what S3 says about it."""

    content: bytes
    modified: datetime = datetime(2026, 11, 25, 12, tzinfo=UTC)
    version_id: str = ""
    storage_class: str = "STANDARD"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """As for an object that was put in one piece."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


@dataclass
class Call:
    """One call as the service saw it."""

    operation: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]  # names in small letters


class RefusedError(Exception):
    """A call that the service refuses, with S3's code."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass
class FakeS3:
    """The buckets of one account, and what was asked.

    Attributes:
        buckets: The objects of each, by key.
        region: Where the buckets are; calls signed for another one are redirected.
        page_size: The most objects of a page.
        forbidden: Operations that the caller may not do.
        faults: The chance of each fault, at every call.
        next_faults: What happens at the next calls of an operation, whatever the chances are.
        before: Called before each call is answered.
    """

    buckets: dict[str, dict[str, StoredObject]] = field(default_factory=lambda: {"logs": {}})
    region: str = "eu-west-1"
    page_size: int = 1000
    forbidden: set[str] = field(default_factory=set)
    faults: dict[Fault, float] = field(default_factory=dict)
    next_faults: dict[str, list[Fault]] = field(default_factory=dict)
    seed: int = 0
    before: Callable[[Call], object] = lambda _: None
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311
        self._lock = threading.Lock()

    def put(self, key: str, content: bytes, bucket: str = "logs", **facts: Any) -> None:
        """Put an object."""
        self.buckets[bucket][key] = StoredObject(content, **facts)

    def asked(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self.calls if call.operation == operation]

    def begin(self, call: Call) -> set[Fault]:
        """What goes wrong with this call."""
        with self._lock:
            self.calls.append(call)
            waiting = self.next_faults.get(call.operation)
            chosen = {fault for fault, chance in self.faults.items() if self._random.random() < chance}
            return {waiting.pop(0)} if waiting else chosen

    def check(self, call: Call, faults: set[Fault]) -> None:
        """Refuse what is not allowed."""
        if Fault.SLOW_DOWN in faults:
            raise RefusedError(503, "SlowDown", "Please reduce your request rate.")
        if Fault.INTERNAL in faults:
            raise RefusedError(500, "InternalError", "We encountered an internal error. Please try again.")
        if call.bucket not in self.buckets:
            raise RefusedError(404, "NoSuchBucket", "The specified bucket does not exist")
        signed_for = re.search(r"Credential=[^/]+/\d+/([^/]+)/s3/", call.headers.get("authorization", ""))
        if signed_for is None or signed_for[1] != self.region:
            message = "The bucket you are attempting to access must be addressed using the specified endpoint."
            raise RefusedError(301, "PermanentRedirect", message, **{"x-amz-bucket-region": self.region})
        if call.operation in self.forbidden:
            message = f"User: arn:aws:iam::111122223333:user/alice is not authorized to perform: s3:{call.operation}"
            raise RefusedError(403, "AccessDenied", message)

    # --- ListObjectsV2 ---

    def page(self, call: Call, faults: set[Fault]) -> bytes:
        """The body of a page."""
        prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
        token = call.query.get("continuation-token", "")
        after = unquote(token.removeprefix("after:"))
        size = min(self.page_size, int(call.query.get("max-keys", "1000")))
        objects = self.buckets[call.bucket]
        names: list[str] = []  # of objects, and of folders where there is a delimiter
        for key in sorted(objects):
            if key.startswith(prefix):
                rest, sign, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
                name = f"{prefix}{rest}{sign}" if sign else key
                if name not in names[-1:]:
                    names.append(name)
        if Fault.REPEAT_PAGE in faults and after:
            before = [name for name in names if name <= after]
            names = before[-size:] + [name for name in names if name > after]
        else:
            names = [name for name in names if name > after]
        shown, more = names[:size], names[size:]
        count = len(shown)
        if Fault.LOSE_OBJECT in faults:
            shown = shown[:-1]
        folders = {name for name in shown if name not in objects or (delimiter and name.endswith(delimiter))}
        parts = [
            f"<Name>{call.bucket}</Name><Prefix>{_encoded(prefix)}</Prefix><KeyCount>{count}</KeyCount>",
            f"<MaxKeys>{size}</MaxKeys><EncodingType>url</EncodingType>",
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>",
            f"<NextContinuationToken>after:{quote(shown[-1])}</NextContinuationToken>" if more and shown else "",
            *(_listed(name, objects[name]) for name in shown if name not in folders),
            *(f"<CommonPrefixes><Prefix>{_encoded(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)),
        ]
        return _xml("ListBucketResult", "".join(parts))

    # --- GetObject ---

    def object(self, call: Call, faults: set[Fault]) -> tuple[int, bytes, dict[str, str]]:
        """The status, the body and the headers for an object."""
        found = self.buckets[call.bucket].get(call.key)
        if found is None:
            raise RefusedError(404, "NoSuchKey", "The specified key does not exist.")
        if found.storage_class in ("GLACIER", "DEEP_ARCHIVE"):
            message = "The operation is not valid for the object's storage class"
            raise RefusedError(403, "InvalidObjectState", message)
        if call.headers.get("if-match", found.etag) != found.etag:
            message = "At least one of the pre-conditions you specified did not hold"
            raise RefusedError(412, "PreconditionFailed", message)
        headers = {"ETag": found.etag, "Last-Modified": format_datetime(found.modified, usegmt=True), **found.headers}
        if found.version_id:
            headers["x-amz-version-id"] = found.version_id
        begin = re.fullmatch(r"bytes=(\d+)-", call.headers.get("range", ""))
        if begin and Fault.IGNORE_RANGE not in faults:
            size = len(found.content)
            if int(begin[1]) >= size:
                raise RefusedError(416, "InvalidRange", "The requested range is not satisfiable")
            headers["Content-Range"] = f"bytes {begin[1]}-{size - 1}/{size}"
            return 206, found.content[int(begin[1]) :], headers
        return 200, found.content, headers


def _encoded(name: str) -> str:
    return escape(quote(name))


def _listed(key: str, found: StoredObject) -> str:
    return (
        f"<Contents><Key>{_encoded(key)}</Key><LastModified>{found.modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        f"<ETag>{escape(found.etag)}</ETag><Size>{len(found.content)}</Size>"
        f"<StorageClass>{found.storage_class}</StorageClass></Contents>"
    )


def _xml(name: str, inside: str, namespace: str = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"') -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{namespace}>{inside}</{name}>'.encode()


@contextmanager
def running(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the service and point boto3 at it; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            _, bucket, *rest = url.path.split("/", 2)
            key = unquote(rest[0]) if rest else ""
            query = {name: each[0] for name, each in parse_qs(url.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(GET if key else LIST, bucket, key, query, headers)
            fake.before(call)
            faults = fake.begin(call)
            if Fault.HANG_UP in faults:
                self._hang_up()
                return
            try:
                fake.check(call, faults)
                if key:
                    status, body, more = fake.object(call, faults)
                else:
                    status, body, more = 200, fake.page(call, faults), {"Content-Type": "application/xml"}
            except RefusedError as refused:
                text = f"<Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
                status, body, more = refused.status, _xml("Error", text, ""), refused.headers
            cut = len(body) // 2
            if Fault.CUT_QUIETLY in faults:
                body = body[:cut]
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(body)), "x-amz-request-id": "EXAMPLE"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:cut] if Fault.CUT in faults else body)
            self.wfile.flush()
            if Fault.CUT in faults:
                self._hang_up()

        def _hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests read `calls`."""

    with serve(Handler) as address:
        point_boto3_at(monkeypatch, address)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        yield address
