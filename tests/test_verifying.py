"""A case is checked: each kind of damage is found and told, and what became of the inputs is told apart."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eks_audit_nb.case.cache import cached_case
from eks_audit_nb.case.collecting import collect_files
from eks_audit_nb.case.manifest import NAME
from eks_audit_nb.case.store import CaseStore
from eks_audit_nb.case.verifying import verify
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.errors import SourceError
from eks_audit_nb.insights import parse

from conftest import audit_event
from logs import go_json, stamp

FILES = (
    "blocks.parquet",
    "part-00001.jsonl.zst",
    "part-00001.odd.parquet",
    "part-00001.parquet",
    "part-00002.odd.parquet",
)
TEN = 1_795_514_400_000


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw log with a line that is no JSON, a reply of the service, and the case of both."""
    folder = tmp_path_factory.mktemp("collected")
    (folder / "logs").mkdir()
    lines = [go_json(audit_event(auditID=str(number), stageTimestamp=stamp(TEN + number))) for number in range(50)]
    (folder / "logs" / "a.jsonl").write_text("\n".join([*lines, "{broken"]))
    reply = [{"timestamp": TEN + number, "message": lines[number]} for number in range(9)]
    (folder / "logs" / "b.json").write_text(json.dumps({"events": reply}))
    collect_files(str(folder / "logs"), folder / "case")
    return folder


@pytest.fixture
def case(collected: Path, tmp_path: Path) -> Path:
    """A copy of the case, to be damaged."""
    return Path(shutil.copytree(collected / "case", tmp_path / "case"))


def change_manifest(case: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((case / NAME).read_text())
    change(content)
    (case / NAME).write_text(json.dumps(content))


def test_a_whole_case(case: Path) -> None:
    """A case as it was collected has no problem and no change, and its manifest a hash to be noted elsewhere."""
    assert sorted(path.name for path in case.iterdir()) == sorted([NAME, *FILES])
    found = verify(case)
    assert (found.problems, found.changes) == ((), ())
    assert found.manifest.events == 60
    assert found.manifest_sha256 == hashlib.sha256((case / NAME).read_bytes()).hexdigest()


def test_asking_changes_nothing(case: Path) -> None:
    """A case that was asked is still whole."""
    store = CaseStore(case)
    for text in ("fields @message", "stats count(*) by verb", "filter verb = 'get' | fields @message"):
        store.ask(parse(text), None)
    store.close()
    assert verify(case).problems == ()


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_changed_byte(case: Path, name: str, place: float) -> None:
    """A byte that has changed anywhere in a file is found, and the file named."""
    data = bytearray((case / name).read_bytes())
    data[min(len(data) - 1, int(place * len(data)))] ^= 1
    (case / name).write_bytes(data)
    assert f"{name} has changed: its SHA-256 is another one." in verify(case).problems


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(case: Path, name: str) -> None:
    """A file that is missing is named."""
    (case / name).unlink()
    assert f"{name} is missing." in verify(case).problems


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file(case: Path, name: str) -> None:
    """A folder is no file, whatever its name."""
    (case / name).unlink()
    (case / name).mkdir()
    assert f"{name} is missing." in verify(case).problems


def test_a_file_too_many(case: Path) -> None:
    """A file that was not collected is named, and harms nothing else."""
    (case / "notes.txt").write_text("mine")
    (case / "more").mkdir()
    assert verify(case).problems == (
        "more does not belong to the case.",
        "notes.txt does not belong to the case.",
    )


def _drop_hash(content: dict[str, Any]) -> None:
    del content["sha256"]["blocks.parquet"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content.update(events=59), "The case holds 60 events; the manifest says 59."),
        (lambda content: content.update(bytes=1), "events of other sizes than the manifest says"),
        (lambda content: content.update(first_ms=1), "events of other times than the manifest says"),
        (lambda content: content.update(last_ms=TEN), "events of other times than the manifest says"),
        (lambda content: content.update(conditions={"": 60}), "events of other conditions than the manifest says"),
        (lambda content: content["levels"].update(Metadata=1), "events of other levels than the manifest says"),
        (lambda content: content.update(stages={}, bytes=1), "events of other stages, sizes than the manifest says"),
        (
            lambda content: content["parts"][0].update(lines=50),
            "part-00001 has 51 rows and 51 lines; the manifest says 50",
        ),
        (lambda content: content["parts"][0].update(has_odd=False), "part-00001 has 50 rows and 51 lines"),
        (lambda content: content["parts"][0].update(last_ms=TEN), "part-00001 has events of other times than"),
        (lambda content: content["parts"][1].update(first_ms=TEN + 5), "part-00002 has events of other times than"),
        (lambda content: content["parts"].pop(), "The case holds 51 events; the manifest says 60."),
        (lambda content: content["sha256"].update({"blocks.parquet": "0" * 64}), "blocks.parquet has changed"),
        (lambda content: content["sha256"].update({"more.parquet": "0" * 64}), "more.parquet is missing"),
        (_drop_hash, "blocks.parquet does not belong to the case"),
        (lambda content: content.update(sha256={}), "The manifest has no hashes"),
    ],
)
def test_a_changed_manifest(case: Path, change: Callable[[dict[str, Any]], None], problem: str) -> None:
    """A manifest that says other things of the files than they hold is found out."""
    change_manifest(case, change)
    found = verify(case)
    assert any(problem in each for each in found.problems), found.problems


def test_files_with_hashes_that_fit(case: Path) -> None:
    """Lines that were taken out are found by their number, even where the hashes were made to fit."""
    name = "part-00001.jsonl.zst"
    (case / name).write_bytes((case / name).read_bytes()[:0])
    digest = hashlib.sha256(b"").hexdigest()
    change_manifest(case, lambda content: content["sha256"].update({name: digest}))
    assert verify(case).problems == ("part-00001 has 51 rows and 0 lines; the manifest says 51.",)


def test_damage_is_told_once_a_part(case: Path) -> None:
    """A part that cannot be read stops no other from being checked."""
    (case / "part-00001.parquet").write_bytes(b"")
    problems = verify(case).problems
    assert problems[0] == "part-00001.parquet has changed: its SHA-256 is another one."
    assert problems[1].startswith("part-00001 cannot be read: ")
    assert problems[2] == "The case holds 9 events; the manifest says 60."
    assert len(problems) == 3


@pytest.mark.parametrize("content", [None, "", "{}"])
def test_no_manifest(case: Path, content: str | None) -> None:
    """Without a manifest that can be read nothing can be checked, which is an error."""
    (case / NAME).unlink()
    if content is not None:
        (case / NAME).write_text(content)
    with pytest.raises(SourceError, match=r"manifest\.json"):
        verify(case)


def test_a_case_from_the_cache(collected: Path) -> None:
    """A case that was made on the way has no hashes, and is not taken for one that was collected."""
    files = [collected / "logs" / "a.jsonl"]
    case = cached_case(files, lambda begun: write_case(files, begun, "test", with_hashes=False))
    assert verify(case).problems[0].startswith("The manifest has no hashes: this is a case from a cache")


# --- inputs ---------------------------------------------------------------------------------------------------------


def test_inputs_that_changed(tmp_path: Path) -> None:
    """Inputs that have changed or are gone are told, and are no problem of the case."""
    logs, case = tmp_path / "logs", tmp_path / "case"
    logs.mkdir()
    text = f"{go_json(audit_event())}\n"
    one, two = logs / "a.jsonl", logs / "b.jsonl"
    for path in (one, two):
        path.write_text(text)
    collect_files(str(logs), case)
    one.write_text(text.replace("alice", "alicf"))
    two.unlink()
    found = verify(case)
    assert found.problems == ()
    assert found.changes == (f"{one} has changed since.", f"{two} is not there any more.")
    one.write_text(text * 2)
    assert verify(case).changes[0] == f"{one} has changed since."
    one.write_text(text)
    assert len(verify(case).changes) == 1
