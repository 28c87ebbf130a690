"""Files as a source: what a query over them answers, and what it says about its own completeness."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from eks_audit_nb.case.collecting import collect_files
from eks_audit_nb.errors import ParameterError, QueryError, SourceError, WindowError
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from logs import go_json

MakeLog = Callable[..., Path]


def at(time: str, **changes: object) -> dict[str, object]:
    """An event written at that time of 24 November 2026."""
    return audit_event(stageTimestamp=f"2026-11-24T{time}Z", auditID=time, **changes)


def ids(frame: pd.DataFrame) -> list[str]:
    return list(frame["auditID"])


@pytest.fixture
def three_hours(make_log: MakeLog) -> FileSource:
    """Events at 10:00, 11:00, 11:30, 11:59:59.999900 and 12:00."""
    times = ("10:00:00", "11:00:00", "11:30:00.5", "11:59:59.999900", "12:00:00.000000")
    return FileSource(str(make_log(*map(at, times))))


# --- windows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("", "", ["10:00:00", "11:00:00", "11:30:00.5", "11:59:59.999900", "12:00:00.000000"]),
        ("-1h", "", ["11:00:00", "11:30:00.5", "11:59:59.999900", "12:00:00.000000"]),
        ("-1m", "now", ["11:59:59.999900", "12:00:00.000000"]),
        ("-2h", "-1h", ["10:00:00", "11:00:00"]),
        ("", "-30m", ["10:00:00", "11:00:00"]),
        ("2026-11-24T11:30:00.500Z", "2026-11-24T11:59:59.999Z", ["11:30:00.5", "11:59:59.999900"]),
        ("2026-11-24T13:00:00+02:00", "2026-11-24T11:30:00", ["11:00:00"]),
        ("2020-01-01", "2020-01-02", []),
    ],
)
def test_windows(three_hours: FileSource, start: str, end: str, expected: list[str]) -> None:
    """A window holds both of its ends, relative times count from the last event, and no times mean the whole file."""
    assert ids(three_hours.run("fields auditID | sort @timestamp asc", start, end).frame) == expected


def test_the_window_is_part_of_the_result(three_hours: FileSource) -> None:
    """A result says which window it covers, the first and the last event's times where none was given."""
    result = three_hours.run("fields auditID")
    assert str(result.window) == "2026-11-24 10:00:00.000 to 2026-11-24 12:00:00.000 UTC"


@pytest.mark.parametrize(("start", "end"), [("yesterday", ""), ("", "24h"), ("-1h", "-2h")])
def test_wrong_windows(three_hours: FileSource, start: str, end: str) -> None:
    """A time that is none, or an end before the start, is refused."""
    with pytest.raises(WindowError, match=r"Write|Give a start"):
        three_hours.run("fields auditID", start, end)


# --- completeness ---------------------------------------------------------------------------------------------------


def test_a_whole_log_is_complete(make_log: MakeLog) -> None:
    """Where every line is a whole event the result is complete and gives no reason for doubt."""
    result = FileSource(str(make_log(audit_event()))).run("fields auditID")
    assert result.complete
    assert result.reasons == ()


def test_unreadable_lines_are_a_reason_for_doubt(make_log: MakeLog) -> None:
    """Lines that are no JSON are kept, seen by @message, and make the result incomplete with their number."""
    source = FileSource(str(make_log(audit_event(), "{broken", "not JSON")))
    assert source.manifest.conditions == {"": 1, "unreadable": 2}
    result = source.run("fields @message | filter not ispresent(verb)")
    assert sorted(result.frame["@message"]) == ["not JSON", "{broken"]
    assert not result.complete
    assert result.reasons == ("2 lines of the window are no JSON; filters cannot see their fields.",)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(audit_event())[:-200] + "[Truncated...]",
        json.dumps(audit_event(annotations={"audit.k8s.io/truncated": "true"})),
    ],
    ids=["cut text", "annotation"],
)
def test_truncated_events_are_a_reason_for_doubt(make_log: MakeLog, line: str) -> None:
    """An event that was cut when it was written is kept, found by its text, and makes the result incomplete."""
    result = FileSource(str(make_log(audit_event(auditID="whole"), line))).run(
        'fields @message | filter @message like "0000-4000"'
    )
    assert list(result.frame["@message"]) == [line]
    assert result.reasons == ("1 event was cut short when written, in this window.",)


def test_only_the_window_is_doubted(make_log: MakeLog) -> None:
    """A line that cannot be read makes only those windows incomplete that it lies in."""
    source = FileSource(str(make_log(at("10:00:00"), "broken", at("12:00:00"))))
    assert not source.run("fields auditID").complete
    assert source.run("fields auditID", "-1h").complete


def test_a_broken_file_is_a_reason_for_doubt(tmp_path: Path) -> None:
    """A compressed file that breaks off makes every result incomplete, by name."""
    path = tmp_path / "audit.jsonl.gz"
    lines = [json.dumps(at(f"10:{number:02}:00", userAgent=str(number**9))) for number in range(60)]
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-300])
    source = FileSource(str(path))
    for start, end in (("", ""), ("2026-11-24T10:01:00Z", "2026-11-24T10:02:00Z")):
        result = source.run("fields auditID", start, end)
        assert len(result) > 1
        assert f"The compressed data of {path} is cut or damaged; what follows is missing." in result.reasons


def test_the_doubts_of_an_envelope_are_reasons(tmp_path: Path) -> None:
    """Where a reply of the service says itself that it is not whole, every result is incomplete and says so."""
    path = tmp_path / "reply.json"
    event = {"timestamp": 1_795_514_400_000, "message": json.dumps(audit_event()), "ingestionTime": 1_795_514_400_000}
    path.write_text(json.dumps({"events": [event], "nextToken": "more"}))
    result = FileSource(str(path)).run("fields auditID")
    assert len(result) == 1
    assert result.reasons == (f"{path} ends with a token: there may be more pages, which are missing.",)


def test_a_reached_limit_is_a_note(three_hours: FileSource) -> None:
    """A limit that the user wrote is noted where it was reached, and is no incompleteness."""
    cut = three_hours.run("fields auditID | limit 5")
    assert cut.complete
    assert cut.notes == ("The limit of 5 in the query was reached; there may be more rows.",)
    assert three_hours.run("fields auditID | limit 6").notes == ()


# --- several files --------------------------------------------------------------------------------------------------


def test_files_are_one_log(tmp_path: Path) -> None:
    """A folder and a glob are asked as one log, in the order of time and not of files."""
    for name, time in (("a", "12:00:00"), ("b", "10:00:00"), ("c", "11:00:00")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(at(time)))
    for where in (tmp_path, tmp_path / "*.jsonl"):
        source = FileSource(str(where))
        assert ids(source.run("fields auditID").frame) == ["12:00:00", "11:00:00", "10:00:00"]
        assert source.run("stats count_distinct(@logStream) as n").frame["n"].tolist() == [3]


def test_log_streams_look_like_those_of_eks(make_log: MakeLog) -> None:
    """Queries for the audit streams of EKS find the events of a file."""
    source = FileSource(str(make_log(audit_event(), name="anything.log")))
    assert len(source.run('fields auditID | filter @logStream like "kube-apiserver-audit"')) == 1
    assert len(source.run("fields auditID | filter @logStream like /^kube-apiserver-audit-[0-9a-f]{32}$/")) == 1


def test_no_audit_events(make_log: MakeLog) -> None:
    """A file without audit events is refused when it is opened, and the message says what is expected."""
    with pytest.raises(SourceError, match="Expected one JSON object a line, each with an auditID"):
        FileSource(str(make_log('{"kind": "Pod"}')))


# --- hostile events -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "[" * 1500 + "]" * 1500,
        '{"a": 1e400}',
        '{"a": ' + "7" * 5000 + "}",
        r'{"a": "\ud800", "b": 1e400}',
        '{"a":1,"a":2}',
    ],
    ids=["depth", "1e400", "digits", "surrogate", "twice"],
)
def test_a_body_cannot_hide_its_event(make_log: MakeLog, body: str) -> None:
    """Whatever a client puts into a body, filters see the event's other fields and the result is complete."""
    line = f'{json.dumps(audit_event())[:-1]}, "requestObject": {body}}}'
    query = "fields @message | filter user.username = 'alice' and `annotations.authorization.k8s.io/decision` = 'allow'"
    result = FileSource(str(make_log(line))).run(query)
    assert result.complete
    assert list(result.frame["@message"]) == [line]


# --- queries and parameters -----------------------------------------------------------------------------------------


def test_a_named_query(make_log: MakeLog) -> None:
    """A query can be asked by its name, and the result carries the name and the text as it ran."""
    source = FileSource(str(make_log(audit_event(responseStatus={"code": 403}))))
    result = source.run("refused_requests", username="ali")
    assert result.name == "refused_requests"
    assert 'like "ali"' in result.query
    assert len(result) == 1
    assert len(source.run("refused_requests", username="bob")) == 0


def test_wrong_queries(make_log: MakeLog) -> None:
    """A wrong text and a wrong parameter are refused before anything is read."""
    source = FileSource(str(make_log(audit_event())))
    with pytest.raises(QueryError, match="There is no function"):
        source.run("fields strlenn(verb)")
    with pytest.raises(ParameterError, match="has no parameter 'user'"):
        source.run("refused_requests", user="x")


def test_statistics(make_log: MakeLog) -> None:
    """Events and bytes are counted over the window, whatever the query keeps of them, and cost nothing."""
    first, second = at("10:00:00", userAgent="é"), at("12:00:00")
    source = FileSource(str(make_log(json.dumps(first, ensure_ascii=False), second)))
    result = source.run("fields auditID | filter verb = 'nothing'")
    size = len(json.dumps(first, ensure_ascii=False).encode()) + len(json.dumps(second).encode())
    assert (result.statistics.events_scanned, result.statistics.bytes_scanned) == (2, size)
    assert source.run("fields auditID", "-1h").statistics.events_scanned == 1
    assert not result.is_remote
    assert not source.is_remote


def test_a_window_beside_the_log_is_no_clean_answer(sample: FileSource) -> None:
    """Where no event of the log lies in the window, nothing found means nothing, and the result says so."""
    result = sample.run("aws_auth_changes", "2025-01-01", "2025-01-02")
    assert not result.complete
    (reason,) = result.reasons
    assert reason.startswith("No event of the log lies in this window; they reach from 2026-11-24 22:28:14.509 to")


def test_a_window_wider_than_the_log_is_noted(sample: FileSource) -> None:
    """Where the log covers a part of the window only, a note says which part."""
    result = sample.run("aws_auth_changes", "2026-11-20", "2026-11-25")
    assert result.complete
    assert "The log's own events reach from 2026-11-24 22:28:14.509" in result.notes[0]
    assert sample.run("aws_auth_changes", "-1m").notes == ()


def test_json_that_is_no_audit_event_is_a_reason_for_doubt(make_log: Callable[..., Path]) -> None:
    """A JSON line without an auditID is counted apart from audit events, and makes the result incomplete."""
    result = FileSource(str(make_log(audit_event(), '{"foo": 1}'))).run("stats count(*) as n")
    assert result.reasons == ("1 line of the window is JSON and no audit event.",)


def test_lookup_tables_and_modes(make_log: Callable[..., Path], tmp_path: Path) -> None:
    """Lookup tables, the field cap and strictness that are given at the start hold for every query."""
    table = tmp_path / "people.csv"
    table.write_text("login,name\nalice,Alice A.\n")
    log = str(make_log(audit_event()))
    source = FileSource(log, tables={"people": table})
    result = source.run("fields user.username as login | lookup people login OUTPUT name | display name")
    assert result.frame["name"].tolist() == ["Alice A."]
    capped = FileSource(log, field_cap=2)
    assert capped.run("fields kind, verb").frame.iloc[0].isna().tolist() == [False, True]
    strict = FileSource(log, is_strict=True)
    with pytest.raises(QueryError, match="limit stands before the last stats"):
        strict.run("limit 5 | stats count(*)")


# --- cases ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, which is not there yet."""
    monkeypatch.setenv("EKS_AUDIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def many(make_log: MakeLog) -> Path:
    """A hundred events, one of which deletes; written as the API server writes them."""
    return make_log(*[go_json(audit_event(auditID=str(n), verb="delete" if n == 70 else "get")) for n in range(100)])


def test_a_case_as_a_source(make_log: MakeLog, tmp_path: Path, own_cache: Path) -> None:
    """A case is asked where it lies: nothing is read again and nothing is written into the cache."""
    log = many(make_log)
    collect_files(str(log), tmp_path / "case")
    for is_asked_once in (False, True):
        source = FileSource(str(tmp_path / "case"), is_asked_once=is_asked_once)
        assert source.files == []
        assert source.manifest.events == 100
        result = source.run("filter verb = 'delete' | fields auditID, @message")
        assert ids(result.frame) == ["70"]
        assert result.source == str(tmp_path / "case")
        assert str(result.window) == "2026-11-24 10:00:00.123 to 2026-11-24 10:00:00.123 UTC"
        source.close()
    assert not own_cache.exists()


def test_one_question_needs_no_case(make_log: MakeLog, own_cache: Path) -> None:
    """A source that is asked once makes no case for a question with a rare text, and says how much was read."""
    log = many(make_log)
    source = FileSource(str(log), is_asked_once=True)
    text = "filter verb = 'delete' | fields auditID, @message"
    once = source.run(text)
    assert not own_cache.exists()
    asked = FileSource(str(log)).run(text)
    assert once.frame.equals(asked.frame)
    assert (once.statistics, once.complete, once.notes[1:]) == (asked.statistics, True, asked.notes)
    assert "passed over and not checked" in once.notes[0]
    assert once.window is None  # the ends of the log were not looked at


def test_one_question_says_what_was_cut(make_log: MakeLog, own_cache: Path) -> None:
    """An event that was cut when written makes the answer to one question incomplete, as it does that of a case."""
    whole = many(make_log).read_text(encoding="utf-8")
    cut = audit_event(verb="patch", annotations={"audit.k8s.io/truncated": "true"})
    line = json.dumps(cut, separators=(",", ":"))
    log = make_log(*whole.splitlines(), line, name="cut.jsonl")
    text = "filter verb = 'delete' | fields auditID"
    once = FileSource(str(log), is_asked_once=True, field_cap=200).run(text)
    assert not own_cache.exists()
    assert not once.complete
    assert once.reasons == FileSource(str(log)).run(text).reasons
    assert once.reasons == ("1 event was cut short when written, in this window.",)
    assert "Only the first 200 fields of each event are seen, as asked." in once.notes


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("filter verb = 'delete' | fields auditID", "-1h"),
        ("filter responseStatus.code = 403 | fields auditID", ""),
        ("stats count(*) by verb", ""),
        ("filter verb = 'get' | fields auditID", ""),
    ],
)
def test_questions_for_which_a_case_is_made(make_log: MakeLog, own_cache: Path, text: str, start: str) -> None:
    """A window, or a question that most events may count in, makes the case that the next question finds."""
    log = many(make_log)
    source = FileSource(str(log), is_asked_once=True)
    result = source.run(text, start)
    assert result.frame.equals(FileSource(str(log)).run(text, start).frame)
    (case,) = own_cache.iterdir()
    made = case.stat().st_mtime_ns
    again = FileSource(str(log), is_asked_once=True).run("filter verb = 'delete' | fields auditID")
    assert ids(again.frame) == ["70"]
    assert again.window is not None
    assert case.stat().st_mtime_ns == made


def test_what_is_wrong_is_said_once_a_case_is_needed(make_log: MakeLog, own_cache: Path) -> None:
    """A source that is asked once says the same of lines that it cannot read, and of files without events."""
    log = make_log(*[go_json(audit_event()) for _ in range(9)], "{broken", go_json(audit_event(verb="delete")))
    result = FileSource(str(log), is_asked_once=True).run("filter verb = 'delete' | fields verb")
    assert result.reasons == ("1 line of the window is no JSON; filters cannot see their fields.",)
    source = FileSource(str(make_log("no JSON")), is_asked_once=True)
    with pytest.raises(SourceError, match="holds no audit events"):
        source.run("filter verb = 'delete' | fields verb")


def test_modes_of_a_source_that_is_asked_once(make_log: MakeLog, tmp_path: Path, own_cache: Path) -> None:
    """Lookup tables, the field cap and strictness hold without a case too."""
    log = str(many(make_log))
    table = tmp_path / "people.csv"
    table.write_text("login,name\nalice,Alice\n")
    source = FileSource(log, tables={"people": table}, is_asked_once=True)
    text = "filter verb = 'delete' | lookup people login AS user.username OUTPUT name | display name"
    assert source.run(text).frame["name"].tolist() == ["Alice"]
    capped = FileSource(log, field_cap=4, is_asked_once=True)
    assert len(capped.run("filter verb = 'delete' | fields auditID").frame) == 0
    strict = FileSource(log, is_strict=True, is_asked_once=True)
    with pytest.raises(QueryError, match="limit stands before the last stats"):
        strict.run("filter verb = 'delete' | limit 5 | stats count(*)")
    assert not own_cache.exists()
