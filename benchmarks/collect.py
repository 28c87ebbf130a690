"""What it takes to get all events out of CloudWatch: `python benchmarks/collect.py` prints a table.

The service is the one of the tests (tests/fake_cloudwatch.py), on loopback, in a process of its own, with the log of
`generate.py`. `eks-audit collect` asks Logs Insights and makes a case; FilterLogEvents is asked by a bare loop of boto3
that keeps nothing. `least` is how long the calls take at the quota of the account, whatever the service needs for them:
10 StartQuery and 10 GetQueryResults a second, 5 or 25 FilterLogEvents, by region.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import generate
import measure

ROOT = Path(__file__).resolve().parent.parent
GROUP = "/aws/eks/prod/cluster"
STREAM = "kube-apiserver-audit-" + "0" * 32
START, END = "2026-11-24T06:00:00Z", "2026-11-24T10:59:59.999Z"
DOLLARS_PER_GIGABYTE = 0.005


def main() -> None:
    """Measure and print; the words behind the first one are for the processes that are started."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000], metavar="N")
    parser.add_argument("--role", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        {"service": _serve, "filter": _filter}[given.role[0]](*given.role[1:])
        return
    print(f"{measure.machine()}; {measure.versions('eks-audit-nb', 'boto3', 'duckdb')}.\n")
    print("| events | way | calls | GB billed | dollars | seconds here | least | memory MB | case MB |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for events in given.events:
        _measure(events)


def _measure(events: int) -> None:
    with _service(events) as ask, tempfile.TemporaryDirectory() as folder:
        case = Path(folder, "case")
        command = ["collect", "cloudwatch:prod", "--start", START, "--end", END, "--out", str(case)]
        done = measure.run([sys.executable, "-m", "eks_audit_nb.cli", *command])
        told = ask()
        calls: dict[str, int] = told["calls"]
        size = sum(path.stat().st_size for path in case.iterdir()) / 1e6
        held = json.loads((case / "manifest.json").read_text())
        if held["events"] != events or held["doubts"]:
            sys.exit(f"{held['events']} events, {held['doubts']}")
        least = max(calls.get("StartQuery", 0), calls.get("GetQueryResults", 0)) / 10
        billed = told["bytes"] / 1e9
        print(
            f"| {events:,} | eks-audit collect | {sum(calls.values()):,} | {billed:.2f} | "
            f"{billed * DOLLARS_PER_GIGABYTE:.4f} | {done.seconds:.1f} | {least:.1f} | {done.megabytes:,.0f} | "
            f"{size:.0f} |",
            flush=True,
        )
        done = measure.run([sys.executable, str(Path(__file__).resolve()), "--role", "filter"])
        number = ask()["calls"]["FilterLogEvents"]
        least_text = f"{number / 25:.0f} to {number / 5:.0f}"
        print(
            f"| {events:,} | FilterLogEvents | {number:,} | 0.00 | 0.0000 | {done.seconds:.1f} | {least_text} | "
            f"{done.megabytes:,.0f} | |",
            flush=True,
        )


@contextmanager
def _service(events: int) -> Iterator[Any]:
    command = [sys.executable, str(Path(__file__).resolve()), "--role", "service", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout  # noqa: S101
        assert process.stdin  # noqa: S101
        output, given = process.stdout, process.stdin
        address = output.readline().strip()
        if not address:
            sys.exit("The service did not start.")
        measure.ask_only(address)

        def ask() -> Any:
            """What was called since this was asked last."""
            given.write("tell\n")
            given.flush()
            return json.loads(output.readline())

        try:
            yield ask
        finally:
            process.terminate()


def _serve(events: str) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from fake_cloudwatch import FakeCloudWatch, LogGroup, delivered, serve

    def messages() -> Iterator[tuple[int, str, str]]:
        for chunk in generate.log(int(events), 7):
            for line in chunk.decode().splitlines():
                stamp = line[line.rindex('"stageTimestamp":"') + 18 :].partition('"')[0]
                instant = datetime.fromisoformat(stamp).astimezone(UTC)
                yield int(instant.timestamp() * 1000), line, STREAM

    fake = FakeCloudWatch.of(LogGroup(GROUP, delivered(messages())))
    # The first estimate fills a database, which takes the tests' service longer than all the rest.
    window = {"startTime": 1_795_500_000, "endTime": 1_795_600_000}
    fake.answer("StartQuery", {"logGroupName": GROUP, "queryString": "fields @message | estimate", **window})
    fake.forget()
    with serve(fake) as address:
        print(address, flush=True)
        for _ in sys.stdin:
            calls = Counter(call.action for call in fake.calls)
            print(json.dumps({"calls": calls, "bytes": fake.bytes_scanned}), flush=True)
            fake.forget()


def _filter() -> None:
    import boto3

    milliseconds = [int(datetime.fromisoformat(each).timestamp() * 1000) for each in (START, END)]
    pages = boto3.client("logs").get_paginator("filter_log_events")
    window = {"startTime": milliseconds[0], "endTime": milliseconds[1]}
    found = sum(
        len(page["events"])
        for page in pages.paginate(logGroupName=GROUP, logStreamNamePrefix="kube-apiserver-audit-", **window)
    )
    print(found)


if __name__ == "__main__":
    main()
