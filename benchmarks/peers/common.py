"""The four questions, and what a peer prints about its answer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple, TypedDict, cast

Row = tuple[Any, ...]
BUFFER = 1 << 20


class Question(NamedTuple):
    """One question in the forms that peers need.

    Attributes:
        letter: Its name.
        title: What is asked, for people.
        text: The same for CloudWatch Logs Insights.
        columns: The names of the answer's columns in the text.
        literal: What stands in every line that counts, in any layout of JSON; None where every line counts.
        row: The answer's row for an event and its line, None where it does not count.
        is_count: Whether equal rows are counted; the count is the last column.
    """

    letter: str
    title: str
    text: str
    columns: tuple[str, ...]
    literal: bytes | None
    row: Callable[[Any, bytes], Row | None]
    is_count: bool


class Report(TypedDict):
    """What is kept of an answer; a command that does not say how long its scan took has None."""

    scan_seconds: float | None
    answer_hash: str
    count: int


# --- the rows of an event: anything that has `get` is an event, simdjson's lazy objects too ---------------------------


def _aws_auth(event: Any, line: bytes) -> Row | None:
    if event.get("verb") not in ("update", "patch"):
        return None
    reference = event.get("objectRef")
    if (
        reference is None
        or reference.get("resource") != "configmaps"
        or reference.get("name") != "aws-auth"
        or reference.get("namespace") != "kube-system"
    ):
        return None
    return event["stageTimestamp"], line.decode()


def _anonymous(event: Any, line: bytes) -> Row | None:
    if event["user"].get("username") != "system:anonymous":
        return None
    status = event.get("responseStatus")
    if status is None or str(status.get("code")) not in ("401", "403"):
        return None
    return event["stageTimestamp"], event["sourceIPs"][0], event["requestURI"], line.decode()


def _secrets(event: Any, _: bytes) -> Row | None:
    reference = event.get("objectRef")
    if reference is None or reference.get("resource") != "secrets":
        return None
    return event["stageTimestamp"][: len("2026-11-24T06:00")], event["verb"]


def _verbs(event: Any, _: bytes) -> Row:
    return event.get("verb"), event["user"].get("username")


_ALL = (
    Question(
        "a",
        "changes of aws-auth, as AWS's guide asks",
        "fields @timestamp, @message"
        ' | filter @logStream like "kube-apiserver-audit"'
        ' | filter verb in ["update", "patch"]'
        ' | filter objectRef.resource = "configmaps" and objectRef.name = "aws-auth"'
        ' and objectRef.namespace = "kube-system"'
        " | sort @timestamp desc | limit 10000",
        ("@timestamp", "@message"),
        b'"aws-auth"',
        _aws_auth,
        is_count=False,
    ),
    Question(
        "b",
        "failed anonymous requests",
        "fields @timestamp, sourceIPs.0, requestURI, @message"
        ' | filter user.username = "system:anonymous" and responseStatus.code in ["401", "403"]'
        " | sort @timestamp desc | limit 10000",
        ("@timestamp", "sourceIPs.0", "requestURI", "@message"),
        b'"system:anonymous"',
        _anonymous,
        is_count=False,
    ),
    Question(
        "c",
        "events about Secrets by minute and verb",
        'filter objectRef.resource = "secrets" | stats count(*) as n by bin(1m), verb',
        ("bin(1m)", "verb", "n"),
        b'"secrets"',
        _secrets,
        is_count=True,
    ),
    Question(
        "d",
        "all events by verb and user",
        "stats count(*) as n by verb, user.username",
        ("verb", "user.username", "n"),
        None,
        _verbs,
        is_count=True,
    ),
)
QUESTIONS = {question.letter: question for question in _ALL}


# --- answers --------------------------------------------------------------------------------------------------------


def open_log(path: str) -> BinaryIO:
    """A file's bytes, unpacked where it is gzipped."""
    if path.endswith(".gz"):
        return io.BufferedReader(cast(Any, gzip.open(path)), BUFFER)
    return open(path, "rb", BUFFER)


def counted(question: Question, rows: Iterable[Row]) -> Iterable[Row]:
    """The rows of the answer, made from the rows of the events."""
    return ((*row, number) for row, number in Counter(rows).items()) if question.is_count else rows


def report(question: Question, rows: Iterable[Sequence[Any]], seconds: float | None = None) -> Report:
    """Rows in any order and with times in any form, as a report that equals that of any other right answer."""
    has_time = question.columns[0] != "verb"
    made = [[_milliseconds(row[0]) if has_time else row[0], *row[1:]] for row in rows]
    lines = sorted(json.dumps(row, ensure_ascii=False) for row in made)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"scan_seconds": seconds, "answer_hash": digest, "count": len(lines)}


def _milliseconds(value: str | datetime) -> int:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return int(instant.replace(microsecond=0).timestamp()) * 1000 + instant.microsecond // 1000


def main(answer: Callable[[str, Question], Iterable[Sequence[Any]]]) -> None:
    """Answer the question of the command line, and print the report as JSON."""
    path, name = sys.argv[1:3]
    question = QUESTIONS[name]
    begin = time.perf_counter()
    rows = list(answer(path, question))
    print(json.dumps(report(question, rows, time.perf_counter() - begin)))
