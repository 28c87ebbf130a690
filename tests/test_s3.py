"""A case of objects in S3: every event of every object, or an error; with what each object was."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
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
from eks_audit_nb.sources.s3 import collect_s3, fetching, listing
from eks_audit_nb.sources.s3.bucket import Bucket
from eks_audit_nb.sources.s3.fetching import S3Files
from eks_audit_nb.sources.s3.listing import listed

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
    """The ids of all events, in the order of the case's lines."""
    source = FileSource(str(case))
    rows = source.run("fields auditID, @ptr | limit 100000").frame
    source.close()
    lines = rows["@ptr"].str.rpartition(":")[2].astype(int)
    return list(rows["auditID"][lines.sort_values().index])


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


def test_the_case_is_that_of_the_files(fake: FakeS3, tmp_path: Path) -> None:
    """Objects of every form give the events that the same files on a disk give, in the order of their keys."""
    lines = events(40)
    subscription = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "/aws/eks/prod/cluster",
        "logStream": STREAM,
        "logEvents": [{"id": str(n), "timestamp": TEN + 1000 * n, "message": lines[n]} for n in range(20, 25)],
    }
    contents = {
        "a/000000.gz": exported(lines[:10]),
        "b/plain.jsonl": raw(lines[10:15]),
        "b/packed.jsonl.gz": gzip.compress(raw([*lines[15:20], "{broken"]), mtime=0),
        "c/firehose-1-2026-11-24": gzip.compress(json.dumps(subscription).encode() * 2, mtime=0),
        "d/several.json": raw([lines[25], lines[26] + lines[27]]),
        "e/list.json": json.dumps({"kind": "EventList", "items": [json.loads(lines[28])]}, indent=1).encode(),
        "f/empty.jsonl": b"",
        "g/more.jsonl": raw(lines[29:]),
    }
    for name, content in contents.items():
        fake.put(f"x/{name}", content, headers={"Content-Encoding": "gzip"} if name.endswith("gz") else {})
        path = tmp_path / "x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    quick("s3://logs/x/", tmp_path / "remote")
    collect(str(tmp_path / "x"), tmp_path / "local")
    text = "fields @timestamp, @ingestionTime, @logStream, @log, @ptr, @message | limit 10000"
    frames = []
    for case in ("remote", "local"):
        source = FileSource(str(tmp_path / case))
        frames.append(source.run(text).frame)
        source.close()
    remote, local = frames
    assert len(remote) == 46
    local["@log"] = local["@log"].str.replace(str(tmp_path), "s3://logs", regex=False)
    assert remote.equals(local)
    manifests = [read_manifest(tmp_path / case) for case in ("remote", "local")]
    for name in ("events", "bytes", "first_ms", "last_ms", "conditions", "levels", "stages"):
        assert len({str(getattr(manifest, name)) for manifest in manifests}) == 1
    assert manifests[0].without_events == {"s3://logs/x/f/empty.jsonl": 0}


def test_the_manifest_names_the_objects(fake: FakeS3, tmp_path: Path) -> None:
    """Each object is in the manifest with its URI, size, time, SHA-256, entity tag and, where it has one, version."""
    contents = {"a.jsonl": raw(events(3)), "b.jsonl": raw(events(4, 3))}
    fake.put("a.jsonl", contents["a.jsonl"], version_id="3sL4kqtJlcpXroDTDmJ")
    fake.put("b.jsonl", contents["b.jsonl"], modified=datetime(2026, 11, 25, 13, 0, 1, tzinfo=UTC))
    manifest = quick("s3://logs", tmp_path / "case")
    assert manifest == read_manifest(tmp_path / "case")
    assert (manifest.source, manifest.left_out) == ("s3://logs", ())
    for found, (name, content) in zip(manifest.inputs, contents.items(), strict=True):
        assert (found.path, found.size) == (f"s3://logs/{name}", len(content))
        assert found.sha256 == hashlib.sha256(content).hexdigest()
        assert f'"{found.etag}"' == fake.buckets["logs"][name].etag
    assert [each.version_id for each in manifest.inputs] == ["3sL4kqtJlcpXroDTDmJ", ""]
    assert manifest.inputs[1].modified_ns == datetime(2026, 11, 25, 13, 0, 1, tzinfo=UTC).timestamp() * 1_000_000_000


def test_a_case_is_verified(fake: FakeS3, tmp_path: Path) -> None:
    """A case of objects is checked as any other, and its objects are not taken for files that are gone."""
    fake.put("a/1.jsonl", raw(events(3)))
    fake.put("a/2.jsonl", raw(events(3)))
    quick("s3://logs/a/", tmp_path / "case")
    found = verify(tmp_path / "case")
    assert (found.problems, found.changes) == ((), ("objects in S3, which were not looked at again: 2",))


def test_keys(fake: FakeS3, tmp_path: Path) -> None:
    """A key may be anything; nothing outside of the case's folder is written."""
    names = ["a b+c", "ü/%2F%25", "two//slashes", "../up", "a\nb", "&amp;<x>", "a" * 900, "x?y=z#w", "back\\slash", "…"]
    keys = [f"logs/{name}/000000.gz" for name in sorted(names)]
    for number, key in enumerate(keys):
        fake.put(key, exported(events(2, 2 * number), 2 * number))
    manifest = quick("s3://logs/logs/", tmp_path / "case")
    assert [each.path for each in manifest.inputs] == [f"s3://logs/{key}" for key in keys]
    assert ids(tmp_path / "case") == [f"id-{n}" for n in range(20)]
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


# --- which objects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [7, 1000])
def test_many_objects(fake: FakeS3, tmp_path: Path, page_size: int) -> None:
    """All pages are read, and the objects are read by key, whatever the order in which they arrive."""
    fake.page_size = page_size
    for number in range(50):
        fake.put(f"a/{number:03}.jsonl", raw(events(1, number)))
    fake.before = lambda call: time.sleep(0.02 if call.key.endswith("0.jsonl") else 0)
    quick("s3://logs/a", tmp_path / "case")
    assert ids(tmp_path / "case") == [f"id-{n}" for n in range(50)]
    assert len(fake.asked(LIST)) == -(-50 // page_size)
    assert len(fake.asked(GET)) == 50


def test_what_is_no_log(fake: FakeS3, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands beside logs is passed over, and the manifest and the command say so."""
    fake.put("a/", b"")
    fake.put("a/aws-logs-write-test", b"Permission Check Successful")
    fake.put("a/report.html", b"<html>")
    fake.put("a/manifest", b"made by hand")
    fake.put("a/1.jsonl", raw(events(2)))
    assert main(["collect", "s3://logs/a/", "--out", str(tmp_path / "case")]) == 0
    manifest = read_manifest(tmp_path / "case")
    assert [each.path for each in manifest.inputs] == ["s3://logs/a/1.jsonl"]
    assert manifest.left_out == (
        "1 object that only stands for a folder, such as s3://logs/a/.",
        "1 object that CloudWatch writes to see whether it may, such as s3://logs/a/aws-logs-write-test.",
        "1 object not named like a log, such as s3://logs/a/report.html.",
        "1 object not taken for a log by the first bytes, such as s3://logs/a/manifest.",
    )
    assert f"Left out:    {' '.join(manifest.left_out)}" in capsys.readouterr().err
    assert {call.key for call in fake.asked(GET)} == {"a/1.jsonl", "a/manifest"}


def test_a_prefix_is_a_folder(fake: FakeS3, tmp_path: Path) -> None:
    """Where a folder has the prefix for its name, others whose names only begin so are left out, and it is said."""
    fake.put("audit/1.jsonl", raw(events(1)))
    fake.put("audit-old/1.jsonl", raw(events(1, 1)))
    assert quick("s3://logs/audit", tmp_path / "folder").left_out == (
        "1 object whose name only begins with 'audit', such as s3://logs/audit-old/1.jsonl.",
    )
    assert ids(tmp_path / "folder") == ["id-0"]
    assert quick("s3://logs/aud", tmp_path / "beginning").left_out == ()
    assert ids(tmp_path / "beginning") == ["id-1", "id-0"]


def test_one_object(fake: FakeS3, tmp_path: Path) -> None:
    """An object can be named itself, and is read whatever its name is."""
    fake.put("audit.txt", raw(events(1)))
    fake.put("audit.txt.old", raw(events(1, 1)))
    quick("s3://logs/audit.txt", tmp_path / "case")
    assert ids(tmp_path / "case") == ["id-0"]


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        (
            "exports/tsk-1",
            "Did you mean s3://logs/exports/task-1/? Under s3://logs/exports/ there are: task-1/, task-2/",
        ),
        ("nothing/like/it", "Under s3://logs/ there are: exports/, other.jsonl"),
        ("exports/*.gz", "Patterns are not understood here"),
    ],
)
def test_no_object(fake: FakeS3, tmp_path: Path, prefix: str, message: str) -> None:
    """A prefix without objects is refused with the nearest names."""
    for key in ("exports/task-1/x", "exports/task-2/x", "other.jsonl"):
        fake.put(key, raw(events(1)))
    with pytest.raises(S3Error) as error:
        quick(f"s3://logs/{prefix}", tmp_path / "case")
    assert str(error.value).startswith(f"There is no object under s3://logs/{prefix}.")
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_no_object_and_no_more(fake: FakeS3, tmp_path: Path) -> None:
    """Who may list no more than the prefix is told that it has no object, all the same."""
    fake.put("exports/task-1/x", raw(events(1)))
    fake.before = lambda call: fake.forbidden.update({LIST} if call.query.get("delimiter") else set())
    with pytest.raises(S3Error) as error:
        quick("s3://logs/exports/task-2", tmp_path / "case")
    assert str(error.value) == "There is no object under s3://logs/exports/task-2."


def test_an_empty_bucket(fake: FakeS3, tmp_path: Path) -> None:
    """An empty bucket is said to be empty."""
    for source in ("s3://logs", "s3://logs/", "s3://logs/a/b"):
        with pytest.raises(S3Error, match="There is no object under .* The bucket is empty."):
            quick(source, tmp_path / "case")


def test_nothing_but_a_write_test(fake: FakeS3, tmp_path: Path) -> None:
    """An export that wrote nothing is refused, with what there is."""
    fake.put("a/aws-logs-write-test", b"x")
    with pytest.raises(S3Error, match="holds no log that is wanted. Left out: 1 object that CloudWatch writes"):
        quick("s3://logs/a", tmp_path / "case")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "s3://logs/a/1.jsonl holds no audit events: it is empty"),
        (b"{}\n{}\n", "s3://logs/a/1.jsonl holds no audit events: 2 lines were read and none is an audit event"),
    ],
)
def test_no_event(fake: FakeS3, tmp_path: Path, content: bytes, message: str) -> None:
    """Objects without an audit event are an error as files are, also when the first of them is gone from the disk."""
    fake.put("a/1.jsonl", content)
    fake.put("a/2.jsonl", b"")
    with pytest.raises(SourceError) as error:
        quick("s3://logs/a", tmp_path / "case")
    assert str(error.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_no_log_at_all(fake: FakeS3, tmp_path: Path) -> None:
    """Objects that are no logs are an error that names one."""
    fake.put("a/photo", b"\x89PNG")
    with pytest.raises(SourceError, match="s3://logs/a/photo is no log"):
        quick("s3://logs/a", tmp_path / "case")


# --- a window -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [exported, lambda lines, _: raw(lines)], ids=["export", "raw"])
def test_a_window(fake: FakeS3, tmp_path: Path, form: Any) -> None:
    """A case of a window has the events of the window, both ends too, and says how many it left out."""
    fake.put("a/1", form(events(10), 0))
    fake.put("a/2", form(events(10, 10), 10))
    manifest = quick("s3://logs/a", tmp_path / "case", stamp(TEN + 8_000), stamp(TEN + 12_000))
    assert ids(tmp_path / "case") == [f"id-{n}" for n in range(8, 13)]
    assert (manifest.events, manifest.first_ms, manifest.last_ms) == (5, TEN + 8_000, TEN + 12_000)
    assert len(manifest.inputs) == 2
    assert manifest.left_out == ("15 events outside of 2026-11-24 10:00:08.000 to 2026-11-24 10:00:12.000 UTC.",)
    assert verify(tmp_path / "case").problems == ()


def test_old_objects(fake: FakeS3, tmp_path: Path) -> None:
    """Objects that were written before the window began are not read; those of the hour before it are."""
    start = datetime.fromtimestamp(TEN / 1000, UTC)
    for number, hours in enumerate((-2, -0.5, 5)):
        fake.put(f"a/{number}.jsonl", raw(events(1, number)), modified=start + timedelta(hours=hours))
    manifest = quick("s3://logs/a", tmp_path / "case", stamp(TEN))
    assert ids(tmp_path / "case") == ["id-1", "id-2"]
    assert manifest.left_out == ("1 object written before 2026-11-24 09:00 UTC, such as s3://logs/a/0.jsonl.",)
    assert {call.key for call in fake.asked(GET)} == {"a/1.jsonl", "a/2.jsonl"}


def test_relative_times(fake: FakeS3, tmp_path: Path) -> None:
    """Relative times count from now."""
    now = datetime.now(UTC)
    times = [now - timedelta(hours=hours) for hours in (30, 2)]
    lines = [go_json(audit_event(auditID=f"id-{n}", stageTimestamp=time.isoformat())) for n, time in enumerate(times)]
    fake.put("a.jsonl", raw(lines), modified=now)
    assert main(["collect", "s3://logs/a.jsonl", "--out", str(tmp_path / "case"), "--start", "-24h"]) == 0
    assert ids(tmp_path / "case") == ["id-1"]


def test_an_empty_window(fake: FakeS3, tmp_path: Path) -> None:
    """A window without an event is an error that says where the events lie."""
    fake.put("a.jsonl", raw(events(3)))
    with pytest.raises(SourceError, match="reach from 2026-11-24 10:00:00.000 to 2026-11-24 10:00:02.000 UTC"):
        quick("s3://logs", tmp_path / "case", "", "2026-11-24")
    with pytest.raises(WindowError):
        quick("s3://logs", tmp_path / "case", "yesterday")


def test_files_are_collected_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A window is refused for files."""
    (tmp_path / "a.jsonl").write_bytes(raw(events(1)))
    assert main(["collect", str(tmp_path), "--out", str(tmp_path / "case"), "--start", "-1h"]) == 1
    assert "A case of files holds them whole" in capsys.readouterr().err


# --- what goes wrong ------------------------------------------------------------------------------------------------

PASSING = (Fault.SLOW_DOWN, Fault.INTERNAL, Fault.HANG_UP, Fault.CUT, Fault.CUT_QUIETLY)


@pytest.mark.parametrize("fault", [*PASSING, Fault.REPEAT_PAGE, Fault.LOSE_OBJECT])
def test_listing_in_trouble(fake: FakeS3, fault: Fault) -> None:
    """What goes wrong at any page is tried again, and no object is lost or counted twice."""
    fake.page_size = 4
    keys = [f"a/{number}.jsonl" for number in range(10)]
    for key in keys:
        fake.put(key, b"x")
    bucket = Bucket("logs", first_pause=0.001)
    for troubled in (range(2), range(1, 3), range(2, 4)):
        fake.calls.clear()

        def trouble(_: Call, troubled: range = troubled) -> None:
            fake.next_faults[LIST] = [fault] if len(fake.calls) in troubled else []

        fake.before = trouble
        assert [entry.key for entry in listed(bucket, "a", None).entries] == keys
        assert len(fake.calls) >= 3


@pytest.mark.parametrize("fault", PASSING)
def test_an_object_in_trouble(fake: FakeS3, tmp_path: Path, fault: Fault) -> None:
    """An object whose call fails or whose connection is lost is had all the same, and is the one that was listed."""
    content = raw(events(200))
    fake.put("a.jsonl", content)
    fake.next_faults[GET] = [fault] * 5
    bucket = Bucket("logs", first_pause=0.001)
    with closing(S3Files(bucket, listed(bucket, "", None).entries, tmp_path)) as files:
        for file in files:
            with file.open("rb") as stream:
                assert stream.read() == content
            assert files.input_of(file).sha256 == hashlib.sha256(content).hexdigest()
    calls = fake.asked(GET)
    assert len(calls) == 6
    assert {call.headers.get("if-match") for call in calls} == {fake.buckets["logs"]["a.jsonl"].etag}


def test_an_object_goes_on(fake: FakeS3, tmp_path: Path) -> None:
    """Only what is missing of an object is asked again; where all of it comes nevertheless, it is taken anew."""
    content = raw(events(2000))
    fake.put("a.jsonl", content)
    fake.next_faults[GET] = [Fault.CUT, Fault.CUT, Fault.IGNORE_RANGE]
    manifest = quick("s3://logs", tmp_path / "case")
    assert manifest.inputs[0].sha256 == hashlib.sha256(content).hexdigest()
    ranges = [int(call.headers.get("range", "bytes=0-")[6:-1]) for call in fake.asked(GET)]
    assert ranges[0] == 0 < ranges[1] < ranges[2]


@pytest.mark.parametrize(
    ("operation", "fault", "message"),
    [
        (LIST, Fault.HANG_UP, "s3:ListBucket on s3://logs/ could not be asked: Connection was closed"),
        (LIST, Fault.CUT, "s3:ListBucket on s3://logs/ failed, again and again: "),
        (LIST, Fault.LOSE_OBJECT, "again and again: a page of 0 objects says KeyCount 1, IsTruncated False"),
        (GET, Fault.SLOW_DOWN, "SlowDown: Please reduce your request rate. The account's request rate is used up"),
        (GET, Fault.CUT, "s3:GetObject on s3://logs/a.jsonl could not be asked"),
        (GET, Fault.CUT_QUIETLY, "s3:GetObject on s3://logs/a.jsonl failed, again and again: it has 1 bytes"),
    ],
)
def test_trouble_that_does_not_pass(fake: FakeS3, tmp_path: Path, operation: str, fault: Fault, message: str) -> None:
    """What does not pass is an error in the end, which names what was asked, and nothing is left."""
    fake.put("a.jsonl", b"x")
    fake.next_faults[operation] = [fault] * 100
    with pytest.raises(S3Error) as error:
        quick("s3://logs", tmp_path / "case")
    assert message in str(error.value)
    assert len(fake.asked(operation)) == 7
    assert not list(tmp_path.iterdir())


def assert_whole_or_loud(seed: int, chance: float, page_size: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Collect under all kinds of trouble at random: the case has all events, or there is an error."""
    service = FakeS3(faults=dict.fromkeys(Fault, chance), seed=seed, page_size=page_size)
    for number in range(12):
        lines = events(3, 3 * number)
        service.put(f"a/{number:02}", exported(lines, 3 * number) if number < seed % 13 else raw(lines))
    with running(service, monkeypatch), tempfile.TemporaryDirectory() as folder:
        try:
            collect_s3("s3://logs/a/", Path(folder, "case"), first_pause=0)
        except S3Error:
            assert not list(Path(folder).iterdir())
            return False
        assert ids(Path(folder, "case")) == [f"id-{n}" for n in range(36)]
        return True


@settings(max_examples=5)
@given(st.integers(0, 10**6), st.sampled_from([0.02, 0.05, 0.1, 0.3]), st.sampled_from([1, 2, 5, 1000]))
def test_any_trouble(seed: int, chance: float, page_size: int) -> None:
    """Under all kinds of trouble at random the case has every event, or there is an error; never fewer in silence."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert_whole_or_loud(seed, chance, page_size, monkeypatch)


@pytest.mark.deep
@settings(max_examples=1000, derandomize=False)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.05, 0.1, 0.3]), st.sampled_from([1, 2, 5, 1000]))
def test_any_trouble_at_length(seed: int, chance: float, page_size: int) -> None:
    """The same, for as many as a deep run has time for."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert_whole_or_loud(seed, chance, page_size, monkeypatch)


def test_trouble_is_got_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A little trouble of every kind is no error."""
    assert assert_whole_or_loud(7, 0.05, 3, monkeypatch)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (StoredObject(raw(events(3, 7))), "s3://logs/a/2.jsonl was replaced while it was being read. Collect again."),
        (None, "s3://logs/a/2.jsonl was removed after it was listed. Collect again."),
        (
            StoredObject(raw(events(3)), storage_class="GLACIER"),
            "s3://logs/a/2.jsonl is archived and cannot be read at once. Restore it",
        ),
    ],
)
def test_objects_that_change(fake: FakeS3, tmp_path: Path, changed: StoredObject | None, message: str) -> None:
    """An object that is another one when it is read, is gone or archived is an error that says what to do."""
    fake.put("a/1.jsonl", raw(events(3)))
    fake.put("a/2.jsonl", raw(events(3)))

    def change(call: Call) -> None:
        if call.key.endswith("2.jsonl"):
            fake.buckets["logs"].pop(call.key, None)
            if changed is not None:
                fake.buckets["logs"][call.key] = changed

    fake.before = change
    with pytest.raises(S3Error) as error:
        quick("s3://logs/a", tmp_path / "case")
    assert str(error.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_an_object_that_is_replaced_between_two_tries(fake: FakeS3, tmp_path: Path) -> None:
    """The second half of another object is never put behind the first half of one."""
    fake.put("a.jsonl", raw(events(2000)))
    fake.next_faults[GET] = [Fault.CUT]

    def change(call: Call) -> None:
        if "range" in call.headers:
            fake.put("a.jsonl", raw(events(2000, 5000)))

    fake.before = change
    with pytest.raises(S3Error, match="was replaced while it was being read"):
        quick("s3://logs", tmp_path / "case")


# --- who may not, and where it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "message"),
    [(LIST, "The caller needs s3:ListBucket on s3://logs/a."), (GET, "The caller needs s3:GetObject on s3://logs/a/1")],
)
def test_what_is_forbidden(fake: FakeS3, tmp_path: Path, operation: str, message: str) -> None:
    """A refusal names the IAM action that is missing, at once."""
    fake.put("a/1", raw(events(1)))
    fake.forbidden = {operation}
    with pytest.raises(S3Error, match="AccessDenied") as error:
        quick("s3://logs/a", tmp_path / "case")
    assert message in str(error.value)
    assert len(fake.asked(operation)) == 1


def test_no_bucket(fake: FakeS3, tmp_path: Path) -> None:
    """A bucket that is not there is an error that says how to find those that are."""
    with pytest.raises(S3Error, match="There is no bucket 'lgos'. `aws s3 ls` shows the buckets of your account"):
        quick("s3://lgos/a", tmp_path / "case")


@pytest.mark.parametrize("source", ["s3://", "s3:///a"])
def test_no_name(tmp_path: Path, source: str) -> None:
    """A source without a bucket says how one is written."""
    with pytest.raises(S3Error, match='The bucket has no name. Write "s3://BUCKET/PREFIX"'):
        quick(source, tmp_path / "case")


def test_a_name_that_no_bucket_has(fake: FakeS3, tmp_path: Path) -> None:
    """What boto3 refuses to ask is an error too."""
    with pytest.raises(S3Error, match="Invalid bucket name"):
        quick("s3://my bucket/a", tmp_path / "case")


def test_no_credentials(fake: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials nothing is asked, and the error says what to do."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(S3Error, match="There are no AWS credentials"):
        quick("s3://logs", tmp_path / "case")
    assert not fake.calls


def test_a_profile_that_is_not_there(fake: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not there is an error that names it."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(S3Error, match="nobody"):
        quick("s3://logs", tmp_path / "case")


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-2"])
def test_another_region(fake: FakeS3, tmp_path: Path, region: str) -> None:
    """A bucket is found in whatever region it is."""
    fake.region = region
    fake.put("a.jsonl", raw(events(2)))
    quick("s3://logs", tmp_path / "case")
    assert ids(tmp_path / "case") == ["id-0", "id-1"]


def test_no_region(fake: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No region need be set."""
    monkeypatch.delenv("AWS_REGION")
    fake.put("a.jsonl", raw(events(2)))
    quick("s3://logs", tmp_path / "case")
    assert ids(tmp_path / "case") == ["id-0", "id-1"]


def test_the_permissions_are_those_of_the_readme(fake: FakeS3, tmp_path: Path) -> None:
    """The README names the two actions that are asked for, and no call needs another one."""
    fake.put("a.jsonl", raw(events(1)))
    quick("s3://logs", tmp_path / "case")
    assert {call.operation for call in fake.calls} == {LIST, GET}
    named = re.findall(r"`(s3:\w+)`", (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8"))
    assert set(named) == {listing.ACTION, fetching.ACTION}


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_a_folder_that_is_taken(fake: FakeS3, tmp_path: Path) -> None:
    """A folder with something in it is refused before anything is asked."""
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "mine").write_text("mine")
    with pytest.raises(SourceError, match="is there already"):
        quick("s3://logs", tmp_path / "case")
    assert not fake.calls


def test_what_is_on_the_disk(fake: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the objects only a few are on the disk at any time, whatever their number, and none in the end."""
    monkeypatch.setattr(fetching, "_AHEAD", 3)
    for number in range(40):
        fake.put(f"a/{number:02}", exported(events(5, 5 * number), 5 * number))
    seen: list[int] = []
    fake.before = lambda _: seen.append(len(list(tmp_path.glob(".case-*/scratch/*"))))
    quick("s3://logs/a", tmp_path / "case")
    assert 1 < max(seen) <= 5
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_raw_objects_that_are_none(fake: FakeS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many objects turn out to be no plain lines behind their first one, they are read a few times at most."""
    lines = iter(events(60))
    for number in range(20):
        fake.put(f"a/{number:02}", raw([next(lines), next(lines) + next(lines)]))
    quick("s3://logs/a", tmp_path / "case")
    assert ids(tmp_path / "case") == [f"id-{n}" for n in range(60)]
    assert len(fake.asked(GET)) <= 20 * (writer._MOST_UNFIT + 1)


@pytest.mark.parametrize("stopped_at", [LIST, GET])
def test_interrupted(fake: FakeS3, tmp_path: Path, stopped_at: str) -> None:
    """Ctrl-C ends it at once, in one line, and leaves nothing behind."""
    for number in range(30):
        fake.put(f"a/{number:02}", raw(events(10)))
    reached, go_on = threading.Event(), threading.Event()

    def wait(call: Call) -> None:
        if call.operation == stopped_at and not call.key.endswith(("00", "01", "02")):
            reached.set()
            go_on.wait(5)

    fake.before = wait
    command = [sys.executable, "-m", "eks_audit_nb.cli", "collect", "s3://logs/a", "--out", str(tmp_path / "case")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert reached.wait(20)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        threading.Timer(0.5, go_on.set).start()
        _, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert error == "eks-audit: interrupted\n"
    assert not list(tmp_path.iterdir())


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command(fake: FakeS3, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the case's folder, and says what is in it; the case is a source."""
    fake.put("a/1.jsonl", raw([*events(3), "{broken"]))
    assert main(["collect", "s3://logs/a/", "--out", str(tmp_path / "case")]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'case'}\n"
    manifest = read_manifest(tmp_path / "case")
    for name, value in described(manifest).items():
        assert f"{name + ':':12} {value}\n" in captured.err
    assert main(["query", str(tmp_path / "case"), "stats count(*) as n", "--format", "csv"]) == 3
    assert capsys.readouterr().out.split() == ["n", "4"]


def test_an_object_that_breaks_off(fake: FakeS3, tmp_path: Path) -> None:
    """An object whose compressed data is cut in S3 itself makes the case incomplete: exit code 3."""
    fake.put("a/1.gz", exported(events(500))[:-200])
    assert main(["collect", "s3://logs/a/", "--out", str(tmp_path / "case")]) == 3
    manifest = read_manifest(tmp_path / "case")
    assert manifest.broken_files == ("s3://logs/a/1.gz",)
    assert 0 < manifest.events < 500


def test_s3_is_collected_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A query over S3 is refused with the command that makes a case."""
    assert main(["query", "s3://logs/a", "fields verb"]) == 1
    assert capsys.readouterr().err == (
        "eks-audit: Objects in S3 are read once, into a case: "
        "eks-audit collect s3://logs/a --out CASE. Then ask CASE.\n"
    )
