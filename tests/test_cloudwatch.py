"""CloudWatch as a source, asked through real boto3: what it gives is whole, or it is an error or says so."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.loaders import Loader

from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import CloudWatchError, QueryError, SourceError
from eks_audit_nb.queries import list_queries
from eks_audit_nb.reading.lines import Tally, read_events
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from fake_cloudwatch import Behaviour, FakeCloudWatch, Fault, LogGroup, Occasions, delivered, serve
from loopback import point_boto3_at
from pacers import hasty

START, END = "2026-11-24T10:00:00Z", "2026-11-24T10:59:59.999Z"
ROWS = "fields auditID | sort auditID asc"
TIME = "datetime64[us, UTC]"


@pytest.fixture(scope="module")
def store() -> Iterator[EventStore]:
    """Twelve events, five minutes apart."""
    first = datetime(2026, 11, 24, 10, tzinfo=UTC)
    events = []
    for number in range(12):
        milliseconds = int((first + timedelta(minutes=5 * number)).timestamp() * 1000)
        text = json.dumps(audit_event(auditID=f"id-{number:02}"))
        stream = "kube-apiserver-audit-" + "0" * 32
        events.append(Event(number, milliseconds, milliseconds, text, text, stream, "group", f"ptr-{number}", ""))
    made = EventStore(events)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(store: EventStore) -> Iterator[tuple[FakeCloudWatch, str]]:
    """The service with the log group of the cluster "prod", and its address."""
    fake = FakeCloudWatch("prod", store)
    with serve(fake) as address:
        yield fake, address


@pytest.fixture(scope="module")
def opened(server: tuple[FakeCloudWatch, str]) -> Iterator[CloudWatchSource]:
    """The cluster "prod" as a source, opened once: making boto3's clients is what takes time here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(monkeypatch, server[1])
        source = CloudWatchSource("prod", pacer=hasty())
    yield source
    source.close()


@pytest.fixture
def service(
    server: tuple[FakeCloudWatch, str], store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeCloudWatch]:
    """The service as new, and boto3 pointed at it."""
    fake, address = server
    point_boto3_at(monkeypatch, address)
    yield fake
    fake.store, fake.behaviour = store, Behaviour()
    fake.forget()


@pytest.fixture
def prod(opened: CloudWatchSource, service: FakeCloudWatch) -> CloudWatchSource:
    """The cluster "prod" as a source, with the service as new."""
    return opened


def sent(service: FakeCloudWatch, action: str) -> list[dict[str, Any]]:
    """The requests of one kind, in order."""
    return [request for name, request in service.requests if name == action]


def started(service: FakeCloudWatch) -> list[dict[str, Any]]:
    """The queries that were started, but for those that only ask for an estimate."""
    return [request for request in sent(service, "StartQuery") if not request["queryString"].endswith("estimate")]


def reads(service: FakeCloudWatch) -> list[dict[str, Any]]:
    """The looks at those queries and the pages of them."""
    asked = [id_ for id_, query in service.queries.items() if not query.text.endswith("estimate")]
    return [request for request in sent(service, "GetQueryResults") if request["queryId"] in asked]


# --- waiting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], ["Scheduled"], ["Scheduled", "Unknown", "Running"]])
def test_rows_count_only_when_the_query_is_complete(
    prod: CloudWatchSource, service: FakeCloudWatch, before: list[str]
) -> None:
    """Rows that the service gives while a query is waiting or running are not taken, and Unknown is still running."""
    service.behaviour.statuses = before
    result = prod.run(ROWS, START, END)
    assert list(result.frame["auditID"]) == [f"id-{number:02}" for number in range(12)]
    assert result.complete
    assert len(reads(service)) == len(before) + 1
    assert not service.stopped


@pytest.mark.parametrize("status", ["Failed", "Timeout", "Cancelled", "SomethingNew"])
@pytest.mark.parametrize("before", [[], ["Running"]])
@pytest.mark.parametrize("text", [ROWS, "stats count(*)"])
def test_other_ends_are_errors(
    prod: CloudWatchSource, service: FakeCloudWatch, status: str, before: list[str], text: str
) -> None:
    """A query that ends in any other way is an error with the query's id, though rows came with it."""
    service.behaviour.statuses, service.behaviour.final_status = before, status
    with pytest.raises(CloudWatchError, match=f"ended with the status {status}") as error:
        prod.run(text, START, END)
    assert list(service.queries)[-1] in str(error.value)


def test_a_failure_is_tried_again(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """A query that failed is started again, and the bytes of all tries count."""
    service.behaviour.faults = {Fault.FAIL: Occasions(first=2)}
    result = prod.run("stats count(*) as n", START, END)
    assert result.frame["n"].tolist() == [12]
    assert len(started(service)) == 3
    assert result.statistics.bytes_scanned == service.bytes_scanned


@pytest.mark.parametrize("status", ["Scheduled", "Running", "Unknown"])
def test_no_wait_is_endless(service: FakeCloudWatch, status: str) -> None:
    """A query that never ends, though the service ends queries after an hour, is stopped: an error with its id."""
    service.behaviour.statuses = [status] * 10_000
    source = CloudWatchSource("prod", pacer=hasty(waits_at_most=0.1))
    with pytest.raises(CloudWatchError, match=f"has the status {status} for .* Run it again") as error:
        source.run("stats count(*)", START, END)
    source.close()
    assert service.stopped == list(service.queries)
    assert service.stopped[0] in str(error.value)


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.UNAVAILABLE, Fault.HANG_UP, Fault.CUT])
def test_results_that_cannot_be_read(prod: CloudWatchSource, service: FakeCloudWatch, fault: Fault) -> None:
    """When a query was started and its results never come, the error names it and says what to do."""
    service.behaviour.faults = {fault: Occasions(every=1, action="GetQueryResults")}
    with pytest.raises(CloudWatchError, match="again") as error:
        prod.run("stats count(*)", START, END)
    assert next(iter(service.queries)) in str(error.value)


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 5, 6, 12])
def test_pages(prod: CloudWatchSource, service: FakeCloudWatch, size: int) -> None:
    """All pages are fetched, in order, wherever their borders fall."""
    service.behaviour.page_size = size
    result = prod.run(ROWS, START, END)
    assert list(result.frame["auditID"]) == [f"id-{number:02}" for number in range(12)]
    assert len(reads(service)) == -(-12 // size)


@pytest.mark.parametrize("size", [5, 100])
def test_lost_rows_are_an_error(prod: CloudWatchSource, service: FakeCloudWatch, size: int) -> None:
    """When fewer rows arrive than the service counted, nothing is returned and the error gives both numbers."""
    service.behaviour.page_size, service.behaviour.lost_rows = size, 1
    with pytest.raises(CloudWatchError, match="has 12 rows and 11 arrived"):
        prod.run("stats count(*) by auditID", START, END)
    with pytest.raises(CloudWatchError, match="has 1 rows and 0 arrived"):  # the estimate
        prod.run(ROWS, START, END)


# --- completeness ---------------------------------------------------------------------------------------------------


def test_the_most_rows_are_asked_for(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """Without a limit in the text the service is asked for 100,000 rows, and not for its default."""
    prod.run(ROWS, START, END)
    assert started(service)[0]["limit"] == 100_000


@pytest.mark.parametrize(
    "text", [f"{ROWS} | limit 3", "fields auditID | limit 3 | sort auditID asc", f"{ROWS}|LIMIT 3"]
)
def test_a_limit_in_the_text_is_the_only_one(prod: CloudWatchSource, service: FakeCloudWatch, text: str) -> None:
    """A limit in the text is respected: none is sent beside it, and reaching it is a note and no incompleteness."""
    result = prod.run(text, START, END)
    assert "limit" not in started(service)[0]
    assert len(result) == 3
    assert result.complete
    assert result.notes == ("The limit of 3 in the query was reached; there may be more rows.",)


@pytest.mark.parametrize(("most", "is_complete"), [(11, False), (12, False), (13, True)])
@pytest.mark.parametrize(
    "text", ["stats count(*) by auditID", "dedup auditID", f"{ROWS} | filter auditID in (fields auditID)"]
)
def test_what_cannot_be_split_and_is_full(service: FakeCloudWatch, text: str, most: int, is_complete: bool) -> None:
    """As many rows as the service can return may not be all, and a query that cannot be asked in parts says so."""
    service.behaviour.cap = most
    source = CloudWatchSource("prod", pacer=hasty(), max_rows=most)
    result = source.run(text, START, END)
    source.close()
    assert len(result) == min(most, 12)
    assert len(started(service)) == 1
    assert result.complete is is_complete
    if not is_complete:
        (reason,) = result.reasons
        assert reason.startswith(f"The service returns {most} rows at most and there may be more; it cannot")


def test_a_limit_above_the_most_that_comes(service: FakeCloudWatch) -> None:
    """A limit that the service cannot fill does not hide that the rows were cut."""
    service.behaviour.cap = 5
    source = CloudWatchSource("prod", pacer=hasty(), max_rows=5)
    (reason,) = source.run("stats count(*) by auditID | limit 8", START, END).reasons
    source.close()
    assert reason.startswith("The service returns 5 rows at most")


def test_the_service_s_default_limit(service: FakeCloudWatch) -> None:
    """Where nothing but their number tells whether rows were cut, as many as come without a limit may not be all."""
    times = range(1_795_514_400_000, 1_795_514_410_001)
    service.groups[service.log_group] = LogGroup(
        service.log_group, delivered((at, f'{{"n":{at},"a":["x"]}}') for at in times)
    )
    source = CloudWatchSource("prod", pacer=hasty())
    for text in ("stats count(*) by n", "fields n | dedup n", "fields n | unnest a into b"):
        service.behaviour = Behaviour(cap=10_000)
        (reason,) = source.run(text, START, END).reasons
        assert reason.startswith("The service gave exactly 10,000 rows, its default limit")
        service.behaviour = Behaviour()
        assert source.run(text, START, END).complete
    source.close()


@pytest.mark.parametrize(
    "text",
    [
        *("fields auditID | limit 9", f"{ROWS} | limit 9", "fields verb | dedup auditID"),
        "stats count(*) by auditID | sort auditID asc",
    ],
)
def test_a_page_in_another_s_place(prod: CloudWatchSource, service: FakeCloudWatch, text: str) -> None:
    """An event or a page of groups that comes twice is seen in a query that cannot be split too."""
    service.behaviour = Behaviour(page_size=3, faults={Fault.REPLACE_PAGE: Occasions(every=1)})
    with pytest.raises(CloudWatchError, match="gave a row twice"):
        prod.run(text, START, END)


def test_an_estimate_is_no_empty_log(prod: CloudWatchSource) -> None:
    """An estimate reads no event, which says nothing about the log."""
    assert prod.run("fields auditID | estimate", START, END).notes == ()


def test_a_window_that_is_hardly_over(prod: CloudWatchSource) -> None:
    """Of a window that ends now it is said since when events may be missing that come late; not so of an older one."""
    (said,) = [note for note in prod.run(ROWS, "-1h").notes if note.startswith("Events come minutes late")]
    since = datetime.fromisoformat(re.search(r"from (\S+ \S+) UTC", said)[1] + "Z")  # type: ignore[index]
    assert timedelta(minutes=15) <= datetime.now(UTC) - since < timedelta(minutes=16)
    assert not any("late" in note for note in prod.run(ROWS, "-2h", "-1h").notes)
    assert not any("late" in note for note in prod.run("fields auditID | estimate", "-1h").notes)


@pytest.mark.parametrize("most", [2, 5, 12, 13])
@pytest.mark.parametrize(
    "text", [ROWS, "fields auditID", "fields auditID | sort @timestamp asc", "fields verb | sort auditID desc"]
)
def test_more_rows_than_one_query_returns(service: FakeCloudWatch, sample: FileSource, text: str, most: int) -> None:
    """Rows that are more than one query returns are asked in parts, and come in the order of the query."""
    source = CloudWatchSource("prod", pacer=hasty(), max_rows=most)
    whole = CloudWatchSource("prod", pacer=hasty())
    expected = whole.run(text, START, END)
    service.behaviour.cap = most
    result = source.run(text, START, END)
    source.close()
    whole.close()
    assert result.complete
    pd.testing.assert_frame_equal(result.frame, expected.frame)
    assert len(result) == result.statistics.events_matched == result.statistics.events_scanned == 12


def test_a_limit_above_what_the_service_gives(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """Where the service gives fewer rows than it matched and the limit allows, the result is not whole."""
    service.behaviour.cap = 3
    result = prod.run(f"{ROWS} | limit 5", START, END)
    assert result.reasons == ("The service matched 12 events and gave 3 rows, below the limit of 5.",)


def test_skipped_events_are_incomplete(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """Events that the service says it skipped make the result incomplete."""
    service.behaviour.skipped = 1234
    result = prod.run(ROWS, START, END)
    assert not result.complete
    assert result.reasons == ("The service skipped about 1,234 events.",)


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_times_are_milliseconds(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """The window goes to the service in milliseconds, both ends inclusive, so that no event between seconds is lost."""
    result = prod.run(ROWS, "2026-11-24T10:05:00.000Z", "2026-11-24T10:10:00.000Z")
    request = started(service)[0]
    assert (request["startTime"], request["endTime"]) == (1_795_514_700_000, 1_795_515_000_000)
    assert list(result.frame["auditID"]) == ["id-01", "id-02"]


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [("", "", 24), ("-2h", "", 2), ("-3d", "-2d", 24), ("", "2026-11-24T10:00:00Z", 24), ("-1h", "now", 1)],
)
def test_windows_count_from_now(prod: CloudWatchSource, start: str, end: str, hours: int) -> None:
    """Without times the last 24 hours are asked; relative times count from now; a lone end has 24 hours before it."""
    before = datetime.now(UTC)
    window = prod.window(start, end)
    assert window.end_ms - window.start_ms == hours * 3_600_000
    expected = {"": 0, "now": 0, "-2d": 48}.get(end)
    if expected is not None:
        assert timedelta(0) <= window.end + timedelta(hours=expected, milliseconds=1) - before < timedelta(seconds=30)


def test_the_log_group(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """The group asked is the cluster's, and the text is sent as it was bound."""
    result = prod.run("refused_requests", START, END, username="x")
    request = started(service)[0]
    assert request["logGroupName"] == "/aws/eks/prod/cluster"
    assert request["queryString"] == result.query
    assert 'like "x"' in result.query


def test_the_result_carries_what_it_cost(prod: CloudWatchSource, store: EventStore) -> None:
    """Events read and matched, bytes scanned, the query's id and that it was paid for are part of the result."""
    result = prod.run(ROWS, START, END)
    assert (result.statistics.events_scanned, result.statistics.events_matched) == (12, 12)
    assert result.statistics.bytes_scanned > 12 * 500
    assert result.statistics.dollars == pytest.approx(result.statistics.bytes_scanned * 0.005 / 1e9)
    assert result.is_remote
    assert len(result.query_id) == 36
    assert result.source == "cloudwatch:prod"


# --- interrupts -----------------------------------------------------------------------------------------------------


def test_an_interrupt_stops_the_query(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """Ctrl-C while a query runs stops it in the service too, and is passed on."""
    service.behaviour.statuses = ["Running"] * 1000
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        prod.run(ROWS, START, END)
    timer.join()
    assert time.monotonic() - began < 5
    assert service.stopped == list(service.queries)
    assert not service.running()


def test_an_interrupt_stops_all_queries(service: FakeCloudWatch) -> None:
    """Ctrl-C while windows are asked side by side stops all of their queries in the service."""
    first = datetime(2026, 11, 24, 10, tzinfo=UTC)
    times = [int((first + timedelta(seconds=10 * number)).timestamp() * 1000) for number in range(300)]
    service.groups[service.log_group] = LogGroup(service.log_group, delivered([(at, "{}" * 500) for at in times]))
    source = CloudWatchSource("prod", pacer=hasty(queries=4), max_rows=60)
    main = threading.main_thread().ident
    assert main is not None

    def slow_down() -> None:
        while len(started(service)) < 2:  # the first one counts
            time.sleep(0.0001)
        service.behaviour.seconds = 1000
        until = time.monotonic() + 10
        while len(service.running()) < 3 and time.monotonic() < until:
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGINT)

    slowing = threading.Thread(target=slow_down)
    slowing.start()
    with pytest.raises(KeyboardInterrupt):
        source.run("fields @timestamp", START, END)
    slowing.join()
    source.close()
    assert len(service.stopped) >= 3
    assert not service.running()


def test_a_failure_is_not_hidden_by_stopping(prod: CloudWatchSource, service: FakeCloudWatch) -> None:
    """When results cannot be fetched the query is stopped, and the error is the first one though stopping fails too."""
    service.behaviour.forbidden = {"GetQueryResults", "StopQuery"}
    with pytest.raises(CloudWatchError, match=r"AccessDeniedException: .*GetQueryResults"):
        prod.run(ROWS, START, END)
    assert len(sent(service, "StopQuery")) == 1


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_malformed_query(prod: CloudWatchSource) -> None:
    """A text that the service refuses is a QueryError at the service's own offset."""
    text = "fields @timestamp\n| fields verb | filtr verb"
    with pytest.raises(QueryError, match="CloudWatch refuses the query: ") as error:
        prod.run(text, START, END)
    assert error.value.query == text
    assert text[error.value.start : error.value.end] == "filtr"
    assert (error.value.line, error.value.column) == (2, 17)


@pytest.mark.parametrize(
    ("code", "status", "advice"),
    [
        ("AccessDeniedException", 400, "The caller's IAM policy lacks logs:StartQuery."),
        ("LimitExceededException", 400, "Too many queries run in this account"),
        ("ResourceNotFoundException", 400, "There is no log group /aws/eks/prod/cluster in this account and region"),
        ("ThrottlingException", 400, "The account's request rate is used up"),
        ("ServiceUnavailableException", 503, "ServiceUnavailableException: no"),
        ("InvalidParameterException", 400, "InvalidParameterException: no"),
    ],
)
def test_refusals(prod: CloudWatchSource, service: FakeCloudWatch, code: str, status: int, advice: str) -> None:
    """A refusal by AWS is an error with AWS's own words and what to do about it."""
    service.behaviour.refusal = (status, code, "no")
    with pytest.raises(CloudWatchError, match=f"^{code}: no") as error:
        prod.run(ROWS, START, END)
    assert advice in str(error.value)


def test_an_unknown_cluster(service: FakeCloudWatch) -> None:
    """A cluster without a log group is an error that names the group and what to check."""
    source = CloudWatchSource("staging")
    with pytest.raises(CloudWatchError, match=r"no log group /aws/eks/staging/cluster .* AWS_REGION and AWS_PROFILE"):
        source.run(ROWS, START, END)
    source.close()


def test_no_cluster() -> None:
    """A source without a cluster's name is refused."""
    with pytest.raises(SourceError, match='Write "cloudwatch:CLUSTER"'):
        CloudWatchSource("")


def test_no_region(service: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region the source is refused when it is opened, and the message says where to set one."""
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(SourceError, match=r"No AWS region is set\. Set AWS_REGION"):
        CloudWatchSource("prod")


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_region(service: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """The region can be set by AWS_REGION, as the message says, and by boto3's own AWS_DEFAULT_REGION."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(variable, "ap-south-1")
    source = CloudWatchSource("prod")
    assert source.session.client("logs").meta.region_name == "ap-south-1"
    source.close()


def test_no_profile(service: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not configured is an error of the source."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match=r"boto3 cannot be set up: .*nobody.* Check AWS_PROFILE and"):
        CloudWatchSource("prod")


@pytest.mark.parametrize(
    ("shape", "member"), [("GetQueryResultsResponse", "nextToken"), ("QueryStatistics", "resultCount")]
)
def test_an_old_boto3(
    service: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shape: str, member: str
) -> None:
    """A boto3 that does not know pages, or how many rows there are, would lose some without a word: it is refused."""
    model = Loader().load_service_model("logs", "service-2")
    del model["shapes"][shape]["members"][member]
    folder = tmp_path / "logs" / "2014-03-28"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"boto3 \S+ sees only the first page of a result\. Update it"):
        CloudWatchSource("prod")


def test_no_credentials(service: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials there is no source, but an error that says how to get some: a report starts no kernel."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match=r"There are no AWS credentials\. Log in"):
        CloudWatchSource("prod")


def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that does not answer is an error and no traceback of boto3."""
    point_boto3_at(monkeypatch, "http://127.0.0.1:9")
    source = CloudWatchSource("prod", session=boto3.Session(region_name="eu-west-1"), pacer=hasty())
    with pytest.raises(CloudWatchError, match="AWS cannot be reached: "):
        source.run(ROWS, START, END)
    source.close()


# --- the same answer as from a file ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample_store(sample: FileSource) -> Iterator[EventStore]:
    """The sample's events, as the service holds them."""
    made = EventStore(read_events(sample.files, Tally()))
    yield made
    made.close()


@pytest.mark.parametrize("name", [query.name for query in list_queries()])
def test_both_sources_give_the_same_frame(
    sample: FileSource, sample_store: EventStore, prod: CloudWatchSource, service: FakeCloudWatch, name: str
) -> None:
    """Each shipped query gives the same frame from CloudWatch as from the file: rows, order, columns and types."""
    from_file = sample.run(name)
    window = from_file.window
    assert window is not None
    service.store, service.behaviour.page_size = sample_store, 100
    from_service = prod.run(name, window.start.isoformat(), window.end.isoformat())
    assert (len(from_file) > 0) == (name != "authenticator_log")  # the sample is an audit log
    pd.testing.assert_frame_equal(from_service.frame, from_file.frame)
    assert from_service.window == window
    assert from_service.query == from_file.query


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("fields verb, nothing | filter verb = 'x'", {"verb": "string", "nothing": "string"}),
        (
            "stats count(*) as n by verb, bin(1h) as hour | filter n > 12",
            {"verb": "string", "hour": TIME, "n": "Int64"},
        ),
        ("filter verb = 'x'", {"@timestamp": TIME, "@message": "string"}),
    ],
)
def test_empty_results_have_their_columns(prod: CloudWatchSource, text: str, types: dict[str, str]) -> None:
    """An empty answer has the columns and types of the query, though the service sends none."""
    frame = prod.run(text, START, END).frame
    assert len(frame) == 0
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == types


def test_what_was_moved_is_told_here_too(prod: CloudWatchSource) -> None:
    """A limit before stats is told with the mended text, whichever engine answers."""
    result = prod.run("guide_secret_activity", START, END)
    assert any("Write instead: fields @timestamp, @message | filter" in note for note in result.notes)
