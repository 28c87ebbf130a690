"""Planning: windows hold what there is room for, overlap nowhere, and leave nothing out that has rows."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.sources.cloudwatch.planning import Bin, cut, gaps, pieces, planned
from eks_audit_nb.window import Window


@given(
    start=st.integers(0, 500),
    times=st.lists(st.integers(0, 3000), max_size=60),
    width=st.sampled_from([1, 2, 10, 50, 1000]),
    room=st.integers(1, 20),
    with_gaps=st.booleans(),
)
def test_planned(start: int, times: list[int], width: int, room: int, with_gaps: bool) -> None:
    """Every row lies in one window, with a bin around it, and a window of several bins has no more than its room."""
    window = Window(start, 3000)
    inside = sorted(time for time in times if time >= start)
    bins = [Bin(beginning, rows) for beginning, rows in sorted(Counter(t // width * width for t in inside).items())]
    found = planned(window, bins, width, room, with_gaps=with_gaps)
    assert all(one.window.end_ms < other.window.start_ms for one, other in pairwise(found))
    for part in found:
        assert part.window.start_ms >= window.start_ms
        assert part.window.end_ms <= window.end_ms
        held = [time for time in inside if part.window.start_ms <= time <= part.window.end_ms]
        assert len(held) == part.rows
        assert part.rows <= room or len({time // width for time in held}) == 1
    assert sum(part.rows or 0 for part in found) == len(inside)
    for time in inside:  # a time that the service rounded to the bin beside its own is asked for all the same
        for near in (max(time - width, start), min(time + width, 3000)):
            assert any(part.window.start_ms <= near <= part.window.end_ms for part in found)
    if with_gaps:
        assert sum(part.window.end_ms - part.window.start_ms + 1 for part in found) == 3001 - start


@given(
    times=st.lists(st.integers(400, 2500), max_size=60),
    width=st.sampled_from([1, 2, 10, 50, 1000]),
    most=st.integers(2, 20),
    with_gaps=st.booleans(),
)
def test_full_bins_are_cut(times: list[int], width: int, most: int, with_gaps: bool) -> None:
    """Cut bins have as many rows as before, all of them in the window, and every row lies in one of those planned."""
    window, room = Window(400, 2500), max(1, most // 2)
    counted = [Bin(beginning, rows) for beginning, rows in sorted(Counter(t // width * width for t in times).items())]
    bins = cut(window, counted, width, most, room)
    assert sum(each.rows for each in bins) == len(times)
    assert all(one.beginning < other.beginning for one, other in pairwise(bins))
    assert {each for each in counted if each.rows < most} <= {each for each in bins if each.is_exact} <= set(counted)
    found = planned(window, bins, width, room, with_gaps=with_gaps)
    assert all(window.start_ms <= part.window.start_ms and part.window.end_ms <= window.end_ms for part in found)
    assert all(one.window.end_ms < other.window.start_ms for one, other in pairwise(found))
    for time in times:
        assert sum(part.window.start_ms <= time <= part.window.end_ms for part in found) == 1
    for part in found:
        held = sum(part.window.start_ms <= time <= part.window.end_ms for time in times)
        assert part.rows in (None, held)


def test_what_is_empty_is_left_out() -> None:
    """A day with two rows is asked for minutes only."""
    day = Window(0, 86_399_999)
    found = planned(day, [Bin(30_000_000, 1), Bin(60_000_000, 1)], 5000, 20_000)
    assert [part.rows for part in found] == [1, 1]
    assert sum(part.window.end_ms - part.window.start_ms for part in found) < 60_000


@pytest.mark.parametrize(("count", "sizes"), [(1, [10]), (2, [5, 5]), (3, [3, 3, 4]), (10, [1] * 10), (99, [1] * 10)])
def test_pieces(count: int, sizes: list[int]) -> None:
    """Pieces cover the window without overlap, and none is shorter than a millisecond."""
    found = pieces(Window(5, 14), count)
    assert [part.end_ms - part.start_ms + 1 for part in found] == sizes
    assert [part.start_ms for part in found] == [5, *(part.end_ms + 1 for part in found[:-1])]
    assert found[-1].end_ms == 14


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=6))
def test_gaps(taken: list[tuple[int, int]]) -> None:
    """What is left is every millisecond that no window takes, once."""
    without = [Window(start, start + length) for start, length in taken]
    left = [ms for gap in gaps(Window(10, 90), without) for ms in range(gap.start_ms, gap.end_ms + 1)]
    assert left == [ms for ms in range(10, 91) if not any(w.start_ms <= ms <= w.end_ms for w in without)]
