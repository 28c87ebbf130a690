"""CloudWatch Logs Insights as a source: lossless or loud, and what it cost is part of every answer.

Queries whose rows stand each for itself are asked in as many windows as it takes (`fetching`); all others are one query
(`asking`), which says so where the service's cap may have cut it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from eks_audit_nb import frames
from eks_audit_nb.errors import CloudWatchError, QueryError
from eks_audit_nb.insights import parse, schema, tree
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.base import (
    CLOUDWATCH,
    DOLLARS_PER_GIGABYTE,
    Estimate,
    Result,
    Statistics,
    limit_note,
)
from eks_audit_nb.sources.cloudwatch import arranging, splitting
from eks_audit_nb.sources.cloudwatch.asking import MAX_ROWS, Asker, TooLongError
from eks_audit_nb.sources.cloudwatch.calling import Caller
from eks_audit_nb.sources.cloudwatch.client import logs_client
from eks_audit_nb.sources.cloudwatch.console import console_url
from eks_audit_nb.sources.cloudwatch.cost import NoEstimateError, estimated, refuse_above
from eks_audit_nb.sources.cloudwatch.fetching import MOST_BINS, SMALLEST_EVENT, Counted, Fetcher, Part, interruptible
from eks_audit_nb.sources.cloudwatch.log_groups import parse_log_groups
from eks_audit_nb.sources.cloudwatch.ordering import ordered
from eks_audit_nb.sources.cloudwatch.pacing import Pacer, shared
from eks_audit_nb.sources.cloudwatch.planning import Planned, gaps
from eks_audit_nb.sources.cloudwatch.progress import progress
from eks_audit_nb.sources.cloudwatch.refusals import explained, logging_of
from eks_audit_nb.sources.cloudwatch.splitting import Period
from eks_audit_nb.window import Window, parse_window, to_milliseconds, to_text

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_SPAN = timedelta(hours=24)
# Delivery is best effort and takes minutes. Source: EKS User Guide, "Send control plane logs to CloudWatch Logs".
UNSETTLED_MS = 15 * 60_000


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
            session: A boto3 session; see `logs_client` for the default one.
            dollars_per_gigabyte: The price of a gigabyte that is scanned.
            max_bytes: Refuse to start what would scan more.
            max_rows: The most rows that the service returns for one query.
            pacer: How fast is asked; by default one for all sources of the process in the same account and region.

        Raises:
            SourceError: No cluster named, no region configured, no such profile, or a boto3 that is too old.
        """
        self.groups = parse_log_groups(groups)
        self.name = f"{CLOUDWATCH}{groups}"
        self.log_group = self.groups.names[0]
        self.cluster = self.groups.clusters[0] if self.groups.clusters else ""
        self.dollars_per_gigabyte, self.max_bytes, self._max_rows = dollars_per_gigabyte, max_bytes, max_rows
        self._session, self._logs, account = logs_client(self.groups.region, session)
        self._pacer = pacer or shared(self._logs.meta.endpoint_url, account)
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
            asked_ms = to_milliseconds(datetime.now(UTC))
            window = self.window(start, end)
            asker = self._asker()
            if parsed is not None and splitting.may_be_split(parsed):
                answer = interruptible(asker, partial(self._row_by_row, asker, parsed, window))
            else:
                answer = interruptible(asker, partial(self._at_once, asker, prepared.text, parsed, window))
        columns = arranging.columns(parsed, answer.values)
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
                *arranging.warnings(parsed),
                *typed.notes,
                *limit_note(splitting.limit_in(parsed), len(typed.frame)),
                *(() if splitting.is_estimate(parsed) else self._about(window, asked_ms, answer.events)),
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
            size = interruptible(asker, partial(estimated, asker, prepared.text, window))
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
            self.refuse_above(estimated(asker, text, window))
        limit = splitting.limit_in(parsed)
        names = [column.name for column in schema.columns(parsed)] if parsed and schema.is_known(parsed) else None
        try:
            key = splitting.key_of(parsed) if parsed else ""
            answered = asker.ask(text, window, names, has_limit=limit is not None, key=key)
        except TooLongError as error:
            raise CloudWatchError(
                f"The query {error} ended with the status Timeout. It took longer than 60 minutes; "
                "ask for a shorter window."
            ) from None
        return _Answer(
            answered.columns.values,
            answered.scanned,
            answered.matched,
            tuple(arranging.doubts(answered, parsed, self._max_rows)),
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
            typed = frames.from_columns(arranging.arranged([part], arranging.NEWEST_FIRST), run.columns)
            yield Fetched(part.window, typed.frame, part.counted, arranging.reasons([part]), run.asker.bytes_scanned)

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
            arranging.arranged(parts, arranged),
            fetcher.events,
            sum(matched) if len(matched) == len(answers) else None,
            arranging.reasons(parts),
            answers[0].query_id if answers else "",
        )

    def _planned(self, fetcher: Fetcher, text: str, window: Window) -> tuple[list[Planned], Counted | None]:
        return fetcher.plan(window, self._size(fetcher.asker, text, window))

    def _size(self, asker: Asker, text: str, window: Window) -> int | None:
        """What a window holds; None where the service does not say."""
        try:
            size = estimated(asker, text, window)
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

    def _is_small(self, size: int) -> bool:
        return size < self._max_rows * SMALLEST_EVENT

    def refuse_above(self, size: int) -> None:
        """Refuse what would scan more than `max_bytes`."""
        refuse_above(self.max_bytes, size, self.dollars_per_gigabyte)

    # --- what is said ---

    def _asker(self) -> Asker:
        return Asker(self._caller, self.groups.request(), max_rows=self._max_rows, max_bytes=self.max_bytes)

    def _explained(self, error: Exception, text: str) -> Exception:
        return explained(error, text, self.groups, self._session, self._logs)

    def _about(self, window: Window, asked_ms: int, events: int) -> tuple[str, ...]:
        """What is said of a window that is not over for long, or holds nothing."""
        since = max(asked_ms - UNSETTLED_MS, window.start_ms)
        late = (
            f"Events come minutes late: of those from {to_text(since)} UTC on some may have come after this was asked."
        )
        return (*(() if events else self.about_nothing()), *((late,) if window.end_ms >= since else ()))

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


def _parsed(text: str) -> tree.Query | None:
    """The tree, or None for a text that the service may know better than this package does."""
    try:
        return parse(text)
    except QueryError:
        return None
