"""Cases that are made on the way: found again, made anew where the log has changed, and dropped in their time."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eks_audit_nb.case.cache import cached_case, has_case
from eks_audit_nb.case.manifest import NAME, is_case, read_manifest
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

MakeLog = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, which is not there yet."""
    monkeypatch.setenv("EKS_AUDIT_CACHE", str(tmp_path / "a" / "cache"))
    monkeypatch.delenv("EKS_AUDIT_CACHE_GB", raising=False)
    return tmp_path / "a" / "cache"


def case_of(*files: Path) -> Path:
    return cached_case(list(files), lambda begun: write_case(list(files), begun, "test", with_hashes=False))


def nothing(begun: Path) -> None:
    pytest.fail(f"made again in {begun}")


def asked_before(case: Path, seconds: float) -> None:
    """Make a case one that was asked for so long ago."""
    moment = time.time() - seconds
    os.utime(case / NAME, (moment, moment))


# --- found again ----------------------------------------------------------------------------------------------------


def test_a_case_is_made_once(cache: Path, make_log: MakeLog) -> None:
    """The case of a log is made when it is asked for first, and found afterwards."""
    log = make_log(audit_event())
    assert not has_case([log])
    case = case_of(log)
    assert has_case([log])
    assert case.parent == cache
    assert read_manifest(case).events == 1
    assert cached_case([log], nothing) == case
    assert [path.name for path in cache.iterdir()] == [case.name]


def test_being_asked_is_remembered(cache: Path, make_log: MakeLog) -> None:
    """A case that is asked for is the last one to be dropped."""
    log = make_log(audit_event())
    case = case_of(log)
    asked_before(case, 9999)
    cached_case([log], nothing)
    assert time.time() - (case / NAME).stat().st_mtime < 60


def test_a_changed_log_is_a_new_case(cache: Path, make_log: MakeLog) -> None:
    """A file of another size or time of change has another case, and with its old ones it has the old one again."""
    log = make_log(audit_event())
    case, facts = case_of(log), log.stat()
    os.utime(log, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert not has_case([log])
    later = case_of(log)
    log.write_text(log.read_text() * 2)
    os.utime(log, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert not has_case([log])
    longer = case_of(log)
    assert [read_manifest(each).events for each in (case, later, longer)] == [1, 1, 2]
    assert len({case, later, longer}) == 3
    make_log(audit_event())
    os.utime(log, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert cached_case([log], nothing) == case


def test_other_files_are_other_cases(cache: Path, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in another order or number are another case, by whatever path they are named the same one."""
    one, two = make_log(audit_event(), name="1.jsonl"), make_log(audit_event(verb="list"), name="2.jsonl")
    assert len({case_of(one), case_of(two), case_of(one, two), case_of(two, one)}) == 4
    monkeypatch.chdir(one.parent)
    assert cached_case([Path("1.jsonl")], nothing) == case_of(one)


def test_a_source_follows_its_log(cache: Path, make_log: MakeLog) -> None:
    """A log that has grown is asked whole when it is opened again."""
    log = make_log(audit_event())
    assert len(FileSource(str(log)).run("fields verb").frame) == 1
    make_log(audit_event(), audit_event())
    assert len(FileSource(str(log)).run("fields verb").frame) == 2


def test_only_for_its_owner(cache: Path, make_log: MakeLog) -> None:
    """Nobody else may look into the cache."""
    case = case_of(make_log(audit_event()))
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(case.stat().st_mode) == 0o700


def test_a_part_of_a_case_is_replaced(cache: Path, make_log: MakeLog) -> None:
    """What is left of a case that was dropped in part is in nobody's way."""
    log = make_log(audit_event())
    case = case_of(log)
    (case / NAME).unlink()
    assert not has_case([log])
    assert case_of(log) == case
    assert is_case(case)


# --- two at once ----------------------------------------------------------------------------------------------------

_MAKER = """
import sys, time
from pathlib import Path
from eks_audit_nb.case.cache import cached_case
from eks_audit_nb.case.store import CaseStore
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.insights import parse
log, meeting, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def make(begun):
    write_case([log], begun, "test", with_hashes=False)
    (meeting / name).touch()
    while len(list(meeting.iterdir())) < 2:
        time.sleep(0.01)

store = CaseStore(cached_case([log], make))
print(store.ask(parse("fields @message"), None).rows)
"""


def test_two_processes_at_once(cache: Path, tmp_path: Path, make_log: MakeLog) -> None:
    """Two processes that make the case of one log at the same time both get a whole one, and leave one."""
    log = make_log(*[audit_event(auditID=str(number)) for number in range(500)])
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKER, str(log), str(meeting), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    said = [maker.communicate(timeout=60) for maker in makers]
    assert said == [("500\n", "")] * 2
    (case,) = cache.iterdir()
    assert cached_case([log], nothing) == case


# --- what cannot be written -----------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written(
    make_log: MakeLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cache that cannot be written is an error that names the folder and how to name another one."""
    log = make_log(audit_event())
    monkeypatch.setenv("EKS_AUDIT_CACHE", str(log / "below"))
    with pytest.raises(SourceError, match=r"cannot be written into .*below: .*variable EKS_AUDIT_CACHE"):
        FileSource(str(log))
    from eks_audit_nb.cli import main

    assert main(["query", str(log), "fields verb"]) == 1
    assert capsys.readouterr().err.startswith("eks-audit: The case of this log cannot be written into")


def test_a_case_in_a_cache_that_can_only_be_read(
    cache: Path, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that is there is asked, where nothing can be noted beside it."""
    log = make_log(audit_event())
    case = case_of(log)

    def refused(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(os, "utime", refused)
    assert cached_case([log], nothing) == case


def test_an_error_while_a_case_is_made(cache: Path, make_log: MakeLog) -> None:
    """Where making a case fails nothing of it is kept."""
    log = make_log("no JSON")
    with pytest.raises(SourceError, match="holds no audit events"):
        case_of(log)

    def interrupted(begun: Path) -> None:
        (begun / NAME).write_text("half of it")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_case([log], interrupted)
    assert list(cache.iterdir()) == []
    assert not has_case([log])


def test_a_full_disk(cache: Path, make_log: MakeLog) -> None:
    """A full disk is told as such."""

    def fill(begun: Path) -> None:
        with (begun / NAME).open("wb"), Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(SourceError, match=r"The disk is full\. Name another folder"):
        cached_case([make_log(audit_event())], fill)
    assert list(cache.iterdir()) == []


def test_the_log_itself_cannot_be_read(cache: Path, make_log: MakeLog) -> None:
    """An error of the log is not told as one of the cache."""
    log = make_log(audit_event())

    def vanish(begun: Path) -> None:
        log.unlink()
        log.open().close()

    with pytest.raises(FileNotFoundError):
        cached_case([log], vanish)


# --- what is dropped ------------------------------------------------------------------------------------------------


def test_the_oldest_is_dropped(cache: Path, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the cases go that nobody asked for longest, as many as have to."""
    logs = [make_log(audit_event(verb=str(number)), name=f"{number}.jsonl") for number in range(5)]
    cases = [case_of(log) for log in logs[:4]]
    for case, hours in zip(cases, (5, 9, 2, 7), strict=True):
        asked_before(case, hours * 3600)
    size = sum(file.stat().st_size for file in cases[0].iterdir())
    monkeypatch.setenv("EKS_AUDIT_CACHE_GB", str(size * 3.5 / 1e9))
    newest = case_of(logs[4])
    assert set(cache.iterdir()) == {cases[0], cases[2], newest}
    assert [has_case([log]) for log in logs] == [True, False, True, False, True]


def test_what_was_asked_within_the_hour_is_kept(
    cache: Path, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that was asked for within the hour may be in use, and stays whatever the limit."""
    logs = [make_log(audit_event(verb=str(number)), name=f"{number}.jsonl") for number in range(4)]
    cases = [case_of(log) for log in logs[:3]]
    for case, minutes in zip(cases, (1, 59, 61), strict=True):
        asked_before(case, minutes * 60)
    monkeypatch.setenv("EKS_AUDIT_CACHE_GB", "0")
    assert set(cache.iterdir()) == set(cases)
    newest = case_of(logs[3])
    assert set(cache.iterdir()) == {cases[0], cases[1], newest}


def test_nothing_is_dropped_below_the_limit(cache: Path, make_log: MakeLog) -> None:
    """Below 20 gigabytes the oldest case stays."""
    case = case_of(make_log(audit_event(), name="1.jsonl"))
    asked_before(case, 10**8)
    case_of(make_log(audit_event(), name="2.jsonl"))
    assert is_case(case)


def test_abandoned_folders(cache: Path, make_log: MakeLog) -> None:
    """A folder that was begun and not finished is dropped after a day, and not before: it may be worked on."""
    case_of(make_log(audit_event(), name="1.jsonl"))
    for name, hours in ((".begun-old", 25), (".begun-new", 23)):
        (cache / name).mkdir()
        (cache / name / "part-00001.parquet").write_text("half")
        os.utime(cache / name, (time.time() - hours * 3600,) * 2)
    (cache / "notes.txt").write_text("of somebody")
    case_of(make_log(audit_event(), name="2.jsonl"))
    names = {path.name for path in cache.iterdir()}
    assert ".begun-new" in names
    assert ".begun-old" not in names
    assert "notes.txt" in names


@pytest.mark.parametrize("limit", ["many", "-1", "20GB", "nan", " "])
def test_a_limit_that_is_no_number(cache: Path, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A limit that is no number of gigabytes is an error that quotes it."""
    monkeypatch.setenv("EKS_AUDIT_CACHE_GB", limit)
    with pytest.raises(SourceError, match=f"EKS_AUDIT_CACHE_GB is '{limit}'. Give a number of gigabytes"):
        case_of(make_log(audit_event()))


def test_the_usual_place(tmp_path: Path, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name of its own the cache is in the user's cache folder, and a tilde stands for the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("EKS_AUDIT_CACHE", "")
    if sys.platform == "linux":
        assert case_of(make_log(audit_event())).parent == tmp_path / "xdg" / "eks-audit"
    monkeypatch.setenv("EKS_AUDIT_CACHE", "~/cases")
    assert case_of(make_log(audit_event())).parent == tmp_path / "home" / "cases"
