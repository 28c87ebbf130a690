"""What asking CloudWatch costs beside the service: `python benchmarks/cloudwatch.py` prints two tables.

The service is the one of the tests (tests/fake_cloudwatch.py), on loopback, in a process of its own. First 10,000 rows
of 12 fields: bare boto3 with a frame built from its rows, the project, and awswrangler where there is one; in brackets
how many times bare boto3's. Then 1,000,000 rows with their messages, ten times what one query returns: window by
window, and all at once; `scanned` is how many times the window's bytes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import measure

ROOT = Path(__file__).resolve().parent.parent
T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
HOUR = 3_600_000
START, END = "2026-11-24T10:00:00Z", "2026-11-24T10:59:59.999Z"
GROUP = "/aws/eks/prod/cluster"
FIELDS = (
    "fields @timestamp, auditID, verb, stage, user.username, sourceIPs.0, userAgent, requestURI, objectRef.resource, "
    "objectRef.namespace, objectRef.name, responseStatus.code"
)
MESSAGES = "fields @timestamp, @logStream, @message"
_BYTES = 1800  # of a message of the large log


def main() -> None:
    """Measure and print; the words behind the first one are for the processes that are started."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9, metavar="N", help="medians of so many (default: 9)")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="of the second table")
    parser.add_argument("--role", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        _ROLES[given.role[0]](*given.role[1:])
        return
    print(f"{measure.machine()}; {measure.versions('eks-audit-nb', 'boto3', 'pandas', 'awswrangler')}.\n")
    _overhead(given.repeats)
    print()
    _many(given.rows)


def _overhead(repeats: int) -> None:
    print("| 10,000 rows of 12 fields | ms | ms of its own CPU |\n|---|---:|---:|")
    with _service("small", "10000"):
        # In turn, so that a machine that gets slower does so for all of them.
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in ("boto3", "project", "awswrangler")}
        for _ in range(3):
            for name, found in runs.items():
                found.append(json.loads(_started("ask", name, str(repeats))))
        bare = min(run["wall"] for run in runs["boto3"] if run)
        bare_cpu = min(run["cpu"] for run in runs["boto3"] if run)
        for name, found in runs.items():
            if not found[0]:
                print(f"| {_NAMES[name]} | not installed | |")
                continue
            wall, cpu = min(run["wall"] for run in found), min(run["cpu"] for run in found)
            print(f"| {_NAMES[name]} | {wall:.0f} ({wall / bare:.2f}) | {cpu:.0f} ({cpu / bare_cpu:.2f}) |", flush=True)


_NAMES = {"boto3": "bare boto3 and a frame", "project": "connect(...).run(...)", "awswrangler": "awswrangler.read_logs"}


def _many(rows: int) -> None:
    print(f"| {rows:,} rows of 3 fields | rows | windows | scanned | seconds | memory MB |")
    print("|---|---:|---:|---:|---:|---:|")
    with _service("large", str(rows)):
        for role, name in (("windows", "connect(...).windows(...)"), ("run", "connect(...).run(...)")):
            done = measure.run([sys.executable, __file__, "--role", role])
            found = json.loads(done.output)
            cells = f"{found['rows']:,} | {found['windows']} | {found['scanned']:.2f} | {done.seconds:.1f}"
            print(f"| {name} | {cells} | {done.megabytes:,.0f} |", flush=True)


# --- the service ----------------------------------------------------------------------------------------------------


@contextmanager
def _service(kind: str, events: str) -> Iterator[None]:
    command = [sys.executable, __file__, "--role", kind, events]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout  # noqa: S101
        address = process.stdout.readline().strip()
        if not address:
            sys.exit("The service did not start.")
        measure.ask_only(address)
        try:
            yield
        finally:
            process.terminate()


def _serve(events: list[tuple[int, str]]) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from fake_cloudwatch import FakeCloudWatch, LogGroup, delivered, serve

    with serve(FakeCloudWatch.of(LogGroup(GROUP, delivered(events)))) as address:
        print(address, flush=True)
        threading.Event().wait()


def _small(count: str) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from conftest import audit_event

    step = HOUR // int(count)
    _serve(
        [
            (T + step * n, json.dumps(audit_event(auditID=f"{n:08}-0000-4000-8000-000000000000")))
            for n in range(int(count))
        ]
    )


def _large(count: str) -> None:
    times = (T + n * HOUR // int(count) for n in range(int(count)))
    _serve([(at, f'{{"auditID":"{n:08}"}}'.ljust(_BYTES)) for n, at in enumerate(times)])


# --- those who ask --------------------------------------------------------------------------------------------------


def _started(*role: str) -> str:
    command = [sys.executable, __file__, "--role", *role]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603


def _ask(name: str, repeats: str) -> None:
    asks: dict[str, Callable[[], Callable[[], Any] | None]] = {
        "boto3": _bare,
        "project": _project,
        "awswrangler": _awswrangler,
    }
    ask = asks[name]()
    if ask is None:
        print("{}")
        return
    walls, cpus = [], []
    for number in range(int(repeats) + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        frame = ask()
        if number:  # the first one opens the connection
            walls.append((time.perf_counter() - wall) * 1000)
            cpus.append((time.process_time() - cpu) * 1000)
        if frame.shape != (10_000, 12):
            sys.exit(f"{name} gave {frame.shape}")
    print(json.dumps({"wall": statistics.median(walls), "cpu": statistics.median(cpus)}))


def _bare() -> Callable[[], Any]:
    import boto3
    import pandas as pd

    logs = boto3.client("logs")

    def ask() -> Any:
        request = {
            "logGroupName": GROUP,
            "startTime": T,
            "endTime": T + HOUR - 1,
            "queryString": FIELDS,
            "limit": 100_000,
        }
        query_id = logs.start_query(**request)["queryId"]
        while (page := logs.get_query_results(queryId=query_id))["status"] in ("Scheduled", "Running", "Unknown"):
            time.sleep(0.2)
        rows = page["results"]
        while token := page.get("nextToken"):
            page = logs.get_query_results(queryId=query_id, nextToken=token)
            rows += page["results"]
        return pd.DataFrame([{c["field"]: c["value"] for c in row if c["field"] != "@ptr"} for row in rows])

    return ask


def _project() -> Callable[[], Any]:
    from eks_audit_nb import connect

    source = connect("cloudwatch:prod")
    return lambda: source.run(FIELDS, START, END).frame


def _awswrangler() -> Callable[[], Any] | None:
    try:
        import awswrangler  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    from datetime import datetime

    window = {"start_time": datetime.fromisoformat(START), "end_time": datetime.fromisoformat(END)}
    return lambda: awswrangler.cloudwatch.read_logs(FIELDS, [GROUP], limit=10_000, **window).drop(
        columns="ptr", errors="ignore"
    )


def _windows() -> None:
    from eks_audit_nb import connect

    source = connect("cloudwatch:prod")
    rows = windows = scanned = 0
    for part in source.windows(MESSAGES, START, END):  # type: ignore[attr-defined]
        rows += len(part.frame)
        windows += 1
        scanned = part.bytes_scanned
    print(json.dumps({"rows": rows, "windows": windows, "scanned": scanned / _BYTES / rows}))


def _run() -> None:
    from eks_audit_nb import connect

    source = connect("cloudwatch:prod")
    result = source.run(MESSAGES, START, END)
    if not result.complete:
        sys.exit(" ".join(result.reasons))
    scanned = result.statistics.bytes_scanned / _BYTES / len(result)
    print(json.dumps({"rows": len(result), "windows": "", "scanned": scanned}))


_ROLES: dict[str, Callable[..., None]] = {
    "small": _small,
    "large": _large,
    "ask": _ask,
    "windows": _windows,
    "run": _run,
}

if __name__ == "__main__":
    main()
