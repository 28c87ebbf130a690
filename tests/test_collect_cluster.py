"""From a cluster to a case: all events or a doubt, whatever the service does and whenever it is broken off."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eks_audit_nb.case.manifest import Manifest, read_manifest
from eks_audit_nb.case.verifying import verify
from eks_audit_nb.cli import main
from eks_audit_nb.collecting import NoEventsError, cluster, collect_cluster
from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import CloudWatchError, EksAuditError, SourceError
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.window import to_text

from conftest import audit_event
from fake_cloudwatch import (
    Behaviour,
    FakeCloudWatch,
    Fault,
    LogGroup,
    Occasions,
    delivered,
    mixed,
    pointed,
)
from logs import ODD
from pacers import hasty

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
HOUR, MINUTE = 3_600_000, 60_000
PROD = "/aws/eks/prod/cluster"
START, END = to_text(T), to_text(T + HOUR - 1)
STREAMS = [f"kube-apiserver-audit-{number}" for number in range(3)]


@pytest.fixture(scope="module")
def service() -> Iterator[FakeCloudWatch]:
    """The service, and boto3 pointed at it."""
    with pointed() as fake:
        yield fake


@pytest.fixture(scope="module")
def sources(service: FakeCloudWatch) -> Iterator[dict[int, CloudWatchSource]]:
    """The cluster as a source, by the most rows that it takes a query for."""
    opened = {rows: CloudWatchSource("prod", max_rows=rows, pacer=hasty(queries=3)) for rows in (10, 100, 100_000)}
    yield opened
    for source in opened.values():
        source.close()


@pytest.fixture
def prod(sources: dict[int, CloudWatchSource]) -> CloudWatchSource:
    """The cluster as a source that takes a query for 100 rows at most."""
    return sources[100]


def spread(count: int, *, start: int = T, end: int = T + HOUR, delay_ms: int = 0) -> list[Event]:
    """So many events in a window, by three streams, three of them always in one millisecond."""
    return delivered(
        (
            (start + n // 3 * 3 * (end - start) // count, json.dumps(audit_event(auditID=f"id-{n}")), STREAMS[n % 3])
            for n in range(count)
        ),
        delay_ms=delay_ms,
    )


def collect(source: CloudWatchSource, out: Path, start: str = START, end: str = END, **settings: Any) -> Manifest:
    return collect_cluster(source, out, start, end, say=lambda _: None, **settings)


def lines(case: Path) -> list[tuple[Any, ...]]:
    """What a case holds, line by line."""
    sql = "SELECT line, timestamp_ms, ingestion_ms, log_stream, log, message FROM read_parquet($files) ORDER BY line"
    files = [str(case / part.odd) for part in read_manifest(case).parts]
    return duckdb.connect().execute(sql, {"files": files}).fetchall()


def expected(events: list[Event]) -> list[tuple[Any, ...]]:
    """The same of a log."""
    ordered = sorted(events, key=lambda event: (event.timestamp_ms, event.log_stream, event.line))
    return [(n, e.timestamp_ms, e.ingestion_ms, e.log_stream, e.log, e.message) for n, e in enumerate(ordered)]


def asked(service: FakeCloudWatch, *, counts: bool = False) -> list[tuple[int, int]]:
    """The windows that were asked for rows, or for counts."""
    return [
        (request["startTime"], request["endTime"])
        for action, request in service.requests
        if action == "StartQuery"
        and not request["queryString"].endswith("estimate")
        and ("stats" in request["queryString"]) is counts
    ]


# --- what a case holds ----------------------------------------------------------------------------------------------


def test_all_events_in_the_order_of_time(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """A case holds every audit event of the window once, by time and then by stream, with CloudWatch's own times."""
    events = spread(400, delay_ms=1234)
    other = delivered([(T + 5, "I1124 no audit event", "kube-apiserver-5")])
    service.become(LogGroup(PROD, [*events, *other]))
    manifest = collect(prod, tmp_path / "case")
    assert lines(tmp_path / "case") == expected(events)
    assert verify(tmp_path / "case").problems == ()
    assert (manifest.events, manifest.doubts, manifest.source) == (400, (), "cloudwatch:prod")
    assert list(tmp_path.iterdir()) == [tmp_path / "case"]
    known = manifest.collected
    assert known is not None
    assert (known.account, known.region) == ("111122223333", "eu-west-1")
    assert known.log_groups == (f"arn:aws:logs:eu-west-1:111122223333:log-group:{PROD}",)
    assert known.agreed == known.bins == len({event.timestamp_ms // known.bin_ms for event in events})
    assert known.unsettled_ms is None
    assert known.bytes_scanned == service.bytes_scanned


@pytest.mark.parametrize(
    "query",
    [
        "fields @timestamp, @ingestionTime, @logStream, @log, @message",
        "fields @timestamp, verb, user.username, responseStatus.code | filter verb = 'get' | sort @timestamp asc",
        "stats count(*) as n by @logStream, bin(10m)",
        "stats count_distinct(auditID) as ids, max(@timestamp) as last",
        "filter @message like 'id-7' | stats count(*)",
        "recording_levels",
    ],
)
def test_the_same_rows(
    service: FakeCloudWatch, sources: dict[int, CloudWatchSource], tmp_path: Path, query: str
) -> None:
    """A query gives the same rows on the case as on the cluster."""
    service.become(LogGroup(PROD, spread(60)))
    source = sources[100_000]
    collect(source, tmp_path / "case")
    case = FileSource(str(tmp_path / "case"))
    one, other = case.run(query, START, END), source.run(query, START, END)
    by = list(one.frame.columns)
    assert one.complete
    assert one.frame.sort_values(by).reset_index(drop=True).equals(other.frame.sort_values(by).reset_index(drop=True))
    case.close()


def test_odd_messages(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path, make_log: Callable[..., Path]
) -> None:
    """Messages that are cut, no JSON or no audit events are kept as they are and marked as those of files are."""
    messages = [text for text in ODD if text.strip()] * 2
    events = delivered((T + number, text, STREAMS[0]) for number, text in enumerate(messages))
    service.become(LogGroup(PROD, events))
    manifest = collect(prod, tmp_path / "case")
    assert lines(tmp_path / "case") == expected(events)
    assert verify(tmp_path / "case").problems == ()
    enveloped = json.dumps({"events": [{"timestamp": e.timestamp_ms, "message": e.message} for e in events]})
    of_files = FileSource(str(make_log(enveloped)))
    assert manifest.conditions == of_files.manifest.conditions
    case = FileSource(str(tmp_path / "case"))
    for query in ("fields @timestamp, @message, verb, user.username, userAgent", "stats count(*) by verb, auditID"):
        one, other = (each.run(query).frame for each in (case, of_files))
        by = list(one.columns)
        assert one.sort_values(by).reset_index(drop=True).equals(other.sort_values(by).reset_index(drop=True))
    case.close()
    of_files.close()


def test_no_event(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """Without an audit event there is nothing to make a case of, and nothing is left."""
    service.become(LogGroup(PROD, delivered([(T, "no audit event", "kube-scheduler-1")])))
    with pytest.raises(NoEventsError, match="There is no audit event in 2026-11-24 10:00:00"):
        collect(prod, tmp_path / "case")
    assert list(tmp_path.iterdir()) == []


def test_several_parts(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case of many parts is the same; what is asked of a part of the window reads them."""
    monkeypatch.setattr("eks_audit_nb.case.events._PART_BYTES", 20_000)
    events = spread(300)
    service.become(LogGroup(PROD, events))
    manifest = collect(prod, tmp_path / "case")
    assert len(manifest.parts) > 3
    assert lines(tmp_path / "case") == expected(events)
    assert verify(tmp_path / "case").problems == ()
    case = FileSource(str(tmp_path / "case"))
    assert len(case.run("fields @message", to_text(T), to_text(T + HOUR // 2 - 1)).frame) == 150
    case.close()


# --- what it costs --------------------------------------------------------------------------------------------------


def test_what_it_costs(service: FakeCloudWatch, tmp_path: Path) -> None:
    """The bytes are scanned twice, for the rows and for the count; that is said before, and can be refused."""
    events = spread(300)
    size = sum(len(event.message) for event in events)
    said: list[str] = []
    service.become(LogGroup(PROD, events))
    for max_rows in (100, 100_000):  # planned by a count before, and counted behind
        source = CloudWatchSource("prod", max_rows=max_rows, pacer=hasty())
        service.forget()
        manifest = collect_cluster(source, tmp_path / str(max_rows), START, END, say=said.append)
        assert manifest.collected is not None
        assert manifest.collected.bytes_scanned == service.bytes_scanned == 2 * size
        assert f"this scans about {2 * size / 1000:.1f} kB" in said[-1]
    poor = CloudWatchSource("prod", max_rows=100_000, pacer=hasty(), max_bytes=2 * size - 1)
    service.forget()
    with pytest.raises(CloudWatchError, match="This would scan up to"):
        collect(poor, tmp_path / "poor")
    assert service.bytes_scanned == 0
    assert not (tmp_path / "poor").exists()


# --- broken off -----------------------------------------------------------------------------------------------------


def test_broken_off(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """After an error the same command goes on: what is there is not asked again, nor counted; the case is the same."""
    events = spread(1200)
    service.become(LogGroup(PROD, events))
    collect(prod, tmp_path / "whole")
    everything = asked(service)
    service.become(LogGroup(PROD, events), behaviour=Behaviour(faults={Fault.CANCEL: Occasions(every=12)}))
    with pytest.raises(CloudWatchError, match=r"(?s)Cancelled.*is kept in .*\.begun-case: the same command goes on"):
        collect(prod, tmp_path / "case")
    assert not (tmp_path / "case").exists()
    there = len(list((tmp_path / ".begun-case").glob("piece-*.json")))
    assert there > 0
    service.become(LogGroup(PROD, events))
    manifest = collect(prod, tmp_path / "case")
    assert asked(service, counts=True) == []
    assert len(asked(service)) == len(everything) - there
    assert lines(tmp_path / "case") == lines(tmp_path / "whole") == expected(events)
    assert manifest.doubts == ()
    assert not (tmp_path / ".begun-case").exists()


@pytest.mark.parametrize("calls", [6])
def test_killed(service: FakeCloudWatch, tmp_path: Path, calls: int) -> None:
    """A run that is killed at any moment leaves no case or a whole one, and is gone on with."""
    events = spread(400)
    service.become(LogGroup(PROD, events), behaviour=Behaviour(seconds=0.05))
    out = tmp_path / "case"
    code = (
        "import sys; from pathlib import Path; from eks_audit_nb.collecting import collect_cluster; "
        "from eks_audit_nb.sources.cloudwatch import CloudWatchSource; "
        "collect_cluster(CloudWatchSource('prod', max_rows=40), Path(sys.argv[1]), *sys.argv[2:])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(out), START, END], stdout=subprocess.DEVNULL)
    while service.called("StartQuery") < calls and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    service.become(LogGroup(PROD, events))
    source = CloudWatchSource("prod", max_rows=40, pacer=hasty())
    manifest = collect(source, out)
    source.close()
    assert lines(out) == expected(events)
    assert manifest.doubts == ()
    assert verify(out).problems == ()
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("place", ["write_parts", "manifest_of", "Begun.clear", "remove_strays"])
def test_broken_off_while_it_is_finished(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whatever step of finishing or mending fails, there is no case or a whole one, and the next run has all events."""
    now = time.time_ns() // 1_000_000
    first, late = late_log(now)
    there = [event for event in late if event.ingestion_ms <= now]
    start, end = to_text(now - HOUR), to_text(now)
    out = tmp_path / "case"
    service.become(LogGroup(PROD, [*first, *late]), now_ms=now)
    states = []
    for number in range(2):
        with monkeypatch.context() as patch:
            for module in ("finishing", "cluster"):
                if hasattr(__import__(f"eks_audit_nb.collecting.{module}", fromlist=["x"]), place.partition(".")[0]):
                    patch.setattr(f"eks_audit_nb.collecting.{module}.{place}", _fail)
            try:
                collect(prod, out, start, end)
            except (KeyboardInterrupt, SourceError):
                states.append(out.exists() and verify(out).problems)
        if number == 0:
            collect(prod, out, start, end)
            assert lines(out) == expected([*first, *there])
            service.now_ms = now + 10 * MINUTE
    assert all(not state or all("does not belong" in each for each in state) for state in states)
    collect(prod, out, start, end)
    assert lines(out) == expected([*first, *late])
    assert verify(out).problems == ()


def _fail(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full is said in words; what was fetched is kept, and with room the same command goes on."""
    events = spread(400)
    service.become(LogGroup(PROD, events))
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise duckdb.IOException('Could not write file "x": No space left on device')

        patch.setattr("eks_audit_nb.collecting.finishing.write_parts", full)
        with pytest.raises(
            SourceError, match=r"case: the disk is full\. What was fetched is kept in .*\.begun-case: the"
        ):
            collect(prod, tmp_path / "case")
    service.forget()
    collect(prod, tmp_path / "case")
    assert asked(service) == []
    assert lines(tmp_path / "case") == expected(events)


def test_another_account(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """Logs of two accounts whose clusters have one name do not get into one case, begun or finished."""
    now = time.time_ns() // 1_000_000
    start, end, out = to_text(now - HOUR), to_text(now), tmp_path / "case"
    events = spread(1200, start=now - HOUR, end=now)
    others = [Event(**{**vars(each), "log": f"444455556666:{PROD}"}) for each in [*events, *spread(9, start=now - 9)]]
    trouble = Behaviour(faults={Fault.CANCEL: Occasions(every=12)})
    service.become(LogGroup(PROD, events), behaviour=trouble)
    with pytest.raises(CloudWatchError):
        collect(prod, out, start, end)
    service.become(LogGroup(PROD, others))
    with pytest.raises(SourceError, match=r"\.begun-case holds events of the accounts 111122223333 and 444455556666"):
        collect(prod, out, start, end)
    shutil.rmtree(tmp_path / ".begun-case")
    service.become(LogGroup(PROD, events))
    collect(prod, out, start, end)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    service.become(LogGroup(PROD, others))
    with pytest.raises(SourceError, match=r"is of the account 111122223333, and these credentials are of 444455556666"):
        collect(prod, out, start, end)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not (tmp_path / ".begun-case").exists()


def test_two_runs_at_once(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """While one run collects into a folder another one is refused; what the first one began stays as it was."""
    service.become(LogGroup(PROD, spread(40)))
    out = tmp_path / "case"
    seen: list[str] = []

    def say(_: str) -> None:
        with pytest.raises(
            SourceError, match="case is being collected by another run. Wait until it has ended"
        ) as error:
            collect(prod, out)
        seen.append(str(error.value))

    collect_cluster(prod, out, START, END, say=say)
    assert len(seen) == 1
    assert verify(out).problems == ()
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_a_damaged_window(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """A file of a begun case that was changed is not used; the proof finds what is missing, and it is asked again."""
    events = spread(1200)
    service.become(LogGroup(PROD, events), behaviour=Behaviour(faults={Fault.CANCEL: Occasions(every=12)}))
    with pytest.raises(CloudWatchError):
        collect(prod, tmp_path / "case")
    file = next((tmp_path / ".begun-case").glob("piece-000001.parquet"))
    file.write_bytes(file.read_bytes()[:-9] + b"something")
    service.become(LogGroup(PROD, events))
    manifest = collect(prod, tmp_path / "case")
    assert lines(tmp_path / "case") == expected(events)
    assert manifest.doubts == ()


def test_something_else_is_asked(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """Another window or cluster than that of what was begun, or of the case, is an error that says what to do."""
    events = spread(400)
    trouble = Behaviour(faults={Fault.CANCEL: Occasions(every=6)})
    out = tmp_path / "case"
    other = CloudWatchSource("dev", pacer=hasty())
    service.become(LogGroup(PROD, events), behaviour=trouble)
    with pytest.raises(CloudWatchError):
        collect(prod, out)
    for _ in range(2):
        with pytest.raises(SourceError, match=r"asked for with --start 2026-11-24 10:00:00.000 .*Give the same again"):
            collect(prod, out, START, to_text(T + HOUR))
        with pytest.raises(SourceError, match="is of cloudwatch:prod in eu-west-1, and not of cloudwatch:dev"):
            collect(other, out)
        service.become(LogGroup(PROD, events))
        collect(prod, out)
    collect(prod, out, to_text(T).replace(" ", "T") + "Z", END)  # the same in other words
    other.close()


def test_a_folder_with_something_else(prod: CloudWatchSource, tmp_path: Path, make_log: Callable[..., Path]) -> None:
    """A folder with other files, and a case of files, are left alone."""
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(SourceError, match="is there already"):
        collect(prod, tmp_path)
    log = make_log(audit_event())
    assert main(["collect", str(log), "--out", str(tmp_path / "files")]) == 0
    with pytest.raises(SourceError, match=r"is a case of .*audit\.jsonl"):
        collect(prod, tmp_path / "files")
    assert main(["collect", str(log), "--out", str(tmp_path / "more"), "--start", "-1h"]) == 1


# --- late events ----------------------------------------------------------------------------------------------------


def late_log(now: int) -> tuple[list[Event], list[Event]]:
    """Events of an hour, and some of its last ten minutes that come five minutes late."""
    first = spread(240, start=now - HOUR, end=now)
    late = spread(60, start=now - 10 * MINUTE, end=now, delay_ms=5 * MINUTE)
    return first, [Event(**{**vars(each), "line": 1000 + each.line, "pointer": f"late-{each.line}"}) for each in late]


def test_late_events(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """The same command again asks for counts from there on where events could come late, and fetches what grew."""
    now = time.time_ns() // 1_000_000
    first, late = late_log(now)
    there = [event for event in late if event.ingestion_ms <= now]
    service.become(LogGroup(PROD, [*first, *late]), now_ms=now)
    start, end, out = to_text(now - HOUR), to_text(now), tmp_path / "case"
    manifest = collect(prod, out, start, end)
    assert lines(out) == expected([*first, *there])
    known = manifest.collected
    assert known is not None
    assert known.unsettled_ms is not None
    assert 0 <= known.unsettled_ms - (now - 15 * MINUTE) < 10 * MINUTE
    case = FileSource(str(out))
    result = case.run("stats count(*)")
    assert result.complete
    assert "may have come after it was asked" in " ".join(result.notes)
    case.close()

    service.forget()
    service.now_ms = now + 10 * MINUTE
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    manifest = collect(prod, out, start, end)
    assert lines(out) == expected([*first, *late])
    assert verify(out).problems == ()
    assert manifest.doubts == ()
    assert all(begin >= known.unsettled_ms - known.bin_ms for begin, _ in asked(service) + asked(service, counts=True))
    assert set(before).isdisjoint(path.name for path in out.glob("part-*"))  # the one part has grown

    service.forget()
    again = collect(prod, out, start, end)
    assert asked(service) == []
    assert (again.parts, again.events) == (manifest.parts, manifest.events)
    assert again.collected is not None
    assert known.bytes_scanned < again.collected.bytes_scanned


def test_parts_that_did_not_grow_stay(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a case that grew only the parts from the first late event on are written anew."""
    monkeypatch.setattr("eks_audit_nb.case.events._PART_BYTES", 20_000)
    now = time.time_ns() // 1_000_000
    first, late = late_log(now)
    service.become(LogGroup(PROD, [*first, *late]), now_ms=now)
    start, end, out = to_text(now - HOUR), to_text(now), tmp_path / "case"
    before = collect(prod, out, start, end)
    service.now_ms = now + 10 * MINUTE
    after = collect(prod, out, start, end)
    kept = [part for part in after.parts if part in before.parts]
    assert 1 < len(kept) < len(before.parts)
    assert lines(out) == expected([*first, *late])
    assert verify(out).problems == ()


def test_settle(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With settle it waits that long and asks again by itself."""
    now = time.time_ns() // 1_000_000
    first, late = late_log(now)
    service.become(LogGroup(PROD, [*first, *late]), now_ms=now)

    def wait(seconds: float) -> None:
        service.now_ms = now + int(seconds * 1000)

    monkeypatch.setattr(cluster, "time", type("Clock", (), {"sleep": staticmethod(wait)}))
    collect(prod, tmp_path / "case", to_text(now - HOUR), to_text(now), settle_minutes=10)
    assert lines(tmp_path / "case") == expected([*first, *late])


def test_what_came_since_it_was_begun(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """A run that goes on later has what came meanwhile, also where no event was when it was begun."""
    now = time.time_ns() // 1_000_000
    first = spread(240, start=now - HOUR, end=now - 20 * MINUTE)
    late = spread(9, start=now - 6 * MINUTE, end=now - 5 * MINUTE, delay_ms=10 * MINUTE)
    late = [Event(**{**vars(each), "line": 1000 + each.line, "pointer": f"late-{each.line}"}) for each in late]
    trouble = Behaviour(faults={Fault.CANCEL: Occasions(every=5)})
    service.become(LogGroup(PROD, [*first, *late]), now_ms=now, behaviour=trouble)
    with pytest.raises(CloudWatchError):
        collect(prod, tmp_path / "case", "-1h", "")
    service.become(LogGroup(PROD, [*first, *late]), now_ms=now + 20 * MINUTE)
    collect(prod, tmp_path / "case", "-1h", "")
    assert [line[1:] for line in lines(tmp_path / "case")[-9:]] == [line[1:] for line in expected(late)]


# --- the proof ------------------------------------------------------------------------------------------------------


def test_what_the_service_no_longer_has_is_kept(
    service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path
) -> None:
    """Where the service counts less than is held, as after its retention, nothing is given up and both are named."""
    now = time.time_ns() // 1_000_000
    events = spread(300, start=now - HOUR, end=now)
    start, end, out = to_text(now - HOUR), to_text(now), tmp_path / "case"
    service.become(LogGroup(PROD, events))
    collect(prod, out, start, end)
    service.become(LogGroup(PROD, events[:-3]))
    manifest = collect(prod, out, start, end)
    assert lines(out) == expected(events)
    found = re.findall(r"the service counts (\d+) events, and (\d+) are here", " ".join(manifest.doubts))
    assert sum(int(here) - int(there) for there, here in found) == 3
    assert verify(out).problems == ()
    case = FileSource(str(out))
    assert not case.run("stats count(*)").complete
    case.close()


def test_no_count_is_a_doubt(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """Where the service skips events its counts prove nothing, and that is said, with what was said of the rows."""
    service.become(LogGroup(PROD, spread(30)), behaviour=Behaviour(skipped=3))
    manifest = collect(prod, tmp_path / "case")
    assert manifest.events == 30
    assert "gave no count" in manifest.doubts[0]
    assert "The service skipped about 3 events." in manifest.doubts
    assert verify(tmp_path / "case").problems == ()
    service.become(LogGroup(PROD, spread(30)))
    assert collect(prod, tmp_path / "case").doubts == ()  # asked again, it is whole


def test_nothing_came_and_nothing_was_counted(service: FakeCloudWatch, prod: CloudWatchSource, tmp_path: Path) -> None:
    """No event and no count that can be relied on is an error, and not taken for an empty window."""
    service.become(LogGroup(PROD, []), behaviour=Behaviour(skipped=3))
    with pytest.raises(CloudWatchError, match="gave no count") as raised:
        collect(prod, tmp_path / "case")
    assert not isinstance(raised.value, NoEventsError)


# --- misbehaviour ---------------------------------------------------------------------------------------------------


def check(source: CloudWatchSource, service: FakeCloudWatch, events: list[Event], behaviour: Behaviour) -> None:
    """The case holds the events of the log, or there is a doubt, or an error; then the same again makes it whole."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "case"
        service.become(LogGroup(PROD, events), behaviour=behaviour)
        try:
            manifest = collect(source, out)
        except EksAuditError:
            manifest = None
        if manifest:
            assert not Counter(line[1:] for line in lines(out)) - Counter(line[1:] for line in expected(events))
            assert manifest.doubts or lines(out) == expected(events)
        if events and (manifest is None or manifest.doubts):
            service.become(LogGroup(PROD, events))
            assert collect(source, out).doubts == ()
            assert lines(out) == expected(events)
            assert verify(out).problems == ()


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_each_misbehaviour(service: FakeCloudWatch, sources: dict[int, CloudWatchSource], fault: Fault) -> None:
    """Under each way to go wrong no event is missing in silence."""
    check(sources[10], service, spread(15), Behaviour(faults={fault: Occasions(chance=0.4)}, page_size=3))


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Up to 40 events: spread over the hour, in bursts, and many in one millisecond, from up to three streams."""
    dice = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311
    events = []
    for number in range(draw(st.integers(0, 40))):
        kind = dice.random()
        place = dice.randrange(HOUR) if kind < 0.4 else 1_000_000 + dice.randrange(200) if kind < 0.8 else 1_000_100
        events.append((T + place, json.dumps({"auditID": f"id-{number}"}), STREAMS[dice.randrange(3)]))
    return delivered(sorted(events))


_QUICK = settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_QUICK
@given(events=logs(), seed=st.integers(0, 2**32), rows=st.sampled_from([10, 100_000]))
def test_all_misbehaviours_at_random(
    service: FakeCloudWatch, sources: dict[int, CloudWatchSource], events: list[Event], seed: int, rows: int
) -> None:
    """Under all of them at once no event is missing in silence, and the same command again makes the case whole."""
    check(sources[rows], service, events, mixed(seed, events=len(events)))


@pytest.mark.deep
@settings(max_examples=1_000, derandomize=False, suppress_health_check=list(HealthCheck))
@given(events=logs(), seed=st.integers(0, 2**32), rows=st.sampled_from([10, 100_000]))
def test_all_misbehaviours_often(
    service: FakeCloudWatch, sources: dict[int, CloudWatchSource], events: list[Event], seed: int, rows: int
) -> None:
    """The same, 1,000 times."""
    check(sources[rows], service, events, mixed(seed, events=len(events)))


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command(service: FakeCloudWatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints where the case is, and elsewhere what it will scan, what it holds, its proof and its cost."""
    service.become(LogGroup(PROD, spread(30)))
    out = tmp_path / "case"
    arguments = ["collect", "cloudwatch:prod", "--start", START, "--end", END, "--out", str(out)]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out}\n"
    assert "this scans about" in printed.err
    assert "Counted:     10 of 10 bins of 0.2 s have as many events as CloudWatch counts" in printed.err
    assert "Cost:" in printed.err
    assert main(arguments) == 0
    assert f"{out} is whole" in capsys.readouterr().err
    assert main(["verify", str(out)]) == 0
    assert main(["query", str(out), "stats count(*) as n", "--format", "csv"]) == 0
    assert "30" in capsys.readouterr().out


def test_interrupted(
    service: FakeCloudWatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C says how to go on."""
    service.become(LogGroup(PROD, spread(30)))
    monkeypatch.setattr("eks_audit_nb.collecting.cluster.prove", _fail)
    assert main(["collect", "cloudwatch:prod", "--start", START, "--end", END, "--out", str(tmp_path / "case")]) == 1
    assert "interrupted. What was fetched is kept; the same command again goes on" in capsys.readouterr().err
    assert (tmp_path / ".begun-case" / "plan.json").exists()
