"""The store of events: windows, counts, and what it says of a query that it cannot answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.window import Window

from conftest import audit_event


def event(line: int, timestamp_ms: int, condition: str = "", verb: str = "get") -> Event:
    """An event of a store; a condition means that it is no JSON."""
    message = json.dumps({"auditID": str(line), "verb": verb})
    document = None if condition else message
    return Event(line, timestamp_ms, timestamp_ms, message, document, "stream", "log", f"log:{line}", condition)


def ids(store: EventStore, window: Window | None) -> list[str | None]:
    return store.ask(parse("fields auditID | sort @timestamp"), window).values["auditID"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (1000, 3000, ["0", "1", "2"]),
        (1000, 1000, ["0"]),
        (1001, 2999, ["1"]),
        (1001, 1999, []),
        (3000, 3000, ["2"]),
        (0, 999, []),
        (3001, 9999, []),
    ],
)
def test_windows_are_inclusive(start: int, end: int, expected: list[str]) -> None:
    """An event at the first or the last millisecond of a window is in it, one a millisecond outside is not."""
    store = EventStore([event(0, 1000), event(1, 2000), event(2, 3000)])
    assert ids(store, Window(start, end)) == expected
    store.close()


def test_a_file_has_the_same_ends(make_log: Callable[..., Path]) -> None:
    """A window in text has both its ends in it, cut to milliseconds as the events are."""
    source = FileSource(str(make_log(audit_event(stageTimestamp="2026-11-24T10:00:00.123999Z"))))
    for start, end, rows in [
        ("2026-11-24T10:00:00.123Z", "2026-11-24T10:00:00.123Z", 1),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00.123Z", 1),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00.122Z", 0),
        ("2026-11-24T10:00:00.124Z", "2026-11-24T11:00:00Z", 0),
    ]:
        assert len(source.run("fields auditID", start, end).frame) == rows


def test_no_window_means_everything() -> None:
    """Without a window all events are asked, and the store knows from when to when they are."""
    store = EventStore([event(0, 2000), event(1, -1000)])
    assert ids(store, None) == ["1", "0"]
    assert store.span() == Window(-1000, 2000)
    store.close()


def test_an_empty_store() -> None:
    """A store without events has no span, and answers with columns and without rows."""
    store = EventStore([])
    assert store.span() is None
    answer = store.ask(parse("fields verb"), None)
    assert (answer.values, answer.rows, answer.scanned.events) == ({"verb": []}, 0, 0)
    assert store.ask(parse("stats count(*) as n, sum(verb) as s"), None).values == {"n": ["0"], "s": [None]}
    store.close()


def test_what_was_read_is_counted() -> None:
    """Events, bytes and lines that were not whole are counted for the window, not for what matches."""
    events = [event(0, 1000), event(1, 2000, "unreadable"), event(2, 2500, "truncated"), event(3, 9000, "unreadable")]
    store = EventStore(events)
    answer = store.ask(parse("filter verb = 'none'"), Window(1000, 3000))
    assert (answer.rows, answer.scanned.events, answer.scanned.unreadable, answer.scanned.truncated) == (0, 3, 1, 1)
    assert answer.scanned.bytes == sum(len(each.message) for each in events[:3])
    store.close()


def test_bytes_are_those_of_utf8() -> None:
    """Bytes scanned are bytes, as AWS bills them, not characters."""
    store = EventStore([Event(0, 0, 0, "größe 😀", None, "", "", "", "")])
    assert store.ask(parse("fields @message"), None).scanned.bytes == len("größe 😀".encode())
    store.close()


def test_sparse_documents() -> None:
    """Among thousands of lines that are no JSON the few that are keep their fields."""
    count = 25_000
    store = EventStore(event(i, i, "" if i % 9_999 == 7 else "unreadable") for i in range(count))
    assert ids(store, None).count(None) == count - 3
    assert store.ask(parse("stats count(*) as n by verb"), None).values == {"verb": [None, "get"], "n": ["24997", "3"]}
    store.close()


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("/[/", "missing"), ("/(?=x)/", "invalid"), (r"/(a)\1/", "invalid"), ("/(?<!a)b/", "invalid"), ("/a{9999}/", "")],
)
@pytest.mark.parametrize("query", ["filter verb like {}", "fields verb =~ {} as x", "parse verb {}"])
def test_regular_expressions_are_checked(query: str, pattern: str, reason: str) -> None:
    """A regular expression that RE2 does not take is refused at its place, with the reason, before anything runs."""
    if query.startswith("parse"):
        pattern = f"/(?<name>x){pattern[1:]}"
    store = EventStore([])
    text = query.format(pattern)
    with pytest.raises(QueryError, match=f"The regular expression is not valid: .*{reason}") as caught:
        store.ask(parse(text), None)
    assert text[caught.value.start : caught.value.end] == pattern
    assert "RE2 syntax" in caught.value.hint
    store.close()


def test_warnings_come_with_the_answer() -> None:
    """What the order of the commands is warned of is part of the answer."""
    store = EventStore([event(0, 0)])
    assert store.ask(parse("fields verb"), None).warnings == ()
    assert len(store.ask(parse("limit 1 | filter verb = 'get'"), None).warnings) == 1
    store.close()


def test_threads_share_a_store() -> None:
    """Several threads that ask one store get their own answers."""
    store = EventStore(event(i, i, verb=f"v{i % 5}") for i in range(500))
    queries = [f"filter verb = 'v{i % 5}' | stats count(*) as n, max(@timestamp) as t" for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: store.ask(parse(text), None).values, queries))
    assert [values["n"] for values in found] == [["100"]] * 40
    assert [values["t"] for values in found[:5]] == [[f"1970-01-01 00:00:00.{495 + i}"] for i in range(5)]
    store.close()


def test_asking_changes_nothing() -> None:
    """The same question gets the same answer, whatever was asked in between."""
    store = EventStore(event(i, i % 7, verb=f"v{i % 3}") for i in range(100))
    first = store.ask(parse("fields auditID, verb"), None).values
    store.ask(parse("fields 'x' as verb | filter verb = 'x' | stats count(*) by verb | limit 1"), None)
    assert store.ask(parse("fields auditID, verb"), None).values == first
    store.close()
