"""A case of objects in S3: every event of every object, or an error; with what each object was."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.case import writer
from eks_audit_nb.case.manifest import Manifest, described, read_manifest
from eks_audit_nb.case.verifying import verify
from eks_audit_nb.cli import main
from eks_audit_nb.errors import S3Error, SourceError, WindowError
from eks_audit_nb.sources.by_name import collect
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.sources.s3 import collect_s3, fetching

from conftest import audit_event
from fake_s3 import GET, LIST, Call, FakeS3, Fault, StoredObject, running
from logs import go_json, stamp

TEN = 1_795_514_400_000
STREAM = "kube-apiserver-audit-0123456789abcdef0123456789abcdef"
TASK = "exports/9c4e2d2a-task"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """The service, with one bucket that is empty."""
    service = FakeS3()
    with running(service, monkeypatch):
        yield service


def events(count: int, first: int = 0, **changes: Any) -> list[str]:
    """Events a second apart, as the API server writes them; each has an id of its own."""
    numbers = range(first, first + count)
    return [go_json(audit_event(auditID=f"id-{n}", stageTimestamp=stamp(TEN + 1000 * n), **changes)) for n in numbers]


def exported(lines: list[str], first: int = 0) -> bytes:
    """An object of an export."""
    times = (datetime.fromtimestamp(TEN / 1000 + first + n, UTC) for n in range(len(lines)))
    text = "".join(f"{time:%Y-%m-%dT%H:%M:%S.000Z} {line}\n" for time, line in zip(times, lines, strict=True))
    return gzip.compress(text.encode(), mtime=0)


def raw(lines: list[str]) -> bytes:
    """An object of plain lines."""
    return "".join(f"{line}\n" for line in lines).encode()


def ids(case: Path) -> list[str]:
    """The ids of all events, in the order of the case."""
    source = FileSource(str(case))
    rows = source.run("fields auditID, @ptr | limit 100000").frame
    source.close()
    return list(rows["auditID"])


def quick(source: str, out: Path, *window: str) -> Manifest:
    """Collect without long pauses."""
    return collect_s3(source, out, *window, first_pause=0.001)


# --- what a case holds ----------------------------------------------------------------------------------------------


def test_an_export(fake: FakeS3, tmp_path: Path) -> None:
    """A case of an export has every event once, with the stream that the key names and the object as its log."""
    for number in range(3):
        fake.put(f"{TASK}/{STREAM}/{number:06}.gz", exported(events(5, 5 * number), 5 * number))
    fake.put(f"{TASK}/kube-apiserver-audit-{'f' * 32}/000000.gz", exported(events(5, 15), 15))
    manifest = quick(f"s3://logs/{TASK}", tmp_path / "case")
    assert manifest.events == 20
    source = FileSource(str(tmp_path / "case"))
    rows = source.run("fields auditID, @logStream, @log | sort @timestamp asc").frame
    source.close()
    assert list(rows["auditID"]) == [f"id-{n}" for n in range(20)]
    assert list(rows["@logStream"]) == [STREAM] * 15 + [f"kube-apiserver-audit-{'f' * 32}"] * 5
    assert rows["@log"][0] == f"s3://logs/{TASK}/{STREAM}/000000.gz"
