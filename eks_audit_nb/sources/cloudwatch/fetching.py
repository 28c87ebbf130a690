"""All rows of a window, however many: planned by a count, asked in parts and in parallel, split further where need be.

What it scans. A window that holds fewer bytes than as many events would have as one query returns is asked at once:
once its bytes. For any other, one `stats count(*) by bin` tells where the rows are: once its bytes. Then the windows
that hold rows are asked, together at most once its bytes again, and much less where rows are rare. A bin with more
rows than one query returns is cut evenly, with room for ten times as many. A window that is full all the same is cut
evenly too, and then by a count of its own; only its own bytes are scanned again. So the whole stays below 2.2 times
the window's bytes as long as not much of it lies in a moment. `estimate` tells the bytes before, and AWS does not
charge for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from eks_audit_nb.errors import CloudWatchError, QueryError
from eks_audit_nb.insights import tree
from eks_audit_nb.sources.cloudwatch import splitting
from eks_audit_nb.sources.cloudwatch.asking import DEFAULT_ROWS, POINTER, Answered, Asker, TooLongError
from eks_audit_nb.sources.cloudwatch.planning import Bin, Planned, cut, pieces, planned
from eks_audit_nb.sources.cloudwatch.splitting import Period
from eks_audit_nb.window import Window, to_milliseconds, to_text

# The least that a query is planned for, per row that could be: the shortest audit events have about so many bytes.
SMALLEST_EVENT = 500
# How many rows a window is planned for: one page. More windows scan no more, and less lies in memory at once.
ROOM = 10_000
# How many bins a count is asked for: two pages.
MOST_BINS = 20_000
# How many parts a full window is cut into at once.
_MOST_PIECES = 16
# Not waited for longer at once, seconds: on some systems nothing interrupts a wait without an end.
_LOOK = 0.5
# Where nothing but their number tells that rows were cut.
DEFAULT_REACHED = f"The service gave exactly {DEFAULT_ROWS:,} rows, its default limit; there may be more."
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """The rows of one window, each part in the service's own order; `rows` as counted before, None without a count."""

    window: Window
    answers: tuple[Answered, ...]
    counted: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(answer.columns.rows for answer in self.answers)


@dataclass(frozen=True)
class Counted:
    """How many rows the service counted in each bin that has any, in the order of time; `scanned` in events."""

    window: Window
    period: Period
    bins: tuple[Bin, ...]
    scanned: int = 0


@dataclass
class Fetcher:
    """The rows of one query that may be split."""

    asker: Asker
    query: tree.Query
    columns: Sequence[str] | None
    events: int = 0  # of the windows that were asked, each counted once
    is_counted: bool = False  # whether a count has read them
    text: str = ""  # what is asked for the rows; the query's own text by default
    has_own_rows: bool = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.text or self.query.text
        self.has_own_rows = splitting.has_own_rows(self.query)

    # --- what is asked ---

    def plan(
        self, window: Window, estimate: int | None, period: Period | None = None
    ) -> tuple[list[Planned], Counted | None]:
        """The windows to ask, in the order of time, and the count by which they were planned, where there was one.

        Args:
            window: All of it.
            estimate: The bytes that it holds; None where that is not known.
            period: The width of the bins; by default the narrowest of which there are few enough.
        """
        if estimate is not None and estimate < self.asker.max_rows * SMALLEST_EVENT:
            return [Planned(window)], None
        found, counted = self.by_count(window, period or splitting.period_for(window, self.most_bins))
        if counted:
            self.events, self.is_counted = self.events + counted.scanned, True
        return found, counted

    def _counted(self, window: Window) -> list[Planned]:
        """The windows by a count, which the plan does not look at again."""
        return self.by_count(window, splitting.period_for(window, self.most_bins))[0]

    @property
    def room(self) -> int:
        """How many rows a window is planned for."""
        return max(1, min(ROOM, self.asker.max_rows // 2))

    @property
    def most_bins(self) -> int:
        """How many bins a count is asked for."""
        return min(MOST_BINS, self.asker.max_rows)

    def by_count(self, window: Window, period: Period) -> tuple[list[Planned], Counted | None]:
        """The windows to ask, by a count, and what was counted; a window as it is and None without a count."""
        counted = self.count(window, period)
        if counted is None:  # a count that cannot be read, or was cut, is no plan: the window is tried as it is
            return [Planned(window)], None
        width, bins = period.milliseconds, counted.bins
        if self.has_own_rows:  # else only counts tell that parts lack rows
            bins = tuple(cut(window, bins, width, self.asker.max_rows, self.room))
        found: list[Planned] = []
        for part in planned(window, bins, width, self.room, with_gaps=not self.has_own_rows):
            is_full = (part.rows or 0) >= self.asker.max_rows
            is_narrower = part.window.end_ms - part.window.start_ms < window.end_ms - window.start_ms
            found += self._counted(part.window) if is_full and width > 1 and is_narrower else [part]
        return found, counted

    def count(self, window: Window, period: Period) -> Counted | None:
        """How many rows the service counts in each bin that has any, in the order of time; None where it cannot."""
        text = splitting.counted_by_bin(self.query, period)
        if not text:
            return None
        try:
            answered = self._asked(window, text, (splitting.BIN, splitting.COUNT))
        except QueryError:  # of a text that the user did not write; their own says what is wrong with it
            return None
        found: Counter[int] = Counter()
        for _, part in answered:
            bins = _bins(part)
            total = sum(each.rows for each in bins or ())
            if bins is None or part.skipped or (self.has_own_rows and part.matched not in (None, total)):
                return None
            for each in bins:  # one that lies in two parts is counted in both
                found[each.beginning] += each.rows
        every = tuple(Bin(beginning, found[beginning]) for beginning in sorted(found))
        return Counted(window, period, every, sum(part.scanned for _, part in answered))

    def fetch(self, part: Planned) -> Part:
        """All rows of a window.

        Raises:
            CloudWatchError: There is no way to all of them.
        """
        window, reasons = part.window, []
        answers: list[Answered] = []
        if window.start_ms == window.end_ms and (part.rows or 0) >= self.asker.max_rows:
            answers = self._by_stream(window, part.rows or 0)
        else:
            asked = self._asked(window)
            if part.rows is None:
                self.events += 0 if self.is_counted else sum(answered.scanned for _, answered in asked)
                asked = [each for one in asked for each in self._recounted(*one)]
            for one in asked:
                more, doubts = self._settled(*one)
                answers += more
                reasons += doubts
            is_told = part.rows is not None or self.has_own_rows
            if not is_told and any(answer.columns.rows == DEFAULT_ROWS < self.asker.max_rows for answer in answers):
                reasons.append(DEFAULT_REACHED)
        found = sum(answer.columns.rows for answer in answers)
        if part.rows is not None and found < part.rows:
            reasons.append(f"The service counted {part.rows:,} rows in {window} and gave {found:,}.")
        return Part(window, tuple(answers), part.rows, tuple(reasons))

    def _asked(
        self, window: Window, text: str = "", columns: Sequence[str] | None = None
    ) -> list[tuple[Window, Answered]]:
        """A text, by default the query's, over a window, or over as many parts of it as can be answered in time."""
        # A bin or a log stream that was counted twice would be asked twice.
        key = columns[0] if columns else POINTER if self.has_own_rows else ""
        try:
            answered = self.asker.ask(text or self.text, window, columns or self.columns, key=key)
        except TooLongError as error:
            return [each for half in _halves(window, error) for each in self._asked(half, text, columns)]
        return [(window, answered)]

    def _recounted(self, window: Window, answered: Answered, *, is_cut: bool = False) -> list[tuple[Window, Answered]]:
        """The parts of a window that was asked without a count and is full: cut evenly, and then by a count."""
        matched = answered.matched or 0
        if answered.columns.rows < self.asker.max_rows or window.start_ms == window.end_ms:
            return [(window, answered)]
        if self.has_own_rows and matched and not is_cut:
            windows = pieces(window, max(2, min(-(-matched // self.room), _MOST_PIECES)))
        else:
            windows = [part.window for part in self._counted(window)]
        if windows == [window]:
            return [(window, answered)]
        asked = [each for part in windows for each in self._asked(part)]
        return asked if is_cut else [each for one in asked for each in self._recounted(*one, is_cut=True)]

    def _settled(self, window: Window, answered: Answered) -> tuple[list[Answered], list[str]]:
        """The answers that make up a window, in the order of time, where one may not be enough."""
        rows, matched = answered.columns.rows, answered.matched or 0
        if not self._is_full(answered):
            return [answered], []
        # What the service says it matched and does not give, though it gives fewer rows than it may.
        doubt = [f"The service matched {matched:,} events in {window} and gave {rows:,} rows."]
        is_short = rows < self.asker.max_rows
        if window.start_ms == window.end_ms:
            try:
                return self._by_stream(window, max(rows, matched)), []
            except CloudWatchError:
                if not is_short:
                    raise
                return [answered], doubt
        room = max(1, min(rows, self.asker.max_rows) // 2)
        count = max(2, min(-(-matched // room), _MOST_PIECES))
        asked = [each for part in pieces(window, count) for each in self._asked(part)]
        is_any_more = sum(each.columns.rows for _, each in asked) > rows
        if is_short and not is_any_more and sum(self._is_full(each) for _, each in asked) > 1:
            return [answered], doubt  # its number cannot be explained, here nor there: to go on would never end
        answers: list[Answered] = []
        reasons: list[str] = []
        for one in asked:
            more, doubts = self._settled(*one)
            answers += more
            reasons += doubts
        return answers, reasons

    def _by_stream(self, window: Window, least: int) -> list[Answered]:
        """One millisecond that holds more rows than a query returns, one log stream after the other."""
        problem = (
            f"{least:,} rows or more lie in the one millisecond {to_text(window.start_ms)}, and a query returns "
            f"{self.asker.max_rows:,} at most. Filter further."
        )
        text = splitting.counted_by_stream(self.query)
        if not text:
            raise CloudWatchError(problem)
        ((_, counted),) = self._asked(window, text, (splitting.STREAM, splitting.COUNT))
        values = counted.columns.values
        answers = []
        for stream, count in zip(values[splitting.STREAM], values[splitting.COUNT], strict=True):
            only = splitting.of_stream(self.query, self.text, stream or "")
            if not only:
                raise CloudWatchError(problem)
            ((_, answered),) = self._asked(window, only)
            if self._is_full(answered) or answered.columns.rows < int(count or 0):
                came = f"{answered.columns.rows:,} of the log stream {stream} came"
                raise CloudWatchError(f"{problem} {came} from the query {answered.query_id}.")
            answers.append(answered)
        if sum(answer.columns.rows for answer in answers) < least:
            raise CloudWatchError(problem)
        return answers

    def _is_full(self, answered: Answered) -> bool:
        """Whether there may be more rows than came."""
        rows = answered.columns.rows
        return rows >= self.asker.max_rows or (self.has_own_rows and rows < (answered.matched or 0))

    # --- in parallel ---

    def parts(self, windows: Sequence[Planned], workers: int) -> Iterator[Part]:
        """The rows of each window, in the order given; no more windows than workers are ahead of the reader.

        Raises:
            EksAuditError: The first error; all queries that run are stopped in the service, as they are when the
                reader leaves or is interrupted.
        """
        pool = ThreadPoolExecutor(workers, thread_name_prefix="eks-audit")
        waiting: list[Future[Part]] = []
        try:
            for part in windows:
                waiting.append(pool.submit(self.fetch, part))
                if len(waiting) >= workers:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        except BaseException:
            self.asker.halt()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def interruptible(asker: Asker, work: Callable[[], T]) -> T:
    """Do something that asks, in another thread: an interrupt then hits a thread that only waits, and no call.

    Raises:
        BaseException: What the work raised; or what came from outside, once all queries of the run are stopped.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="eks-audit-run") as pool:
        try:
            future = pool.submit(work)
            while not future.done():
                wait([future], timeout=_LOOK)
            return future.result()
        except BaseException:
            asker.halt()
            raise


def _first(waiting: list[Future[Part]]) -> Part:
    """The first of them, as soon as it is there; or the error of any."""
    while not waiting[0].done():
        wait([future for future in waiting if not future.done()], timeout=_LOOK, return_when=FIRST_COMPLETED)
        for future in waiting[1:]:
            if future.done() and (error := future.exception()):
                raise error
    return waiting.pop(0).result()


def _halves(window: Window, error: TooLongError) -> list[Window]:
    if window.start_ms == window.end_ms:
        raise CloudWatchError(
            f"The query {error} ended with the status Timeout, over one millisecond. It took longer than 60 minutes; "
            "ask for less of each event."
        ) from None
    return pieces(window, 2)


def _bins(answered: Answered) -> list[Bin] | None:
    """The bins in the order of time; None where one cannot be read."""
    values = answered.columns.values
    try:
        found = [
            Bin(_milliseconds(beginning or ""), int(count or ""))
            for beginning, count in zip(values[splitting.BIN], values[splitting.COUNT], strict=True)
        ]
    except ValueError:
        return None
    return sorted(found, key=lambda each: each.beginning)


def _milliseconds(text: str) -> int:
    return int(text) if text.isdecimal() else to_milliseconds(datetime.fromisoformat(f"{text}+00:00"))
