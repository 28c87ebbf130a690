"""The project itself: as a command, and in a process that has loaded it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peers.common import QUESTIONS, Question, Report, Row, main, report

_EVENT = (
    '{"kind":"Event","auditID":"0","stage":"ResponseComplete","verb":"get","user":{"username":"nobody"},'
    '"stageTimestamp":"2026-11-24T06:00:00.000000Z"}\n'
)


def command(path: Path, name: str) -> list[str]:
    """The command that answers a question."""
    program = Path(sys.executable).with_name("eks-audit")
    return [str(program), "query", str(path), QUESTIONS[name].text, "--format", "jsonl"]


def read(output: bytes, name: str) -> Report:
    """The report on what it printed."""
    question = QUESTIONS[name]
    # Not splitlines: a message may hold other signs that end a line.
    events = [json.loads(line) for line in output.decode().split("\n") if line]
    return report(question, [[event[column] for column in question.columns] for event in events])


def answer(path: str, question: Question) -> Iterable[Row]:
    """The rows of the answer."""
    from eks_audit_nb import connect

    source = connect(path, is_asked_once=True)
    frame = source.run(question.text).frame
    source.close()
    columns = [[_plain(value) for value in frame[column]] for column in question.columns]
    return zip(*columns, strict=True)


def _plain(value: Any) -> Any:
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value if isinstance(value, str) else int(value)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:  # loads what the project loads when it is first used
        small = Path(folder, "small.jsonl")
        small.write_text(_EVENT)
        list(answer(str(small), QUESTIONS[sys.argv[2]]))
    main(answer)
