"""Many rows: what fetching them scans and asks, window by window, and where nothing helps."""

from __future__ import annotations

import json
import re
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from eks_audit_nb.errors import CloudWatchError, QueryError
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.window import Window, to_text

from conftest import audit_event
from fake_cloudwatch import (
    Behaviour,
    FakeCloudWatch,
    Fault,
    LogGroup,
    Occasions,
    delivered,
    pointed,
    with_quotas,
)
from pacers import hasty

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
HOUR = 3_600_000
PROD = "/aws/eks/prod/cluster"
START, END = to_text(T), to_text(T + HOUR - 1)
ROWS = "fields @timestamp, @message"
MESSAGE = json.dumps(audit_event())


@pytest.fixture(scope="module")
def service() -> Iterator[FakeCloudWatch]:
    """The service, and boto3 pointed at it."""
    with pointed() as fake:
        yield fake


@pytest.fixture(scope="module")
def prod(service: FakeCloudWatch) -> Iterator[CloudWatchSource]:
    """The cluster as a source that takes 1,000 rows of a query at most."""
    source = CloudWatchSource("prod", max_rows=1000, pacer=hasty(queries=4))
    yield source
    source.close()


def log(*times: int, message: str = MESSAGE) -> LogGroup:
    """The cluster's log group with an event at each time, from two streams in turn."""
    return LogGroup(PROD, delivered((T + at, f"{message} {n}", f"audit-{n % 2}") for n, at in enumerate(sorted(times))))


def scanned(group: LogGroup) -> int:
    """The bytes of its hour."""
    return group.size_within(Window(T, T + HOUR - 1))


EVEN = tuple(range(0, HOUR, 400))  # 9,000 events
# 1,800 in the hour and 7,000 in two minutes.
BURST = (*range(0, HOUR, 2000), *range(1_000_000, 1_126_000, 18))
# Nine of ten in a minute, so that a bin of five seconds has more than a query returns.
MOMENT = (*range(0, HOUR, 3600), *range(1_000_000, 1_060_000, 6))
SPELLS = tuple(start + offset for start in (0, 900_000, 3_000_000) for offset in range(0, 60_000, 20))


@pytest.mark.parametrize("times", [EVEN, BURST, MOMENT, SPELLS], ids=["even", "burst", "moment", "spells"])
@pytest.mark.parametrize("text", [ROWS, f"{ROWS} | filter @message like 'auditID'", f"{ROWS} | sort @timestamp asc"])
def test_less_than_2_2_times_the_window(
    service: FakeCloudWatch, prod: CloudWatchSource, times: tuple[int, ...], text: str
) -> None:
    """However the rows lie, count and rows scan less than 2.2 times the window's bytes, as the result says."""
    group = log(*times)
    service.become(group, behaviour=Behaviour(cap=1000))
    result = prod.run(text, START, END)
    assert result.complete
    assert Counter(result.frame["@message"]) == Counter(event.message for event in group.events)
    assert result.statistics.bytes_scanned == service.bytes_scanned < 2.2 * scanned(group)
    assert result.statistics.events_scanned == len(times)


def test_short_lines_are_scanned_twice_at_most(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """A window that seemed small enough to be asked at once, and is full of short lines, is cut without a count."""
    group = log(*range(0, HOUR, 1900), message="short")
    service.become(group, behaviour=Behaviour(cap=1000))
    result = prod.run(ROWS, START, END)
    assert result.complete
    assert len(result) == len(group.events) == result.statistics.events_scanned
    assert service.bytes_scanned < 2.2 * scanned(group)


def test_rare_rows_are_scanned_about_once(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """Where a filter leaves few rows, only the stretches around them are read a second time."""
    group = log(*EVEN)
    service.become(group, behaviour=Behaviour(cap=1000))
    result = prod.run(f"{ROWS} | filter @message like '}} 77'", START, END)
    assert sorted(text.rpartition(" ")[2] for text in result.frame["@message"])[0] == "77"
    assert len(result) == 111
    assert service.bytes_scanned < 1.2 * scanned(group)


def test_a_small_window_is_scanned_once(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """A window with fewer bytes than events of one query would have is asked at once."""
    group = log(*range(0, HOUR, 10_000))
    service.become(group)
    result = prod.run(ROWS, START, END)
    assert len(result) == 360
    assert service.bytes_scanned == scanned(group)
    assert service.called("StartQuery") == 2  # one of them the estimate, which costs nothing


@pytest.mark.parametrize("text", ["stats count(*)", f"{ROWS} | limit 20", "dedup verb"])
def test_what_is_one_query_is_scanned_once(service: FakeCloudWatch, prod: CloudWatchSource, text: str) -> None:
    """A query that cannot be split is asked without a plan."""
    group = log(*range(0, HOUR, 10_000))
    service.become(group)
    prod.run(text, START, END)
    assert service.called("StartQuery") == 1
    assert service.bytes_scanned == scanned(group)


def test_a_millisecond_with_more_rows_than_a_query_returns(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """What no time can split is asked by log stream: 1,800 events of one millisecond, 900 of each stream."""
    group = log(*EVEN[:3000], *[700_001] * 1800)
    service.become(group, behaviour=Behaviour(cap=1000))
    result = prod.run(ROWS, START, END)
    assert result.complete
    assert Counter(result.frame["@message"]) == Counter(event.message for event in group.events)


def test_30_000_events_in_one_millisecond(service: FakeCloudWatch) -> None:
    """Against a cap of 10,000, 30,000 events of one millisecond come whole from four streams."""
    events = delivered((T + 5, f'{{"auditID":"{n}"}}', f"audit-{n % 4}") for n in range(30_000))
    service.become(LogGroup(PROD, events), behaviour=Behaviour(cap=10_000))
    source = CloudWatchSource("prod", max_rows=10_000, pacer=hasty())
    result = source.run("fields @message", START, END)
    source.close()
    assert result.complete
    assert result.frame["@message"].nunique() == len(result) == 30_000


@pytest.mark.parametrize("seed", [1, 6, 12, 18])
def test_a_log_stream_is_not_asked_twice(service: FakeCloudWatch, seed: int) -> None:
    """Where the service serves a page twice as it counts log streams, no stream's rows come twice."""
    events = delivered((T + 7, f"{MESSAGE} {n}", f"audit-{n % 3}") for n in range(9))
    faults = {Fault.REPLACE_PAGE: Occasions(chance=0.3)}
    service.become(LogGroup(PROD, events), behaviour=Behaviour(cap=4, page_size=1, faults=faults, seed=seed))
    source = CloudWatchSource("prod", max_rows=4, pacer=hasty(attempts=20))
    result = source.run(ROWS, START, END)
    source.close()
    assert sorted(result.frame["@message"]) == sorted(event.message for event in events)


@pytest.mark.parametrize("way", ["asc", "desc"])
def test_the_order_within_a_millisecond(service: FakeCloudWatch, prod: CloudWatchSource, way: str) -> None:
    """Rows of one millisecond that were asked by log stream come in the order of what else they are sorted by."""
    events = delivered((T + 7, f'{{"auditID": "{n * 7919 % 1800:04}"}}', f"audit-{n % 3}") for n in range(1800))
    service.become(LogGroup(PROD, events), behaviour=Behaviour(cap=1000))
    result = prod.run(f"fields auditID | sort @timestamp {way}, auditID {way}", START, END)
    assert list(result.frame["auditID"]) == sorted(result.frame["auditID"], reverse=way == "desc")
    assert len(result) == 1800


@pytest.mark.parametrize("streams", [1, 2])
def test_where_nothing_helps(service: FakeCloudWatch, prod: CloudWatchSource, streams: int) -> None:
    """More rows of one log stream in one millisecond than a query returns are an error that names the millisecond."""
    events = delivered((T + 7, f"{MESSAGE} {n}", f"audit-{n % streams}") for n in range(2500))
    service.become(LogGroup(PROD, events), behaviour=Behaviour(cap=1000))
    with pytest.raises(CloudWatchError, match=r"in the one millisecond 2026-11-24 10:00:00\.007.* Filter further"):
        prod.run(ROWS, START, END)


def test_time_outs_are_split(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """A window that takes too long is asked in halves, the count too, until they are done in time."""
    group = log(*EVEN[:2000])
    service.become(group, behaviour=Behaviour(cap=1000, timeout_above=600))
    result = prod.run(ROWS, START, END)
    assert result.complete
    assert len(result) == 2000
    assert any(query.final == "Timeout" for query in service.queries.values())


def test_fewer_rows_than_were_counted(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """When a window gives fewer rows than the service counted in it, the result is not whole and says where."""
    group = log(*EVEN)
    service.become(group, behaviour=Behaviour(cap=1000))
    fewer = LogGroup(PROD, group.events[:4000])
    counting = threading.Thread(target=lambda: _after(service, 3, fewer))
    counting.start()
    result = prod.run(ROWS, START, END)
    counting.join()
    if len(result) < 9000:
        assert not result.complete
        assert any("The service counted" in reason for reason in result.reasons)


def _after(service: FakeCloudWatch, queries: int, group: LogGroup) -> None:
    """Exchange the log once so many queries were started."""
    until = time.monotonic() + 10
    while service.called("StartQuery") < queries and time.monotonic() < until:
        time.sleep(0.0005)
    service.groups[PROD] = group


def test_quotas_are_kept(service: FakeCloudWatch) -> None:
    """With AWS's own quotas no request is refused for being too fast, and fewer than 100 queries run at once."""
    service.become(log(*EVEN[:6000]), behaviour=with_quotas(cap=1000, seconds=0.01))
    source = CloudWatchSource("prod", max_rows=1000, pacer=hasty(requests_a_second=10, queries=8))
    result = source.run(ROWS, START, to_text(T + 400 * 5999))
    source.close()
    assert len(result) == 6000
    assert not service.refusals()["LimitExceededException"]
    assert service.most_in(0.95, "StartQuery") <= 20  # a bucket may be full when the second begins
    assert service.most_concurrent <= 8


# --- window by window -----------------------------------------------------------------------------------------------


def test_windows(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """Parts come in the order of time, disjoint, each with its rows and their count; together they are all rows."""
    group = log(*EVEN)
    service.become(group, behaviour=Behaviour(cap=1000))
    parts = list(prod.windows(ROWS, START, END))
    assert len(parts) >= 9
    assert all(one.window.end_ms < other.window.start_ms for one, other in pairwise(parts))
    assert [part.counted for part in parts] == [len(part.frame) for part in parts]
    assert parts[-1].bytes_scanned == service.bytes_scanned
    for part in parts:
        assert part.frame["@timestamp"].between(part.window.start, part.window.end).all()
        assert part.reasons == ()
    assert sorted(text for part in parts for text in part.frame["@message"]) == sorted(e.message for e in group.events)


def test_windows_that_are_left_out(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """What is there already is not asked again, to the millisecond, and not scanned."""
    group = log(*EVEN)
    service.become(group, behaviour=Behaviour(cap=1000))
    there = [Window(T + 400_000, T + 1_999_999), Window(T + 3_000_000, T + HOUR)]
    parts = list(prod.windows(ROWS, START, END, without=there))
    expected = [e.message for e in group.events if not any(w.start_ms <= e.timestamp_ms <= w.end_ms for w in there)]
    assert sorted(text for part in parts for text in part.frame["@message"]) == sorted(expected)
    assert service.bytes_scanned < 2.2 * scanned(group) * len(expected) / len(EVEN)
    service.forget()
    assert list(prod.windows(ROWS, START, END, without=[Window(T, T + HOUR)])) == []
    assert service.called("StartQuery") == 0


def test_windows_with_skipped_events(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """Events that the service skipped are told with their window, those of all its queries together."""
    service.become(log(*EVEN), behaviour=Behaviour(cap=1000, skipped=3))
    parts = list(prod.windows(ROWS, START, END))
    assert parts
    for part in parts:
        (reason,) = part.reasons
        assert re.fullmatch(r"The service skipped about \d+ events\.", reason)


def test_windows_need_rows_that_stand_for_themselves(prod: CloudWatchSource) -> None:
    """A query that looks at all rows at once is refused, before anything is asked."""
    with pytest.raises(QueryError, match="looks at all rows at once"):
        next(prod.windows("stats count(*)"))


def test_leaving_the_loop_stops_what_runs(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """Who takes only the first part leaves no query running."""
    service.become(log(*EVEN), behaviour=Behaviour(cap=1000))
    parts = prod.windows(ROWS, START, END)
    next(parts)
    service.behaviour.seconds = 1000
    parts.close()
    assert not service.running()


def test_windows_are_given_back_as_they_are_taken(service: FakeCloudWatch, prod: CloudWatchSource) -> None:
    """However many windows there are, only a few lie in memory."""
    service.become(log(*range(0, HOUR, 300)), behaviour=Behaviour(cap=1000))
    tracemalloc.start()
    try:
        rows = sum(len(part.frame) for part in prod.windows("fields @timestamp, verb", START, END))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 12_000
    assert most < 25_000_000
