"""From counts by bin to windows that one query can answer. Pure: nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eks_audit_nb.window import Window


@dataclass(frozen=True)
class Planned:
    """A window, and how many rows the service counted in it; None where it was not asked."""

    window: Window
    rows: int | None = None


@dataclass(frozen=True)
class Bin:
    """How many rows begin at this millisecond and within the bin's width; not exact where a counted bin was cut."""

    beginning: int
    rows: int
    is_exact: bool = True


# What no row was counted in is left out where it is at least this share of the window, so that a rare match is not
# paid for twice; more windows than this makes would only be more requests.
_GAP_SHARE = 0.02


def planned(window: Window, bins: Sequence[Bin], width: int, room: int, *, with_gaps: bool = False) -> list[Planned]:
    """Windows of whole bins with no more rows than there is room for, in the order of time.

    A bin with more rows than that is a window by itself. Long stretches without rows are left out, all but one bin on
    either side of a row: how the service rounds a time to its bin is documented in words that contradict each other.

    Args:
        window: What is planned.
        bins: Those with rows, in the order of time; the first may begin before the window.
        width: Of a bin, milliseconds.
        room: How many rows a window may have.
        with_gaps: Leave nothing out.
    """
    if not bins and with_gaps:
        return [Planned(window, 0)]
    gap = (
        window.end_ms - window.start_ms + 1
        if with_gaps
        else max(3 * width, int((window.end_ms - window.start_ms + 1) * _GAP_SHARE))
    )
    found: list[Planned] = []
    start, rows, last, is_exact = window.start_ms, 0, window.start_ms, True
    for each in bins:
        beginning = max(each.beginning, window.start_ms)
        if beginning - last > gap:
            if rows:
                found.append(Planned(Window(start, last + width - 1), rows if is_exact else None))
            start, rows, is_exact = beginning - width, 0, True
        elif rows and rows + each.rows > room:
            found.append(Planned(Window(start, beginning - 1), rows if is_exact else None))
            start, rows, is_exact = beginning, 0, True
        rows += each.rows
        is_exact &= each.is_exact
        last = each.beginning + width
    if rows:
        end = window.end_ms if window.end_ms - last <= gap else last + width - 1
        found.append(Planned(Window(start, min(end, window.end_ms)), rows if is_exact else None))
    return found


def cut(window: Window, bins: Sequence[Bin], width: int, most: int, room: int) -> list[Bin]:
    """The bins, those with as many rows as a query returns cut evenly: a guess, which scans nothing, unlike a count.

    Args:
        window: What is planned; the first and the last bin may reach beyond it.
        bins: In the order of time.
        width: Of a bin, milliseconds; no part is narrower than one.
        most: How many rows a query returns.
        room: How many rows a part has where they lie evenly.
    """
    found: list[Bin] = []
    for each in bins:
        first, end = max(each.beginning, window.start_ms), min(each.beginning + width - 1, window.end_ms)
        parts = pieces(Window(first, end), -(-each.rows // room)) if each.rows >= most else []
        if len(parts) < 2:
            found.append(each)
            continue
        shares = [each.rows * number // len(parts) for number in range(len(parts) + 1)]
        found += [
            Bin(part.start_ms, after - before, is_exact=False)
            for part, (before, after) in zip(parts, pairwise(shares), strict=True)
        ]
    return found


def pieces(window: Window, count: int) -> list[Window]:
    """The window cut into so many of about the same length, or as many as it has milliseconds; none overlap."""
    span = window.end_ms - window.start_ms + 1
    count = min(count, span)
    edges = [window.start_ms + span * number // count for number in range(count + 1)]
    return [Window(start, end - 1) for start, end in pairwise(edges)]


def gaps(window: Window, without: Sequence[Window]) -> Iterator[Window]:
    """What is left of a window when others are taken out of it, in the order of time."""
    start = window.start_ms
    for each in sorted(without, key=lambda one: one.start_ms):
        if each.start_ms > window.end_ms:
            break
        if each.start_ms > start:
            yield Window(start, each.start_ms - 1)
        start = max(start, each.end_ms + 1)
    if start <= window.end_ms:
        yield Window(start, window.end_ms)
