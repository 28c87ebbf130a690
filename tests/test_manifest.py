"""A manifest comes back as it was written, and one that cannot be read is refused with what to do next."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.case.manifest import (
    FORMAT,
    NAME,
    Input,
    Manifest,
    Part,
    described,
    doubts_of,
    is_case,
    read_manifest,
)
from eks_audit_nb.engine.rows import Segment
from eks_audit_nb.errors import SourceError

SMALL = Manifest(
    source="audit.jsonl",
    inputs=(Input("audit.jsonl", 1000, 5), Input("more.jsonl.gz", 200, 6)),
    parts=(Part("part-00001", 0, 1234, 1_795_514_400_123, 1_795_518_000_999, 100, (Segment(0, "audit.jsonl", "s"),)),),
    events=1234,
    bytes=2_500_000,
    first_ms=1_795_514_400_123,
    last_ms=1_795_518_000_999,
    conditions={"": 1230, "truncated": 3, "foreign": 1},
    levels={"": 4, "Metadata": 1230},
    stages={"ResponseComplete": 1234},
)

numbers = st.integers(0, 2**62)
names = st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.dictionaries(names, numbers, max_size=3)
segments = st.builds(Segment, numbers, names, names)
manifests = st.builds(
    Manifest,
    source=names,
    inputs=st.lists(st.builds(Input, names, numbers, numbers, names, names, names), max_size=3).map(tuple),
    parts=st.lists(
        st.builds(
            *(Part, names, numbers, numbers, numbers, numbers, numbers),
            st.lists(segments, max_size=3).map(tuple),
            st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    events=numbers,
    bytes=numbers,
    first_ms=st.none() | st.integers(-(2**40), 2**40),
    last_ms=st.none() | st.integers(-(2**40), 2**40),
    conditions=counts,
    levels=counts,
    stages=counts,
    broken_files=st.lists(names, max_size=2).map(tuple),
    without_events=counts,
    doubts=st.lists(names, max_size=2).map(tuple),
    left_out=st.lists(names, max_size=2).map(tuple),
    sha256=st.dictionaries(names, names, max_size=2),
    format=st.just(FORMAT),
    made_by=names,
)


def changed(folder: Path, **changes: object) -> None:
    SMALL.write(folder)
    content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    content.update(changes)
    (folder / NAME).write_text(json.dumps({key: value for key, value in content.items() if value != "taken out"}))


@settings(max_examples=30)
@given(manifests)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> None:
    """What was written is read again, whatever the names in it."""
    folder = tmp_path_factory.getbasetemp()
    manifest.write(folder)
    assert read_manifest(folder) == manifest


def test_a_manifest_of_before(tmp_path: Path) -> None:
    """A case that was made before inputs had entity tags, and before anything was left out, is read as ever."""
    inputs = [{"path": each.path, "size": each.size, "modified_ns": each.modified_ns} for each in SMALL.inputs]
    changed(tmp_path, inputs=inputs, left_out="taken out")
    assert read_manifest(tmp_path) == SMALL


def test_what_was_left_out(tmp_path: Path) -> None:
    """What was left out is said, and is no doubt."""
    sieved = replace(SMALL, left_out=("3 objects not named like a log.", "5 events outside of the window."))
    assert described(sieved)["Left out"] == "3 objects not named like a log. 5 events outside of the window."
    assert doubts_of(sieved) == []


def test_is_case(tmp_path: Path) -> None:
    """A folder with a manifest is a case; one without, a file, and nothing are none."""
    assert not is_case(tmp_path)
    SMALL.write(tmp_path)
    assert is_case(tmp_path)
    assert not is_case(tmp_path / NAME)
    assert not is_case(tmp_path / "nothing")


def test_another_format(tmp_path: Path) -> None:
    """A case of another format is refused with both formats and what to do."""
    changed(tmp_path, format=FORMAT + 1)
    with pytest.raises(SourceError, match=rf"is a case of format {FORMAT + 1}, .* reads {FORMAT}\. Collect it again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "taken out"},
        {"inputs": "taken out"},
        {"events": "taken out"},
        {"inputs": [{"path": "x"}]},
        {"parts": [{"name": "x"}]},
        {"parts": 7},
        {"parts": [{**asdict(SMALL.parts[0]), "segments": [{"first_line": 0, "log": 7, "log_stream": "s"}]}]},
        {"unknown": 1},
        {"sha256": None},
        {"sha256": {"blocks.parquet": 7}},
        {"events": "many"},
        {"events": True},
        {"levels": {"Metadata": "many"}},
        {"doubts": [7]},
        {"first_ms": 10**30},
        {"last_ms": -(10**15)},
        {"inputs": [{"path": 7, "size": 1, "modified_ns": 1}]},
    ],
)
def test_a_damaged_manifest(tmp_path: Path, changes: dict[str, object]) -> None:
    """A manifest without what it has to have, or with what is unknown, is an error that names the case."""
    changed(tmp_path, **changes)
    with pytest.raises(SourceError, match=r"The case .* is damaged: manifest\.json is no manifest .* Collect it again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"[" * 100_000])
def test_no_manifest(tmp_path: Path, content: bytes) -> None:
    """A file that is no manifest is an error that names the case, whatever it holds."""
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(SourceError, match=r"The case .* is damaged: manifest\.json is no manifest"):
        read_manifest(tmp_path)


def test_a_missing_manifest(tmp_path: Path) -> None:
    """A folder without a manifest is an error that says what is missing, and how a case is made."""
    with pytest.raises(
        SourceError, match=r" is no case: there is no manifest\.json in it\. Make one with: eks-audit coll"
    ):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("segments", "has_odd", "tables"),
    [
        ((Segment(0, "x", "s"),), False, ("part-00007.parquet",)),
        ((Segment(0, "x", "s"),), True, ("part-00007.parquet", "part-00007.odd.parquet")),
        ((), False, ("part-00007.odd.parquet",)),
    ],
)
def test_files_of_a_part(segments: tuple[Segment, ...], has_odd: bool, tables: tuple[str, ...]) -> None:
    """A part's rows lie in its columns, in the odd rows where it has such, and without lines in the odd rows alone."""
    part = Part("part-00007", 0, 1, 0, 0, 10, segments, has_odd)
    assert part.tables == tables
    assert (part.columns, part.texts) == ("part-00007.parquet", "part-00007.jsonl.zst")


def test_described() -> None:
    """A case is described in a line for its source, window, events, levels and stages."""
    assert described(SMALL) == {
        "Source": "audit.jsonl (2 files)",
        "Window": "2026-11-24 10:00:00.123 to 2026-11-24 11:00:00.999 UTC",
        "Events": "1,234, 2.5 MB of text, 3 truncated, 1 foreign",
        "Levels": "none 4, Metadata 1,230",
        "Stages": "ResponseComplete 1,234",
    }
    assert described(replace(SMALL, first_ms=None, last_ms=None))["Window"] == "no events"


def test_doubts() -> None:
    """What is missing or may be is said in a sentence for each damaged file and for each doubt of an envelope."""
    assert doubts_of(SMALL) == []
    doubtful = replace(SMALL, broken_files=("a.gz",), doubts=("There may be more pages.",))
    sentences = ["The compressed data of a.gz is cut or damaged; what follows is missing.", "There may be more pages."]
    assert doubts_of(doubtful) == sentences
    assert described(doubtful)["Incomplete"] == " ".join(sentences)
