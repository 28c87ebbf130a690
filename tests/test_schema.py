"""What a query returns is known from its text: the columns, their order and their types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eks_audit_nb.insights import Column, ColumnType, columns, parse
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

TEXT, INTEGER, NUMBER, TIME = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.TIME

QUERIES: list[tuple[str, dict[str, ColumnType]]] = [
    ("filter verb = 'get'", {"@timestamp": TIME, "@message": TEXT}),
    ("parse verb 'g*' as rest", {"@timestamp": TIME, "@message": TEXT}),
    ("fields verb", {"verb": TEXT}),
    (
        "fields verb, responseStatus.code, stageTimestamp",
        {"verb": TEXT, "responseStatus.code": INTEGER, "stageTimestamp": TIME},
    ),
    ("fields verb | fields @ingestionTime", {"verb": TEXT, "@ingestionTime": TIME}),
    ("fields verb | fields verb, level", {"verb": TEXT, "level": TEXT}),
    ("fields verb | display level", {"level": TEXT}),
    ("display level | display verb, stage", {"verb": TEXT, "stage": TEXT}),
    ("display level | fields verb", {"level": TEXT}),
    ("fields responseStatus.code as code | display code", {"code": INTEGER}),
    ("fields 1 + 2, 1 as one, -1 as less", {"1 + 2": NUMBER, "one": NUMBER, "less": NUMBER}),
    ("fields verb = 'get' as is_get, not verb as none", {"is_get": INTEGER, "none": INTEGER}),
    ("fields verb like 'g', verb in ['get'] as listed", {"verb like 'g'": INTEGER, "listed": INTEGER}),
    ("fields verb and level as both, verb or level as any", {"both": INTEGER, "any": INTEGER}),
    ("fields strlen(verb), toupper(verb), abs(1)", {"strlen(verb)": INTEGER, "toupper(verb)": TEXT, "abs(1)": NUMBER}),
    ("fields bin(5m), datefloor(@timestamp, 1h) as hour", {"bin(5m)": TIME, "hour": TIME}),
    ("fields toMillis(@timestamp) as ms, fromMillis(0) as epoch", {"ms": INTEGER, "epoch": TIME}),
    ("fields 'text' as note, coalesce(verb, 'none') as verb", {"note": TEXT, "verb": TEXT}),
    ("parse verb 'g*' as rest | display rest", {"rest": TEXT}),
    ("sort strlen(verb) as size desc | display size", {"size": INTEGER}),
    ("stats count(*)", {"count(*)": INTEGER}),
    ("stats count() as n, avg(responseStatus.code) as code by verb", {"verb": TEXT, "n": INTEGER, "code": NUMBER}),
    ("stats count(*) by bin(1h), responseStatus.code as code", {"bin(1h)": TIME, "code": INTEGER, "count(*)": INTEGER}),
    ("stats min(@timestamp) as first, max(stageTimestamp) as last", {"first": TIME, "last": TIME}),
    ("stats max(responseStatus.code) as code", {"code": NUMBER}),
    ("stats latest(verb) as verb, earliest(@timestamp) as at", {"verb": TEXT, "at": TIME}),
    ("stats sortsFirst(responseStatus.code) as code, sortsLast(verb) as verb", {"code": INTEGER, "verb": TEXT}),
    (
        "stats count_distinct(verb), pct(responseStatus.code, 50)",
        {"count_distinct(verb)": INTEGER, "pct(responseStatus.code, 50)": NUMBER},
    ),
    ("stats max(@timestamp) as x, min(@timestamp) as y, x - y as d", {"x": TIME, "y": TIME, "d": NUMBER}),
    ("fields verb | stats count(*)", {"count(*)": INTEGER}),
    ("display verb | stats count(*) by level", {"level": TEXT, "count(*)": INTEGER}),
    ("stats count(*) as n by verb | stats sum(n) as all", {"all": NUMBER}),
    ("stats count(*) as n by verb | fields n * 2 as double", {"verb": TEXT, "n": INTEGER, "double": NUMBER}),
    ("stats count(*) as n by verb | display n", {"n": INTEGER}),
    (
        "stats max(@timestamp) as t by verb | stats count(*) by dateceil(t, 5m) as five",
        {"five": TIME, "count(*)": INTEGER},
    ),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FileSource:
    """Two events in a file."""
    import json

    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    path.write_text("\n".join(json.dumps(audit_event(verb=verb)) for verb in ("get", "list")), encoding="utf-8")
    return FileSource(str(path))


@pytest.mark.parametrize(("text", "expected"), QUERIES)
def test_columns(text: str, expected: dict[str, ColumnType]) -> None:
    """Names and types of a result follow from the text alone: display wins, stats replaces, fields add up."""
    assert columns(parse(text)) == tuple(Column(name, kind) for name, kind in expected.items())


@pytest.mark.parametrize("text", [text for text, _ in QUERIES])
def test_the_frame_keeps_the_promise(source: FileSource, text: str) -> None:
    """The frame of a query has the columns and the types that its text promises."""
    frame = source.run(text).frame
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        column.name: column.type.value for column in columns(parse(text))
    }
    assert list(frame) == [column.name for column in columns(parse(text))]


@pytest.mark.parametrize("text", [text for text, _ in QUERIES])
def test_an_empty_result_has_the_same_columns(source: FileSource, text: str) -> None:
    """A query that matches nothing gives the same columns and types as one that matches."""
    full, empty = source.run(text).frame, source.run(f"filter verb = 'none' | {text}").frame
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()


def test_a_value_of_another_type_is_told(make_log: Callable[..., Path]) -> None:
    """A value that cannot be read as its column's type is missing, and a note says so."""
    path = make_log(audit_event(responseStatus={"code": "many"}), audit_event(responseStatus={"code": "404"}))
    result = FileSource(str(path)).run("fields responseStatus.code as code | sort code desc")
    assert result.frame["code"].to_list()[0] == 404
    assert result.frame["code"].isna().to_list() == [False, True]
    assert any("'many'" in note for note in result.notes)
