"""CloudWatch Logs Insights as a source: lossless or loud, and what it cost is part of every answer.

Queries whose rows stand each for itself are asked in as many windows as it takes (`fetching`); all others are one query
(`asking`), which says so where the service's cap may have cut it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoRegionError

from eks_audit_nb import frames
from eks_audit_nb.errors import CloudWatchError, QueryError, SourceError
from eks_audit_nb.events import FIELDS
from eks_audit_nb.insights import order, parse, schema, tree
from eks_audit_nb.insights.advice import advice
from eks_audit_nb.insights.spelling import misspelt
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.base import (
    CLOUDWATCH,
    DOLLARS_PER_GIGABYTE,
    Estimate,
    Result,
    Statistics,
    limit_note,
    size_text,
)
from eks_audit_nb.sources.cloudwatch import splitting
from eks_audit_nb.sources.cloudwatch.asking import MAX_ROWS, Answered, Asker, TooLongError
from eks_audit_nb.sources.cloudwatch.calling import Caller
from eks_audit_nb.sources.cloudwatch.console import console_url
from eks_audit_nb.sources.cloudwatch.fetching import MOST_BINS, SMALLEST_EVENT, Counted, Fetcher, Part, interruptible
from eks_audit_nb.sources.cloudwatch.log_groups import parse_log_groups
from eks_audit_nb.sources.cloudwatch.ordering import Ordered, ordered, permutation
from eks_audit_nb.sources.cloudwatch.pacing import Pacer, shared
from eks_audit_nb.sources.cloudwatch.planning import Planned, gaps
from eks_audit_nb.sources.cloudwatch.progress import progress
from eks_audit_nb.sources.cloudwatch.refusals import explained, logging_of
from eks_audit_nb.sources.cloudwatch.splitting import Period
from eks_audit_nb.window import Window, parse_window

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_SPAN = timedelta(hours=24)


@dataclass(frozen=True)
class Fetched:
    """The rows of one window of a larger one.

    Attributes:
        window: Both ends inclusive.
        frame: The rows, the newest first, typed as by `run`.
        counted: How many rows the service counted before; None where it was not asked.
        reasons: A sentence for each reason why rows may be missing.
        bytes_scanned: By all queries so far, counts among them.
    """

    window: Window
    frame: pd.DataFrame
    counted: int | None
    reasons: tuple[str, ...]
    bytes_scanned: int


@dataclass(frozen=True)
class Plan:
    """The windows that have to be asked for all rows of a query.

    Attributes:
        windows: In the order of time; what lies between them holds no row.
        counted: The count by which it was planned; None where there was none.
        bytes_scanned: By the count.
    """

    windows: tuple[Planned, ...]
    counted: Counted | None
    bytes_scanned: int


class NoEstimateError(CloudWatchError):
    """The service does not say what a query would scan."""


class CloudWatchSource:
    """Log groups of EKS clusters, asked through boto3."""

    is_remote = True

    def __init__(
        self,
        groups: str,
        *,
        session: Any = None,
        dollars_per_gigabyte: float = DOLLARS_PER_GIGABYTE,
        max_bytes: int | None = None,
        max_rows: int = MAX_ROWS,
        pacer: Pacer | None = None,
    ) -> None:
        """Set up the client; nothing is asked yet.

        Args:
            groups: A cluster's name, CLUSTER@REGION, a log group's name or ARN, or several with commas.
            session: A boto3 session; the default one takes its profile and region from the environment, AWS_REGION
                too, which every AWS tool but boto3 knows.
            dollars_per_gigabyte: The price of a gigabyte that is scanned.
            max_bytes: Refuse to start what would scan more.
            max_rows: The most rows that the service returns for one query.
            pacer: How fast is asked; by default one for all sources of the process in the same account and region.

        Raises:
            SourceError: No cluster named, no region configured, or a boto3 that is too old.
        """
        self.groups = parse_log_groups(groups)
        self.name = f"{CLOUDWATCH}{groups}"
        self.log_group = self.groups.names[0]
        self.cluster = self.groups.clusters[0] if self.groups.clusters else ""
        self.dollars_per_gigabyte, self.max_bytes, self._max_rows = dollars_per_gigabyte, max_bytes, max_rows
        try:
            region = self.groups.region or os.environ.get("AWS_REGION") or None
            self._session = session or boto3.Session(region_name=region)
            # What boto3 would repeat by itself is repeated by `calling`, which lets all threads know of a refusal.
            config = Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=32,
                connect_timeout=10,
                read_timeout=30,
            )
            self._logs = self._session.client("logs", config=config, region_name=self.groups.region or None)
            credentials = self._session.get_credentials()
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
        key = credentials.access_key if credentials else ""
        self._pacer = pacer or shared(self._logs.meta.endpoint_url, key)
        self._caller = Caller(self._logs, self._pacer, self._explained)

    @property
    def session(self) -> Any:
        """The boto3 session, for what else is asked about the cluster."""
        return self._session

    @property
    def region(self) -> str:
        """Where the log groups are."""
        return str(self._logs.meta.region_name)

    def arns(self, account: str) -> tuple[str, ...]:
        """The ARNs of the log groups; without an account what the user called those that were not named by theirs."""
        meta = self._logs.meta
        return tuple(
            f"arn:{meta.partition}:logs:{meta.region_name}:{account}:log-group:{each}"
            if account and not each.startswith("arn:")
            else each
            for each in self.groups.identifiers
        )

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Answer a query; see `Source.run`. Relative times count from now."""
        prepared = prepare(query, parameters)
        with prepared.as_written():
            parsed = _parsed(prepared.text)
            window = self.window(start, end)
            asker = self._asker()
            if parsed is not None and splitting.may_be_split(parsed):
                answer = interruptible(asker, partial(self._row_by_row, asker, parsed, window))
            else:
                answer = interruptible(asker, partial(self._at_once, asker, prepared.text, parsed, window))
        columns = _columns(parsed, answer.values)
        typed = frames.from_columns(answer.values, columns)
        return Result(
            frame=typed.frame,
            query=prepared.text,
            name=prepared.name,
            source=self.name,
            window=window,
            statistics=Statistics(answer.events, asker.bytes_scanned, answer.matched, self.dollars_per_gigabyte),
            reasons=answer.reasons,
            notes=(
                *_warnings(parsed),
                *typed.notes,
                *limit_note(splitting.limit_in(parsed), len(typed.frame)),
                *(() if answer.events else self.about_nothing()),
            ),
            is_remote=True,
            query_id=answer.query_id,
            console_url=console_url(self.region, self.groups.identifiers, prepared.text, window),
        )

    def windows(
        self,
        query: str,
        start: str = "",
        end: str = "",
        *,
        without: Sequence[Window] = (),
        **parameters: object,
    ) -> Iterator[Fetched]:
        """The rows of a query window by window, in the order of time, so that millions of them need little memory.

        The windows are disjoint; those left out between them hold no row. Leaving the loop stops what still runs.

        Args:
            query: As for `run`, one that may be split: no stats, dedup, limit, or query in a list.
            start: As for `run`.
            end: As for `run`.
            without: Windows that are not asked, such as those that are there already.
            **parameters: As for `run`.

        Raises:
            QueryError: The query cannot be split.
            CloudWatchError: There is no way to all rows.
        """
        prepared = prepare(query, parameters)
        with prepared.as_written():
            run = self._splittable(prepared.text)
            planned = [
                part
                for gap in gaps(self.window(start, end), without)
                for part in interruptible(run.asker, partial(self._planned, run.fetcher, prepared.text, gap))[0]
            ]
            yield from self._fetched(run, planned)

    def size(self, query: str, window: Window) -> int | None:
        """The bytes of log that a window holds, as the service estimates them at no cost; None where it does not.

        Raises:
            CloudWatchError: The service refuses, or `max_bytes` is below it.
        """
        asker = self._asker()
        return interruptible(asker, partial(self._size, asker, query, window))

    def plan(self, query: str, window: Window, size: int | None, period: Period) -> Plan:
        """Find out which windows have to be asked for all rows of a query, by a count where there are many.

        Args:
            query: As for `windows`, without parameters.
            window: All of it.
            size: What it holds, by `size`.
            period: The width of the bins that are counted.

        Raises:
            QueryError: The query cannot be split.
            CloudWatchError: The service refuses.
        """
        run = self._splittable(query)
        windows, counted = interruptible(run.asker, partial(run.fetcher.plan, window, size, period))
        return Plan(tuple(windows), counted, run.asker.bytes_scanned)

    def period(self, window: Window) -> Period:
        """The narrowest bins of which a count can be asked over a window."""
        return splitting.period_for(window, min(MOST_BINS, self._max_rows))

    def fetch(self, query: str, windows: Sequence[Planned], *, at_once: int | None = None) -> Iterator[Fetched]:
        """The rows of planned windows, as `windows` gives them; the fewer at once, the less memory they take."""
        yield from self._fetched(self._splittable(query), windows, at_once)

    def count(self, query: str, window: Window, period: Period) -> tuple[Counted | None, int]:
        """How many rows of a query lie in each bin, and the bytes that were scanned; None where it cannot be counted.

        Raises:
            QueryError: The query cannot be split.
            CloudWatchError: The service refuses.
        """
        run = self._splittable(query)
        return interruptible(run.asker, partial(run.fetcher.count, window, period)), run.asker.bytes_scanned

    def estimate(self, query: str, start: str = "", end: str = "", **parameters: object) -> Estimate:
        """What a query would scan, by the service's own estimate, for which AWS does not charge.

        Raises:
            EksAuditError: As for `run`, or the service gives no estimate.
        """
        prepared = prepare(query, parameters)
        with prepared.as_written():
            window = self.window(start, end)
            asker = self._asker()
            size = interruptible(asker, partial(self._estimated, asker, prepared.text, window))
        parsed = _parsed(prepared.text)
        is_planned = parsed is not None and splitting.may_be_split(parsed) and not self._is_small(size)
        return Estimate(size, is_planned, self.dollars_per_gigabyte, window)

    def window(self, start: str = "", end: str = "") -> Window:
        """The window that two texts mean here; the last 24 hours where both are empty."""
        now = datetime.now(UTC)
        last = now if not end else parse_window(end, end, now=now, default_start=now).end
        return parse_window(start, end, now=now, default_start=last - DEFAULT_SPAN)

    def close(self) -> None:
        """Close the connections."""
        self._logs.close()

    # --- one query ---

    def _at_once(self, asker: Asker, text: str, parsed: tree.Query | None, window: Window) -> _Answer:
        """A query that cannot be split."""
        if self.max_bytes is not None:
            self.refuse_above(self._estimated(asker, text, window))
        limit = splitting.limit_in(parsed)
        names = [column.name for column in schema.columns(parsed)] if parsed and schema.is_known(parsed) else None
        try:
            answered = asker.ask(text, window, names, has_limit=limit is not None)
        except TooLongError as error:
            raise CloudWatchError(
                f"The query {error} ended with the status Timeout. It took longer than 60 minutes; "
                "ask for a shorter window."
            ) from None
        return _Answer(
            answered.columns.values,
            answered.scanned,
            answered.matched,
            tuple(_doubts(answered, parsed, self._max_rows)),
            answered.query_id,
        )

    # --- many windows ---

    def _splittable(self, text: str) -> _Splittable:
        parsed = parse(text)
        if not splitting.may_be_split(parsed):
            message = "This query looks at all rows at once and cannot be asked window by window"
            raise QueryError(message, text, 0, hint="Leave stats, dedup, limit and queries in lists out.")
        columns = schema.columns(parsed)
        asker = self._asker()
        return _Splittable(asker, Fetcher(asker, parsed, [column.name for column in columns]), columns)

    def _fetched(self, run: _Splittable, planned: Sequence[Planned], at_once: int | None = None) -> Iterator[Fetched]:
        for part in self._parts(run.fetcher, planned, at_once):
            typed = frames.from_columns(_arranged([part], _NEWEST_FIRST), run.columns)
            yield Fetched(part.window, typed.frame, part.counted, _reasons([part]), run.asker.bytes_scanned)

    def _row_by_row(self, asker: Asker, parsed: tree.Query, window: Window) -> _Answer:
        """A query whose rows stand each for itself."""
        arranged = ordered(parsed)
        fetcher = Fetcher(asker, parsed, arranged.columns, text=arranged.text)
        try:
            parts = list(self._parts(fetcher, self._planned(fetcher, parsed.text, window)[0]))
        except QueryError as error:  # of a text that begins as the user's does
            raise QueryError(error.message, parsed.text, error.start, error.end, error.hint) from None
        answers = [answer for part in parts for answer in part.answers]
        matched = [answer.matched for answer in answers if answer.matched is not None]
        return _Answer(
            _arranged(parts, arranged),
            fetcher.events,
            sum(matched) if len(matched) == len(answers) else None,
            _reasons(parts),
            answers[0].query_id if answers else "",
        )

    def _planned(self, fetcher: Fetcher, text: str, window: Window) -> tuple[list[Planned], Counted | None]:
        return fetcher.plan(window, self._size(fetcher.asker, text, window))

    def _size(self, asker: Asker, text: str, window: Window) -> int | None:
        """What a window holds; None where the service does not say."""
        try:
            size = self._estimated(asker, text, window)
        except (NoEstimateError, QueryError):
            if self.max_bytes is not None:
                raise
            return None  # a service without `estimate`; what else is wrong with the text is told when it is asked
        self.refuse_above(size if self._is_small(size) else 2 * size)
        return size

    def _parts(self, fetcher: Fetcher, windows: Sequence[Planned], at_once: int | None = None) -> Iterator[Part]:
        counts = [part.rows for part in windows if part.rows is not None]
        with progress(sum(counts) if len(counts) == len(windows) else None, self.name) as moved:
            for part in fetcher.parts(windows, at_once or self._pacer.patience.queries):
                moved(part.rows)
                yield part

    # --- cost ---

    def _estimated(self, asker: Asker, text: str, window: Window) -> int:
        try:
            answered = asker.ask(splitting.estimated(text), window, None, is_free=True)
        except TooLongError as error:
            raise NoEstimateError(f"The estimate {error} ended with the status Timeout. Try again.") from None
        # The name of the column is not documented, so that the only number is taken.
        found = [value for column in answered.columns.values.values() for value in column if value is not None]
        numbers = [int(float(value)) for value in found if value.replace(".", "", 1).isdecimal()]
        if len(numbers) != 1:
            raise NoEstimateError(f"The service gives no estimate for this query ({answered.query_id}).")
        return numbers[0]

    def _is_small(self, size: int) -> bool:
        return size < self._max_rows * SMALLEST_EVENT

    def refuse_above(self, size: int) -> None:
        """Refuse what would scan more than `max_bytes`."""
        if self.max_bytes is not None and size > self.max_bytes:
            would = Statistics(bytes_scanned=size, dollars_per_gigabyte=self.dollars_per_gigabyte)
            raise CloudWatchError(
                f"This would scan up to {size_text(size)} ({would.price}), and max_bytes allows "
                f"{size_text(self.max_bytes)}. Ask for a shorter window, or allow more."
            )

    # --- what is said ---

    def _asker(self) -> Asker:
        return Asker(self._caller, self.groups.request(), max_rows=self._max_rows, max_bytes=self.max_bytes)

    def _explained(self, error: Exception, text: str) -> Exception:
        return explained(error, text, self.groups, self._session, self._logs)

    def about_nothing(self) -> tuple[str, ...]:
        """What is said where a window holds no event, and why that may be."""
        return ("The log group holds no event in this window.", *logging_of(self.groups, self._session))


@dataclass(frozen=True)
class _Splittable:
    """What asks one query window by window."""

    asker: Asker
    fetcher: Fetcher
    columns: Sequence[schema.Column]


@dataclass(frozen=True)
class _Answer:
    """The text of each column, and what is known about it."""

    values: dict[str, list[str | None]]
    events: int
    matched: int | None
    reasons: tuple[str, ...]
    query_id: str


_NEWEST_FIRST = Ordered("", (), (), is_ascending=False)
_SKIPPED = "The service skipped about {:,} events."


def _parsed(text: str) -> tree.Query | None:
    """The tree, or None for a text that the service may know better than this package does."""
    try:
        return parse(text)
    except QueryError:
        return None


def _warnings(query: tree.Query | None) -> tuple[str, ...]:
    return (*order.effective(query).warnings, *advice(query), *misspelt(query, FIELDS)) if query else ()


def _columns(query: tree.Query | None, values: dict[str, list[str | None]]) -> tuple[schema.Column, ...]:
    if query is not None and schema.is_known(query):
        return schema.columns(query)
    return tuple(schema.Column(name, schema.FIELD_TYPES.get(name, schema.ColumnType.TEXT)) for name in values)


def _doubts(answered: Answered, parsed: tree.Query | None, max_rows: int) -> Iterator[str]:
    limit, rows = splitting.limit_in(parsed), answered.columns.rows
    is_event_each = parsed is not None and splitting.has_own_rows(splitting.without_limits(parsed))
    if limit is not None and is_event_each and rows < min(limit, answered.matched or 0):
        yield f"The service matched {answered.matched:,} events and gave {rows:,} rows, below the limit of {limit:,}."
    if limit is None and rows >= max_rows:
        yield (
            f"The service returns {max_rows:,} rows at most and there may be more; it cannot be asked in parts. "
            "Ask for a shorter window."
        )
    if answered.skipped:
        yield _SKIPPED.format(answered.skipped)


def _reasons(parts: Sequence[Part]) -> tuple[str, ...]:
    """Why rows of the parts may be missing."""
    skipped = sum(answer.skipped for part in parts for answer in part.answers)
    found = [reason for part in parts for reason in part.reasons]
    return (*found, _SKIPPED.format(skipped)) if skipped else tuple(found)


def _arranged(parts: Sequence[Part], arranged: Ordered) -> dict[str, list[str | None]]:
    """The columns of all answers in the query's order."""
    answers = [answer for part in parts for answer in part.answers]
    values: dict[str, list[str | None]] = {}
    for answer in answers if arranged.is_ascending else reversed(answers):
        for name, cells in answer.columns.values.items():
            values.setdefault(name, []).extend(cells)
    if not arranged.keys or len(answers) < 2:
        return values
    rows = permutation(
        [values[name] for name, _ in arranged.keys], [direction for _, direction in arranged.keys]
    ).tolist()
    return {name: [cells[row] for row in rows] for name, cells in values.items()}
