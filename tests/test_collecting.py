"""A lasting case: whole or not at all, with what it was made from."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from eks_audit_nb.case.collecting import collect_files
from eks_audit_nb.case.manifest import NAME, described, read_manifest
from eks_audit_nb.case.verifying import verify
from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

MakeLog = Callable[..., Path]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def log(make_log: MakeLog) -> Path:
    """Two events and a line that is no JSON."""
    return make_log(audit_event(), "{broken", audit_event(verb="list", level="Request"))


def test_what_was_collected_is_recorded(log: Path, tmp_path: Path) -> None:
    """The manifest has the hash of each input and of each file, what is in them, and who wrote it."""
    out = tmp_path / "deep" / "case"
    manifest = collect_files(str(log), out)
    assert read_manifest(out) == manifest
    (given,) = manifest.inputs
    facts = log.stat()
    assert (given.path, given.size, given.modified_ns, given.sha256) == (
        str(log),
        facts.st_size,
        facts.st_mtime_ns,
        sha256(log),
    )
    assert manifest.sha256 == {path.name: sha256(path) for path in out.iterdir() if path.name != NAME}
    assert (manifest.events, manifest.conditions) == (3, {"": 2, "unreadable": 1})
    assert (manifest.levels, manifest.stages) == (
        {"": 1, "Metadata": 1, "Request": 1},
        {"": 1, "ResponseComplete": 2},
    )
    assert manifest.bytes == sum(map(len, log.read_bytes().splitlines()))
    assert manifest.source == str(log)
    assert manifest.made_by.startswith("eks-audit-nb ")


def test_a_manifest_is_described(log: Path, tmp_path: Path) -> None:
    """What a case is stands in a few lines."""
    lines = described(collect_files(str(log), tmp_path / "case"))
    assert lines == {
        "Source": f"{log} (1 files)",
        "Window": "2026-11-24 10:00:00.123 to 2026-11-24 10:00:00.123 UTC",
        "Events": "3, 0.0 MB of text, 1 unreadable",
        "Levels": "none 1, Metadata 1, Request 1",
        "Stages": "none 1, ResponseComplete 2",
    }


def test_a_case_is_a_source(log: Path, tmp_path: Path) -> None:
    """A case answers as the log did, also when the log is gone and the case lies elsewhere."""
    query = "fields @timestamp, verb, @ptr, @log, @message"
    wanted = FileSource(str(log)).run(query)
    collect_files(str(log), tmp_path / "case")
    log.unlink()
    (tmp_path / "case").rename(tmp_path / "moved")
    found = FileSource(str(tmp_path / "moved")).run(query)
    assert found.frame.equals(wanted.frame)
    assert (found.reasons, found.statistics, found.window) == (wanted.reasons, wanted.statistics, wanted.window)


def test_inputs_have_their_whole_path(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs are recorded by the whole of their path, and the source as it was given."""
    monkeypatch.chdir(tmp_path)
    manifest = collect_files(log.name, Path("case"))
    assert manifest.inputs[0].path == str(log)
    assert manifest.source == log.name
    assert FileSource("case").run("fields verb").statistics.events_scanned == 3


def test_several_files(tmp_path: Path) -> None:
    """A folder is one case, with what is missing in it."""
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = "\n".join(json.dumps(audit_event(userAgent=str(number**9))) for number in range(99)).encode()
    (logs / "a.jsonl").write_bytes(lines)
    (logs / "b.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0)[:-300])
    (logs / "c.jsonl").write_bytes(b"")
    manifest = collect_files(str(logs), tmp_path / "case")
    assert [Path(given.path).name for given in manifest.inputs] == ["a.jsonl", "b.jsonl.gz", "c.jsonl"]
    assert manifest.broken_files == (str(logs / "b.jsonl.gz"),)
    assert manifest.without_events == {str(logs / "c.jsonl"): 0}
    assert described(manifest)["Incomplete"].startswith(f"The compressed data of {logs / 'b.jsonl.gz'} is cut")
    assert not verify(tmp_path / "case").problems


# --- whole or not at all --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "folder/x", NAME])
def test_a_folder_with_something_in_it(log: Path, tmp_path: Path, name: str) -> None:
    """A folder with anything in it is refused, and left as it was."""
    path = tmp_path / "case" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(SourceError, match=r"case is there already\. Give --out a folder that is not there"):
        collect_files(str(log), tmp_path / "case")
    assert [each for each in (tmp_path / "case").rglob("*") if each.is_file()] == [path]
    assert path.read_text() == "mine"


def test_a_file_in_the_place_of_the_case(log: Path) -> None:
    """A file is not written over."""
    before = log.read_bytes()
    with pytest.raises(SourceError, match="is there already"):
        collect_files(str(log), log)
    assert log.read_bytes() == before


def test_an_empty_folder(log: Path, tmp_path: Path) -> None:
    """An empty folder is taken."""
    (tmp_path / "case").mkdir()
    collect_files(str(log), tmp_path / "case")
    assert not verify(tmp_path / "case").problems


def test_a_case_is_not_collected_again(log: Path, tmp_path: Path) -> None:
    """A case as the source is refused: it can be copied."""
    collect_files(str(log), tmp_path / "case")
    with pytest.raises(SourceError, match=r"is a case already\. Copy the folder"):
        collect_files(str(tmp_path / "case"), tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON\n", "holds no audit events"),
        ('{"status": "Complete", "results": [[{"field": "verb", "value": "get"}]]}\n', "without @message"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_nothing_is_left_of_a_case_that_failed(tmp_path: Path, content: str, message: str, is_there: bool) -> None:
    """Where the log cannot be read to its end no part of the case is left, nor a folder that was not there."""
    logs, out = tmp_path / "logs", tmp_path / "out" / "case"
    logs.mkdir()
    if "no JSON" not in content:
        (logs / "a.jsonl").write_text(f"{json.dumps(audit_event())}\n")
    (logs / "b.jsonl").write_text(content)
    if is_there:
        out.mkdir(parents=True)
    with pytest.raises(SourceError, match=message):
        collect_files(str(logs), out)
    assert out.exists() == is_there
    assert list(out.parent.iterdir()) == ([out] if is_there else [])


def test_a_folder_that_cannot_be_written(log: Path) -> None:
    """A place where nothing can be written is an error that names it."""
    with pytest.raises(SourceError, match=r"The case cannot be written to .*audit\.jsonl/case: .*File exists"):
        collect_files(str(log), log / "case")


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    """A log that is not there is an error before anything is written."""
    with pytest.raises(SourceError, match="There is no file or folder"):
        collect_files(str(tmp_path / "none"), tmp_path / "out" / "case")
    assert not (tmp_path / "out").exists()


def test_others_may_read_a_case(log: Path, tmp_path: Path) -> None:
    """A case is handed on: the folder can be read by others, as a folder that a user makes."""
    collect_files(str(log), tmp_path / "case")
    mode = stat.S_IMODE((tmp_path / "case").stat().st_mode)
    assert mode == 0o755
    assert os.access(tmp_path / "case" / NAME, os.R_OK)
