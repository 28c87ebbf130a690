"""Files asked one question: the answer of their case, without one."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_differential import TABLES, queries

from eks_audit_nb.case import scan, sieve
from eks_audit_nb.case.scan import ScanStore, UnscannableError
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse

from conftest import audit_event
from logs import ODD, asked, assert_same, audit_lines, case_store, go_json, hot_queries, stamp, written

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]
TEN = 1_795_514_400_000
# 200 events of one in eight of which each of these holds.
WANTED = "filter verb = 'create'"
EVENTS = [
    go_json(
        audit_event(
            auditID=str(number),
            verb="create" if number % 8 == 0 else "get",
            stageTimestamp=stamp(TEN + number),
            user={"username": f"user-{number % 10}"},
        )
    )
    for number in range(200)
]


@pytest.fixture
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made in one test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


# --- the same answers -----------------------------------------------------------------------------------------------

# A filter that is most often worth a scan, before a query that may be anything.
_FILTERS = st.sampled_from(
    [
        *(
            'verb = "get"',
            'user.username like "ali"',
            'user.username in ["alice", "日本 x"]',
            '@message like "secrets"',
        ),
        *('objectRef.name = "aws-auth" or verb = "list"', 'requestObject.data.k like "v <b"', 'verb like "st"'),
        *('user.username = "say \\"x\\""', 'user.username = "ä ö"', '@logStream like "kube" and verb = "create"'),
        *('@message like "日本"', '@message like "user\ufffd"', 'user.username like "\ufffdser"'),
    ]
)
_QUERIES = st.one_of(
    hot_queries(),
    st.builds(lambda condition, query: f"filter {condition} | {query}", _FILTERS, hot_queries()),
    st.builds(lambda condition, query: f"filter {condition} | {query}", _FILTERS, queries()),
)
_LINES = st.one_of(
    audit_lines(go_json),
    audit_lines(go_json),
    audit_lines(),
    st.sampled_from(ODD).filter(lambda line: line == line.strip()),
)
_FILES = st.lists(
    st.tuples(st.sampled_from(["jsonl", "jsonl.gz"]), st.lists(_LINES, max_size=6), st.sampled_from(["\n", ""])),
    min_size=1,
    max_size=3,
)


@settings(max_examples=12, phases=[Phase.explicit, Phase.generate], suppress_health_check=SLOW)
@given(
    _FILES,
    st.lists(st.tuples(_QUERIES, st.sampled_from([None, None, 9])), min_size=6, max_size=6),
    st.sampled_from([1 << 40] * 5 + [1]),
    st.sampled_from([64, 2000, 1 << 20]),
)
def test_a_scan_answers_as_a_case(
    given_files: list[tuple[str, list[str], str]], asks: list[tuple[str, int | None]], shared: int, block_bytes: int
) -> None:
    """For any files, a question that is answered without a case has the answer of the case."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        patch.setattr(scan, "_MOST", 1)
        patch.setattr(sieve, "_SHARED_BYTES", shared)
        patch.setattr(sieve, "_BLOCK_BYTES", block_bytes)
        files = [
            written(Path(name, f"{number}.{suffix}"), [EVENTS[number], *lines], end=end)
            for number, (suffix, lines, end) in enumerate(given_files)
        ]
        with closing(case_store(files, Path(name, "case"))) as case:
            for text, cap in asks:
                try:
                    store = ScanStore(files, parse(text), field_cap=cap)
                except (UnscannableError, QueryError):
                    continue
                with closing(store):
                    about = (text, cap, given_files)
                    assert_same(asked(case, text, None, cap), asked(store, text, None, cap), about)


def with_line(folder: Path, line: str, end: str = "\n") -> Path:
    """The events with another one as their last."""
    return written(folder / "audit.jsonl", [*EVENTS, line], end=end)


@pytest.mark.parametrize("line", [f"{EVENTS[0]}\r", f"  {EVENTS[0]}\t", f"{EVENTS[1]}\r", f"{EVENTS[1]} "])
def test_lines_with_blanks_around_them(tmp_path: Path, line: str) -> None:
    """Carriage returns and blanks at the ends of lines change nothing in the rows."""
    path = with_line(tmp_path, line)
    with closing(case_store([path], tmp_path / "case")) as case:
        for text in (f"{WANTED} | fields auditID, @message, @ptr", f"{WANTED} | stats count(*) as n by user.username"):
            with closing(ScanStore([path], parse(text))) as store:
                whole, scanned = case.ask(parse(text), None), store.ask(parse(text), None)
                assert_same(replace(whole, scanned=scanned.scanned), scanned, text)


@pytest.mark.parametrize("line", [f"{EVENTS[1]}\r", f"{EVENTS[1]} "], ids=["CRLF", "blank"])
def test_what_was_read_is_counted(tmp_path: Path, line: str) -> None:
    """Lines that are passed over are counted as what they are, to the byte."""
    path = with_line(tmp_path, line)
    with closing(case_store([path], tmp_path / "case")) as case, closing(ScanStore([path], parse(WANTED))) as store:
        assert store.scanned(None) == case.scanned(None)


@pytest.mark.parametrize(
    ("line", "end"),
    [
        (EVENTS[1][:-1], ""),
        (EVENTS[1] + EVENTS[2], "\n"),
        (EVENTS[1].replace('"auditID":"1"', '"auditID":1'), "\n"),
    ],
    ids=["cut at the end", "two events", "no auditID"],
)
def test_lines_that_are_not_passed_over(tmp_path: Path, line: str, end: str) -> None:
    """A line without the texts that is no whole event by itself needs a case, which counts it as what it is."""
    with pytest.raises(UnscannableError):
        ScanStore([with_line(tmp_path, line, end)], parse(WANTED))


def test_a_damage_that_is_not_seen(tmp_path: Path) -> None:
    """A line cut exactly at a brace is passed over as whole: a scan does not read what cannot count, a case does."""
    path = with_line(tmp_path, EVENTS[1][:-1])
    with closing(case_store([path], tmp_path / "case")) as case, closing(ScanStore([path], parse(WANTED))) as store:
        assert (store.scanned(None).unreadable, case.scanned(None).unreadable) == (0, 1)
        assert store.ask(parse(WANTED), None).rows == case.ask(parse(WANTED), None).rows


@pytest.mark.parametrize(
    "line",
    [EVENTS[0][:-1], EVENTS[0] + EVENTS[1], EVENTS[1] + EVENTS[0], EVENTS[0].replace('"auditID":"0"', '"auditID":0')],
    ids=["cut at a brace", "two events", "two events the other way", "no auditID"],
)
def test_lines_that_look_like_events(tmp_path: Path, line: str) -> None:
    """A line with the texts that only looks like an event needs a case: no row is lost or made up."""
    with pytest.raises(UnscannableError):
        ScanStore([with_line(tmp_path, line)], parse(WANTED))


@pytest.mark.parametrize("shared", [1 << 40, 1], ids=["one process", "two processes"])
@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize(
    "text",
    [
        f"{WANTED} | fields @timestamp, auditID, @ptr, @log, @logStream, @message | sort auditID",
        f"{WANTED} | stats count(*) as n, earliest(auditID) as e by user.username, bin(1s) | sort n desc | limit 3",
        "filter user.username in ['user-3', 'user-7'] | filter verb = 'get' | fields @message | limit 7",
        "filter user.username = 'user-3' | fields verb | dedup verb",
        "filter user.username like 'nobody' | fields @message",
        "filter user.username like 'nobody' | stats count(*) as n, max(@timestamp) as t",
    ],
)
def test_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, suffix: str, shared: int) -> None:
    """Two files are one log, plain or compressed, sieved by one process or by two."""
    monkeypatch.setattr(sieve, "_SHARED_BYTES", shared)
    files = [written(tmp_path / f"{number}.{suffix}", EVENTS[number * 120 :][:120]) for number in range(2)]
    with closing(case_store(files, tmp_path / "case")) as case, closing(ScanStore(files, parse(text))) as store:
        assert_same(case.ask(parse(text), None), store.ask(parse(text), None), text)
        assert store.span() is None


def test_a_truncated_event_is_counted(tmp_path: Path) -> None:
    """An event that was cut when it was written is counted, whether it matches or not."""
    marked = go_json(audit_event(auditID="marked", annotations={"audit.k8s.io/truncated": "true"}))
    path = written(tmp_path / "audit.jsonl", [*EVENTS, marked])
    with closing(ScanStore([path], parse(WANTED))) as store:
        answer = store.ask(parse(WANTED), None)
    assert (answer.rows, answer.scanned.events, answer.scanned.truncated) == (25, 201, 1)


# --- when a case is needed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "fields verb",
        "filter responseStatus.code = 403",
        "filter verb != 'get'",
        "filter verb = 'create' or responseStatus.code = 403",
        "stats count(*) by verb",
        "filter verb = 'create' | estimate",
        "filter verb = 'create' and @timestamp > now() - 1000",
        "filter verb = 'create' | fields queryStartTime() as s",
        "filter verb in (filter verb = 'create' | fields verb)",
        "filter verb = 'get'",  # most lines
    ],
)
def test_questions_that_need_a_case(tmp_path: Path, own_temporary: Path, text: str) -> None:
    """A question without a rare text to look for, or that depends on the window, needs a case."""
    with pytest.raises(UnscannableError):
        ScanStore([written(tmp_path / "audit.jsonl", EVENTS)], parse(text))
    assert list(own_temporary.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    ["no JSON", "{broken", '{"kind": "Pod"}', "[1, 2]", "", EVENTS[0][:-150] + "[Truncated...]", *ODD[7:11]],
)
@pytest.mark.parametrize("place", [0, 1, 100, 200])
def test_lines_that_need_a_case(tmp_path: Path, own_temporary: Path, line: str, place: int) -> None:
    """Lines that only the reader of everything can read need a case, wherever they are."""
    path = written(tmp_path / "audit.jsonl", [*EVENTS[:place], line, *EVENTS[place:]])
    with pytest.raises(UnscannableError):
        ScanStore([path], parse(WANTED))
    assert list(own_temporary.iterdir()) == []


def _reply() -> bytes:
    return json.dumps({"events": [{"timestamp": TEN, "message": EVENTS[0]}] * 9}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        gzip.compress(b"", mtime=0),
        gzip.compress("\n".join(EVENTS).encode(), mtime=0)[:-200],
        gzip.compress(gzip.compress("\n".join(EVENTS).encode(), mtime=0), mtime=0),
        _reply(),
        f"@timestamp,@message\n2026-11-24 10:00:00.000,{EVENTS[0]}\n".encode(),
        "\n".join(json.dumps(json.loads(line)) for line in EVENTS).encode(),
        "\n".join(json.dumps(json.loads(EVENTS[0]), indent=1).splitlines()).encode(),
    ],
    ids=["empty", "blank", "empty gzip", "cut gzip", "gzip of gzip", "reply", "CSV", "other writer", "printed"],
)
@pytest.mark.parametrize("number", [0, 1])
def test_files_that_need_a_case(tmp_path: Path, own_temporary: Path, content: bytes, number: int) -> None:
    """Files that are no log of the API server, or not whole, need a case, alone or beside others."""
    other = written(tmp_path / f"{1 - number}.log", EVENTS)
    path = tmp_path / f"{number}.log"
    path.write_bytes(content)
    with pytest.raises(UnscannableError):
        ScanStore(sorted([path, other]), parse(WANTED))
    assert list(own_temporary.iterdir()) == []


def test_a_missing_file_needs_a_case(tmp_path: Path) -> None:
    """What cannot be opened is left to the reader of everything, which says what is wrong."""
    with pytest.raises(UnscannableError):
        ScanStore([tmp_path / "none"], parse(WANTED))


# --- what is left behind --------------------------------------------------------------------------------------------


def test_nothing_is_left_behind(tmp_path: Path, own_temporary: Path) -> None:
    """The folder for the lines that were kept is gone when the store is closed, after an error of the query too."""
    path = written(tmp_path / "audit.jsonl", EVENTS)
    store = ScanStore([path], parse(WANTED))
    assert len(list(own_temporary.iterdir())) == 1
    assert store.ask(parse(WANTED), None).rows == 25
    with pytest.raises(QueryError):
        store.ask(parse(f"{WANTED} | stats count(*) | fields verb"), None)
    store.close()
    assert list(own_temporary.iterdir()) == []
    assert path.read_text().splitlines() == EVENTS


def test_tables(tmp_path: Path) -> None:
    """Lookup tables are there for a scan too."""
    path = written(tmp_path / "audit.jsonl", EVENTS)
    table = written(tmp_path / "names.csv", [TABLES["names"]], end="")
    text = f"{WANTED} | lookup names name as verb output level | stats count(*) as n by level"
    with closing(ScanStore([path], parse(text), {"names": table})) as store:
        assert store.ask(parse(text), None).values == {"level": [None], "n": ["25"]}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[ScanStore]:
    """A scan."""
    store = ScanStore([written(tmp_path / "audit.jsonl", EVENTS)], parse(WANTED))
    yield store
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '{log}'",
        "COPY (SELECT 1) TO '{elsewhere}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
    ],
)
def test_the_database_reads_nothing_else(opened: ScanStore, tmp_path: Path, sql: str) -> None:
    """SQL that reached the connection of a scan could read no file, not even the log, and write none elsewhere."""
    elsewhere, log = tmp_path / "elsewhere", tmp_path / "audit.jsonl"
    with pytest.raises(duckdb.Error):
        opened._connection.execute(sql.format(elsewhere=elsewhere, log=log)).fetchall()
    assert not elsewhere.exists()
    assert opened.ask(parse(WANTED), None).rows == 25
