"""A case holds what its files hold: every line, its time, its marks and its text, in whatever form it was handed on."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.case import writer
from eks_audit_nb.case.hashing import sha256
from eks_audit_nb.case.manifest import Manifest, read_manifest
from eks_audit_nb.case.store import CaseStore
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.errors import SourceError
from eks_audit_nb.insights import parse
from eks_audit_nb.reading import pieces
from eks_audit_nb.reading.lines import Tally, read_events

from conftest import audit_event

Draw = Any
EVERYTHING = "@timestamp, @ingestionTime, @message, @logStream, @log, @ptr, verb, user.username, objectRef.name"
QUERIES = [
    parse(text)
    for text in (
        f"fields {EVERYTHING} | sort @timestamp asc",
        "fields @ptr, verb, auditID, stageTimestamp, requestObject.a",
        "stats count(*) as n, sum(strlen(@message)) as size by verb, user.username, @log",
        "fields @timestamp, @message | sort @timestamp desc | limit 3",
    )
]


def compact(event: object) -> str:
    return json.dumps(event, separators=(",", ":"))


def with_body(body: str, **changes: Any) -> str:
    """An event whose requestObject is that text."""
    return f'{compact(audit_event(**changes))[:-1]},"requestObject":{body}}}'


def at(time: str | None, **changes: Any) -> str:
    """An event with that stageTimestamp."""
    return compact(audit_event(auditID=f"at {time}", stageTimestamp=time, **changes))


WHOLE = compact(audit_event(auditID="whole"))
CUT = WHOLE[: WHOLE.index('"objectRef"')] + "[Truncated...]"
NEVER = at(None, requestReceivedTimestamp=None)
# One line each that is one event, whatever reads it.
SINGLE = (
    WHOLE,
    json.dumps(audit_event(auditID="with spaces"), indent=None),
    compact(dict(reversed(audit_event(auditID="other order").items()))),
    json.dumps(audit_event(auditID="not ASCII", user={"username": "ä😀"}), ensure_ascii=False),
    WHOLE.replace("/", r"\/"),
    WHOLE.replace('"auditID"', r'"\u0061uditID"'),
    WHOLE.replace('"stageTimestamp"', r'"stage\u0054imestamp"'),
    CUT,
    "[Truncated...]",
    compact(audit_event(annotations={"audit.k8s.io/truncated": "true"})),
    compact(audit_event(annotations={"audit.k8s.io/truncated": "false"})),
    compact(audit_event(annotations={"audit.k8s.io/truncated": True})),
    compact(audit_event(annotations=["audit.k8s.io/truncated"])),
    WHOLE[:100],
    WHOLE[:-1],
    WHOLE[1:],
    "{",
    "{}",
    "[]",
    "17",
    "null",
    '"text"',
    "I1124 starting",
    '{"foo":1}',
    '{"kind":"Pod"}',
    '{"auditID":7}',
    '{"auditID":null,"verb":"get"}',
    '{"auditID":"bare"}',
    at("2026-11-24T10:00:01.123456789Z"),
    at("2026-11-24T10:00:01.5"),
    at("2026-11-24T10:00:01+02:00"),
    at("2026-11-24 10:00:01Z"),
    at("2026-11-24T24:00:00Z"),
    at("2026-11-24T10:00:60Z"),
    at("2026-02-30T10:00:00Z"),
    at("1969-12-31T23:59:59.9999Z"),
    at("2999-12-31T23:59:59.999999Z"),
    at("1795514400123"),
    at("soon"),
    at(""),
    at(None),
    NEVER,
    at(None, requestReceivedTimestamp="2026-11-24T09:00:00Z"),
    compact(audit_event(stageTimestamp=17)),
    compact(audit_event(stageTimestamp=["2026-11-24T10:00:01Z"], requestReceivedTimestamp=None)),
    with_body('"\\ud800"'),
    with_body('"\\ud83d\\ude00"'),
    with_body('"\\\\ud800"'),
    with_body('{"a":1,"a":2}'),
    with_body('{"a":1e400}'),
    with_body("NaN"),
    with_body("9" * 5000),
    with_body("[" * 5000 + "]" * 5000),
    with_body('{"a":' * 90 + "1" + "}" * 90),
    with_body('"\\u0000"'),
    with_body('"\t"'),
    with_body('"\x00"'),
    with_body('{"results":[],"events":[],"items":[]}'),
    compact(audit_event(user={"username": "a\x00b"})),
    compact(audit_event(verb=True, user={"username": "{x"}, objectRef={"name": ["web"]})),
    compact(audit_event(verb=1.5, user="alice", objectRef=None)),
    "\x0c",
    "\x0c" + WHOLE,
    WHOLE + "\x0b",
    "\x00" + WHOLE,
    "\xa0" + WHOLE,
    "\u2028",
    "\ufeff" + WHOLE,
    "",
    "  \t",
    f"  {WHOLE}\t ",
    WHOLE + "\r",
    "\r",
    "\r\r" + WHOLE,
    f"2026-11-24T11:30:00.123Z {WHOLE}",
    "2026-11-24T11:30:00.123Z some text",
    compact({"@message": WHOLE, "@timestamp": "2026-11-24 12:00:00.000", "@logStream": "s", "@ptr": "p"}),
    compact({"message": WHOLE, "timestamp": 1_795_514_400_123}),
    "H4sIAAAA",
)
# What is no UTF-8, as `as_bytes` writes it: single bytes, half a character, half a pair of surrogates, a sign written
# longer than it has to be, one beyond all; in a text, between members and before the event.
NO_UTF8 = (
    *(
        WHOLE.replace("alice", bad)
        for bad in ("\udcff", "\udcc3", "\udced\udca0\udc80", "\udcc0\udcaf", "\udcf4\udc90\udc80\udc80")
    ),
    WHOLE.replace(":", ":\udcff", 1),
    "\udcff",
    "\udcff" + WHOLE,
)
SUBSCRIPTION = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s"}
# Lines of several events, of none, or with words of their own about them.
SEVERAL = (
    f"{WHOLE}{WHOLE}",
    f"{WHOLE} {CUT}",
    f"{WHOLE} // a remark",
    f"{WHOLE}\udcc3",
    f"[{WHOLE},{WHOLE}]",
    f"[{WHOLE}]",
    f'{{"kind":"EventList","items":[{WHOLE},{WHOLE}]}}',
    f'{{"kind":"EventList","items":[{WHOLE},{CUT}',
    '{"kind":"EventList","items":[]}',
    '{"results":[],"status":"Running"}',
    compact({**SUBSCRIPTION, "logEvents": [{"id": "1", "timestamp": 1_795_514_400_123, "message": WHOLE}]}),
    compact({**SUBSCRIPTION, "messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "1", "message": "x"}]}),
    json.dumps([audit_event()], indent=1),
)
ANSWER_WITHOUT_MESSAGE = '[{"@timestamp":"2026-11-24 10:00:00.000","verb":"get"}]'


def as_bytes(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape")


singles = st.sampled_from((*SINGLE, *NO_UTF8)).map(as_bytes)
anything = st.one_of(singles, st.sampled_from(SEVERAL).map(as_bytes), st.binary(max_size=20))
untimed = st.sampled_from([NEVER, '{"auditID":"bare"}', CUT]).map(as_bytes)


@st.composite
def files_of_lines(draw: Draw) -> list[bytes]:
    """The contents of a file or several: most with an event on their first line, as raw logs have it."""
    contents = []
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        first = draw(st.sampled_from([[WHOLE.encode()], [WHOLE.encode()], [draw(untimed)], []]))
        lines = draw(st.lists(draw(st.sampled_from([singles, singles, singles, untimed, anything])), max_size=25))
        end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
        content = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + end.join([*first, *lines])
        content += draw(st.sampled_from([b"", end]))
        contents.append(draw(st.sampled_from([content, gzip.compress(content, mtime=0)])))
    return contents


@contextmanager
def sizes(*, part_bytes: int = 2**20, part_files: int = 64, piece: int = 128 * 1024) -> Any:
    """Parts and pieces of other sizes, so that a short log is taken apart as a long one is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_PART_BYTES", part_bytes)
        patch.setattr(writer, "_PART_FILES", part_files)
        patch.setattr(pieces, "BLOCK_BYTES", piece)
        yield


def written(folder: Path, contents: Iterable[bytes], names: Sequence[str] = ()) -> list[Path]:
    paths = []
    for number, content in enumerate(contents):
        suffix = ".gz" if content.startswith(b"\x1f\x8b") else ""
        paths.append(folder / (names[number] if names else f"audit-{number:03}.jsonl{suffix}"))
        paths[-1].write_bytes(content)
    return paths


def assert_agrees(files: list[Path], folder: Path) -> Manifest | None:
    """The case of some files answers as their events do that the reader gives, or is refused in the same words."""
    tally = Tally()
    try:
        events = list(read_events(files, tally))
    except SourceError as error:
        with pytest.raises(SourceError, match=f"^{re.escape(str(error))}$"):
            write_case(files, folder, "test", with_hashes=False)
        return None
    manifest = write_case(files, folder, "test", with_hashes=False)
    expected, case = EventStore(events), CaseStore(folder)
    try:
        assert case.span() == expected.span()
        for query in QUERIES:
            assert case.ask(query, None) == expected.ask(query, None)
    finally:
        expected.close()
        case.close()
    assert read_manifest(folder) == manifest
    assert manifest.events == tally.events == sum(part.lines for part in manifest.parts)
    assert manifest.conditions.get("truncated", 0) == tally.truncated
    assert manifest.conditions.get("unreadable", 0) == tally.unreadable
    assert (manifest.broken_files, manifest.doubts) == (tally.broken_files, tuple(tally.doubts))
    assert manifest.without_events == {str(path): lines for path, lines in tally.without_events.items()}
    return manifest


def case_of(tmp_path: Path, *contents: bytes, **options: Any) -> tuple[Manifest, Path, list[Path]]:
    """The manifest of a case, its folder, and its files."""
    folder = tmp_path / "case"
    folder.mkdir()
    files = written(tmp_path, contents)
    return write_case(files, folder, "test", **{"with_hashes": False, **options}), folder, files


# --- the same events ------------------------------------------------------------------------------------------------


def assert_agrees_in_parts(contents: list[bytes], part_bytes: int, part_files: int, piece: int) -> Manifest | None:
    with TemporaryDirectory() as name, sizes(part_bytes=part_bytes, part_files=part_files, piece=piece):
        (folder := Path(name, "case")).mkdir()
        return assert_agrees(written(Path(name), contents), folder)


@settings(max_examples=8)
@given(files_of_lines(), st.sampled_from([1, 2000, 2**30]), st.sampled_from([1, 2, 64]), st.sampled_from([100, 2**17]))
def test_any_lines(contents: list[bytes], part_bytes: int, part_files: int, piece: int) -> None:
    """Whatever lines files hold, a case of them has the events that the reader gives, however it is cut into parts."""
    assert_agrees_in_parts(contents, part_bytes, part_files, piece)


@settings(max_examples=300, derandomize=False)
@pytest.mark.deep
@given(files_of_lines(), st.sampled_from([1, 2000, 2**30]), st.sampled_from([1, 2, 64]), st.sampled_from([100, 2**17]))
def test_any_lines_at_length(contents: list[bytes], part_bytes: int, part_files: int, piece: int) -> None:
    """The same for new lines in every run."""
    assert_agrees_in_parts(contents, part_bytes, part_files, piece)


@pytest.mark.parametrize("first", [WHOLE, NEVER], ids=["timed", "not timed"])
def test_all_lines_at_once(tmp_path: Path, first: str) -> None:
    """Every odd line among plain ones, whose neighbours lend it a time, is the event that the reader gives."""
    (folder := tmp_path / "case").mkdir()
    lines = [first, *(line for odd in (*SINGLE, *NO_UTF8) for line in (odd, WHOLE))]
    manifest = assert_agrees(written(tmp_path, [b"\n".join(map(as_bytes, lines))]), folder)
    assert manifest is not None
    assert [(len(part.segments), part.has_odd) for part in manifest.parts] == [(1, True)]


@pytest.mark.parametrize("number", [0, 4, 7, 10])
def test_a_line_of_several_events(tmp_path: Path, number: int) -> None:
    """A raw log with a line of several events or of none is read as a file of envelopes, and its neighbours are not."""
    (folder := tmp_path / "case").mkdir()
    contents = [f"{first}\n{SEVERAL[number]}\n{WHOLE}" for first in (WHOLE, CUT)]
    files = written(tmp_path, map(as_bytes, [WHOLE, contents[0], WHOLE, contents[1]]))
    with sizes(part_files=1):
        manifest = assert_agrees(files, folder)
    assert manifest is not None
    assert [len(part.segments) for part in manifest.parts] == [1, 0, 1, 0]
    tables = {name for part in manifest.parts for name in part.tables}
    assert {path.name for path in folder.glob("part-*.parquet")} == tables  # nothing is left of what did not fit


def test_files_of_every_kind(tmp_path: Path) -> None:
    """Raw logs and envelopes, plain and compressed, are one log in the order of the files."""
    (folder := tmp_path / "case").mkdir()
    printed = json.dumps({"kind": "EventList", "items": [audit_event(auditID="printed")] * 3}, indent=2)
    packed_twice = gzip.compress(gzip.compress(as_bytes(SEVERAL[10]), mtime=0), mtime=0)
    contents = [
        at("2026-11-24T10:00:00Z").encode(),
        b"",
        gzip.compress(f"{WHOLE}\n{CUT}\n".encode(), mtime=0),
        printed.encode(),
        packed_twice,
        f'"@timestamp","@message"\n2026-11-24 10:00:00.000,"{WHOLE.replace(chr(34), 2 * chr(34))}"\n'.encode(),
        f"{NEVER}\n{at('2026-11-24T11:00:00Z')}".encode(),
        b'{"foo":1}\n{"foo":2}\n',
    ]
    manifest = assert_agrees(written(tmp_path, contents), folder)
    assert manifest is not None
    assert [len(part.segments) for part in manifest.parts] == [1, 1, 0, 1, 0]
    assert sorted(manifest.without_events.values()) == [0, 2]


def test_many_small_files(tmp_path: Path) -> None:
    """More files than one part holds are one log, each line with the name and the stream of its own file."""
    (folder := tmp_path / "case").mkdir()
    contents = [at(f"2026-11-24T10:{n // 60:02}:{n % 60:02}Z", verb=f"v{n}").encode() + b"\nx" for n in range(150)]
    manifest = assert_agrees(written(tmp_path, contents), folder)
    assert manifest is not None
    assert [len(part.segments) for part in manifest.parts] == [64, 64, 22]
    assert [part.first_line for part in manifest.parts] == [0, 128, 256]


def test_a_file_in_several_parts(tmp_path: Path) -> None:
    """The lines of one file may lie in several parts, in order and with no line lost where they are parted."""
    (folder := tmp_path / "case").mkdir()
    lines = [at(f"2026-11-24T10:{number // 60:02}:{number % 60:02}Z") for number in range(300)]
    with sizes(part_bytes=50_000, piece=5_000):
        manifest = assert_agrees(written(tmp_path, ["\n".join([*lines, CUT]).encode()]), folder)
    assert manifest is not None
    assert len(manifest.parts) > 2
    assert len({segment.log for part in manifest.parts for segment in part.segments}) == 1
    assert all(a.last_ms < b.first_ms for a, b in zip(manifest.parts, manifest.parts[1:], strict=False))


def test_envelopes_in_several_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many events of an envelope are written in several parts."""
    monkeypatch.setattr(writer, "_EVENTS_AT_ONCE", 10)
    (folder := tmp_path / "case").mkdir()
    events = ",".join(at(f"2026-11-24T10:00:{number:02}Z") for number in range(25))
    manifest = assert_agrees(written(tmp_path, [f"[{events}]".encode()]), folder)
    assert manifest is not None
    assert [part.lines for part in manifest.parts] == [10, 10, 5]


@pytest.mark.parametrize("late", [WHOLE, f"[{WHOLE}]"], ids=["raw", "envelope"])
@pytest.mark.parametrize("part_files", [1, 64])
def test_files_without_times_at_the_beginning(tmp_path: Path, late: str, part_files: int) -> None:
    """Events before the first one with a time have that time, in whichever file and part it comes."""
    (folder := tmp_path / "case").mkdir()
    with sizes(part_files=part_files):
        manifest = assert_agrees(written(tmp_path, map(str.encode, [NEVER, f"text\n{NEVER}", NEVER, late])), folder)
    assert manifest is not None
    assert manifest.first_ms == manifest.last_ms == 1_795_514_400_123


def test_no_time_at_all() -> None:
    """A raw log without any time is a case whose events all stand at the beginning of 1970."""
    manifest = assert_agrees_in_parts([f"{NEVER}\n".encode() * 3], 1, 1, 100)
    assert manifest is not None
    assert (manifest.first_ms, manifest.last_ms, manifest.events) == (0, 0, 3)


def test_files_put_one_behind_the_other(tmp_path: Path) -> None:
    """The byte order mark of a file that was put behind another one costs no event, wherever a part begins."""
    (folder := tmp_path / "case").mkdir()
    lines = [at(f"2026-11-24T10:00:0{number}Z") for number in range(4)]
    content = "".join(f"\ufeff{line}\n" for line in lines)
    with sizes(part_bytes=1, piece=100):
        manifest = assert_agrees(written(tmp_path, [content.encode()]), folder)
    assert manifest is not None
    assert (manifest.conditions, manifest.bytes) == ({"": 4}, sum(map(len, lines)))
    assert len(manifest.parts) == 4


def test_a_long_line(tmp_path: Path) -> None:
    """A line longer than the database expects of JSON keeps its text, and so do those after it."""
    (folder := tmp_path / "case").mkdir()
    long = with_body(f'"{"x" * 17_000_000}"')
    manifest = assert_agrees(written(tmp_path, [f"{WHOLE}\n{long}\n{CUT}\n{WHOLE}".encode()]), folder)
    assert manifest is not None
    assert manifest.parts[0].longest > len(long)


def test_names_of_files(tmp_path: Path) -> None:
    """Quotes, spaces and other letters in the names of files and folders are part of the name and nothing else."""
    (folder := tmp_path / 'it\'s a "case" $1 ä').mkdir()
    names = ["it's.jsonl", 'a "b" $path.jsonl', "ä😀 [x]*.jsonl", "a:b;--.jsonl"]
    assert assert_agrees(written(tmp_path, [f"{WHOLE}\n{CUT}".encode()] * 4, names), folder) is not None


# --- the files of a case --------------------------------------------------------------------------------------------


def test_the_lines_are_kept(tmp_path: Path) -> None:
    """The lines of a raw log lie in the case as they were, for any tool that unpacks zstd."""
    lines = [as_bytes(line) for line in (WHOLE, CUT, *NO_UTF8, f"  {WHOLE}\r", "text")]
    manifest, folder, _ = case_of(tmp_path, b"\xef\xbb\xbf" + b"\n\n".join(lines))
    with (folder / manifest.parts[0].texts).open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    assert text == b"".join(line.strip() + b"\n" for line in lines)


def test_what_is_in_the_folder(tmp_path: Path) -> None:
    """A case has a manifest, the blocks, and for each part its columns, its lines, and its odd rows where there are."""
    manifest, folder, _ = case_of(tmp_path, WHOLE.encode(), f"[{WHOLE}]".encode(), f"{WHOLE}\n{CUT}".encode())
    expected = [
        *("blocks.parquet", "manifest.json", "part-00001.jsonl.zst", "part-00001.parquet", "part-00002.odd.parquet"),
        *("part-00003.jsonl.zst", "part-00003.odd.parquet", "part-00003.parquet"),
    ]
    assert sorted(path.name for path in folder.iterdir()) == expected
    assert manifest.sha256 == {}
    assert [given.sha256 for given in manifest.inputs] == [""] * 3


def test_hashes(tmp_path: Path) -> None:
    """Where hashes are wanted, the manifest has that of each input and of each file of the case but itself."""
    manifest, folder, files = case_of(tmp_path, WHOLE.encode(), CUT.encode(), with_hashes=True, made_by="test 1.0")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    del hashes["manifest.json"]
    assert manifest.sha256 == hashes
    assert [given.sha256 for given in manifest.inputs] == [sha256(path) for path in files]
    assert manifest.made_by == "test 1.0"


def test_what_the_manifest_says(tmp_path: Path) -> None:
    """The manifest has the inputs, the window, and how many events there are of each condition, level and stage."""
    lines = [
        at("2026-11-24T10:00:00Z", level="Request"),
        at("2026-11-24T09:00:00Z", stage="RequestReceived"),
        CUT,
        "text",
        '{"foo":"bar"}',
    ]
    content = "\n".join(lines).encode()
    manifest, _, files = case_of(tmp_path, content)
    assert manifest.source == "test"
    assert [(given.path, given.size) for given in manifest.inputs] == [(str(files[0]), len(content))]
    assert manifest.inputs[0].modified_ns == files[0].stat().st_mtime_ns
    assert (manifest.events, manifest.bytes) == (5, len(content) - 4)
    assert (manifest.first_ms, manifest.last_ms) == (1_795_510_800_000, 1_795_514_400_000)
    assert manifest.conditions == {"": 2, "truncated": 1, "unreadable": 1, "foreign": 1}
    assert manifest.levels == {"": 3, "Metadata": 1, "Request": 1}
    assert manifest.stages == {"": 3, "RequestReceived": 1, "ResponseComplete": 1}


# --- what is not whole ----------------------------------------------------------------------------------------------


def many() -> list[str]:
    return [at(f"2026-11-24T10:{number // 60:02}:{number % 60:02}Z", userAgent=f"{number**9}") for number in range(900)]


@pytest.mark.parametrize("left", [0.05, 0.5, 0.99])
def test_a_file_that_breaks_off(tmp_path: Path, left: float) -> None:
    """Of a compressed file that breaks off all that could be unpacked is in the case, which names the file."""
    (folder := tmp_path / "case").mkdir()
    packed = gzip.compress("\n".join(many()).encode(), mtime=0)
    files = written(tmp_path, [packed[: int(len(packed) * left)], WHOLE.encode()])
    manifest = assert_agrees(files, folder)
    assert manifest is not None
    assert manifest.broken_files == (str(files[0]),)
    assert manifest.events > left * 500


@pytest.mark.parametrize("place", [-6, -2, "middle", "garbage"])
def test_a_damaged_file(tmp_path: Path, place: int | str) -> None:
    """Of a compressed file with a wrong sum, with damage or with something else at its end, what is before is kept."""
    (folder := tmp_path / "case").mkdir()
    packed = bytearray(gzip.compress("\n".join(many()).encode(), mtime=0))
    if place == "garbage":
        packed += b"no member"
    else:
        at_byte = len(packed) // 2 if place == "middle" else int(place)
        packed[at_byte] ^= 0xFF
    manifest = assert_agrees(written(tmp_path, [bytes(packed)]), folder)
    assert manifest is not None
    assert len(manifest.broken_files) == 1
    assert manifest.events > 300


def test_an_empty_file_beside_a_good_one(tmp_path: Path) -> None:
    """A file without events stops no other, and the manifest has it with the number of its lines."""
    manifest, _, files = case_of(tmp_path, WHOLE.encode(), b"", b"\n \n", b"text\n{}\n", gzip.compress(b"", mtime=0))
    assert manifest.without_events == {str(path): lines for path, lines in zip(files[1:], (0, 0, 2, 0), strict=True)}


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"text\nmore", b'{"foo":1}', b"\x1f\x8b", b'{"auditID":7}'])
def test_nothing_at_all(tmp_path: Path, content: bytes) -> None:
    """Where no file holds an audit event the error names the first one and says which forms are known."""
    with pytest.raises(SourceError, match=r"audit-000\.jsonl(\.gz)? holds no audit events: .*Expected one JSON object"):
        case_of(tmp_path, content, b"")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that cannot be opened is an error that names it and says why."""
    (tmp_path / "case").mkdir()
    files = [*written(tmp_path, [WHOLE.encode()]), tmp_path / "gone.jsonl"]
    with pytest.raises(SourceError, match=r"gone\.jsonl cannot be read: No such file or directory"):
        write_case(files, tmp_path / "case", "test", with_hashes=False)


def test_an_answer_without_messages(tmp_path: Path) -> None:
    """The answer to a query without @message is refused, alone and on a line of a raw log."""
    for number, content in enumerate((ANSWER_WITHOUT_MESSAGE, f"{WHOLE}\n{ANSWER_WITHOUT_MESSAGE}")):
        (folder := tmp_path / f"case-{number}").mkdir()
        assert assert_agrees(written(tmp_path, [content.encode()]), folder) is None
