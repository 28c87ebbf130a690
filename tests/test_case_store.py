"""A case against the plainest store of the same files: the same answers, from columns, from a few lines, from all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_differential import EVENTS, TABLES, queries

from eks_audit_nb.case import store as case_module
from eks_audit_nb.case import writer
from eks_audit_nb.case.manifest import NAME
from eks_audit_nb.case.store import CaseStore
from eks_audit_nb.engine.chain import Context
from eks_audit_nb.errors import SourceError
from eks_audit_nb.insights import parse
from eks_audit_nb.window import Window

from conftest import audit_event
from logs import (
    ODD,
    asked,
    assert_same,
    audit_lines,
    case_store,
    event_store,
    go_json,
    hot_queries,
    in_events,
    stamp,
    written,
)
from oracle import RawEvent

TEN = 1_795_514_400_000
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]
FIRST = go_json(audit_event(auditID="first"))
MOMENTS = st.integers(0, 9).map(lambda number: TEN + number * 777)
WINDOWS = st.none() | st.tuples(MOMENTS, MOMENTS).map(lambda ends: Window(min(ends), max(ends)))
CAPS = st.sampled_from([None, None, 9, 200])


def few(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """So many examples, none of which is shrunk: the message has the query and the log."""
    return settings(max_examples=count, phases=[Phase.explicit, Phase.generate], suppress_health_check=SLOW)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The lookup tables as files."""
    folder = tmp_path_factory.mktemp("tables")
    return {name: written(folder / f"{name}.csv", [text], end="") for name, text in TABLES.items()}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one example."""
    with TemporaryDirectory() as name:
        yield Path(name)


def assert_answers(
    files: list[Path], asks: list[tuple[str, Window | None, int | None]], tables: dict[str, Path] | None = None
) -> None:
    """The case of some files answers as the events in memory do."""
    with (
        TemporaryDirectory() as name,
        closing(event_store(files, tables)) as plain,
        closing(case_store(files, Path(name, "case"), tables)) as case,
    ):
        assert plain.span() == case.span()
        for text, window, cap in asks:
            about = (text, window, cap, [path.read_bytes()[:5000] for path in files])
            assert_same(asked(plain, text, window, cap), asked(case, text, window, cap), about)


# --- the same answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [20_000, 1], ids=["picked", "all lines"])
@few(9)
@given(
    st.lists(st.one_of(audit_lines(), audit_lines(), audit_lines(), st.sampled_from(ODD)), max_size=12),
    st.lists(st.tuples(hot_queries(), WINDOWS, CAPS), min_size=8, max_size=8),
)
def test_a_case_answers_as_its_log(
    most: int, lines: list[str], asks: list[tuple[str, Window | None, int | None]]
) -> None:
    """For any log of audit events, a case has the same answer as the log, with any window and any field cap."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        patch.setattr(case_module, "_MOST_PICKED", most)
        assert_answers([written(Path(name, "audit.jsonl"), [FIRST, *lines])], asks)


@few(9)
@given(EVENTS, st.lists(st.tuples(queries(), st.none(), CAPS), min_size=4, max_size=4))
def test_a_case_answers_any_query(
    tables: dict[str, Path], events: list[RawEvent], asks: list[tuple[str, Window | None, int | None]]
) -> None:
    """For any query over any lines, a case has the same answer as the log."""
    lines = [in_events(event, number) for number, event in enumerate(events)]
    with TemporaryDirectory() as name:
        assert_answers([written(Path(name, "audit.jsonl"), [FIRST, *lines])], asks, tables)


@few(8)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(audit_lines(), max_size=4)), min_size=1, max_size=3),
    EVENTS,
    st.lists(st.tuples(hot_queries(), WINDOWS, st.none()), min_size=6, max_size=6),
)
def test_a_case_of_several_files(
    logs: list[tuple[bool, list[str]]], events: list[RawEvent], asks: list[tuple[str, Window | None, int | None]]
) -> None:
    """Raw files, compressed ones and envelopes are one case, of several parts, which answers as they do together."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        patch.setattr(writer, "_PART_FILES", 1)
        files = [
            written(Path(name, f"{number}.jsonl{'.gz' if is_packed else ''}"), lines)
            for number, (is_packed, lines) in enumerate([(False, [FIRST]), *logs])
        ]
        reply = [{"timestamp": ms, "message": text, "logStreamName": stream} for ms, stream, text in events]
        files.insert(1, written(Path(name, "0 reply.json"), [json.dumps({"events": reply})]))
        assert_answers(files, asks)


def test_large_logs_agree(folder: Path) -> None:
    """Over thousands of events, with a limit and without one, a case picks the same rows as the log."""
    events = [
        go_json(audit_event(auditID=str(number), verb=f"v{number % 7}", stageTimestamp=stamp(TEN + number % 90)))
        for number in range(6_000)
    ]
    texts = [
        "fields @message | sort verb, @timestamp desc | limit 50",
        "filter verb = 'v3' | fields @message | sort auditID | limit 1200",
        "filter verb in ['v1', 'v2'] | fields requestObject.x, auditID | limit 10000",
        "filter auditID like '99' | stats count(*) as n, latest(@message) as m by verb",
        "fields user.groups.0 as g | stats count(*) by g, verb",
    ]
    window = Window(TEN + 10, TEN + 60)
    asks = [(text, each, None) for text in texts for each in (None, window)]
    assert_answers([written(folder / "audit.jsonl", events)], asks)


# --- what is read ---------------------------------------------------------------------------------------------------


def path_of(store: CaseStore, text: str, cap: int | None = None) -> str:
    """What a query is answered from."""
    window = store.span() or Window(0, 0)
    with store.prepared(parse(text), Context(window, window.end_ms, field_cap=cap)) as statement:
        if not statement.reads_documents:
            return "columns"
        return "picked" if "FROM picked" in statement.sql else "all"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    """Three events."""
    lines = [go_json(audit_event(auditID=str(number), verb=verb)) for number, verb in enumerate(["get", "list", "get"])]
    folder = tmp_path_factory.mktemp("three")
    store = case_store([written(folder / "audit.jsonl", lines)], folder / "case")
    yield store
    store.close()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("fields verb, user.username, @timestamp, @ptr, @logStream", "columns"),
        ("stats count(*) as n by verb, responseStatus.code", "columns"),
        ("fields verb | filter verb = 'get' and user.username like 'ali' | sort stageTimestamp | limit 1", "columns"),
        ("filter verb = 'get' | sort stageTimestamp | limit 1", "picked"),
        ("fields `annotations.authorization.k8s.io/decision`", "columns"),
        ("filter verb = 'get' | fields @message", "picked"),
        ("filter verb = 'get' and requestObject.x = 1 | stats count(*)", "picked"),
        ("fields @message | limit 1", "picked"),
        ("fields requestObject.x, verb | sort verb, @timestamp | limit 1", "picked"),
        ("fields @message", "all"),
        ("filter requestObject.x = 1 | fields verb", "all"),
        ("filter verb = 'get' or requestObject.x = 1 | fields verb", "all"),
        ("fields user.groups.1", "all"),
        ("filter verb in (filter verb = 'get' | fields verb) | fields @message", "all"),
        ("filter verb = 'get' | fields @message | estimate", "all"),
    ],
)
def test_what_is_read(three: CaseStore, text: str, path: str) -> None:
    """Columns answer what they can, a filter or a limit over them picks the lines, and only then are all lines read."""
    assert path_of(three, text) == path


def test_what_is_read_under_a_cap(three: CaseStore) -> None:
    """Under a field cap no column tells a field, since only the text tells which fields are the first ones."""
    assert path_of(three, "fields verb", 9) == "all"
    assert path_of(three, "filter verb = 'get' | fields verb", 9) == "all"
    assert path_of(three, "filter @timestamp > 5 | fields verb", 9) == "picked"
    assert three.ask(parse("filter verb = 'get' | fields verb"), None, field_cap=9).rows == 2
    assert three.ask(parse("filter verb = 'get' | fields verb"), None, field_cap=2).rows == 0


def test_few_lines_are_picked(three: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more lines would be picked than are worth it, in number or in bytes, all lines are read instead."""
    text = "filter verb = 'get' | fields @message"
    for name, most, path in [
        ("_MOST_PICKED", 2, "picked"),
        ("_MOST_PICKED", 1, "all"),
        ("_MOST_PICKED_BYTES", 10_000, "picked"),
        ("_MOST_PICKED_BYTES", 10, "all"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(case_module, name, most)
            assert path_of(three, text) == path
            assert three.ask(parse(text), None).rows == 2


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('filter @at = "x1" | fields auditID', ["1"]),
        ('filter `@@at` = "x1" | fields auditID', ["1"]),
        ('fields jsonParse(\'{"username":"x"}\') as user, auditID | sort user.username | limit 1', ["2"]),
        ('filter true = "true" | fields auditID, @message', ["2", "1", "0"]),
        ('filter @message like "user\ufffd" | fields auditID', ["0"]),
    ],
)
def test_what_once_differed(folder: Path, text: str, ids: list[str]) -> None:
    """A query that a case or a scan once answered with other rows than the log has the same ones."""
    lines = [
        go_json(audit_event(auditID=str(number), stageTimestamp=stamp(TEN + number), **{"@at": f"x{number}"}))
        for number in range(3)
    ]
    path = written(folder / "audit.jsonl", lines)
    path.write_bytes(path.read_bytes().replace(b"alice", b"user\xff", 1))
    with closing(event_store([path])) as plain, closing(case_store([path], folder / "case")) as case:
        answer = case.ask(parse(text), None)
        assert answer.values["auditID"] == ids
        assert_same(plain.ask(parse(text), None), answer, text)


def test_threads_share_a_case(three: CaseStore) -> None:
    """Several threads that ask one case get their own answers, whichever lines were picked."""
    texts = [f"filter auditID = '{number % 3}' | fields @message" for number in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda text: three.ask(parse(text), None).values["@message"], texts))
    assert [json.loads(str(message))["auditID"] for (message,) in found] == [str(number % 3) for number in range(24)]


def test_an_empty_window(three: CaseStore) -> None:
    """A window without events has an answer without rows, and nothing scanned."""
    for text in ("fields verb", "fields @message", "filter verb = 'get' | fields @message"):
        answer = three.ask(parse(text), Window(0, 5))
        assert (answer.rows, answer.scanned.events, answer.scanned.bytes) == (0, 0, 0)
    assert three.ask(parse("stats count(*) as n"), Window(0, 5)).values == {"n": ["0"]}


# --- cases that are not what they were ------------------------------------------------------------------------------

ASKS = ("fields verb", "stats count(*) as n", "fields @message", "filter verb = 'get' | fields @message")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with all the files that one can have."""
    folder = tmp_path_factory.mktemp("made")
    lines = [go_json(audit_event(auditID=str(number), userAgent=str(number**9))) for number in range(400)]
    case_store([written(folder / "audit.jsonl", [*lines, ODD[7]])], folder / "case").close()
    return folder / "case"


FILES = ("blocks.parquet", "part-00001.jsonl.zst", "part-00001.odd.parquet", "part-00001.parquet")


def test_files_of_a_case(made: Path) -> None:
    """A case is its manifest, the lines, their columns, the rows that were no plain lines, and where the lines lie."""
    assert sorted(path.name for path in made.iterdir()) == sorted([NAME, *FILES])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "changed"])
def test_a_damaged_case_gives_no_partial_answer(made: Path, folder: Path, name: str, damage: str) -> None:
    """Where a file of a case is missing, breaks off or is damaged, a query has its whole answer or is refused."""
    case = folder / "case"
    shutil.copytree(made, case)
    path = case / name
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "gone":
        path.unlink()
    else:
        changed = data[:middle] + bytes(sign ^ 255 for sign in data[middle : middle + 9]) + data[middle + 9 :]
        path.write_bytes({"cut": data[:middle], "empty": b"", "changed": changed}[damage])
    refused = []
    with closing(CaseStore(made)) as whole, closing(CaseStore(case)) as store:
        for text in ASKS:
            wanted = whole.ask(parse(text), None)
            try:
                assert store.ask(parse(text), None).rows == wanted.rows
            except SourceError as error:
                refused.append(str(error))
    assert refused or damage == "changed"
    assert all("cannot be read" in message and "eks-audit verify" in message for message in refused)


def test_lines_carry_a_checksum(made: Path, folder: Path) -> None:
    """Wherever in the lines a byte has changed, a query that reads them is refused."""
    case = folder / "case"
    shutil.copytree(made, case)
    path = case / FILES[1]
    data = path.read_bytes()
    for place in range(10, len(data), len(data) // 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with closing(CaseStore(case)) as store:
            for text in ASKS[2:]:
                with pytest.raises(SourceError, match="cannot be read"):
                    store.ask(parse(text), None)


def test_a_damaged_case_with_a_window(made: Path, folder: Path) -> None:
    """What a window holds is not counted from a part of the files."""
    case = folder / "case"
    shutil.copytree(made, case)
    with closing(CaseStore(case)) as store:
        (case / FILES[3]).unlink()
        with pytest.raises(SourceError, match="cannot be read"):
            store.scanned(Window(0, TEN * 2))


# --- the database reads nothing else --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{elsewhere}'",
        "ATTACH '{elsewhere}' AS other",
        "EXPORT DATABASE '{elsewhere}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('https://example.com/x.csv')",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET allowed_paths = ['/etc/passwd']",
        "SET autoinstall_known_extensions = true",
        "SET temp_directory = '/tmp'",
        "SET lock_configuration = false",
        "RESET enable_external_access",
    ],
)
def test_the_database_reads_nothing_else(three: CaseStore, tmp_path: Path, sql: str) -> None:
    """SQL that reached the connection of a case could read no other file, write none elsewhere and load nothing."""
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(duckdb.Error):
        three._connection.execute(sql.replace("{elsewhere}", str(elsewhere))).fetchall()
    assert not elsewhere.exists()
    assert three.ask(parse("fields @message"), None).rows == 3


def test_a_case_reads_its_own_files(three: CaseStore) -> None:
    """The connection of a case reads the files in its own folder."""
    sql = "SELECT count(*) FROM read_parquet($path)"
    path = str(three.folder / "part-00001.parquet")
    assert three._connection.execute(sql, {"path": path}).fetchall() == [(3,)]
