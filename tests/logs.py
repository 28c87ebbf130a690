"""Log files made at random, and the one rule by which two stores of the same files agree."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from eks_audit_nb.case.store import CaseStore
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.engine.store import Answer, EventStore, Store
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.reading.lines import Tally, read_events
from eks_audit_nb.window import Window

from agreement import is_same
from conftest import audit_event
from oracle import RawEvent

Draw = Callable[[st.SearchStrategy[Any]], Any]

# --- lines ----------------------------------------------------------------------------------------------------------

_MOMENTS = st.integers(0, 8).map(lambda number: 1_795_514_400_000 + number * 777)
_USERS = ["alice", "bob", "system:anonymous", "system:node:n-1", "ä ö", "a<b>&c", 'say "x"', "back\\slash", "日本"]
# Lines that a reader has to look at twice.
ODD = (
    "no JSON",
    "{broken",
    '{"kind": "Pod"}',
    "[1, 2]",
    '"text"',
    json.dumps(audit_event(auditID="cut"))[:-150] + "[Truncated...]",
    json.dumps(audit_event(auditID="marked", annotations={"audit.k8s.io/truncated": "true"})),
    json.dumps(audit_event(auditID="late", stageTimestamp="2026-11-24T12:00:00.5+02:00")),
    json.dumps(audit_event(auditID="never", stageTimestamp=None, requestReceivedTimestamp=None)),
    json.dumps(audit_event(auditID=7)),
    json.dumps(audit_event(auditID="half", userAgent="@")).replace('"@"', r'"\ud800 alice"'),
    json.dumps(audit_event(auditID="by number", user={"username": "@"})).replace('"@"', r'"\u0061lice"'),
    json.dumps(audit_event(auditID="slash")).replace("/", r"\/"),
    json.dumps(audit_event(auditID="twice"))[:-1] + ', "verb": "list"}',
    json.dumps(audit_event(auditID="deep"))[:-1] + ', "n": ' + "[" * 80 + "]" * 80 + "}",
    "  " + json.dumps(audit_event(auditID="set in")) + "\t",
    json.dumps(audit_event(auditID="CRLF")) + "\r",
    "",
    " \t",
)


def stamp(timestamp_ms: int) -> str:
    """A time as the API server writes it."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=timestamp_ms)
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def go_json(value: object) -> str:
    """JSON as Go's encoder writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign, number in (("<", "003c"), (">", "003e"), ("&", "0026"), ("\u2028", "2028"), ("\u2029", "2029")):
        text = text.replace(sign, f"\\u{number}")
    return text


@st.composite
def audit_lines(draw: Draw, write: Callable[[Any], str] | None = None) -> str:
    """An event as the API server writes it, of few users, verbs and objects, so that filters find some."""
    verb = draw(st.sampled_from(["get", "list", "create", "delete"]))
    reference = {
        "resource": draw(st.sampled_from(["pods", "secrets", "configmaps"])),
        "namespace": draw(st.sampled_from(["default", "kube-system"])),
        "name": draw(st.sampled_from(["web", "aws-auth", "403"])),
    }
    event = audit_event(
        auditID=draw(st.sampled_from("abcdefgh")),
        verb=verb,
        user={"username": draw(st.sampled_from(_USERS)), "groups": draw(st.lists(st.sampled_from(_USERS), max_size=2))},
        objectRef=draw(st.sampled_from([reference, None])),
        responseStatus={"metadata": {}, "code": draw(st.sampled_from([200, 201, 403]))},
        requestObject=draw(st.sampled_from([None, None, {"data": {"k": "v <b>"}, "replicas": 3, "flag": True}])),
        annotations={"authorization.k8s.io/decision": draw(st.sampled_from(["allow", "forbid"]))},
        stageTimestamp=stamp(draw(_MOMENTS)),
    )
    return (write or draw(st.sampled_from([go_json, go_json, json.dumps])))(event)


def in_events(raw: RawEvent, number: int) -> str:
    """A made-up message as an event of the API server with a few keys more, where it is an object."""
    timestamp_ms, _, message = raw
    text = message.replace("\n", " ").replace("\r", " ").strip()
    if not text.startswith("{") or not text.endswith("}"):
        return text
    head = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"id-{number}"}
    own = text[1:-1].strip()
    return go_json({**head, "stageTimestamp": stamp(timestamp_ms)})[:-1] + (f",{own}}}" if own else "}")


def written(path: Path, lines: Sequence[str], *, end: str = "\n") -> Path:
    """A file of these lines, compressed if its name says so."""
    data = ("\n".join(lines) + (end if lines else "")).encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


# --- queries --------------------------------------------------------------------------------------------------------

_HOT = [
    *("verb", "user.username", "objectRef.name", "objectRef.resource", "responseStatus.code", "auditID", "sourceIPs.0"),
    *("`annotations.authorization.k8s.io/decision`", "@logStream", "@ptr", "@timestamp"),
]
_COLD = ["requestObject.data.k", "requestObject.replicas", "requestObject.flag", "@message", "user.groups.1", "missing"]
_WORDS = [
    *("get", "list", "create", "alice", "bob", "web", "aws-auth", "403", "200", "allow", "forbid", "pods", "secrets"),
    *("ä ö", "a<b>&c", 'say "x"', "back\\slash", "日本", "日", "true", "1", "3", "system", "v <b>", "\ufffd"),
]
# What makes a name mean something else, drops rows or makes several of one.
_MIDDLES = [
    *("fields user.username as verb", "fields jsonParse(@message) as user", "fields toupper(verb) as @own"),
    *("unnest user.groups into g", "expand user.groups", 'parse user.username "*:*" as p, verb', "dedup verb"),
    *('json field=requestObject "data" as objectRef', "sort verb", "sort user.username desc", "limit 3"),
    *("sort strlen(user.username) as verb", "sort requestObject.replicas", "stats count(*) as n by verb"),
]
_ENDS = [
    *("fields verb, user.username", "display verb", "fields @message", "fields @timestamp, @ptr, verb", "limit 2"),
    *("fields requestObject.data.k", "stats count(*) as n", "stats count(*) by verb, objectRef.resource", "limit 1"),
    *("fields auditID, @message | sort user.username, verb | limit 2", "stats max(@timestamp), earliest(auditID)"),
]


def quoted(text: str) -> str:
    """A constant of a query."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def hot_conditions(draw: Draw, depth: int = 2) -> str:
    """A condition on fields of audit events that holds for some."""
    field = draw(st.sampled_from(_HOT * 2 + _COLD))
    word, other = (quoted(draw(st.sampled_from(_WORDS))) for _ in range(2))
    match draw(st.integers(0, 9 if depth else 7)):
        case 0 | 1 | 2:
            return f"{field} {draw(st.sampled_from(['=', '=', '=', '!=', '<', '>=']))} {word}"
        case 3 | 4:
            return f"{field} {draw(st.sampled_from(['like', 'like', 'not like']))} {word}"
        case 5:
            return f"{field} {draw(st.sampled_from(['in', 'in', 'not in']))} [{word}, {other}]"
        case 6:
            return f"{word} = {field}"
        case 7:
            return f"{field} = {draw(st.sampled_from(['200', '403', 'true', '3']))}"
        case 8:
            return f"not ({draw(hot_conditions(depth - 1))})"
        case _:
            word = draw(st.sampled_from([" and ", " or "]))
            return word.join(f"({draw(hot_conditions(depth - 1))})" for _ in range(2))


@st.composite
def hot_queries(draw: Draw) -> str:
    """A query of audit events that filters, most of the time by fields that have columns of their own."""
    commands = [f"filter {draw(hot_conditions())}"] if draw(st.booleans()) else []
    if draw(st.booleans()):
        commands.append(draw(st.sampled_from(_MIDDLES)))
    if draw(st.booleans()):
        commands.append(f"filter {draw(hot_conditions())}")
    return " | ".join([*commands, draw(st.sampled_from(_ENDS))])


# --- stores ---------------------------------------------------------------------------------------------------------


def event_store(files: Sequence[Path], tables: dict[str, Path] | None = None) -> EventStore:
    """The plainest store of some files."""
    return EventStore(read_events(list(files), Tally()), tables)


def case_store(files: Sequence[Path], folder: Path, tables: dict[str, Path] | None = None) -> CaseStore:
    """The case of some files, in a folder that is made for it."""
    folder.mkdir(parents=True)
    write_case(files, folder, "test", with_hashes=False)
    return CaseStore(folder, tables)


def asked(store: Store, text: str, window: Window | None = None, field_cap: int | None = None) -> Answer | QueryError:
    """A store's answer, or its refusal."""
    try:
        return store.ask(parse(text), window, field_cap=field_cap)
    except QueryError as error:
        return error


def assert_same(one: Answer | QueryError, other: Answer | QueryError, about: object) -> None:
    """Two answers are the same in everything, but for the last digits of numbers; or both are refusals."""
    if isinstance(one, QueryError) or isinstance(other, QueryError):
        assert str(one) == str(other), about
        return
    assert (one.columns, one.rows, one.scanned, one.warnings) == (
        other.columns,
        other.rows,
        other.scanned,
        other.warnings,
    ), about
    for name, cells in one.values.items():
        pairs = list(zip_longest(cells, other.values[name], fillvalue=""))
        assert all(is_same(*pair) for pair in pairs), (about, name, pairs)
