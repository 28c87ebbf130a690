"""The service in the tests speaks as AWS documents: real boto3 gets what the API reference says, call by call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.engine.store import Event
from eks_audit_nb.insights import parse
from eks_audit_nb.window import Window

from conftest import audit_event
from fake_answers import _asked, _table, plainly, with_pointer
from fake_cloudwatch import ACCOUNT, Behaviour, FakeCloudWatch, LogGroup, delivered, serve
from fake_log_groups import DAY_MS
from loopback import point_boto3_at

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
PROD, STAGING = "/aws/eks/prod/cluster", "/aws/eks/staging/cluster"
ROWS = "fields @timestamp, @message"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FakeCloudWatch, Any]]:
    """The service, and a boto3 client of it that asks once and never again by itself."""
    fake = FakeCloudWatch.of()
    with serve(fake) as address, pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(monkeypatch, address)
        once = Config(retries={"total_max_attempts": 1}, read_timeout=10)
        client = boto3.client("logs", region_name="eu-west-1", config=once)
        yield fake, client
        client.close()


@pytest.fixture
def fake(server: tuple[FakeCloudWatch, Any]) -> FakeCloudWatch:
    """The service as new, with twelve events, a second apart and from three streams."""
    events = [(T + 1000 * i, json.dumps(audit_event(auditID=f"id-{i:02}")), f"audit-{i % 3}") for i in range(12)]
    server[0].become(LogGroup(PROD, delivered(events)))
    server[0].clock = time.monotonic
    return server[0]


@pytest.fixture
def logs(server: tuple[FakeCloudWatch, Any], fake: FakeCloudWatch) -> Any:
    """The client."""
    return server[1]


def start(logs: Any, text: str = ROWS, **request: Any) -> str:
    """Start a query over all events; gives its id."""
    groups = {} if any(name.startswith("logGroup") for name in request) else {"logGroupName": PROD}
    whole = {"queryString": text, "startTime": T, "endTime": T + 3_600_000, **groups, **request}
    return str(logs.start_query(**whole)["queryId"])


def ask(logs: Any, text: str = ROWS, **request: Any) -> dict[str, Any]:
    """Start a query and give its first page."""
    return dict(logs.get_query_results(queryId=start(logs, text, **request)))


def values(page: dict[str, Any], name: str) -> list[str]:
    """One column of a page."""
    return [cell["value"] for row in page["results"] for cell in row if cell["field"] == name]


def audit_ids(events: list[dict[str, Any]]) -> list[str]:
    """The ids of events of FilterLogEvents."""
    return [json.loads(event["message"])["auditID"] for event in events]


def refusal(code: str, message: str = "") -> Any:
    """The error of boto3 for a code."""
    return pytest.raises(ClientError, match=rf"\({code}\) .*{message}")


# --- StartQuery ----------------------------------------------------------------------------------------------------


def test_rows_are_lists_of_fields(logs: Any) -> None:
    """A row is a list of field and value, all text, without the fields that it lacks, and with @ptr behind them."""
    page = ask(logs, "fields @timestamp, verb, nothing, responseStatus.code | filter auditID = 'id-03'")
    (row,) = page["results"]
    assert page["status"] == "Complete"
    assert [cell["field"] for cell in row] == ["@timestamp", "verb", "responseStatus.code", "@ptr"]
    assert [cell["value"] for cell in row[:3]] == ["2026-11-24 10:00:03.000", "get", "200"]


@pytest.mark.parametrize("text", ["stats count(*) by verb", "estimate"])
def test_no_pointer_without_events(logs: Any, text: str) -> None:
    """A row that is no event has no @ptr."""
    assert values(ask(logs, text), "@ptr") == []


@pytest.mark.parametrize(
    "groups",
    [
        {"logGroupName": STAGING},
        {"logGroupNames": [STAGING]},
        {"logGroupIdentifiers": [STAGING]},
        {"logGroupIdentifiers": [f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{STAGING}"]},
    ],
)
def test_groups_by_name_and_arn(fake: FakeCloudWatch, logs: Any, groups: dict[str, Any]) -> None:
    """A log group is named in any of three ways, by identifiers also as an ARN, and only its events are seen."""
    fake.groups[STAGING] = LogGroup(STAGING, delivered([(T, '{"verb":"watch"}')], group=STAGING))
    assert values(ask(logs, "fields verb, @log", **groups), "verb") == ["watch"]


def test_several_groups(fake: FakeCloudWatch, logs: Any) -> None:
    """Several groups are one log, newest first, and @log tells them apart."""
    fake.groups[STAGING] = LogGroup(STAGING, delivered([(T + 500, "{}")], group=STAGING))
    page = ask(logs, "fields @log", logGroupNames=[PROD, STAGING], endTime=T + 1000)
    assert values(page, "@log") == [f"{ACCOUNT}:{name}" for name in (PROD, STAGING, PROD)]
    assert page["statistics"]["logGroupsScanned"] == 2


@pytest.mark.parametrize("groups", [{"logGroupName": PROD, "logGroupNames": [PROD]}, {"logGroupNames": [PROD] * 51}])
def test_groups_are_named_once(logs: Any, groups: dict[str, Any]) -> None:
    """Groups named in two ways, and more than fifty of them, are refused."""
    with refusal("InvalidParameterException"):
        start(logs, **groups)


def test_an_unknown_group(logs: Any) -> None:
    """A group that is not there is ResourceNotFoundException with its name."""
    with refusal("ResourceNotFoundException", STAGING):
        start(logs, logGroupName=STAGING)


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (T + 1000, T + 3000, 3),  # both ends inclusive
        (T + 1001, T + 2999, 1),
        (T // 1000 + 1, T // 1000 + 3, 3),  # seconds: an end in seconds is that second's first millisecond
        (T + 12_000, T + 13_000, 0),
    ],
)
def test_windows(logs: Any, first: int, last: int, found: int) -> None:
    """Times are milliseconds or seconds, by their size, and both ends are inclusive."""
    assert len(ask(logs, startTime=first, endTime=last)["results"]) == found


@pytest.mark.parametrize(
    ("text", "limit", "rows"),
    [(ROWS, {}, 12), (ROWS, {"limit": 5}, 5), (f"{ROWS} | limit 3", {}, 3), (f"{ROWS} | limit 7", {"limit": 5}, 7)],
)
def test_limits(logs: Any, text: str, limit: dict[str, int], rows: int) -> None:
    """A limit cuts the rows and not what matched; the one in the text wins over the request's."""
    page = ask(logs, text, **limit)
    assert len(page["results"]) == page["statistics"]["resultCount"] == rows
    assert page["statistics"]["recordsMatched"] == 12
    assert values(page, "@timestamp")[0] == "2026-11-24 10:00:11.000"


def test_ten_thousand_rows_without_a_limit(fake: FakeCloudWatch, logs: Any) -> None:
    """Without any limit there are 10,000 rows, and never more than 100,000."""
    fake.become(LogGroup(PROD, delivered([(T, "x")] * 10_001)))
    assert ask(logs)["statistics"]["resultCount"] == 10_000
    assert ask(logs, limit=100_000)["statistics"]["resultCount"] == 10_001
    with refusal("InvalidParameterException", "100000"):
        start(logs, limit=100_001)


def test_a_text_that_is_too_long(logs: Any) -> None:
    """A query has 10,000 characters at most."""
    with refusal("InvalidParameterException", "queryString"):
        start(logs, "fields a" + " " * 10_000)


def test_what_was_scanned(fake: FakeCloudWatch, logs: Any) -> None:
    """Bytes and events scanned are those of the window, whatever the filter keeps; the matches are what it keeps."""
    size = len(json.dumps(audit_event(auditID="id-00")))
    text = f"{ROWS} | filter auditID in ['id-01', 'id-02']"
    page = ask(logs, text, startTime=T, endTime=T + 4000)
    assert page["statistics"]["bytesScanned"] == 5 * size
    assert (page["statistics"]["recordsScanned"], page["statistics"]["recordsMatched"]) == (5, 2)
    page = ask(logs, "filter auditID in ['id-01', 'id-02'] | stats count(*)")
    assert (page["statistics"]["recordsMatched"], page["statistics"]["resultCount"]) == (2, 1)
    assert fake.bytes_scanned == 17 * size


def test_estimate_scans_nothing(fake: FakeCloudWatch, logs: Any) -> None:
    """`estimate` says what the query would scan, and costs nothing itself."""
    (estimated,) = values(ask(logs, f"{ROWS} | filter verb = 'x' | estimate"), "estimatedBytesScanned")
    assert fake.bytes_scanned == 0
    assert ask(logs)["statistics"]["bytesScanned"] == fake.bytes_scanned == int(estimated) > 0


def test_a_malformed_query(logs: Any) -> None:
    """A text that cannot be read is MalformedQueryException with the place in it."""
    with refusal("MalformedQueryException") as caught:
        start(logs, "fields verb | filtr x")
    assert caught.value.response["queryCompileError"]["location"] == {"startCharOffset": 14, "endCharOffset": 19}


def test_a_window_before_the_log_group(fake: FakeCloudWatch, logs: Any) -> None:
    """A window that ends before the group's creation, or before what retention has left, is refused."""
    message = "Query's end date and time is either before the log groups creation time or exceeds"
    fake.groups[PROD] = LogGroup(PROD, fake.groups[PROD].events, creation_ms=T + 5000)
    with refusal("MalformedQueryException", message):
        start(logs, endTime=T + 4999)
    assert len(ask(logs, endTime=T + 5000)["results"]) == 1
    fake.groups[PROD], fake.now_ms = LogGroup(PROD, fake.groups[PROD].events, retention_days=1), T + DAY_MS + 9000
    with refusal("MalformedQueryException", message):
        start(logs, endTime=T + 8999)
    assert len(ask(logs)["results"]) == 3


def test_a_window_that_ends_before_it_starts(logs: Any) -> None:
    """A window that ends before it starts is refused."""
    with refusal("InvalidParameterException"):
        start(logs, endTime=T - 1)


# --- GetQueryResults, StopQuery, DescribeQueries --------------------------------------------------------------------


@pytest.mark.parametrize(("size", "pages"), [(5, 3), (6, 2), (12, 1)])
def test_pages_of_results(logs: Any, size: int, pages: int) -> None:
    """A result comes in pages of maxItems, all with the same statistics, and the last one has no token."""
    query_id = start(logs)
    page = logs.get_query_results(queryId=query_id, maxItems=size)
    found = [page]
    while token := page.get("nextToken"):
        page = logs.get_query_results(queryId=query_id, maxItems=size, nextToken=token)
        found.append(page)
    assert len(found) == pages
    assert [time for page in found for time in values(page, "@timestamp")] == values(ask(logs), "@timestamp")
    assert {page["statistics"]["resultCount"] for page in found} == {12}


def test_tokens_belong_to_their_query(logs: Any) -> None:
    """A token of another query, or one that is made up, is refused."""
    token = logs.get_query_results(queryId=start(logs), maxItems=1)["nextToken"]
    for wrong in (token, "7"):
        with refusal("InvalidParameterException"):
            logs.get_query_results(queryId=start(logs), nextToken=wrong)


def test_an_unknown_query(logs: Any) -> None:
    """A query that was never started is ResourceNotFoundException."""
    for call in (logs.get_query_results, logs.stop_query):
        with refusal("ResourceNotFoundException"):
            call(queryId="nothing")


def test_stopping(fake: FakeCloudWatch, logs: Any) -> None:
    """A query that runs is stopped and ends as Cancelled; one that has ended cannot be stopped."""
    fake.behaviour.statuses = ["Running"]
    query_id = start(logs)
    assert logs.stop_query(queryId=query_id)["success"] is True
    assert logs.get_query_results(queryId=query_id)["status"] == "Cancelled"
    with refusal("InvalidParameterException", "already ended"):
        logs.stop_query(queryId=query_id)


def test_the_list_of_queries(fake: FakeCloudWatch, logs: Any) -> None:
    """DescribeQueries gives the queries, newest first, with status and bytes, by status and by page."""
    ask(logs, endTime=T)
    second = start(logs, "stats count(*)")
    assert [query["status"] for query in logs.describe_queries()["queries"]] == ["Running", "Complete"]
    (running,) = logs.describe_queries(status="Running", logGroupName=PROD)["queries"]
    assert (running["queryId"], running["queryString"]) == (second, "stats count(*)")
    page = logs.describe_queries(maxResults=1)
    (older,) = logs.describe_queries(nextToken=page["nextToken"])["queries"]
    assert older["bytesScanned"] == len(json.dumps(audit_event(auditID="id-00")))
    assert logs.describe_queries(logGroupName=STAGING)["queries"] == []


# --- log groups, streams, events ------------------------------------------------------------------------------------


def test_log_groups(fake: FakeCloudWatch, logs: Any) -> None:
    """Groups are found by prefix or by a part of the name, not by both, in pages, with what they hold."""
    fake.groups[STAGING] = LogGroup(STAGING, creation_ms=T, retention_days=30)
    both = names_of(logs.describe_log_groups()["logGroups"])
    assert both == [PROD, STAGING] == names_of(logs.describe_log_groups(logGroupNamePrefix="/aws/eks/")["logGroups"])
    (group,) = logs.describe_log_groups(logGroupNamePattern="staging")["logGroups"]
    assert (group["creationTime"], group["retentionInDays"], group["storedBytes"]) == (T, 30, 0)
    assert group["arn"] == f"{group['logGroupArn']}:*" == f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{STAGING}:*"
    paginator = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [names_of(page["logGroups"]) for page in paginator] == [[PROD], [STAGING]]
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=PROD)["logGroups"][0]
    with refusal("InvalidParameterException", "mutually exclusive"):
        logs.describe_log_groups(logGroupNamePrefix="a", logGroupNamePattern="a")


def names_of(groups: list[dict[str, Any]]) -> list[str]:
    """The names of log groups."""
    return [group["logGroupName"] for group in groups]


def test_log_streams(fake: FakeCloudWatch, logs: Any) -> None:
    """Streams are ordered by name or by their last event, and only by name with a prefix."""
    fake.groups[PROD] = LogGroup(PROD, delivered([(T + 2, "x", "b"), (T, "x", "b"), (T + 1, "x", "a")], delay_ms=60))
    streams = logs.describe_log_streams(logGroupName=PROD)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["a", "b"]
    newest = logs.describe_log_streams(logGroupName=PROD, orderBy="LastEventTime", descending=True, limit=1)
    (last,) = newest["logStreams"]
    assert (last["logStreamName"], last["lastEventTimestamp"], last["lastIngestionTime"]) == ("b", T + 2, T + 62)
    assert last["firstEventTimestamp"] == T
    older = logs.describe_log_streams(
        logGroupName=PROD, orderBy="LastEventTime", descending=True, nextToken=newest["nextToken"]
    )
    assert [stream["logStreamName"] for stream in older["logStreams"]] == ["a"]
    (named,) = logs.describe_log_streams(logGroupName=PROD, logStreamNamePrefix="b")["logStreams"]
    assert named == last
    with refusal("InvalidParameterException", "LastEventTime"):
        logs.describe_log_streams(logGroupName=PROD, orderBy="LastEventTime", logStreamNamePrefix="b")


def test_events_without_a_query(logs: Any) -> None:
    """FilterLogEvents gives the events of a window, oldest first, both ends inclusive, with all that is known."""
    events = logs.filter_log_events(logGroupName=PROD, startTime=T + 2000, endTime=T + 4000, filterPattern="")["events"]
    assert audit_ids(events) == ["id-02", "id-03", "id-04"]
    assert (events[0]["timestamp"], events[0]["ingestionTime"]) == (T + 2000, T + 2000)
    assert events[0]["logStreamName"] == "audit-2"
    assert events[0]["eventId"]


@pytest.mark.parametrize("where", [{"logStreamNames": ["audit-1"]}, {"logStreamNamePrefix": "audit-1"}])
def test_events_of_streams(logs: Any, where: dict[str, Any]) -> None:
    """FilterLogEvents takes names of streams, or a prefix, and not both."""
    events = logs.filter_log_events(logGroupIdentifier=PROD, **where)["events"]
    assert audit_ids(events) == ["id-01", "id-04", "id-07", "id-10"]
    with refusal("InvalidParameterException", "mutually exclusive"):
        logs.filter_log_events(logGroupName=PROD, logStreamNames=["a"], logStreamNamePrefix="a")


def test_events_with_words(logs: Any) -> None:
    """A pattern of words keeps the events that hold all of them; patterns that are more than that are refused."""
    events = logs.filter_log_events(logGroupName=PROD, filterPattern='alice "id-03"')["events"]
    assert audit_ids(events) == ["id-03"]
    with refusal("InvalidParameterException"):
        logs.filter_log_events(logGroupName=PROD, filterPattern='{$.verb = "get"}')


def test_pages_of_events(fake: FakeCloudWatch, logs: Any) -> None:
    """A page of FilterLogEvents holds as many events as were asked for, 10,000 or 1 MB at most."""
    pages = logs.get_paginator("filter_log_events")
    found = [len(page["events"]) for page in pages.paginate(logGroupName=PROD, limit=5)]
    assert found == [5, 5, 2]
    fake.become(LogGroup(PROD, delivered([(T, "x")] * 10_001)))
    assert [len(page["events"]) for page in pages.paginate(logGroupName=PROD)] == [10_000, 1]
    fake.become(LogGroup(PROD, delivered([(T, "x" * 400_000)] * 5)))
    assert [len(page["events"]) for page in pages.paginate(logGroupName=PROD)] == [2, 2, 1]


def test_a_record(logs: Any) -> None:
    """GetLogRecord gives all fields of the event that a @ptr stands for, under the names that queries use."""
    page = ask(logs, "fields @message | filter auditID = 'id-05'")
    (pointer,), (message,) = values(page, "@ptr"), values(page, "@message")
    record = logs.get_log_record(logRecordPointer=pointer)["logRecord"]
    assert record["@message"] == message
    assert (record["auditID"], record["user.groups.0"], record["responseStatus.code"]) == (
        "id-05",
        "system:authenticated",
        "200",
    )
    assert record["annotations.authorization.k8s.io/decision"] == "allow"
    with refusal("InvalidParameterException"):
        logs.get_log_record(logRecordPointer="nothing")


def test_the_fields_of_a_group(fake: FakeCloudWatch, logs: Any) -> None:
    """GetLogGroupFields says in how many events a field is, 8 minutes around a time or in the last 15 minutes."""
    events = [(T - 481_000, '{"a":1}'), (T, '{"b":1}'), (T, '{"b":1, "c": {"d": [2]}}'), (T + 900_000, '{"e":1}')]
    fake.become(LogGroup(PROD, delivered(events)), now_ms=T + 1_700_000)

    def percentages(**request: Any) -> dict[str, int]:
        fields = logs.get_log_group_fields(logGroupName=PROD, **request)["logGroupFields"]
        return {field["name"]: field["percent"] for field in fields if not field["name"].startswith("@")}

    assert percentages(time=T // 1000) == {"b": 100, "c.d.0": 50}
    assert percentages() == {"e": 100}


def test_what_is_not_spoken(logs: Any) -> None:
    """A call that the service in the tests does not know is refused by name."""
    with refusal("UnknownOperationException", "DescribeMetricFilters"):
        logs.describe_metric_filters()
    with pytest.raises(ParamValidationError):
        logs.get_query_results()


# --- the same server for thousands of logs --------------------------------------------------------------------------


def test_another_log_in_the_same_server(fake: FakeCloudWatch, logs: Any) -> None:
    """What the service holds and does can be exchanged while it runs, and nothing is left of what was before."""
    query_id = start(logs, "fields verb")
    for number in range(3):
        fake.become(LogGroup(PROD, delivered([(T, f'{{"verb":"v{number}"}}')])), behaviour=Behaviour(cap=5))
        assert values(ask(logs, "fields verb"), "verb") == [f"v{number}"]
        assert [fake.called(action) for action in ("StartQuery", "GetQueryResults")] == [1, 1]
    with refusal("ResourceNotFoundException"):
        logs.get_query_results(queryId=query_id)


@pytest.mark.parametrize(
    "text", [ROWS, f"{ROWS} | filter @logStream like /^audit/", f"{ROWS} | filter verb = 'get'", "stats count(*)"]
)
def test_answers_are_quick(fake: FakeCloudWatch, text: str) -> None:
    """A query on 1,000 events is answered in less than 20 ms, so that it can be asked thousands of times."""
    events = delivered([(T + i, json.dumps(audit_event(auditID=str(i))), f"audit-{i % 3}") for i in range(1000)])
    fake.become(LogGroup(PROD, events))
    request = {"queryString": text, "startTime": T, "endTime": T + 1000, "logGroupName": PROD}
    fake.answer("StartQuery", request)  # which may fill a table
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        status, _body = fake.answer("StartQuery", request)
        seconds.append(time.perf_counter() - began)
        assert status == 200
    assert min(seconds) < 0.020


_PLAIN_TEXTS = [
    ROWS,
    "fields @message",
    "fields @logStream, @timestamp | fields @ingestionTime, @log, @ptr",
    "fields @message | display @timestamp, @logStream | sort @timestamp asc",
    "filter @logStream = 'a-1' | sort @timestamp desc",
    f"{ROWS} | filter @logStream != 'a-1' and @message like 'get'",
    f"{ROWS} | filter @logStream like /^a/ or @logStream not in ['a-1', 'b-1']",
    f"{ROWS} | filter not (@logStream like 'a-') | filter @message not like /et/",
    "stats count(*) by bin(1s)",
    "filter @logStream like /^a/ | stats count(*) as events by bin(5m) as time",
    "filter @logStream = 'c' | stats count(*) as n by bin(20ms)",
    "fields @message | stats count(*) by bin(2h)",
    "filter @message like 'get' | stats count(*) as n",
]
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 19, 20, 999, 1000, 300_000, 7_200_000]),
        st.sampled_from(['{"verb":"get"}', "get", "[1]", "no json", "ä ö"]),
        st.sampled_from(["a-1", "a-2", "b-1", "A-1"]),
    ),
    max_size=8,
)


@given(events=_EVENTS, text=st.sampled_from(_PLAIN_TEXTS), start=st.sampled_from([0, 1, 500]))
@settings(max_examples=60)
def test_plain_answers_are_those_of_the_engine(events: list[tuple[int, str, str]], text: str, start: int) -> None:
    """What is answered without the engine is what the engine answers: names, rows, order, matches."""
    group = LogGroup(PROD, delivered([(T + ms, message, stream) for ms, message, stream in events], delay_ms=7))
    query, window = with_pointer(parse(text)), Window(T + start, T + 8_000_000)
    plain = plainly(query, group.within(window))
    assert plain is not None
    table = _table()
    table.hold(group.events, group)
    asked = _asked(query, table, window)
    assert (plain[0], list(plain[1]), plain[2]) == (asked.names, asked.rows, asked.matched)
    found = group.within(window)
    assert (len(found), group.size_within(window)) == (asked.events_scanned, asked.bytes_scanned)


@pytest.mark.parametrize(
    "text",
    [
        "fields @message as m",
        "fields verb",
        "fields verb | display @message",
        "filter verb = 'get'",
        "filter @message = '12'",  # compares as a number
        "filter @message like /a.c/",
        "filter @message like 'a%c'",
        "filter @timestamp > 5",
        "filter @logStream in ['a', 5]",
        "fields @message | sort @message",
        "stats count(verb) by bin(1s)",
        "stats count(*) by bin(1s) | sort @timestamp asc",
        "stats count(*), count(verb)",
        "stats count(*) by bin(1w)",
        "fields @message | dedup @message",
    ],
)
def test_everything_else_is_for_the_engine(text: str) -> None:
    """What is not one of the plain forms is not answered without the engine."""
    assert plainly(parse(text), [Event(0, T, T, "{}", "{}", "a", "g", "p", "")]) is None


# --- GetLogEvents ---------------------------------------------------------------------------------------------------


def test_events_of_a_stream(logs: Any) -> None:
    """The events of one stream come by time, the last ones where not asked from the head; another stream is unknown."""
    stream = logs.describe_log_streams(logGroupName=PROD)["logStreams"][0]["logStreamName"]
    last = logs.get_log_events(logGroupName=PROD, logStreamName=stream, limit=2)["events"]
    first = logs.get_log_events(logGroupName=PROD, logStreamName=stream, limit=2, startFromHead=True)["events"]
    every = logs.get_log_events(logGroupName=PROD, logStreamName=stream)["events"]
    assert (first, last) == (every[:2], every[-2:])
    assert [event["timestamp"] for event in every] == sorted(event["timestamp"] for event in every)
    with refusal("ResourceNotFoundException", "log stream does not exist"):
        logs.get_log_events(logGroupName=PROD, logStreamName="none")
