"""Queries as the service in the tests runs them: StartQuery, GetQueryResults, StopQuery and DescribeQueries."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eks_audit_nb.errors import QueryError, WindowError
from eks_audit_nb.insights import parse
from eks_audit_nb.window import Window

from fake_answers import POINTER, Found, Row, find, limit_of
from fake_behaviour import MAX_ROWS, Fault
from fake_log_groups import ACCOUNT, LogGroup
from fake_wire import RefusedError

if TYPE_CHECKING:
    from fake_cloudwatch import FakeCloudWatch

DEFAULT_ROWS = 10_000
# Times below this are seconds, above it milliseconds: 10^11 ms was in 1973, 10^11 s is in the year 5138.
_MILLISECONDS_FROM = 10**11
_PENDING = ("Scheduled", "Unknown", "Running")
_GHOST = "a row that disappears"


@dataclass
class Running:
    """One query, from its start until its results are forgotten."""

    query_id: str
    text: str
    groups: Sequence[LogGroup]
    found: Found
    rows: Sequence[Row]  # of the result
    statistics: dict[str, float]
    pending: list[str]  # what is reported before the final status
    final: str
    started: float  # by the service's clock
    created_ms: int
    has_ghosts: bool
    is_told: bool = False  # whether somebody was told the final status

    def cells(self, rows: Sequence[Row], service: FakeCloudWatch) -> list[list[dict[str, str]]]:
        """Rows as the wire has them: what is missing is left out."""
        names = self.found.names
        suffix = f".{self.query_id}" if service.behaviour.is_renaming else ""
        return [
            [
                {"field": name, "value": value + suffix if name == POINTER else value}
                for name, value in zip(names, row, strict=True)
                if value is not None
            ]
            for row in rows
        ]


def start_query(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the query, and keep what was found until it is asked for."""
    behaviour = service.behaviour
    if behaviour.refusal:
        status, code, message = behaviour.refusal
        raise RefusedError(code, message, status)
    if len(request["queryString"]) > 10_000:
        raise _invalid("queryString", "have length less than or equal to 10000", request["queryString"][:20] + "...")
    if not 1 <= request.get("limit", 1) <= MAX_ROWS:
        raise _invalid("limit", f"have value between 1 and {MAX_ROWS}", request["limit"])
    groups = _groups(service, request)
    window = _window(service, request, groups)
    if behaviour.concurrent_queries is not None and len(service.running()) >= behaviour.concurrent_queries:
        raise RefusedError("LimitExceededException", "Account maximum query concurrency limit has been reached")
    if behaviour.happens(Fault.LIMIT):
        raise RefusedError("LimitExceededException", "Account maximum query concurrency limit has been reached")
    try:
        query = parse(request["queryString"])
        found = find(query, groups, window, service.now_ms)
    except QueryError as error:
        details = {"location": error.location(), "message": error.message}
        raise RefusedError("MalformedQueryException", error.message, queryCompileError=details) from None
    most = min(limit_of(query) or request.get("limit", DEFAULT_ROWS), behaviour.cap, MAX_ROWS)
    rows, skipped = found.rows, behaviour.skipped
    if len(rows) > 1 and behaviour.happens(Fault.SKIP):
        skipped += len(rows) - len(rows) // 2
        rows = rows[: len(rows) // 2]
    matched = found.matched - (len(found.rows) - len(rows))
    rows = rows[:most]
    running = Running(
        str(uuid.uuid4()),
        request["queryString"],
        groups,
        found,
        rows,
        {
            "recordsMatched": float(matched),
            "recordsScanned": float(found.events_scanned),
            "bytesScanned": float(found.bytes_scanned),
            "estimatedRecordsSkipped": float(skipped),
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(len(groups)),
            "resultCount": float(len(rows) + behaviour.happens(Fault.WRONG_COUNT)),
        },
        [*behaviour.statuses, *(_PENDING if behaviour.happens(Fault.PENDING) else ())],
        _final_status(service, found, window),
        service.clock(),
        service.time_ms(),
        behaviour.happens(Fault.GHOST_ROWS),
    )
    service.queries[running.query_id] = running
    service.bytes_scanned += found.bytes_scanned
    service.most_concurrent = max(service.most_concurrent, len(service.running()))
    return {"queryId": running.query_id}


def get_query_results(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """Some rows while the query runs, then its result page by page."""
    running = _query(service, request)
    if not 0 <= request.get("maxItems", 0) <= DEFAULT_ROWS:
        raise _invalid("maxItems", f"have value between 0 and {DEFAULT_ROWS}", request["maxItems"])
    if pending := _pending(service, running):
        # While it runs the service gives some rows, which need not be in the final result.
        partial = running.cells(running.rows[:3], service)
        if running.has_ghosts:
            partial.append([{"field": name, "value": _GHOST} for name in running.found.names])
        return {"queryLanguage": "CWLI", "status": pending, "results": partial, "statistics": {}}
    running.is_told = True
    begin, token = 0, request.get("nextToken")
    if token is not None:
        query_id, _, place = token.partition(":")
        if query_id != running.query_id:
            raise RefusedError("InvalidParameterException", "The specified nextToken is invalid.")
        begin = int(place.partition(":")[0])
    return _page(service, running, begin, request.get("maxItems") or service.behaviour.page_size, token)


def _page(service: FakeCloudWatch, running: Running, begin: int, size: int, token: str | None) -> dict[str, Any]:
    behaviour, rows = service.behaviour, running.rows
    page = rows[begin : begin + size]
    body = {"queryLanguage": "CWLI", "status": running.final, "statistics": running.statistics}
    is_last = begin + size >= len(rows)
    if not is_last:
        body["nextToken"] = f"{running.query_id}:{begin + size}"
    if begin and behaviour.happens(Fault.REPLACE_PAGE):
        page = rows[begin - size :][: len(page)] if begin >= size else rows[: len(page)]
    if not is_last and behaviour.happens(Fault.REPEAT_PAGE):
        # A new token for the same page, so that only the rows tell.
        body["nextToken"] = f"{running.query_id}:{begin}:{uuid.uuid4()}"
    elif token is not None and not is_last and behaviour.happens(Fault.REPEAT_TOKEN):
        body["nextToken"] = token
    if page and behaviour.happens(Fault.LOSE_ROW):
        page = page[:-1]
    if is_last and behaviour.lost_rows:
        page = page[: -behaviour.lost_rows]
    return body | {"results": running.cells(page, service)}


def stop_query(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """Stop a query that runs; one that has ended cannot be stopped."""
    service.stopped.append(request["queryId"])
    running = _query(service, request)
    if not service.is_running(running):
        raise RefusedError("InvalidParameterException", f"The query has already ended with status {running.final}")
    running.final, running.pending, running.is_told = "Cancelled", [], True
    return {"success": True}


def describe_queries(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """The queries, the newest first, with what each one scanned."""
    found = [
        {
            "queryLanguage": "CWLI",
            "queryId": running.query_id,
            "queryString": running.text,
            "status": (running.pending or ["Running"])[0] if service.is_running(running) else running.final,
            "createTime": running.created_ms,
            "logGroupName": group.name,
            "queryDuration": int((service.clock() - running.started) * 1000),
            "bytesScanned": running.statistics["bytesScanned"],
            "userIdentity": f"arn:aws:iam::{ACCOUNT}:user/alice",
        }
        for running in reversed(service.queries.values())
        for group in running.groups
    ]
    for name in ("status", "logGroupName"):
        if name in request:
            found = [query for query in found if query[name] == request[name]]
    return paged(found, "queries", request, request.get("maxResults", 1000))


def paged(items: Sequence[Any], name: str, request: dict[str, Any], size: int) -> dict[str, Any]:
    """One page of a list under its name, with a token where there are more."""
    begin = int(request.get("nextToken", "0"))
    body: dict[str, Any] = {name: list(items[begin : begin + size])}
    if begin + size < len(items):
        body["nextToken"] = str(begin + size)
    return body


def milliseconds(moment: int) -> int:
    """A time of a request, seconds or milliseconds since 1970, in milliseconds."""
    return moment if moment >= _MILLISECONDS_FROM else moment * 1000


def _pending(service: FakeCloudWatch, running: Running) -> str:
    if running.is_told:
        return ""
    if running.pending:
        return running.pending.pop(0)
    return "Running" if service.clock() < running.started + service.behaviour.seconds else ""


def _final_status(service: FakeCloudWatch, found: Found, window: Window) -> str:
    behaviour = service.behaviour
    is_long = behaviour.timeout_above is not None and found.events_scanned > behaviour.timeout_above
    is_chosen = any(start <= window.end_ms and window.start_ms <= end for start, end in behaviour.timeout_windows)
    if is_long or is_chosen or behaviour.happens(Fault.TIMEOUT):
        return "Timeout"
    if behaviour.happens(Fault.FAIL):
        return "Failed"
    if behaviour.happens(Fault.CANCEL):
        return "Cancelled"
    return behaviour.final_status


def _groups(service: FakeCloudWatch, request: dict[str, Any]) -> list[LogGroup]:
    given = [name for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers") if name in request]
    if len(given) != 1:
        raise RefusedError(
            "InvalidParameterException",
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers has to be specified.",
        )
    names = request[given[0]]
    names = [names] if isinstance(names, str) else names
    if not 1 <= len(names) <= 50:
        raise _invalid(given[0], "have between 1 and 50 members", f"{len(names)} members")
    if given[0] != "logGroupIdentifiers" and any(name.startswith("arn:") for name in names):
        raise _invalid(given[0], r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+", names[0])
    return [service.group(name) for name in dict.fromkeys(names)]


def _window(service: FakeCloudWatch, request: dict[str, Any], groups: Sequence[LogGroup]) -> Window:
    try:
        window = Window(milliseconds(request["startTime"]), milliseconds(request["endTime"]))
    except WindowError:
        raise RefusedError("InvalidParameterException", "Query's end time is before its start time") from None
    first = min(group.first_ms(service.time_ms()) for group in groups)
    if window.end_ms < first:
        message = (
            "Query's end date and time is either before the log groups creation time or exceeds the log groups log "
            "retention settings"
        )
        details = {"location": {"startCharOffset": 0, "endCharOffset": 0}, "message": message}
        raise RefusedError("MalformedQueryException", message, queryCompileError=details)
    return Window(max(first, window.start_ms), window.end_ms)


def _query(service: FakeCloudWatch, request: dict[str, Any]) -> Running:
    try:
        return service.queries[request["queryId"]]
    except KeyError:
        raise RefusedError("ResourceNotFoundException", f"No query with id {request['queryId']}") from None


def _invalid(name: str, rule: str, value: object) -> RefusedError:
    return RefusedError(
        "InvalidParameterException",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must {rule}",
    )


def now_ms() -> int:
    """The time of the machine."""
    return time.time_ns() // 1_000_000
