"""The proof that no event is missing: the service's counts by bin, beside those of what is held.

What differs is counted again, since events come late; where the service still has more, the bins are fetched again.
What differs then is told with both counts. Nothing that is held is ever given up because the service counts less: it
forgets what is older than the log group keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eks_audit_nb.collecting.begun import Begun
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.cloudwatch.splitting import Period
from eks_audit_nb.window import Window

_ROUNDS = 4
# How many bins are named one by one.
_NAMED = 5


@dataclass(frozen=True)
class Proof:
    """What was counted and held by bin; `counted` is None where the service gave no count that can be read."""

    window: Window
    bin_ms: int
    counted: Mapping[int, int] | None
    held: Mapping[int, int]
    bytes_scanned: int

    @property
    def differing(self) -> list[int]:
        """The bins with different counts."""
        return differing(self.counted or {}, self.held)

    @property
    def doubts(self) -> list[str]:
        """A sentence for each reason to doubt that everything is there."""
        if self.counted is None:
            return ["The service gave no count of its events that can be relied on, so that none proves completeness."]
        named = [
            f"From {_window(beginning, beginning, self.bin_ms, self.window)} the service counts "
            f"{self.counted.get(beginning, 0):,} events, and {self.held.get(beginning, 0):,} are here."
            for beginning in self.differing
        ]
        more = len(named) - _NAMED
        return named if more <= 0 else [*named[:_NAMED], f"So it is in {more:,} further bins."]


def prove(
    source: CloudWatchSource, query: str, begun: Begun, window: Window, period: Period, counted: dict[int, int] | None
) -> Proof:
    """Compare what is held in a window with the service's counts, and fetch what is missing.

    Args:
        source: The log groups.
        query: What was asked for the rows.
        begun: What is held; gets what is fetched.
        window: What is compared.
        period: The width of the bins.
        counted: The counts as they were asked before; None asks for them.

    Raises:
        CloudWatchError: The service refuses.
    """
    scanned = 0
    width = period.milliseconds
    held = begun.counts(window, width)
    for _ in range(_ROUNDS):
        span = window if counted is None else _hull(differing(counted, held), width, window)
        if span is None:
            break
        found, size = source.count(query, span, period)
        scanned += size
        if found is None:
            counted = None  # what was counted before no longer holds where it differs
            continue
        first = span.start_ms // width * width
        kept = {each: number for each, number in (counted or {}).items() if not first <= each <= span.end_ms}
        counted = kept | {each.beginning: each.rows for each in found.bins}
        lacking = [each for each in differing(counted, held) if counted.get(each, 0) > held.get(each, 0)]
        for run in _runs(lacking, width, window):
            scanned += _fetch(source, query, begun, run, period)
        held = begun.counts(window, width)
    return Proof(window, width, counted, held, scanned)


def differing(counted: Mapping[int, int], held: Mapping[int, int]) -> list[int]:
    """The bins with different counts, in the order of time."""
    return sorted(each for each in counted.keys() | held.keys() if counted.get(each, 0) != held.get(each, 0))


def _fetch(source: CloudWatchSource, query: str, begun: Begun, window: Window, period: Period) -> int:
    """Fetch a window anew; gives the bytes that were scanned for planning it."""
    plan = source.plan(query, window, source.size(query, window), period)
    before = 0
    for part in source.fetch(query, plan.windows):
        if len(part.frame) >= sum(begun.counts(part.window, period.milliseconds).values()):
            begun.add(part.window, part.frame, part.bytes_scanned - before, part.reasons)
        before = part.bytes_scanned
    return plan.bytes_scanned


def _hull(bins: list[int], width: int, window: Window) -> Window | None:
    return _window(bins[0], bins[-1], width, window) if bins else None


def _runs(bins: list[int], width: int, window: Window) -> Iterator[Window]:
    """Windows of bins that follow each other."""
    first = 0
    for place, each in enumerate(bins):
        if place + 1 == len(bins) or bins[place + 1] != each + width:
            yield _window(bins[first], each, width, window)
            first = place + 1


def _window(first: int, last: int, width: int, window: Window) -> Window:
    """From the one bin to the other, as far as they lie in a window."""
    return Window(max(first, window.start_ms), min(last + width - 1, window.end_ms))
