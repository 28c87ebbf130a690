"""The service in the tests goes wrong as it is told: each way by itself, and mixed at random by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from fake_cloudwatch import (
    Behaviour,
    FakeCloudWatch,
    Fault,
    LogGroup,
    Occasions,
    delivered,
    mixed,
    serve,
    with_quotas,
)
from loopback import point_boto3_at

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
PROD = "/aws/eks/prod/cluster"
GROUP = LogGroup(PROD, delivered([(T + i, f"message {i}", f"audit-{i % 3}") for i in range(12)]))
MESSAGES = [f"message {i}" for i in range(11, -1, -1)]  # newest first
ALWAYS = Occasions(every=1)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FakeCloudWatch, Any]]:
    """The service, and a boto3 client of it that asks once and never again by itself."""
    fake = FakeCloudWatch.of(GROUP)
    with serve(fake) as address, pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(monkeypatch, address)
        once = Config(retries={"total_max_attempts": 1}, read_timeout=10)
        client = boto3.client("logs", region_name="eu-west-1", config=once)
        yield fake, client
        client.close()


class Clock:
    """Seconds that pass when the test says so."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(fake: FakeCloudWatch) -> Clock:
    """The service's clock."""
    fake.clock = clock = Clock()
    return clock


@pytest.fixture
def fake(server: tuple[FakeCloudWatch, Any]) -> FakeCloudWatch:
    """The service as new, with twelve events a millisecond apart, from three streams."""
    fake, _ = server
    fake.become(GROUP)
    fake.clock = FakeCloudWatch("prod").clock
    return fake


@pytest.fixture
def logs(server: tuple[FakeCloudWatch, Any], fake: FakeCloudWatch) -> Any:
    """The client."""
    return server[1]


def start(logs: Any, first: int = T, last: int = T + 1000, limit: int = 100_000) -> str:
    """Start a query over a window; gives its id."""
    request = {"logGroupName": PROD, "queryString": "fields @message", "limit": limit}
    return str(logs.start_query(startTime=first, endTime=last, **request)["queryId"])


def messages(page: dict[str, Any]) -> list[str]:
    """The messages of a page."""
    return [cell["value"] for row in page["results"] for cell in row if cell["field"] == "@message"]


def pages_of(logs: Any, query_id: str, most: int = 10) -> list[dict[str, Any]]:
    """The pages of a result, up to a number of them."""
    pages = [logs.get_query_results(queryId=query_id)]
    while len(pages) < most and (token := pages[-1].get("nextToken")):
        pages.append(logs.get_query_results(queryId=query_id, nextToken=token))
    return pages


def refusal(code: str) -> Any:
    """The error of boto3 for a code."""
    return pytest.raises(ClientError, match=rf"\({code}\)")


# --- refusals and quotas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (Fault.THROTTLE, "ThrottlingException", 400),
        (Fault.UNAVAILABLE, "ServiceUnavailableException", 503),
        (Fault.LIMIT, "LimitExceededException", 400),
    ],
)
def test_refusals_at_every_third_call(fake: FakeCloudWatch, logs: Any, fault: Fault, code: str, status: int) -> None:
    """A call is refused on its turn, with AWS's code and status, and the refusals are counted."""
    fake.behaviour = Behaviour(faults={fault: Occasions(every=3)})
    for number in range(1, 7):
        if number % 3:
            start(logs)
        else:
            with refusal(code) as caught:
                start(logs)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert fake.refusals() == {code: 2}
    assert fake.called("StartQuery") == 6


def test_faults_of_one_action(fake: FakeCloudWatch, logs: Any) -> None:
    """A fault can be meant for one action only, and for its first calls."""
    fake.behaviour = Behaviour(faults={Fault.THROTTLE: Occasions(first=2, action="GetQueryResults")})
    query_id = start(logs)
    for _ in range(2):
        with refusal("ThrottlingException"):
            logs.get_query_results(queryId=query_id)
    assert messages(logs.get_query_results(queryId=query_id)) == MESSAGES


def test_forbidden_calls(fake: FakeCloudWatch, logs: Any) -> None:
    """A call that the caller may not make is refused, and the message names the IAM action."""
    fake.behaviour = Behaviour(forbidden={"FilterLogEvents"})
    with pytest.raises(ClientError, match=r"\(AccessDeniedException\) .* to perform: logs:FilterLogEvents"):
        logs.filter_log_events(logGroupName=PROD)


def test_the_rate_of_calls(fake: FakeCloudWatch, logs: Any, clock: Clock) -> None:
    """Beyond ten StartQuery a second calls are throttled, until time has passed; the most in a second is known."""
    fake.behaviour = with_quotas()
    for _ in range(10):
        start(logs)
    with refusal("ThrottlingException"):
        start(logs)
    clock.seconds += 0.1
    start(logs)
    with refusal("ThrottlingException"):
        start(logs)
    clock.seconds += 60
    for _ in range(10):
        start(logs)
    with refusal("ThrottlingException"):
        start(logs)
    assert fake.most_in(1, "StartQuery") == 13
    assert fake.most_in(0.05, "StartQuery") == 11


def test_too_many_queries_at_once(fake: FakeCloudWatch, logs: Any) -> None:
    """A query beyond the number that may run is refused until one has ended; the most at once is known."""
    fake.behaviour = Behaviour(concurrent_queries=2)
    first, _ = start(logs), start(logs)
    with refusal("LimitExceededException"):
        start(logs)
    logs.get_query_results(queryId=first)
    logs.stop_query(queryId=start(logs))
    start(logs)
    assert fake.most_concurrent == len(fake.running()) == 2


def test_queries_that_take_time(fake: FakeCloudWatch, logs: Any, clock: Clock) -> None:
    """A query runs for its seconds, asked for or not, and counts as running for so long."""
    fake.behaviour = Behaviour(seconds=5)
    query_id = start(logs)
    clock.seconds += 4.9
    assert logs.get_query_results(queryId=query_id)["status"] == "Running"
    assert len(fake.running()) == 1
    clock.seconds += 0.1
    assert fake.running() == []
    assert logs.get_query_results(queryId=query_id)["status"] == "Complete"


# --- how queries end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.FAIL, "Failed"), (Fault.TIMEOUT, "Timeout"), (Fault.CANCEL, "Cancelled")]
)
def test_queries_that_end_badly(fake: FakeCloudWatch, logs: Any, fault: Fault, status: str) -> None:
    """The first queries end badly, with rows all the same, and the next one is Complete."""
    fake.behaviour = Behaviour(faults={fault: Occasions(first=2)})
    pages = [logs.get_query_results(queryId=start(logs)) for _ in range(3)]
    assert [page["status"] for page in pages] == [status, status, "Complete"]
    assert messages(pages[0])


def test_queries_over_too_much_time_out(fake: FakeCloudWatch, logs: Any) -> None:
    """A query that reads more events than the service manages ends as Timeout."""
    fake.behaviour = Behaviour(timeout_above=5)
    ends = [logs.get_query_results(queryId=start(logs, T, T + last))["status"] for last in (4, 5)]
    assert ends == ["Complete", "Timeout"]


def test_windows_that_time_out(fake: FakeCloudWatch, logs: Any) -> None:
    """A query whose window meets a chosen one ends as Timeout."""
    fake.behaviour = Behaviour(timeout_windows=((T + 5, T + 5),))
    windows = [(T, T + 4), (T + 5, T + 9), (T, T + 5), (T + 6, T + 9)]
    ends = [logs.get_query_results(queryId=start(logs, *window))["status"] for window in windows]
    assert ends == ["Complete", "Timeout", "Timeout", "Complete"]


def test_rows_that_disappear(fake: FakeCloudWatch, logs: Any) -> None:
    """A query is Scheduled, Unknown and Running first, with rows of which one is not in its result."""
    fake.behaviour = Behaviour(faults={Fault.PENDING: ALWAYS, Fault.GHOST_ROWS: ALWAYS})
    query_id = start(logs)
    pages = [logs.get_query_results(queryId=query_id) for _ in range(4)]
    assert [page["status"] for page in pages] == ["Scheduled", "Unknown", "Running", "Complete"]
    assert [len(set(messages(page)) - set(MESSAGES)) for page in pages] == [1, 1, 1, 0]
    assert messages(pages[-1]) == MESSAGES


# --- connections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "has_happened"), [(Fault.HANG_UP, False), (Fault.FORGET, True)])
def test_lost_connections(fake: FakeCloudWatch, logs: Any, fault: Fault, has_happened: bool) -> None:
    """A connection is closed before the call or before its answer, and the next call is well."""
    fake.behaviour = Behaviour(faults={fault: Occasions(first=1)})
    with pytest.raises(ConnectionClosedError):
        start(logs)
    assert len(fake.queries) == has_happened
    assert fake.running() == []  # a query whose id nobody knows blocks no other
    assert messages(logs.get_query_results(queryId=start(logs))) == MESSAGES
    assert fake.refusals() == {"connection lost": 1}


def test_answers_that_are_cut(fake: FakeCloudWatch, logs: Any) -> None:
    """boto3 takes an answer of which the end is missing for one without any field, and raises no error.

    It asks urllib3 not to compare with Content-Length, and takes a body that is no JSON for a message.
    """
    query_id = start(logs)
    fake.behaviour = Behaviour(faults={Fault.CUT: Occasions(first=2)})
    assert set(logs.get_query_results(queryId=query_id)) == {"ResponseMetadata"}
    assert set(logs.filter_log_events(logGroupName=PROD, limit=5)) == {"ResponseMetadata"}  # no token: as if the last
    assert messages(logs.get_query_results(queryId=query_id)) == MESSAGES


# --- rows ------------------------------------------------------------------------------------------------------------


def test_the_cap(fake: FakeCloudWatch, logs: Any) -> None:
    """A result has no more rows than the cap, whatever the limit, and more events matched than there are rows."""
    fake.behaviour = Behaviour(cap=7)
    page = logs.get_query_results(queryId=start(logs))
    assert messages(page) == MESSAGES[:7]
    assert (page["statistics"]["resultCount"], page["statistics"]["recordsMatched"]) == (7, 12)


def test_thirty_thousand_events_in_one_millisecond(fake: FakeCloudWatch, logs: Any) -> None:
    """More events than a result can have, all in one millisecond: only their streams tell them apart."""
    events = [(T, f"message {i}", f"audit-{i % 4}") for i in range(30_000)]
    fake.become(LogGroup(PROD, delivered(events)), behaviour=Behaviour(cap=10_000))
    request = {"logGroupName": PROD, "startTime": T, "endTime": T}
    whole = logs.start_query(queryString="fields @message", **request)["queryId"]
    assert logs.get_query_results(queryId=whole, maxItems=1)["statistics"]["resultCount"] == 10_000
    found: set[str] = set()
    for stream in range(4):
        text = f"fields @message | filter @logStream = 'audit-{stream}'"
        query_id = logs.start_query(queryString=text, **request)["queryId"]
        found.update(messages(logs.get_query_results(queryId=query_id)))
    assert len(found) == 30_000


def test_skipped_events(fake: FakeCloudWatch, logs: Any) -> None:
    """Events that the service skips are missing, and estimatedRecordsSkipped is how many."""
    fake.behaviour = Behaviour(faults={Fault.SKIP: ALWAYS})
    page = logs.get_query_results(queryId=start(logs))
    statistics = page["statistics"]
    assert messages(page) == MESSAGES[:6]
    names = ("estimatedRecordsSkipped", "resultCount", "recordsMatched")
    assert [statistics[name] for name in names] == [6, 6, 6]


def test_events_that_arrive_late(fake: FakeCloudWatch, logs: Any) -> None:
    """An event is there once it has arrived: for queries, what they scan, streams, and FilterLogEvents."""
    events = delivered([(T, "early", "a")], delay_ms=10) + delivered([(T + 1, "late", "b")], delay_ms=60_000)
    fake.become(LogGroup(PROD, events), now_ms=T + 9)
    for fake.now_ms, expected in ((T + 9, []), (T + 10, ["early"]), (T + 60_001, ["late", "early"])):
        page = logs.get_query_results(queryId=start(logs))
        assert messages(page) == expected
        assert page["statistics"]["bytesScanned"] == sum(map(len, expected))
        assert len(logs.filter_log_events(logGroupName=PROD)["events"]) == len(expected)
        assert len(logs.describe_log_streams(logGroupName=PROD)["logStreams"]) == len(expected)


def test_late_events_for_the_engine(fake: FakeCloudWatch, logs: Any) -> None:
    """An event that has not arrived is not there for queries that the engine answers either."""
    fake.become(LogGroup(PROD, delivered([(T, '{"verb":"get"}')], delay_ms=10)), now_ms=T + 9)
    for fake.now_ms, expected in ((T + 9, "0"), (T + 10, "1"), (T + 9, "0")):
        text = "filter verb = 'get' | stats count(*) as n"
        query_id = logs.start_query(logGroupName=PROD, queryString=text, startTime=T, endTime=T)["queryId"]
        ((cell,),) = logs.get_query_results(queryId=query_id)["results"]
        assert cell == {"field": "n", "value": expected}


# --- pages -----------------------------------------------------------------------------------------------------------


def test_a_count_that_is_wrong(fake: FakeCloudWatch, logs: Any) -> None:
    """resultCount says one more than there are rows."""
    fake.behaviour = Behaviour(faults={Fault.WRONG_COUNT: ALWAYS})
    page = logs.get_query_results(queryId=start(logs))
    assert (len(page["results"]), page["statistics"]["resultCount"]) == (12, 13)


def test_a_row_that_is_lost(fake: FakeCloudWatch, logs: Any) -> None:
    """A page lacks its last row, and only the count tells."""
    fake.behaviour = Behaviour(page_size=5, faults={Fault.LOSE_ROW: Occasions(first=1)})
    pages = pages_of(logs, start(logs))
    assert [row for page in pages for row in messages(page)] == MESSAGES[:4] + MESSAGES[5:]
    assert pages[-1]["statistics"]["resultCount"] == 12


def test_a_page_that_comes_twice(fake: FakeCloudWatch, logs: Any) -> None:
    """A token leads to the same page once more, so that more rows arrive than the count says."""
    fake.behaviour = Behaviour(page_size=5, faults={Fault.REPEAT_PAGE: Occasions(first=1)})
    pages = pages_of(logs, start(logs))
    assert [row for page in pages for row in messages(page)] == MESSAGES[:5] + MESSAGES
    assert pages[0]["nextToken"] != pages[1]["nextToken"]


def test_a_token_that_comes_back(fake: FakeCloudWatch, logs: Any) -> None:
    """A page carries the token with which it was asked for: who follows it never ends."""
    fake.behaviour = Behaviour(page_size=5, faults={Fault.REPEAT_TOKEN: ALWAYS})
    pages = pages_of(logs, start(logs), most=7)
    assert len(pages) == 7
    assert {page["nextToken"] for page in pages[1:]} == {pages[0]["nextToken"]}


def test_a_page_in_the_place_of_another(fake: FakeCloudWatch, logs: Any) -> None:
    """The page before is served again in a page's place: the count is right, and rows are missing."""
    fake.behaviour = Behaviour(page_size=5, faults={Fault.REPLACE_PAGE: Occasions(first=1)})
    pages = pages_of(logs, start(logs))
    assert [row for page in pages for row in messages(page)] == MESSAGES[:5] + MESSAGES[:5] + MESSAGES[10:]
    assert pages[-1]["statistics"]["resultCount"] == 12


def test_pages_without_events(fake: FakeCloudWatch, logs: Any) -> None:
    """FilterLogEvents gives pages without events that are not the last ones."""
    fake.behaviour = Behaviour(faults={Fault.EMPTY_PAGE: Occasions(every=2)})
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=PROD, limit=5)
    assert [len(page["events"]) for page in pages] == [5, 0, 5, 0, 2]


def test_pointers_that_change(fake: FakeCloudWatch, logs: Any) -> None:
    """A @ptr is another one in every query, and still leads to its event."""
    fake.behaviour = Behaviour(is_renaming=True)
    pages = [logs.get_query_results(queryId=start(logs, limit=1)) for _ in range(2)]
    first, second = (page["results"][0][-1]["value"] for page in pages)
    assert first != second
    for pointer in (first, second):
        assert logs.get_log_record(logRecordPointer=pointer)["logRecord"]["@message"] == "message 11"


# --- all at random ---------------------------------------------------------------------------------------------------


def test_the_same_trouble_for_the_same_seed(fake: FakeCloudWatch) -> None:
    """A seed stands for one behaviour and for one sequence of faults; every fault is in some of them."""
    assert mixed(7) == mixed(7)
    assert len({str(mixed(seed)) for seed in range(20)}) == 20
    assert {fault for seed in range(20) for fault in mixed(seed).faults} == set(Fault)
    one, other = mixed(7), mixed(7)
    happened = [[each.happens(fault) for fault in Fault for _ in range(50)] for each in (one, other)]
    assert happened[0] == happened[1]
    assert any(happened[0])


def test_mixed_trouble_ends(fake: FakeCloudWatch, logs: Any) -> None:
    """Under any seed a query over one event comes through when it is tried again."""
    for seed in range(25):
        fake.become(GROUP, behaviour=mixed(seed, events=12))
        assert any(_attempt(logs) == "Complete" for _ in range(100)), fake.behaviour


def _attempt(logs: Any) -> str:
    """The status of a query over one event that is asked for once; "" where a call fails."""
    query_id = ""
    try:
        query_id = start(logs, T, T)
        return str(logs.get_query_results(queryId=query_id)["status"])
    except (ClientError, ConnectionClosedError, KeyError):
        return ""
    finally:
        if query_id:
            with suppress(ClientError, ConnectionClosedError):
                logs.stop_query(queryId=query_id)
