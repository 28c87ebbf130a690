"""The files that a name means: itself, a folder, a pattern; and what is said where it means none."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from eks_audit_nb.case.collecting import collect_files
from eks_audit_nb.errors import SourceError
from eks_audit_nb.reading.finding import find_files

from conftest import audit_event

WHOLE = json.dumps(audit_event())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with logs on two levels, and with files that are none."""
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.json.gz", "deep/c.log", "d.ndjson", "notes.txt", ".hidden.jsonl"):
        (tmp_path / name).write_text(WHOLE)
    return tmp_path


def named(folder: Path, name: str, content: bytes = WHOLE.encode()) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_folder(folder: Path) -> None:
    """A folder stands for the logs in it and below it, sorted, without hidden and other files."""
    names = [str(path.relative_to(folder)) for path in find_files(str(folder))]
    assert names == ["a.json.gz", "b.jsonl", "d.ndjson", "deep/c.log"]


def test_cases_among_the_logs(tmp_path: Path) -> None:
    """A case in the folder of its logs, and what is left of one whose making was ended, are none of the logs."""
    log = named(tmp_path, "audit.jsonl")
    collect_files(str(tmp_path), tmp_path / "case")
    named(tmp_path, ".case-x7/plain/part-00001")
    assert find_files(str(tmp_path)) == [log]
    assert collect_files(str(tmp_path), tmp_path / "again").events == 1
    manifest = named(tmp_path, "mine/manifest.json")  # the name alone makes no case
    assert find_files(str(tmp_path)) == [log, manifest]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("task/kube-apiserver-audit-0/000000.gz", gzip.compress(WHOLE.encode(), mtime=0)),
        ("task/kube-apiserver-audit-0/000000", f"2026-11-24T22:30:00.123Z {WHOLE}".encode()),
        ("stream-1-2026-11-24-22-30-00-d4e5f6a7", gzip.compress(WHOLE.encode(), mtime=0)),
        ("eks.audit-1-2026-11-24-22-30-00-d4e5f6a7", f"{WHOLE}{WHOLE}".encode()),
        ("bom", b"\xef\xbb\xbf\n" + WHOLE.encode()),
        ("kinesis", b"H4sIAAAA"),
        ("logs-insights-results.csv", b"@timestamp,@message\n"),
        ("logs-insights-results.csv.gz", gzip.compress(b'"@message"\n', mtime=0)),
    ],
    ids=["export", "export unpacked", "Firehose packed", "Firehose", "BOM", "Kinesis", "CSV", "CSV packed"],
)
def test_logs_without_a_suffix(tmp_path: Path, name: str, content: bytes) -> None:
    """In a folder, files with no suffix and CSV files are logs where they begin like one."""
    named(tmp_path, name, content)
    assert find_files(str(tmp_path)) == [tmp_path / name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("aws-logs-write-test", b"Permission Check Successful"),
        ("aws-logs-write-test", WHOLE.encode()),
        ("LICENSE", b"Apache License"),
        ("people.csv", b"login,name\nalice,Alice A.\n"),
        ("data.parquet", WHOLE.encode()),
        ("logs.tar.gz", gzip.compress(WHOLE.encode(), mtime=0)),
        ("empty", b""),
    ],
    ids=["write test", "its name", "text", "other CSV", "other suffix", "archive", "empty"],
)
def test_other_files_of_a_folder(tmp_path: Path, name: str, content: bytes) -> None:
    """In a folder, what CloudWatch leaves beside an export is no log, and neither is what does not begin like one."""
    named(tmp_path, name, content)
    with pytest.raises(SourceError, match="holds no audit log"):
        find_files(str(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("?.jsonl", ["b.jsonl"]), ("[ab].*", ["a.json.gz", "b.jsonl"]), ("**/c.log", ["deep/c.log"])],
)
def test_glob(folder: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, names: list[str]) -> None:
    """A glob stands for the files that it matches, from the working folder or from the root."""
    monkeypatch.chdir(folder)
    assert find_files(pattern) == [Path(name) for name in names]
    assert find_files(str(folder / pattern)) == [folder / name for name in names]


def test_a_name_with_glob_signs(tmp_path: Path) -> None:
    """A file that is there is meant by its name, even where the name could be a pattern."""
    path = named(tmp_path, "audit[1].jsonl")
    assert find_files(str(path)) == [path]


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde stands for the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = named(tmp_path, "audit.jsonl")
    assert find_files("~/audit.jsonl") == [path]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("no/such/file.jsonl", "There is no file or folder 'no/such/file.jsonl'. Give a file"),
        ("fields @timestamp" + "x" * 500, "cannot be read: File name too long. Give a file"),
        ("nul\0", "There is no file or folder"),
        ("empty", "'empty' holds no audit log: expected a file that ends in .jsonl"),
        ("empty/*.jsonl", "'empty/\\*.jsonl' holds no audit log: expected a file that the pattern matches"),
    ],
)
def test_no_such_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, message: str) -> None:
    """A name behind which there is no log is refused with a sentence that says what to give instead."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=message):
        find_files(where)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    """A file whose name no answer could hold is refused, alone and in a folder, and the message can be printed."""
    path = tmp_path / os.fsdecode(b"audit-\xff.jsonl")
    try:
        path.write_text(WHOLE)
    except OSError:
        pytest.skip("this disk takes no such name")
    for where in (path, tmp_path):
        with pytest.raises(SourceError, match=r"'audit-\\udcff\.jsonl' is the name of a file and no UTF-8\. Rename"):
            find_files(str(where))


def test_a_folder_that_is_no_more_than_a_suffix(tmp_path: Path) -> None:
    """A folder with a log's suffix is no log, and what is in it is."""
    path = named(tmp_path, "all.jsonl/a.jsonl")
    assert find_files(str(tmp_path)) == [path]
    assert find_files(str(tmp_path / "*" / "*.jsonl")) == [path]
