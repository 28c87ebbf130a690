"""Every error the package raises on purpose: one root, a class a situation, each message says what to do next."""

from __future__ import annotations

from typing import Any


class EksAuditError(Exception):
    """The root: what went wrong is the user's to mend, and the message says how."""


class WindowError(EksAuditError):
    """A start or an end that is no time, or an end before its start."""


class SourceError(EksAuditError):
    """A source that is not there, cannot be read, or holds no audit events."""


class CloudWatchError(SourceError):
    """The service refused, failed or timed out; the message names the query's id where there is one."""


class S3Error(SourceError):
    """S3 refused or failed, or there is no such object; the message names the missing permission where that is it."""


class ClusterError(SourceError):
    """EKS or the cluster's API server refused or failed; the message names the missing permission where that is it."""


class CloudTrailError(SourceError):
    """CloudTrail refused or failed, or a file that holds none of its events."""


class ParameterError(EksAuditError):
    """A parameter that is unknown, missing or of the wrong type."""


class NotebookError(EksAuditError):
    """A notebook that is not there, or a name that fits several."""


class QueryError(EksAuditError):
    """A text that is not a valid Insights query, or asks for what the engine cannot answer.

    Attributes:
        message: What is wrong, without the position.
        query: The whole text.
        start: Offset of the first character that is wrong, counted from 0.
        end: Offset behind the last one.
        hint: What to write instead; empty where nothing can be said.
    """

    def __init__(self, message: str, query: str, start: int, end: int | None = None, hint: str = "") -> None:
        self.message = message
        self.query = query
        self.start = max(0, min(start, len(query)))
        self.end = max(self.start, min(len(query), self.start + 1 if end is None else end))
        self.hint = hint
        super().__init__(self._text())

    @property
    def line(self) -> int:
        """The line of the first wrong character, counted from 1."""
        return self.query.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """The column of the first wrong character, counted from 1."""
        return self.start - (self.query.rfind("\n", 0, self.start) + 1) + 1

    def location(self) -> dict[str, int]:
        """The position as CloudWatch's `queryCompileError.location` gives it."""
        return {"startCharOffset": self.start, "endCharOffset": self.end}

    def _text(self) -> str:
        begin = self.query.rfind("\n", 0, self.start) + 1
        stop = self.query.find("\n", self.start)
        shown = self.query[begin : len(self.query) if stop < 0 else stop].replace("\t", " ")
        column = self.start - begin
        if column > 60:  # keep the place in view on a long line
            shown, column = "…" + shown[column - 59 :], 60
        marks = " " * column + "^" * max(1, min(self.end - self.start, len(shown) - column))
        text = f"{self.message} (line {self.line}, column {self.column})\n    {shown[:120]}\n    {marks[:120]}"
        return f"{text}\n{self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message, self.query, self.start, self.end, self.hint))
