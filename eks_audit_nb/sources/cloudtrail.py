"""CloudTrail: what was done through AWS's own APIs, asked by LookupEvents or read from exported JSON.

Changes of access entries are here and not in the audit log. Source: AWS CloudTrail API Reference, LookupEvents; AWS
CloudTrail User Guide, "CloudTrail log file examples".
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from botocore.config import Config

from eks_audit_nb.aws import explained
from eks_audit_nb.cloudtrail_events import (
    ACCESS_OPERATIONS,
    EKS,
    cloudtrail_frame,
    is_cloudtrail_event,
    items,
    mapping,
)
from eks_audit_nb.errors import CloudTrailError, SourceError
from eks_audit_nb.events import parse_event
from eks_audit_nb.markup import facts_table
from eks_audit_nb.reading.finding import find_files
from eks_audit_nb.reading.unpacking import unpacked_lines
from eks_audit_nb.sources.base import RESULT_MIMETYPE, Source
from eks_audit_nb.sources.clusters import cluster_behind
from eks_audit_nb.window import Window

# What LookupEvents allows: requests a second for an account and region, events a page, and how far back.
REQUESTS_PER_SECOND = 2.0
_PAGE = 50
_HELD = timedelta(days=90)
# Events come to LookupEvents minutes after the request. Source: AWS CloudTrail User Guide, "How CloudTrail works".
_DELAY = timedelta(minutes=15)

_NOT_ASKED = (
    "CloudTrail was not asked. Changes of access entries are not in an audit log: name a file or folder of "
    "CloudTrail's events in the parameter cloudtrail."
)


@dataclass(frozen=True, eq=False)
class Trail:
    """CloudTrail's events, and what is known about their being all.

    Attributes:
        said: What was asked and found, or why nothing was, in a sentence.
        frame: The columns of `cloudtrail_events.COLUMNS`.
        source: Where they come from; "" where nothing was asked.
        cluster: The cluster that they were asked for; "" for all.
        window: Both ends inclusive; None for all that a file holds.
        problem: Why CloudTrail could not be asked; "" where it was or need not be.
        reasons: A sentence for each reason to doubt completeness.
    """

    said: str
    frame: pd.DataFrame = field(default_factory=lambda: cloudtrail_frame(()), repr=False)
    source: str = ""
    cluster: str = ""
    window: Window | None = None
    problem: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether there is anything to go by."""
        return bool(self.source) and not self.problem

    @property
    def complete(self) -> bool:
        """Whether no event of the window can be missing in what was asked."""
        return not self.reasons

    def facts(self) -> dict[str, str]:
        """What there is to know, a line each."""
        facts = {"CloudTrail": self.said}
        if self.is_read:
            facts["Source"] = self.source
            facts["Window"] = str(self.window) if self.window else "all that it holds"
            facts["Events"] = f"{len(self.frame):,}"
            facts["Complete"] = "yes" if self.complete else "NO. " + " ".join(self.reasons)
        return facts

    def record(self) -> dict[str, Any]:
        """The same for programs, as `Result.record` gives it."""
        return {
            "query": f"LookupEvents {EKS} {self.cluster}".strip(),
            "name": "cloudtrail",
            "source": self.source,
            "start": self.window.start.isoformat() if self.window else None,
            "end": self.window.end.isoformat() if self.window else None,
            "rows": len(self.frame),
            "events_scanned": len(self.frame),
            "bytes_scanned": 0,
            "complete": self.complete,
            "reasons": list(self.reasons),
            "notes": [self.said],
            "query_id": "",
        }

    def __str__(self) -> str:
        return "\n".join(f"{name + ':':12} {value}" for name, value in self.facts().items())

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        shown: dict[str, Any] = {"text/plain": str(self), "text/html": facts_table(self.facts(), "CloudTrail")}
        return {**shown, RESULT_MIMETYPE: self.record()} if self.is_read else shown


def trail_of(
    source: Source,
    cloudtrail: str = "",
    start: str = "",
    end: str = "",
    *,
    requests_per_second: float = REQUESTS_PER_SECOND,
) -> Trail:
    """What CloudTrail says for the window of a source.

    A cluster's is asked of the service, unless a file is named, and so is that of a case which may ask its cluster; a
    refusal is told in `problem` and is no error. For files nothing is asked unless a file of CloudTrail's events is
    named too.

    Args:
        source: What `connect` gave.
        cloudtrail: A file, a folder or a glob with exported events; "" for none.
        start: As for `Source.run`; with both ends empty an export is taken whole.
        end: The same.
        requests_per_second: What the account allows.

    Raises:
        CloudTrailError: An export that is not there, or that holds no event.
    """
    asked = cluster_behind(source)
    cluster = asked.cluster if asked else ""
    if cloudtrail:
        return exported_trail(cloudtrail, source.window(start, end) if start or end else None, cluster)
    window = source.window(start, end)
    if asked is None or not cluster or window is None:
        return Trail(_NOT_ASKED)
    try:
        frame = lookup_cloudtrail(
            asked.session, cluster, window.start, window.end, requests_per_second=requests_per_second
        )
    except CloudTrailError as error:
        problem = f"CloudTrail could not be asked for changes of access entries: {error}"
        return Trail(problem, source="cloudtrail", cluster=cluster, window=window, problem=problem)
    reasons = []
    now = datetime.now(UTC)
    if window.start < now - _HELD:
        reasons.append("CloudTrail gives events of the last 90 days only; earlier ones are in a trail's S3 bucket.")
    late = " Events of the last 15 minutes may still be under way." if window.end > now - _DELAY else ""
    said = f"{_events(len(frame))} of the EKS API about access to {cluster} in CloudTrail.{late}"
    return Trail(said, frame, "cloudtrail", cluster, window, reasons=tuple(reasons))


# --- exported events ------------------------------------------------------------------------------------------------


def read_cloudtrail(path: str | Path) -> pd.DataFrame:
    """All events of exported CloudTrail JSON, of every AWS service.

    Args:
        path: A file, a folder or a glob, plain or gzipped: what CloudTrail delivers to S3 (`{"Records": [...]}`),
            replies of `aws cloudtrail lookup-events`, EventBridge events, lists, or one event a line.

    Returns:
        The columns of `cloudtrail_events.COLUMNS`, in the order of time, each event once. To find who assumed the role
        of a session, join the `access_key` of an audit event to `issued_access_key`.

    Raises:
        CloudTrailError: Nothing there, no event in it, or a part that cannot be read.
    """
    trail = exported_trail(str(path))
    if trail.reasons:
        raise CloudTrailError(f"{' '.join(trail.reasons)} exported_trail gives what can be read.")
    return trail.frame


def exported_trail(path: str, window: Window | None = None, cluster: str = "") -> Trail:
    """The same with what is not whole told in `reasons`.

    Args:
        path: As for `read_cloudtrail`.
        window: Only events of this one; both ends inclusive, to the second.
        cluster: Which cluster they are wanted for; events are not left out by it.

    Raises:
        CloudTrailError: Nothing there, or no event in it.
    """
    if not any(sign in path for sign in "*?[") and not Path(path).expanduser().exists():
        raise CloudTrailError(f"There is no file or folder {path!r} with CloudTrail's events.")
    try:
        files = find_files(path)
    except SourceError:
        raise CloudTrailError(f"{path!r} holds no file of CloudTrail's events: expected .json or .json.gz.") from None
    doubts = _Doubts()
    frame = cloudtrail_frame(event for file in files for event in _events_of(file, doubts))
    if frame.empty:
        reasons = f" {' '.join(doubts.reasons())}" if doubts.reasons() else ""
        raise CloudTrailError(f"{path!r} holds no event of CloudTrail, which have eventName and eventSource.{reasons}")
    within = frame
    outside = ""
    if window:
        # Times are whole seconds: an event of the second in which the window begins may lie in it.
        first, last = pd.Timestamp(window.start).floor("s"), pd.Timestamp(window.end)
        within = frame[frame["time"].between(first, last).fillna(True)].reset_index(drop=True)
        left = len(frame) - len(within)
        outside = f" {_events(left)} lie outside the window." if left else ""
    said = f"{_events(len(within))} of CloudTrail in {_files(len(files))}.{outside}"
    return Trail(said, within, path, cluster, window, reasons=tuple(doubts.reasons()))


@dataclass
class _Doubts:
    """What of an export could not be read."""

    damaged: list[str] = field(default_factory=list)
    unreadable: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)

    def reasons(self) -> list[str]:
        reasons = [f"{name} is cut or damaged; what follows in it is missing." for name in dict.fromkeys(self.damaged)]
        reasons += [f"{name}: {_pieces(number)} no JSON." for name, number in self.unreadable.items()]
        return reasons + [f"{name}: {_pieces(number)} no event of CloudTrail." for name, number in self.foreign.items()]


def _events_of(path: Path, doubts: _Doubts) -> Iterator[Mapping[str, Any]]:
    name = str(path)
    try:
        for text in _pieces_of(unpacked_lines(path, lambda: doubts.damaged.append(name))):
            record = _parsed(text)
            if record is None:
                doubts.unreadable[name] = doubts.unreadable.get(name, 0) + 1
                continue
            found = list(_spread(record))
            if not found and not _is_empty(record):
                doubts.foreign[name] = doubts.foreign.get(name, 0) + 1
            yield from found
    except OSError as error:
        raise CloudTrailError(f"{name} cannot be read: {error.strerror or error}.") from None


def _pieces_of(lines: Iterator[str]) -> Iterator[str]:
    """The JSON texts in a file: each line, or all of it where one text is spread over many lines."""
    first = next(lines, None)
    if first is None:
        return
    if _parsed(first):
        yield first
        yield from lines
        return
    rest = [first, *lines]
    whole = "\n".join(rest)
    yield from [whole] if _parsed(whole) else rest


def _parsed(text: str) -> dict[str, Any] | None:
    return parse_event(f'{{"Records":{text}}}' if text.startswith("[") else text) or None


def _spread(record: object) -> Iterator[Mapping[str, Any]]:
    """The events in one piece of JSON, whatever it is wrapped in."""
    if is_cloudtrail_event(record):
        yield mapping(record)
        return
    wrapped = mapping(record)
    if isinstance(wrapped.get("CloudTrailEvent"), str):  # LookupEvents
        yield from _spread(parse_event(wrapped["CloudTrailEvent"]))
    elif is_cloudtrail_event(wrapped.get("detail")):  # EventBridge
        yield mapping(wrapped["detail"])
    for each in (*items(wrapped.get("Records")), *items(wrapped.get("Events"))):
        yield from _spread(each)


def _is_empty(record: Mapping[str, Any]) -> bool:
    """Whether it is a delivery, a reply or a list without events, or a digest, which CloudTrail puts beside them."""
    return any(record.get(key) == [] for key in ("Records", "Events")) or "digestStartTime" in record


# --- the service ----------------------------------------------------------------------------------------------------


def lookup_cloudtrail(
    session: Any,
    cluster: str,
    start: datetime,
    end: datetime,
    *,
    names: Iterable[str] = ACCESS_OPERATIONS,
    requests_per_second: float = REQUESTS_PER_SECOND,
) -> pd.DataFrame:
    """Ask CloudTrail who changed the access to a cluster (cloudtrail:LookupEvents), which costs nothing.

    One operation is asked for after the other: LookupEvents takes one condition at a time, and all events of EKS would
    be mostly reads.

    Args:
        session: A boto3 session, in the cluster's account and region.
        cluster: Its name.
        start: The first instant, tz-aware; the service holds 90 days.
        end: The last one.
        names: The operations.
        requests_per_second: What the account allows.

    Returns:
        The columns of `cloudtrail_events.COLUMNS`, in the order of time; events about other clusters left out.

    Raises:
        CloudTrailError: The caller may not ask, or the service fails.
    """
    found: list[Mapping[str, Any]] = []
    pace = _Pace(requests_per_second)
    # Others in the account use up the same rate.
    patient = Config(retries={"mode": "standard", "max_attempts": 8})
    with (
        explained("cloudtrail:LookupEvents", "CloudTrail", CloudTrailError),
        closing(session.client("cloudtrail", config=patient)) as client,
    ):
        for name in names:
            found += _looked_up(client, name, start, end, pace)
    frame = cloudtrail_frame(found)
    is_ours = frame["event_source"].eq(EKS) & frame["cluster"].eq(cluster).fillna(True)
    return frame[is_ours.fillna(False)].reset_index(drop=True)


def _looked_up(client: Any, name: str, start: datetime, end: datetime, pace: _Pace) -> Iterator[Mapping[str, Any]]:
    request: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}],
        "StartTime": start,
        "EndTime": end,
        "MaxResults": _PAGE,
    }
    seen: set[str] = set()
    while True:
        pace.wait()
        page = client.lookup_events(**request)
        for event in page.get("Events", []):
            yield from _spread(event)
        token = page.get("NextToken")
        if not token:
            return
        if token in seen:
            raise CloudTrailError(
                f"CloudTrail gives the same page of {name} again. Ask again, or for a shorter window."
            )
        seen.add(token)
        request["NextToken"] = token


class _Pace:
    """Keeps requests apart, so that a quota is not exceeded."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may be sent."""
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(now, self._next) + self._gap


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number:,} events"


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"


def _pieces(number: int) -> str:
    return "1 piece is" if number == 1 else f"{number:,} pieces are"
