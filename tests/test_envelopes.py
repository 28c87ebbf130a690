"""In whatever form audit events are handed on, the same events are read, with the envelope's times and origins."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import SourceError
from eks_audit_nb.reading.lines import Tally, read_events
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.window import to_text

from conftest import audit_event

LOG = "111122223333:/aws/eks/demo/cluster"
OWNER, GROUP = LOG.split(":")
STREAM = "kube-apiserver-audit-0123456789abcdef0123456789abcdef"
START = 1_795_559_400_000  # 2026-11-24 22:30, which is no event's own time
RECEIVED = START + 5_000

Form = Callable[[list[str]], str]


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def stamps(messages: Iterable[str]) -> list[tuple[int, str]]:
    return [(START + number, message) for number, message in enumerate(messages)]


def event_list(messages: list[str]) -> str:
    return f'{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{",".join(messages)}]}}'


def printed(text: str) -> str:
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def answer(messages: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "@timestamp": to_text(stamp),
            "@message": message,
            "@ingestionTime": to_text(RECEIVED),
            "@logStream": STREAM,
            "@log": LOG,
            "@ptr": f"pointer-{stamp}",
        }
        for stamp, message in stamps(messages)
    ]


def query_results(messages: list[str], **reply: object) -> str:
    rows = [[{"field": name, "value": value} for name, value in row.items()] for row in answer(messages)]
    return compact({"results": rows, "statistics": {"recordsMatched": 1.0}, "status": "Complete", **reply})


def filter_log_events(messages: list[str], **reply: object) -> str:
    events = [
        {"logStreamName": STREAM, "timestamp": stamp, "message": message, "ingestionTime": RECEIVED, "eventId": "3"}
        for stamp, message in stamps(messages)
    ]
    return compact({"events": events, "searchedLogStreams": [], **reply})


def get_log_events(messages: list[str], **reply: object) -> str:
    events = [{"timestamp": stamp, "message": text, "ingestionTime": RECEIVED} for stamp, text in stamps(messages)]
    return compact({"events": events, **reply})


def subscription(messages: list[str], kind: str = "DATA_MESSAGE", first: int = 0) -> str:
    events = [{"id": str(stamp), "timestamp": stamp + first, "message": message} for stamp, message in stamps(messages)]
    names = {"owner": OWNER, "logGroup": GROUP, "logStream": STREAM, "subscriptionFilters": ["all"]}
    return compact({"messageType": kind, **names, "logEvents": events})


def firehose(messages: list[str]) -> str:
    middle = len(messages) // 2
    control = subscription(["CWL CONTROL MESSAGE: Checking health of destination Firehose."], "CONTROL_MESSAGE")
    return subscription(messages[:middle]) + control + subscription(messages[middle:], first=middle)


def export(messages: list[str]) -> str:
    return "".join(f"{to_text(stamp).replace(' ', 'T')}Z {message}\n" for stamp, message in stamps(messages))


def console_csv(messages: list[str]) -> str:
    out = io.StringIO()
    rows = answer(messages)
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


# Each form of a list of messages that leaves the text of a message as it is.
EXACT: dict[str, Form] = {
    "lines": "\n".join,
    "lines with CRLF": "\r\n".join,
    "one after another": "".join,
    "array on one line": lambda messages: f"[{','.join(messages)}]",
    "array with an event a line": lambda messages: "[\n" + ",\n".join(messages) + "\n]\n",
    "array with an indented event a line": lambda messages: "[\n  " + ",\n  ".join(messages) + "\n]\n",
    "EventList": event_list,
    "two EventLists": lambda messages: f"{event_list(messages[:1])}\n{event_list(messages[1:])}\n",
    "GetQueryResults": query_results,
    "GetQueryResults, printed": lambda messages: printed(query_results(messages)),
    "GetQueryResults, the rows only": lambda messages: compact(json.loads(query_results(messages))["results"]),
    "GetQueryResults, a row a line": lambda messages: "\n".join(
        map(compact, json.loads(query_results(messages))["results"])
    ),
    "FilterLogEvents": filter_log_events,
    "FilterLogEvents, printed": lambda messages: printed(filter_log_events(messages)),
    "FilterLogEvents, an event a line": lambda messages: "\n".join(
        map(compact, json.loads(filter_log_events(messages))["events"])
    ),
    "GetLogEvents": get_log_events,
    "subscription": subscription,
    "subscription, keys sorted": lambda messages: json.dumps(json.loads(subscription(messages)), sort_keys=True),
    "Firehose": firehose,
    "Firehose, an object a line": lambda messages: firehose(messages).replace('}{"messageType', '}\n{"messageType'),
    "Kinesis": lambda messages: base64.b64encode(gzip.compress(subscription(messages).encode())).decode(),
    "export to S3": export,
    "console JSON": lambda messages: compact(answer(messages)),
    "console JSON, printed": lambda messages: printed(compact(answer(messages))),
    "console CSV": console_csv,
}
# Forms that print the event itself over many lines.
PRINTED: dict[str, Form] = {
    "events printed": lambda messages: "\n".join(map(printed, messages)),
    "events printed without a break": lambda messages: "".join(map(printed, messages)),
    "array printed": lambda messages: printed(f"[{','.join(messages)}]"),
    "EventList printed": lambda messages: printed(event_list(messages)),
    "EventList printed without indentation": lambda messages: json.dumps(
        json.loads(event_list(messages)), indent=0, ensure_ascii=False
    ),
    "console JSON with objects": lambda messages: json.dumps(
        [{**row, "@message": json.loads(row["@message"])} for row in answer(messages)], indent=2, ensure_ascii=False
    ),
}
FORMS = {**EXACT, **PRINTED}
WITHOUT_ENVELOPE = {
    name for name in FORMS if name.split()[0] in ("lines", "one", "array", "EventList", "two", "events")
}


def read(tmp_path: Path, content: str | bytes, name: str = "audit.json") -> tuple[list[Event], Tally]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    tally = Tally()
    return list(read_events([path], tally)), tally


def messages_of(events: list[Event]) -> list[str]:
    return [event.message for event in events]


@pytest.fixture(scope="session")
def originals(sample: FileSource) -> list[str]:
    """Texts of the sample's events, as the API server wrote them."""
    lines = gzip.decompress(sample.files[0].read_bytes()).decode().splitlines()
    return lines[::330]


# --- every form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", EXACT)
def test_forms_keep_the_text(tmp_path: Path, originals: list[str], form: str) -> None:
    """Every form gives the events of the sample in order, each with the text that the API server wrote."""
    events, tally = read(tmp_path, EXACT[form](originals))
    assert messages_of(events) == originals
    assert tally == Tally(events=len(originals))


@pytest.mark.parametrize("form", PRINTED)
def test_printed_forms(tmp_path: Path, originals: list[str], form: str) -> None:
    """An event that was printed over many lines is on one line again, with nothing changed between its braces."""
    events, tally = read(tmp_path, PRINTED[form](originals))
    assert messages_of(events) == [compact(json.loads(message)) for message in originals]
    assert tally == Tally(events=len(originals))


@pytest.mark.parametrize("form", sorted(FORMS.keys() - WITHOUT_ENVELOPE))
def test_the_time_is_that_of_the_envelope(tmp_path: Path, originals: list[str], form: str) -> None:
    """Where the envelope has a time for an event, that is its @timestamp, and not a time in the event."""
    events, _ = read(tmp_path, FORMS[form](originals))
    assert [event.timestamp_ms for event in events] == [START + number for number in range(len(originals))]


@pytest.mark.parametrize("form", sorted(WITHOUT_ENVELOPE))
def test_the_time_without_an_envelope(tmp_path: Path, form: str) -> None:
    """Where nothing stands around an event, its @timestamp is its stageTimestamp."""
    events, _ = read(tmp_path, FORMS[form]([compact(audit_event()), compact(audit_event(auditID="second"))]))
    assert {to_text(event.timestamp_ms) for event in events} == {"2026-11-24 10:00:00.123"}


@pytest.mark.parametrize(
    ("form", "stream", "log", "has_pointer", "received"),
    [
        ("GetQueryResults", True, True, True, True),
        ("console JSON", True, True, True, True),
        ("console JSON with objects", True, True, True, True),
        ("console CSV", True, True, True, True),
        ("FilterLogEvents", True, False, False, True),
        ("GetLogEvents", False, False, False, True),
        ("subscription", True, True, False, False),
        ("Kinesis", True, True, False, False),
        ("export to S3", False, False, False, False),
    ],
)
def test_the_origin_is_that_of_the_envelope(
    tmp_path: Path, form: str, stream: bool, log: bool, has_pointer: bool, received: bool
) -> None:
    """Stream, log, pointer and time of ingestion are those of the envelope, and the file's where it has none."""
    (event,), _ = read(tmp_path, FORMS[form]([compact(audit_event())]))
    assert (event.log_stream == STREAM) == stream
    assert event.log == (LOG if log else str(tmp_path / "audit.json"))
    assert event.pointer == (f"pointer-{START}" if has_pointer else "audit.json:0")
    assert event.ingestion_ms == (RECEIVED if received else START)


events_of_users = st.lists(
    st.builds(
        lambda agent, body: compact(audit_event(userAgent=agent, requestObject=body)),
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.recursive(
            st.none() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab@.[]{}"\\ \n', max_size=6), inner),
            max_leaves=6,
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(events_of_users, st.sampled_from(sorted(FORMS)))
def test_every_form_gives_the_same(tmp_path_factory: pytest.TempPathFactory, messages: list[str], form: str) -> None:
    """Whatever users write into agents and bodies, each form gives the same messages in the same order."""
    events, tally = read(tmp_path_factory.mktemp("form"), FORMS[form](messages))
    assert messages_of(events) == messages
    assert tally == Tally(events=len(messages))


def test_forms_side_by_side(tmp_path: Path) -> None:
    """A folder may hold a file of each form: every one is known by what it holds, whatever its name says."""
    for number, form in enumerate(FORMS.values()):
        (tmp_path / f"{number:02}.jsonl").write_text(form([compact(audit_event(auditID=f"id-{number}"))]))
    source = FileSource(str(tmp_path))
    frame = source.run("fields auditID | sort auditID asc | limit 1000").frame
    assert sorted(frame["auditID"]) == sorted(f"id-{number}" for number in range(len(FORMS)))


# --- compressed, marked, damaged ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("levels", [1, 2])
def test_gzip_in_gzip(tmp_path: Path, form: str, levels: int) -> None:
    """Every form is read compressed, once or twice, whatever the file is called."""
    message = compact(audit_event())
    content = FORMS[form]([message]).encode()
    for _ in range(levels):
        content = gzip.compress(content, mtime=0)
    assert messages_of(read(tmp_path, content, "audit.log")[0]) == [message]


def test_firehose_members(tmp_path: Path, originals: list[str]) -> None:
    """Objects that were compressed one by one and then all together are read one after the other."""
    members = b"".join(gzip.compress(subscription([message]).encode(), mtime=0) for message in originals)
    for content in (members, gzip.compress(members, mtime=0)):
        events, tally = read(tmp_path, content)
        assert messages_of(events) == originals
        assert tally == Tally(events=len(originals))


@pytest.mark.parametrize("levels", [1, 2])
def test_a_cut_gzip_keeps_what_can_be_read(tmp_path: Path, originals: list[str], levels: int) -> None:
    """Of compressed objects that break off, what stands before that place is kept, and the file is named once."""
    content = "".join(subscription([message]) for message in originals).encode()
    for _ in range(levels):
        content = gzip.compress(content, mtime=0)
    events, tally = read(tmp_path, content[: len(content) * 2 // 3])
    assert 5 < len(events) < len(originals)
    assert messages_of(events[:-1]) == originals[: len(events) - 1]
    assert tally.broken_files == (str(tmp_path / "audit.json"),)


@pytest.mark.parametrize("form", FORMS)
def test_a_byte_order_mark(tmp_path: Path, form: str) -> None:
    """A byte order mark before any form is no part of it."""
    message = compact(audit_event())
    assert messages_of(read(tmp_path, b"\xef\xbb\xbf" + FORMS[form]([message]).encode())[0]) == [message]


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"Kinesis"}))
def test_invalid_utf8(tmp_path: Path, form: str) -> None:
    """Bytes that are no UTF-8 are replaced in their event, in every form, and cost no other event."""
    messages = [compact(audit_event(userAgent=agent)) for agent in ("one", "@@", "three")]
    events, tally = read(tmp_path, FORMS[form](messages).encode().replace(b"@@", b"\xff\xfe"))
    assert messages_of(events) == [message.replace("@@", "\ufffd\ufffd") for message in messages]
    assert tally == Tally(events=3)


LISTED = [
    "array on one line",
    "array printed",
    "EventList",
    "EventList printed",
    "GetQueryResults",
    "GetQueryResults, printed",
    "FilterLogEvents",
    "FilterLogEvents, printed",
    "subscription",
    "console JSON",
    "console JSON, printed",
    "console JSON with objects",
]


@pytest.mark.parametrize("form", LISTED)
def test_a_document_that_breaks_off(tmp_path: Path, form: str) -> None:
    """Of a document that breaks off the events before that place are kept, the rest is marked, and it is said."""
    messages = [compact(audit_event(auditID=f"id-{number}")) for number in range(20)]
    text = FORMS[form](messages)
    events, tally = read(tmp_path, text[: text.index("id-12")])
    assert messages_of(events[:12]) == messages[:12]
    assert [event.condition for event in events] == [*[""] * 12, "unreadable"]
    assert events[12].message in text
    assert tally.doubts == [f"The JSON of {tmp_path / 'audit.json'} breaks off: what follows is missing."]


@given(st.sampled_from(LISTED), st.floats(0, 1))
def test_wherever_a_document_breaks_off(tmp_path_factory: pytest.TempPathFactory, form: str, share: float) -> None:
    """Wherever a document breaks off, the events are the first ones of the whole, or there is an error."""
    messages = [compact(audit_event(auditID=f"id-{number}")) for number in range(3)]
    text = FORMS[form](messages).rstrip()
    cut = text[: int(len(text) * share)]
    try:
        events, tally = read(tmp_path_factory.mktemp("cut"), cut)
    except SourceError:
        return
    good = [event.message for event in events if not event.condition]
    assert good == messages[: len(good)]
    assert cut == text or tally.doubts or tally.unreadable


def test_a_damaged_object_between_others(tmp_path: Path) -> None:
    """Among objects that stand one a line, a damaged one costs no other, wherever it stands."""
    lines = [subscription([compact(audit_event(auditID=f"id-{number}"))]) for number in range(4)]
    for damaged in range(4):
        broken = [line[:90] if number == damaged else line for number, line in enumerate(lines)]
        events, _ = read(tmp_path, "\n".join(broken))
        found = [json.loads(event.message)["auditID"] for event in events if not event.condition]
        assert found == [f"id-{number}" for number in range(4) if number != damaged]


def test_a_damaged_event_in_an_array(tmp_path: Path) -> None:
    """Of an array with an event a line, a damaged one is marked and costs no other."""
    messages = [compact(audit_event(auditID=f"id-{number}")) for number in range(4)]
    for damaged in range(1, 4):
        lines = [message[:90] if number == damaged else message for number, message in enumerate(messages)]
        events, _ = read(tmp_path, "[\n" + ",\n".join(lines) + "\n]\n")
        assert [event.message for event in events if not event.condition] == [
            message for number, message in enumerate(messages) if number != damaged
        ]


def test_an_array_that_goes_on_as_something_else(tmp_path: Path) -> None:
    """Events of an array are read as far as they go."""
    message = compact(audit_event())
    events, tally = read(tmp_path, f"[{message},{message},nothing that is JSON")
    assert messages_of(events) == [message, message, "nothing that is JSON"]
    assert len(tally.doubts) == tally.unreadable == 1


def test_a_cut_event_first(tmp_path: Path) -> None:
    """A first line that ends in [Truncated...] opens no document: the lines behind it are lines."""
    lines = [compact(audit_event())[:200] + "[Truncated...]", "some text"]
    assert messages_of(read(tmp_path, "\n".join(lines))[0]) == lines


def test_a_damaged_first_line(tmp_path: Path) -> None:
    """Where the first line of a log is damaged, the lines behind it are read one by one all the same."""
    lines = ['{"kind":"Event","auditID":"a","user":{', "text", *[compact(audit_event())] * 3, "{", '{"kind":"Pod"}']
    events, _ = read(tmp_path, "\n".join(lines))
    assert messages_of(events) == lines
    assert [event.condition for event in events] == [*["unreadable"] * 2, "", "", "", "unreadable", "foreign"]


# --- events made to break readers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", EXACT)
@pytest.mark.parametrize(
    "body",
    ['{"a":' * 1500 + "1" + "}" * 1500, "9" * 5000, "1e400", '"\\ud800"', '{"a":1,"a":2}', '"}{\\"auditID\\":["'],
    ids=["depth", "digits", "1e400", "surrogate", "twice", "brackets"],
)
def test_hostile_bodies(tmp_path: Path, form: str, body: str) -> None:
    """No body that a client can send hides its event or another one, or changes a character, in any form."""
    hostile = compact(audit_event())[:-1] + f',"requestObject":{body}}}'
    messages = [compact(audit_event(auditID="first")), hostile, compact(audit_event(auditID="last"))]
    events, tally = read(tmp_path, EXACT[form](messages))
    assert messages_of(events) == messages
    assert tally == Tally(events=3)


def test_a_body_that_looks_like_an_envelope(tmp_path: Path) -> None:
    """What a client puts into a body is never taken for an envelope."""
    for body in (query_results([compact(audit_event())]), subscription(["x"]), '{"@message":"x"}', event_list(["{}"])):
        message = compact(audit_event(requestObject=json.loads(body), userAgent=body))
        assert messages_of(read(tmp_path, message)[0]) == [message]
        assert messages_of(read(tmp_path, f"[{message}]")[0]) == [message]


def test_an_event_with_the_keys_of_an_envelope(tmp_path: Path) -> None:
    """An object with an auditID is an event, whatever other keys it has."""
    keys = {"results": [[]], "events": [{}], "@message": "x", "message": "x", "timestamp": 1}
    message = compact({**audit_event(), **keys})
    bare = compact({"auditID": "x", "message": "x", "timestamp": 1})
    for content in (message, f"[{message}]", message + message, f"[{bare}]", event_list([message])):
        assert set(messages_of(read(tmp_path, content)[0])) <= {message, bare}


@pytest.mark.parametrize(
    "other",
    [
        '{"kind":"PodList","items":[{"kind":"Pod"},{"kind":"Pod"}]}',
        '{"timestamp":"2026-11-24T22:30:00Z","message":"started","level":"info"}',
        '{"@timestamp":"2026-11-24T22:30:00Z","msg":"started"}',
    ],
)
def test_other_json_is_kept_whole(tmp_path: Path, other: str) -> None:
    """A line of JSON that is no envelope of events is one line, with its text, marked as foreign."""
    events, _ = read(tmp_path, f"{compact(audit_event())}\n{other}")
    assert (events[1].message, events[1].condition) == (other, "foreign")
    assert len(events) == 2


def test_half_a_character_in_an_envelope(tmp_path: Path) -> None:
    """Half a pair of surrogates that stands in an envelope's own text becomes U+FFFD, so that it can be stored."""
    reply = filter_log_events([compact(audit_event(userAgent="@@"))]).replace("@@", "\\ud800")
    assert messages_of(read(tmp_path, reply)[0]) == [compact(audit_event(userAgent="\ufffd"))]


def test_truncated_events(tmp_path: Path) -> None:
    """An event that CloudWatch holds cut short is kept and counted as truncated in every envelope of CloudWatch."""
    cut = compact(audit_event())[:200] + "[Truncated...]"
    for form in sorted(EXACT.keys() - WITHOUT_ENVELOPE):
        events, tally = read(tmp_path, EXACT[form]([cut]))
        assert [(event.message, event.condition) for event in events] == [(cut, "truncated")]
        assert tally == Tally(events=1, truncated=1)


@pytest.mark.parametrize("form", ["lines", "array on one line", "GetQueryResults", "FilterLogEvents, printed"])
def test_time_grows_with_size(tmp_path: Path, form: str) -> None:
    """Twice as much on one line takes about twice as long to read, and not four times."""
    body = {"data": ["x" * 50, {"k": 1}] * 20_000}

    def seconds(factor: int) -> float:
        message = compact(audit_event(requestObject={"copies": [body] * factor}))
        content = FORMS[form]([message]).encode()
        started = time.perf_counter()
        events, _ = read(tmp_path, content)
        assert messages_of(events) == [message]
        return time.perf_counter() - started

    seconds(1)
    assert seconds(8) < 30 * max(seconds(1), 0.02)


# --- what an envelope says about itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Running", "Failed", "Timeout"])
def test_an_answer_that_is_not_complete(tmp_path: Path, status: str) -> None:
    """The status of a reply that is not complete is said."""
    _, tally = read(tmp_path, query_results([compact(audit_event())], status=status))
    path = tmp_path / "audit.json"
    assert tally.doubts == [f"{path} is the reply to a query with status '{status}': rows may be missing."]


@pytest.mark.parametrize("reply", [filter_log_events, query_results])
@pytest.mark.parametrize("token", ["nextToken", "NextToken"])
def test_a_token_at_the_end(tmp_path: Path, reply: Callable[..., str], token: str) -> None:
    """A token in the last reply means that there are more pages, and one in an earlier reply does not."""
    messages = [compact(audit_event())]
    more, last = reply(messages, **{token: "abc"}), reply(messages)
    expected = [f"{tmp_path / 'audit.json'} ends with a token: there may be more pages, which are missing."]
    assert read(tmp_path, more)[1].doubts == expected
    assert read(tmp_path, reply(messages, **{token: None}))[1].doubts == []
    assert read(tmp_path, f"{last}\n{more}")[1].doubts == expected
    assert read(tmp_path, f"{more}\n{last}")[1].doubts == []


def test_pages_in_files(tmp_path: Path) -> None:
    """Pages are followed from file to file within a folder, and no other folder's reply or other form ends them."""
    messages = [compact(audit_event())]
    names = ("a/1.json", "a/2.json", "b/1.json", "b/2.jsonl", "c/1.json")
    contents = (
        filter_log_events(messages, nextToken="x"),
        filter_log_events(messages),
        filter_log_events(messages, nextToken="x"),
        event_list(messages),
        filter_log_events(messages),
    )
    paths = [tmp_path / name for name in names]
    for path, content in zip(paths, contents, strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    tally = Tally()
    assert len(list(read_events(paths, tally))) == 5
    assert tally.doubts == [f"{paths[2]} ends with a token: there may be more pages, which are missing."]


def test_pages_of_get_log_events(tmp_path: Path) -> None:
    """GetLogEvents has a token on every page, so that only a page without events is known to be the last one."""
    tokens = {"nextForwardToken": "f/1", "nextBackwardToken": "b/1"}
    page, end = get_log_events([compact(audit_event())], **tokens), get_log_events([], **tokens)
    assert len(read(tmp_path, page)[1].doubts) == 1
    assert read(tmp_path, f"{page}\n{end}")[1].doubts == []


def test_doubts_are_said_once(tmp_path: Path) -> None:
    """The same doubt about a file is said once, however often it arises."""
    reply = query_results([compact(audit_event())], status="Running")
    assert len(read(tmp_path, "\n".join([reply] * 5))[1].doubts) == 1


def test_control_messages(tmp_path: Path) -> None:
    """What a subscription sends to see whether somebody listens is no event."""
    control = subscription(["CWL CONTROL MESSAGE: Checking health of destination Firehose."], "CONTROL_MESSAGE")
    message = compact(audit_event())
    events, tally = read(tmp_path, f"{control}\n{subscription([message])}\n{control}")
    assert messages_of(events) == [message]
    assert tally == Tally(events=1)


def test_other_streams_of_an_export(tmp_path: Path) -> None:
    """A line of another stream in an export has its time, and is marked as no JSON."""
    text = 'time="2026-11-24T22:30:01Z" level=info msg="access granted"'
    events, tally = read(tmp_path, export([compact(audit_event()), text]))
    assert (events[1].message, events[1].timestamp_ms, events[1].condition) == (text, START + 1, "unreadable")
    assert tally == Tally(events=2, unreadable=1)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-24 22:30:00.000", START),
        ("2026-11-24T22:30:00.000Z", START),
        ("2026-11-25T00:30:00.000+02:00", START),
        (str(START), START),
        ("soon", 1_795_514_400_123),
        ("9" * 30, 1_795_514_400_123),
        ("²", 1_795_514_400_123),
        ("", 1_795_514_400_123),
    ],
)
def test_times_of_envelopes(tmp_path: Path, written: str, expected: int) -> None:
    """A time is read in the ways that services write it, and one that is none leaves the event its own."""
    (event,), _ = read(tmp_path, compact([{"@timestamp": written, "@message": compact(audit_event())}]))
    assert event.timestamp_ms == expected


def test_the_time_of_ingestion_alone(tmp_path: Path) -> None:
    """An event keeps its time of ingestion where its own time is that of the event before it."""
    rows = [{"@message": compact(audit_event())}, {"@message": "cut[Truncated...]", "@ingestionTime": str(RECEIVED)}]
    events, _ = read(tmp_path, compact(rows))
    assert events[1].timestamp_ms == events[0].timestamp_ms
    assert events[1].ingestion_ms == RECEIVED


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_large_fields_of_csv(tmp_path: Path) -> None:
    """A message of a megabyte is read from CSV, and the limit that others set for fields stays as it was."""
    message = compact(audit_event(requestObject={"data": 'quoted "text"\n' * 60_000}))
    limit = csv.field_size_limit()
    events, _ = read(tmp_path, console_csv([message, message]))
    assert messages_of(events) == [message, message]
    assert csv.field_size_limit() == limit


def test_rows_of_csv_that_do_not_fit(tmp_path: Path) -> None:
    """A row of CSV that is cut or cannot be read is kept and marked."""
    message = compact(audit_event())
    for bad in ("2026-11-24 22:30:00.000", "a\rb,c"):
        events, tally = read(tmp_path, f"{console_csv([message])}{bad}\n")
        assert messages_of(events)[0] == message
        assert (tally.events, tally.unreadable) == (2, 1)


# --- what is no log -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        compact(
            {"results": [[{"field": "verb", "value": "get"}, {"field": "@ptr", "value": "x"}]], "status": "Complete"}
        ),
        compact([{"@timestamp": "2026-11-24 22:30:00.000", "verb": "get"}]),
        printed(compact([{"@timestamp": "2026-11-24 22:30:00.000", "verb": "get"}])),
        "@timestamp,verb\n2026-11-24 22:30:00.000,get\n",
    ],
    ids=["GetQueryResults", "console JSON", "console JSON, printed", "console CSV"],
)
def test_answers_without_messages(tmp_path: Path, content: str) -> None:
    """The answer to a query that did not ask for @message is refused, and the error says what to ask."""
    with pytest.raises(
        SourceError,
        match=r"audit\.json holds the answer to a query without @message.*'verb'.*fields @timestamp, @message",
    ):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ('{"Records":[{"eventVersion":"1.08"}],"next":1}', "an object with the keys 'Records', 'next'"),
        (printed('{"Records":[{"eventVersion":"1.08"}]}'), "an object with the keys 'Records'"),
        (printed('{"kind":"PodList","items":[{"kind":"Pod"}]}'), "an object with the keys 'kind', 'items'"),
        ('{"\\u001b[31m":1, "\x1b[31m":2}', "text that begins with '{"),
        ("\x1b[31mred", r"text that begins with '\x1b[31mred'"),
        ("time,user\n1,2\n" + "x" * 99, "text that begins with 'time,user'"),
        (
            '{"results":[],"status":"Complete"}',
            "there is no event in its envelope; it holds an object with the keys",
        ),
        (subscription([], "CONTROL_MESSAGE"), "there is no event in its envelope"),
        ("[]", "text that begins with '[]'"),
        ("[[[[[[]]]]]]", "1 line was read and it is no audit event"),
        ("[" * 100_000, "1 line was read and it is no audit event"),
        ("H4sIAAAA", "text that begins with 'H4sIAAAA'"),
        ("\x00\x01\x02", r"text that begins with '\x00\x01\x02'"),
    ],
)
def test_an_unknown_envelope(tmp_path: Path, content: str, seen: str) -> None:
    """What is no known form is an error that names the file, what was seen, and what is known."""
    with pytest.raises(SourceError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'audit.json'} holds no audit events: ")
    assert seen in message
    assert "a reply of GetQueryResults, FilterLogEvents or GetLogEvents, a CloudWatch export to S3" in message
    assert "\x1b" not in message
    assert len(message) < 1000


# --- recorded replies -----------------------------------------------------------------------------------------------


def test_a_recorded_reply(corpus: Path) -> None:
    """A reply of GetQueryResults that was recorded from the service is one event with the origin that it gives."""
    tally = Tally()
    (event,) = read_events([corpus / "envelopes/get_query_results_immersion_day.json"], tally)
    assert to_text(event.timestamp_ms) == "2023-07-31 01:58:12.101"
    assert event.log_stream == "kube-apiserver-audit-96624a2fbc193d5ccd64f9f1ddbebbe3"
    assert event.log == "466412623878:/aws/eks/eksworkshop-eksctl/cluster"
    assert event.pointer.startswith("CnUKNAow")
    assert json.loads(event.message)["user"]["username"] == "eks:k8s-metrics"
    assert tally == Tally(events=1)


def test_a_recorded_reply_with_the_message_only(corpus: Path) -> None:
    """A row that has only @message takes the event's own time."""
    (event,) = read_events([corpus / "envelopes/get_query_results_bpg_deprecated.json"], Tally())
    assert to_text(event.timestamp_ms) == "2023-10-04 12:45:30.850"
    assert event.condition == ""
