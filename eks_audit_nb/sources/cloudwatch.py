"""CloudWatch Logs Insights: a query is started, waited for, fetched page by page, and checked for being whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from eks_audit_nb import frames
from eks_audit_nb.errors import CloudWatchError, QueryError, SourceError
from eks_audit_nb.events import FIELDS
from eks_audit_nb.insights import order, parse, schema, tree
from eks_audit_nb.insights.advice import advice
from eks_audit_nb.insights.spelling import misspelt
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.base import CLOUDWATCH, Result, Statistics, limit_note
from eks_audit_nb.window import Window, parse_window

# The most rows that one query can return, since 2026. A limit in the text is respected instead.
MAX_ROWS = 100_000
DEFAULT_SPAN = timedelta(hours=24)
# How long to wait between looks at a running query, seconds: short queries answer soon, long ones are not pestered.
_FIRST_PAUSE, _LONGEST_PAUSE, _PAUSE_GROWTH = 0.2, 5.0, 1.5
_PENDING = {"Scheduled", "Running", "Unknown"}


class CloudWatchSource:
    """The log group of one EKS cluster, asked through boto3."""

    is_remote = True

    def __init__(self, cluster: str, *, session: Any = None) -> None:
        """Set up the clients; nothing is asked yet.

        Args:
            cluster: The cluster's name.
            session: A boto3 session; the default one takes its profile and region from the environment, AWS_REGION
                too, which every AWS tool but boto3 knows.

        Raises:
            SourceError: No cluster named, no region configured, or a boto3 that is too old.
        """
        if not cluster:
            raise SourceError('The cluster has no name. Write "cloudwatch:CLUSTER".')
        self.cluster = cluster
        self.name = f"{CLOUDWATCH}{cluster}"
        self.log_group = f"/aws/eks/{cluster}/cluster"
        try:
            self._session = session or boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
            self._logs = self._session.client("logs", config=Config(retries={"mode": "standard", "max_attempts": 5}))
        except NoRegionError:
            raise SourceError("No AWS region is set. Set AWS_REGION, or choose a profile with AWS_PROFILE.") from None
        except BotoCoreError as error:
            raise SourceError(f"boto3 cannot be set up: {error}") from None
        # Pages came to the service in spring 2026; a client that does not know them drops the token without a word.
        if "nextToken" not in self._logs.meta.service_model.operation_model("GetQueryResults").output_shape.members:
            raise SourceError(
                f"boto3 {boto3.__version__} sees only the first page of a result. "
                "Update it: pip install --upgrade boto3"
            )

    @property
    def session(self) -> Any:
        """The boto3 session, for what else is asked about the cluster."""
        return self._session

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Answer a query; see `Source.run`. Relative times count from now."""
        prepared = prepare(query, parameters)
        with prepared.as_written():
            parsed = _parsed(prepared.text)
            window = self.window(start, end)
            query_id = self._start(prepared.text, parsed, window)
        rows, statistics = self._finish(query_id)
        typed = frames.from_rows(
            rows, schema.columns(parsed) if parsed and schema.is_known(parsed) else _columns_of(rows)
        )
        return Result(
            frame=typed.frame,
            query=prepared.text,
            name=prepared.name,
            source=self.name,
            window=window,
            statistics=Statistics(
                events_scanned=int(statistics.get("recordsScanned", 0)),
                bytes_scanned=int(statistics.get("bytesScanned", 0)),
                events_matched=int(statistics["recordsMatched"]) if "recordsMatched" in statistics else None,
            ),
            reasons=tuple(_doubts(parsed, len(rows), statistics)),
            notes=(
                *_warnings(parsed),
                *typed.notes,
                *limit_note(_limit_in(parsed), len(rows)),
            ),
            is_remote=True,
            query_id=query_id,
        )

    def window(self, start: str = "", end: str = "") -> Window:
        """The window that two texts mean here; the last 24 hours where both are empty."""
        now = datetime.now(UTC)
        last = now if not end else parse_window(end, end, now=now, default_start=now).end
        return parse_window(start, end, now=now, default_start=last - DEFAULT_SPAN)

    def close(self) -> None:
        """Close the connections."""
        self._logs.close()

    def _start(self, text: str, parsed: tree.Query | None, window: Window) -> str:
        request: dict[str, Any] = {
            "logGroupName": self.log_group,
            "startTime": window.start_ms,
            "endTime": window.end_ms,
            "queryString": text,
        }
        if _limit_in(parsed) is None:
            request["limit"] = MAX_ROWS
        with _explained(self.log_group, text):
            answer = self._logs.start_query(**request)
        return str(answer["queryId"])

    def _finish(self, query_id: str) -> tuple[list[list[dict[str, str]]], dict[str, float]]:
        """Wait for the query, then fetch all its pages; an interrupt stops it in the service too."""
        try:
            page = self._wait(query_id)
            rows = list(page["results"])
            while token := page.get("nextToken"):
                with _explained(self.log_group):
                    page = self._logs.get_query_results(queryId=query_id, nextToken=token)
                rows += page["results"]
        except BaseException:
            self._stop(query_id)
            raise
        statistics = page.get("statistics", {})
        expected = statistics.get("resultCount")
        if expected is not None and int(expected) != len(rows):
            raise CloudWatchError(
                f"The query {query_id} has {int(expected):,} rows and {len(rows):,} arrived. Run it again."
            )
        return rows, statistics

    def _wait(self, query_id: str) -> dict[str, Any]:
        pause = _FIRST_PAUSE
        while True:
            with _explained(self.log_group):
                page: dict[str, Any] = self._logs.get_query_results(queryId=query_id)
            status = page["status"]
            if status == "Complete":
                return page
            if status not in _PENDING:
                raise CloudWatchError(f"The query {query_id} ended with the status {status}. {_ADVICE.get(status, '')}")
            time.sleep(pause)
            pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE)

    def _stop(self, query_id: str) -> None:
        # A query that has ended cannot be stopped, and what went wrong before must not be hidden by this.
        with suppress(ClientError, BotoCoreError):
            self._logs.stop_query(queryId=query_id)


_ADVICE = {
    "Failed": "The service could not run it; run it again, or over a shorter window.",
    "Timeout": "It took longer than 60 minutes; ask for a shorter window.",
    "Cancelled": "Somebody stopped it; run it again.",
}


def _parsed(text: str) -> tree.Query | None:
    """The tree, or None for a text that the service may know better than this package does."""
    try:
        return parse(text)
    except QueryError:
        return None


def _warnings(query: tree.Query | None) -> tuple[str, ...]:
    return (*order.effective(query).warnings, *advice(query), *misspelt(query, FIELDS)) if query else ()


def _limit_in(query: tree.Query | None) -> int | None:
    return order.effective(query).limit if query else None


def _columns_of(rows: list[list[dict[str, str]]]) -> tuple[schema.Column, ...]:
    names = dict.fromkeys(cell["field"] for row in rows for cell in row if cell["field"] != "@ptr")
    return tuple(schema.Column(name, schema.FIELD_TYPES.get(name, schema.ColumnType.TEXT)) for name in names)


def _doubts(query: tree.Query | None, rows: int, statistics: dict[str, float]) -> Iterator[str]:
    if _limit_in(query) is None and rows >= MAX_ROWS:
        yield f"The service returns {MAX_ROWS:,} rows at most and there may be more. Ask for a shorter window."
    skipped = int(statistics.get("estimatedRecordsSkipped", 0))
    if skipped:
        yield f"The service skipped about {skipped:,} events."


@contextmanager
def _explained(log_group: str, text: str = "") -> Iterator[None]:
    """Say what a refusal by AWS means here and what to do about it."""
    try:
        yield
    except NoCredentialsError:
        raise CloudWatchError("There are no AWS credentials. Log in, or choose a profile with AWS_PROFILE.") from None
    except BotoCoreError as error:
        raise CloudWatchError(f"AWS cannot be reached: {error}") from None
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "MalformedQueryException" and text:
            details: dict[str, Any] = dict(error.response)
            location = details.get("queryCompileError", {}).get("location", {})
            start = int(location.get("startCharOffset", 0))
            end = int(location.get("endCharOffset", start + 1))
            raise QueryError(f"CloudWatch refuses the query: {message}", text, start, end) from None
        advice = {
            "ResourceNotFoundException": f"There is no log group {log_group} in this account and region, or control "
            "plane logging was never on. Check the cluster's name, AWS_REGION and AWS_PROFILE.",
            "AccessDeniedException": "The caller needs logs:StartQuery, logs:GetQueryResults and logs:StopQuery on it.",
            "LimitExceededException": "Too many queries run in this account; try again when some have ended.",
            "ThrottlingException": "The account's request rate is used up; try again in a minute.",
        }.get(code, "")
        raise CloudWatchError(f"{code}: {message} {advice}".strip()) from None
