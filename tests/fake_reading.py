"""What the service in the tests says about log groups and streams, and their events without a query."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from eks_audit_nb.engine.store import Event
from eks_audit_nb.events import parse_event
from eks_audit_nb.window import Window

from fake_behaviour import Fault
from fake_log_groups import DAY_MS, LogGroup
from fake_queries import milliseconds, paged
from fake_wire import RefusedError

if TYPE_CHECKING:
    from fake_cloudwatch import FakeCloudWatch

_PAGE_EVENTS, _PAGE_BYTES = 10_000, 1024 * 1024
_MAX_FIELDS = 200  # of an event are discovered
_FAR_MS = 10**15
_SYSTEM = ("@ingestionTime", "@log", "@logStream", "@message", "@timestamp")


def describe_log_groups(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """The log groups by name."""
    prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
    if prefix and pattern:
        raise RefusedError(
            "InvalidParameterException", "LogGroup name prefix and LogGroup name pattern are mutually exclusive."
        )
    found = [
        {
            "logGroupName": group.name,
            "creationTime": group.creation_ms,
            "metricFilterCount": 0,
            "arn": f"{group.arn}:*",
            "logGroupArn": group.arn,
            "storedBytes": group.stored_bytes(),
            "logGroupClass": "STANDARD",
            **({} if group.retention_days is None else {"retentionInDays": group.retention_days}),
        }
        for _, group in sorted(service.groups.items())
        if group.name.startswith(prefix or "") and (pattern or "") in group.name
    ]
    return paged(found, "logGroups", request, request.get("limit", 50))


def describe_log_streams(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """The streams of a group that hold events, by name or by their last event."""
    group = _group(service, request)
    by_time, prefix = request.get("orderBy") == "LastEventTime", request.get("logStreamNamePrefix", "")
    if by_time and prefix:
        raise RefusedError("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
    streams: dict[str, list[Event]] = {}
    for event in group.within(_kept(service, group), service.now_ms):
        streams.setdefault(event.log_stream, []).append(event)
    found = [
        {
            "logStreamName": name,
            "creationTime": max(group.creation_ms, events[0].timestamp_ms),
            "firstEventTimestamp": events[0].timestamp_ms,
            "lastEventTimestamp": events[-1].timestamp_ms,
            "lastIngestionTime": max(event.ingestion_ms for event in events),
            "uploadSequenceToken": "0",
            "arn": f"{group.arn}:log-stream:{name}",
            "storedBytes": 0,  # as the service reports since 2019
        }
        for name, events in streams.items()
        if name.startswith(prefix)
    ]
    found.sort(
        key=lambda stream: (stream["lastEventTimestamp"] if by_time else 0, stream["logStreamName"]),
        reverse=request.get("descending", False),
    )
    return paged(found, "logStreams", request, request.get("limit", 50))


def filter_log_events(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """The events of a window by time, 10,000 or 1 MB a page; the pattern may be words that all have to be there."""
    group = _group(service, request)
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix", "")
    if names and prefix:
        raise RefusedError(
            "InvalidParameterException", "logStreamNamePrefix and logStreamNames are mutually exclusive."
        )
    kept = _kept(service, group)
    start, end = max(kept.start_ms, request.get("startTime", 0)), request.get("endTime", _FAR_MS)
    if end < request.get("startTime", 0):
        raise RefusedError("InvalidParameterException", "startTime is after endTime")
    words = _words(request.get("filterPattern", ""))
    events = group.within(Window(start, max(start, end)), service.now_ms) if end >= start else []
    begin = int(request.get("nextToken", "0").partition(":")[0])
    if service.behaviour.happens(Fault.EMPTY_PAGE):
        return {"events": [], "searchedLogStreams": [], "nextToken": f"{begin}:{uuid.uuid4()}"}
    page: list[dict[str, Any]] = []
    size, most, place = 0, min(request.get("limit", _PAGE_EVENTS), service.behaviour.page_size), begin
    while place < len(events):
        event = events[place]
        is_wanted = event.log_stream in names if names else event.log_stream.startswith(prefix)
        if is_wanted and all(word in event.message for word in words):
            length = len(event.message.encode())
            if len(page) >= most or (page and size + length > _PAGE_BYTES):
                break
            size += length
            page.append(
                {
                    "logStreamName": event.log_stream,
                    "timestamp": event.timestamp_ms,
                    "message": event.message,
                    "ingestionTime": event.ingestion_ms,
                    "eventId": event.pointer,
                }
            )
        place += 1
    body: dict[str, Any] = {"events": page, "searchedLogStreams": []}
    if place < len(events):
        body["nextToken"] = str(place)
    return body


def get_log_events(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """One page of a stream's events by time: the last ones, or the first ones with startFromHead."""
    group = _group(service, request)
    kept = _kept(service, group)
    start, end = max(kept.start_ms, request.get("startTime", 0)), request.get("endTime", _FAR_MS)
    within = group.within(Window(start, max(start, end)), service.now_ms)
    events = [event for event in within if event.log_stream == request["logStreamName"]]
    if not events:
        raise RefusedError("ResourceNotFoundException", "The specified log stream does not exist.")
    most = min(request.get("limit", _PAGE_EVENTS), _PAGE_EVENTS)
    page = events[:most] if request.get("startFromHead") else events[-most:]
    return {
        "events": [
            {"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingestion_ms}
            for event in page
        ],
        "nextForwardToken": f"f/{page[-1].pointer}",
        "nextBackwardToken": f"b/{page[0].pointer}",
    }


def get_log_record(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """All fields of the event of an @ptr, as text; times are milliseconds, which AWS does not document."""
    pointer = request["logRecordPointer"]
    for group in service.groups.values():
        # A pointer that was renamed has the query's id behind it.
        event = group.by_pointer.get(pointer) or group.by_pointer.get(pointer.rpartition(".")[0])
        if event is not None:
            return {"logRecord": {"@ptr": pointer, **_fields(event)}}
    raise RefusedError("InvalidParameterException", "Log record pointer is invalid")


def get_log_group_fields(service: FakeCloudWatch, request: dict[str, Any]) -> dict[str, Any]:
    """The fields and in how many of the events they are: 8 minutes around a time, or the last 15 minutes."""
    group = _group(service, request)
    if (moment := request.get("time")) is not None:
        window = Window(max(0, milliseconds(moment) - 8 * 60_000), milliseconds(moment) + 8 * 60_000)
    else:
        window = Window(service.time_ms() - 15 * 60_000, service.time_ms())
    events = group.within(window, service.now_ms)
    seen = Counter(name for event in events for name in _fields(event))
    fields = [{"name": name, "percent": count * 100 // len(events)} for name, count in seen.most_common()]
    return {"logGroupFields": fields}


def _fields(event: Event) -> dict[str, str]:
    values = (str(event.ingestion_ms), event.log, event.log_stream, event.message, str(event.timestamp_ms))
    found = dict(zip(_SYSTEM, values, strict=True))
    _flatten(parse_event(event.message), "", found)
    return found


def _flatten(value: Any, name: str, found: dict[str, str]) -> None:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is not None:
        for key, child in children:
            shown = f"@{key}" if str(key).startswith("@") else key
            _flatten(child, f"{name}.{shown}" if name else str(shown), found)
    elif value is not None and len(found) < _MAX_FIELDS + len(_SYSTEM):
        found[name] = str(int(value)) if isinstance(value, bool) else str(value)


def _group(service: FakeCloudWatch, request: dict[str, Any]) -> LogGroup:
    given = [request[name] for name in ("logGroupName", "logGroupIdentifier") if name in request]
    if len(given) != 1:
        raise RefusedError(
            "InvalidParameterException", "Exactly one of logGroupName and logGroupIdentifier has to be specified."
        )
    return service.group(given[0])


def _kept(service: FakeCloudWatch, group: LogGroup) -> Window:
    """What retention has left; events older than the group are there, only queries do not see them."""
    days = group.retention_days
    return Window(0 if days is None else service.time_ms() - days * DAY_MS, _FAR_MS)


def _words(pattern: str) -> list[str]:
    if set(pattern) & set("{}[]?%"):
        raise RefusedError("InvalidParameterException", f"The service in the tests reads no such pattern: {pattern}")
    return [word for i, part in enumerate(pattern.split('"')) for word in ([part] if i % 2 else part.split())]
