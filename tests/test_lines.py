"""Lines of audit logs become events: nothing is dropped, and what cannot be read whole is kept and marked."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import SourceError
from eks_audit_nb.events import parse_cut_event, parse_event
from eks_audit_nb.reading.lines import Tally, log_stream_name, read_events

from conftest import audit_event

WHOLE = json.dumps(audit_event())
OTHER = json.dumps(audit_event(auditID="second", stageTimestamp="2026-11-24T11:00:00.999999Z"))
TEN, ELEVEN = 1_795_514_400_123, 1_795_518_000_999  # the stageTimestamps above, cut to milliseconds


def with_body(body: str) -> str:
    """An event whose requestObject is that text."""
    return f'{WHOLE[:-1]}, "requestObject": {body}}}'


def events_of(*paths: Path) -> tuple[list[Event], Tally]:
    tally = Tally()
    return list(read_events(list(paths), tally)), tally


def written(tmp_path: Path, content: bytes, name: str = "audit.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


# --- forms of files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("audit.jsonl", f"{WHOLE}\n{OTHER}\n".encode()),
        ("audit.jsonl", f"{WHOLE}\n{OTHER}".encode()),
        ("audit.jsonl", f"{WHOLE}\r\n{OTHER}\r\n".encode()),
        ("audit.jsonl", b"\xef\xbb\xbf" + f"{WHOLE}\n{OTHER}\n".encode()),
        ("audit.jsonl", f"\n\n  \n{WHOLE}\n\r\n\t\n{OTHER}\n\n".encode()),
        ("audit.log", f"  {WHOLE}\t\n{OTHER}\n".encode()),
        ("audit.jsonl.gz", gzip.compress(f"{WHOLE}\n{OTHER}\n".encode(), mtime=0)),
        ("audit", gzip.compress(f"{WHOLE}\n{OTHER}\n".encode(), mtime=0)),
        ("audit.jsonl", gzip.compress(f"{WHOLE}\n".encode(), mtime=0) + gzip.compress(f"{OTHER}\n".encode(), mtime=0)),
    ],
    ids=["plain", "no end of line", "CRLF", "BOM", "blank lines", "spaces", "gzip", "gzip without suffix", "two gzips"],
)
def test_forms_of_a_file(tmp_path: Path, name: str, content: bytes) -> None:
    """A log gives the same events plain or compressed, with any line ends, a byte order mark or blank lines."""
    events, tally = events_of(written(tmp_path, content, name))
    assert [event.message for event in events] == [WHOLE, OTHER]
    assert [event.timestamp_ms for event in events] == [TEN, ELEVEN]
    assert tally == Tally(events=2)


def test_lines_longer_than_a_chunk(tmp_path: Path) -> None:
    """A line of several megabytes is one event with its text unchanged."""
    long = json.dumps(audit_event(requestObject={"data": "x" * 3_000_000}))
    events, _ = events_of(written(tmp_path, f"{WHOLE}\n{long}\n{OTHER}\n".encode()))
    assert [event.message for event in events] == [WHOLE, long, OTHER]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40), max_size=12))
def test_every_line_is_kept(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Whatever else a file holds, each line that is not blank becomes one event with the line as its text."""
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    path.write_bytes("\n".join([WHOLE, *lines, OTHER]).encode())
    events, tally = events_of(path)
    expected = [line.strip(" \t\v\f").lstrip(" \t\v\f\ufeff") for line in (WHOLE, *lines, OTHER)]
    assert [event.message for event in events] == [line for line in expected if line]
    assert tally.events == len(events)


def test_invalid_utf8(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are replaced in their event and cost no other field of it."""
    line = json.dumps(audit_event(userAgent="@@")).encode().replace(b"@@", b"\xff\xfe")
    events, tally = events_of(written(tmp_path, line))
    assert parse_event(events[0].message)["userAgent"] == "\ufffd\ufffd"
    assert tally.unreadable == 0


# --- damaged files --------------------------------------------------------------------------------------------------


def test_truncated_gzip(tmp_path: Path) -> None:
    """Of a compressed file that breaks off, all that could be unpacked is kept and the file is named as broken."""
    lines = [json.dumps(audit_event(auditID=f"id-{number}")) for number in range(2000)]
    packed = gzip.compress("\n".join(lines).encode(), mtime=0)
    path = written(tmp_path, packed[: len(packed) // 2], "audit.jsonl.gz")
    events, tally = events_of(path)
    assert tally.broken_files == (str(path),)
    assert 500 < len(events) < 2000
    assert [event.message for event in events[:-1]] == lines[: len(events) - 1]
    assert lines[len(events) - 1].startswith(events[-1].message)


def test_corrupt_gzip(tmp_path: Path) -> None:
    """A compressed file with a damaged middle is named as broken, whatever came before the damage is kept."""
    lines = [json.dumps(audit_event(auditID=f"id-{number}-{number * 7919 % 104729}")) for number in range(4000)]
    packed = bytearray(gzip.compress("\n".join(lines).encode(), mtime=0))
    middle = len(packed) // 2
    packed[middle : middle + 40] = bytes(40)
    path = written(tmp_path, bytes(packed), "audit.jsonl.gz")
    events, tally = events_of(path)
    assert tally.broken_files == (str(path),)
    assert [event.message for event in events[:1000]] == lines[:1000]


# --- lines that are no whole events ---------------------------------------------------------------------------------


def test_unreadable_lines(tmp_path: Path) -> None:
    """A line that is no JSON object is kept, marked, counted, and given the time of the line before it."""
    lines = ["I1124 starting", WHOLE, "{half of an event", "[1, 2]", '"text"', OTHER, "the end"]
    events, tally = events_of(written(tmp_path, "\n".join(lines).encode()))
    assert [event.message for event in events] == lines
    assert [event.condition for event in events] == ["unreadable", "", *["unreadable"] * 3, "", "unreadable"]
    assert [event.timestamp_ms for event in events] == [TEN] * 5 + [ELEVEN] * 2
    assert tally.unreadable == 5


def test_a_log_without_any_time(tmp_path: Path) -> None:
    """Where no line of a file has a time, its lines are kept at the beginning of 1970 rather than lost."""
    line = '{"kind":"Event","auditID":"x","requestObject":{"data":"[Truncated...]'
    events, tally = events_of(written(tmp_path, line.encode()))
    assert [(event.message, event.timestamp_ms, event.condition) for event in events] == [(line, 0, "truncated")]
    assert tally.truncated == 1


def cut(event: dict[str, Any], after: str) -> str:
    """The event as CloudWatch holds one that is too large: its text breaks off, with a mark at the end."""
    text = json.dumps(event)
    return text[: text.index(after) + len(after)] + "[Truncated...]"


def large_event() -> dict[str, Any]:
    """An event with its keys in the API server's order, bodies before times and annotations."""
    event = audit_event(
        verb="create", requestObject={"data": {"stageTimestamp": "2099-01-01T00:00:00Z", "x": "y" * 99}}
    )
    return {**{key: event.pop(key) for key in ("kind", "apiVersion", "level", "auditID", "verb", "user")}, **event}


def test_truncated_events(tmp_path: Path) -> None:
    """An event that ends in [Truncated...] is kept and counted as truncated."""
    text = cut(large_event(), '"yyy')
    events, tally = events_of(written(tmp_path, f"{WHOLE}\n{text}\n".encode()))
    assert [event.condition for event in events] == ["", "truncated"]
    assert (tally.truncated, tally.unreadable) == (1, 0)


def test_truncated_by_annotation(make_log: Callable[..., Path]) -> None:
    """An event that the API server marked as truncated is counted as such, though it is whole JSON."""
    marked = audit_event(annotations={"audit.k8s.io/truncated": "true"})
    events, tally = events_of(make_log(marked, audit_event(annotations={"audit.k8s.io/truncated": "false"})))
    assert [event.condition for event in events] == ["truncated", ""]
    assert tally.truncated == 1


def test_a_body_cannot_move_a_truncated_event(tmp_path: Path) -> None:
    """A time inside a body never counts as the event's own, so nobody can write an event out of the window."""
    late = (
        '"requestObject": {"stageTimestamp": "2099-01-01T00:00:00Z", "requestReceivedTimestamp": "2099-01-01T00:00:00Z"'
    )
    text = '{"kind": "Event", "auditID": "x", ' + late + ', "data": "[Truncated...]'
    events, _ = events_of(written(tmp_path, f"{WHOLE}\n{text}\n".encode()))
    assert [event.timestamp_ms for event in events] == [TEN, TEN]


@given(st.integers(0, len(WHOLE) - 1))
def test_a_cut_event_gives_only_true_fields(length: int) -> None:
    """However short an event is cut, each field that is still read from it has the value of the whole event."""
    whole = json.loads(WHOLE)
    for key, value in parse_cut_event(WHOLE[:length]).items():
        assert whole[key] == value


# --- events made to break readers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "[" * 1500 + "]" * 1500,
        '{"a":' * 1500 + "1" + "}" * 1500,
        "[" * 100_000 + "]" * 100_000,
        '{"a": 1, "a": 2}',
        '{"a": 1e400}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "\\ud800"}',
        '{"a": "\\uDFFF\\ud800", "b": 1e400}',
        '{"\\ud800": "\\udc00"}',
        '["not", "an", "object"]',
        '"only text"',
        "null",
    ],
    ids=[
        "1,500 arrays",
        "1,500 objects",
        "100,000 arrays",
        "a key twice",
        "1e400",
        "5,000 digits",
        "lone surrogate",
        "surrogates in the wrong order",
        "surrogate in a key",
        "array",
        "text",
        "null",
    ],
)
def test_hostile_bodies(tmp_path: Path, body: str) -> None:
    """No body that a client can send hides its event: it stays readable, with its text unchanged."""
    text = with_body(body)
    events, tally = events_of(written(tmp_path, text.encode()))
    assert tally == Tally(events=1)
    assert (events[0].message, events[0].timestamp_ms) == (text, TEN)
    assert parse_event(text)["auditID"] == audit_event()["auditID"]


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        (r"\ud800", "\ufffd"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d😀", "\ufffd😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
    ],
)
def test_surrogates(escaped: str, read: str) -> None:
    """Half a pair of surrogates becomes U+FFFD; whole pairs and escaped backslashes stay as they are."""
    assert parse_event(f'{{"a": "{escaped}"}}') == {"a": read}


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "received", "milliseconds"),
    [
        ("2026-11-24T10:00:00.123456Z", "2026-11-24T09:00:00Z", TEN),
        ("2026-11-24T10:00:00.123999Z", None, TEN),
        ("2026-11-24T10:00:00.123456789Z", None, TEN),
        ("2026-11-24T12:00:00.123+02:00", None, TEN),
        ("2026-11-24T10:00:00.123", None, TEN),
        (None, "2026-11-24T10:00:00.123456Z", TEN),
        ("soon", "2026-11-24T10:00:00.123456Z", TEN),
        (7, "2026-11-24T10:00:00.123456Z", TEN),
        ("1969-12-31T23:59:59.999500Z", None, -1),
    ],
)
def test_timestamp(make_log: Callable[..., Path], stage: object, received: object, milliseconds: int) -> None:
    """The @timestamp is the stageTimestamp cut to milliseconds, or the time of receipt where there is none."""
    log = make_log(audit_event(stageTimestamp=stage, requestReceivedTimestamp=received))
    events, _ = events_of(log)
    assert [(event.timestamp_ms, event.ingestion_ms) for event in events] == [(milliseconds, milliseconds)]


# --- files without events ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no audit events: it is empty. Expected one JSON object a line, each with an auditID"),
        (b"\n \n", "it is empty"),
        (b"a\nb\n", "2 lines were read and none is an audit event"),
        (b'{"kind": "Pod"}\n', "1 line was read and it is no audit event"),
        (
            gzip.compress(WHOLE.encode(), mtime=0)[:12],
            "it is empty, and its compressed data is cut or damaged. Expected",
        ),
        (b"a\nb\n", "it holds text that begins with 'a'. Expected one JSON object a line"),
        (b'{"kind": "Pod"}\n', "it holds an object with the keys 'kind'. Expected one JSON object a line"),
    ],
)
def test_a_file_without_audit_events(tmp_path: Path, content: bytes, message: str) -> None:
    """Where no line of any file is an audit event there is an error that says what was found and what was expected."""
    bad = written(tmp_path, content, "b.jsonl")
    with pytest.raises(SourceError, match=f"b.jsonl (holds no audit events: )?.*{re.escape(message)}"):
        events_of(bad)


def test_one_bad_file_stops_no_other(tmp_path: Path) -> None:
    """Beside a good file, one without audit events is counted and its lines are kept and marked."""
    good = written(tmp_path, f"{WHOLE}\n{OTHER}\n".encode(), "a.jsonl")
    empty = written(tmp_path, b"", "b.jsonl")
    other = written(tmp_path, b'{"kind": "Pod"}\nx\n', "c.jsonl")
    tally = Tally()
    events = list(read_events([good, empty, other], tally))
    assert [event.condition for event in events] == ["", "", "foreign", "unreadable"]
    assert events[2].timestamp_ms == events[1].timestamp_ms
    assert tally.without_events == {empty: 0, other: 2}


def test_an_unreadable_file(tmp_path: Path) -> None:
    """A file that cannot be opened is an error that names it and says why."""
    with pytest.raises(SourceError, match=r"gone\.jsonl cannot be read: No such file or directory"):
        events_of(tmp_path / "gone.jsonl")


# --- log streams ----------------------------------------------------------------------------------------------------


def test_log_stream_name() -> None:
    """A file's log stream is named as EKS names one, always the same for the same file name."""
    name = log_stream_name(Path("/somewhere/audit.jsonl"))
    assert re.fullmatch("kube-apiserver-audit-[0-9a-f]{32}", name)
    assert name == log_stream_name(Path("/elsewhere/audit.jsonl"))
    assert name != log_stream_name(Path("/somewhere/audit-2.jsonl"))


@pytest.mark.parametrize(
    ("folder", "is_stream"),
    [
        ("kube-apiserver-audit-0123456789abcdef0123456789abcdef", True),
        ("kube-apiserver-audit-0123456789abcdef0123456789abcdef-replaced", True),
        ("kube-controller-manager-0123456789abcdef0123456789abcdef", True),
        ("authenticator-0123456789abcdef0123456789abcdef", True),
        ("kube-logs", False),
        ("exported", False),
    ],
)
def test_streams_of_an_export(folder: str, is_stream: bool) -> None:
    """In an export a file's folder names its stream; any other folder does not, so that filters find the events."""
    name = log_stream_name(Path("/task", folder, "000000.gz"))
    assert (name == folder) == is_stream
    assert is_stream or name.startswith("kube-apiserver-audit-")


def test_pointers_are_unique(tmp_path: Path) -> None:
    """Each event of several files has a pointer of its own, and lines count over all of them."""
    (tmp_path / "2").mkdir()
    first = written(tmp_path, f"{WHOLE}\n{OTHER}\n".encode())
    second = written(tmp_path / "2", f"{WHOLE}\n".encode())
    events, _ = events_of(first, second)
    assert len({event.pointer for event in events}) == 3
    assert [event.line for event in events] == [0, 1, 2]
    assert [event.log for event in events] == [str(first), str(first), str(second)]
