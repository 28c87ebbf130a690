"""How long a question takes once a log is a case: `python benchmarks/warm.py` prints a table.

Each question is asked several times of one open case, in a process of its own. DuckDB by hand asks a Parquet file
of the lines and the fields (as `build.py` makes it) for the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import build
import measure
from peers.common import QUESTIONS

_ASKED = 5
# By what they need: columns alone, a few lines, or a field that has no column.
ASKED = {
    "count of all": "stats count(*)",
    "d": QUESTIONS["d"].text,
    "c": QUESTIONS["c"].text,
    "a": QUESTIONS["a"].text,
    "b": QUESTIONS["b"].text,
    "newest 20": "fields @timestamp, @message | limit 20",
    "count by requestObject.kind": "stats count(*) by requestObject.kind",
    "rows by requestObject.kind": 'filter requestObject.kind = "ConfigMap" | fields @timestamp, @message',
}
BY_HAND = {
    "count of all": "SELECT count(*) FROM events",
    "d": 'SELECT verb, "user.username", count(*) FROM events GROUP BY ALL',
    "a": """SELECT stageTimestamp, line FROM events WHERE verb IN ('update', 'patch')
        AND "objectRef.resource" = 'configmaps' AND "objectRef.name" = 'aws-auth'
        AND "objectRef.namespace" = 'kube-system' ORDER BY 1 DESC""",
    "count by requestObject.kind": """SELECT json_extract_string(line, '$.requestObject.kind'), count(*)
        FROM events GROUP BY ALL""",
}


def main() -> None:
    """Measure and print, or ask once where a question is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="how many to make")
    parser.add_argument("--file", type=Path, help="take this file of generate.py instead of making one")
    parser.add_argument("--once", nargs=3, metavar=("WHO", "FOLDER", "QUESTION"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        who, folder, name = given.once
        print(json.dumps(_ask_case(Path(folder), name) if who == "case" else _ask_parquet(Path(folder), name)))
        return
    with measure.log(given.file, given.events) as path, tempfile.TemporaryDirectory() as folder:
        machine = measure.machine()
        case, by_hand = Path(folder, "case"), Path(folder, "by-hand")
        for name, out in (("eks-audit", case), ("DuckDB by hand", by_hand)):
            out.mkdir()
            measure.run([sys.executable, "build.py", "--once", name, str(path), str(out)])
        sizes = [sum(each.stat().st_size for each in out.iterdir()) / 1e6 for out in (case, by_hand)]
        print(f"{machine}; {measure.versions('eks-audit-nb', 'duckdb')}. Median of {_ASKED} askings in one process.")
        print(f"Of {path.stat().st_size / 1e6:,.1f} MB: a case of {sizes[0]:,.1f} MB, by hand {sizes[1]:,.1f} MB.\n")
        print("| question | rows | case: first | again | MB | by hand: first | again | MB |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name in ASKED:
            rows, cells = _once("case", case, name)
            others = _once("parquet", by_hand, name)[1] if name in BY_HAND else " | | "
            title = QUESTIONS[name].title if name in QUESTIONS else name
            print(f"| {title} | {rows:,} | {cells} | {others} |")


def _once(who: str, folder: Path, name: str) -> tuple[int, str]:
    run = measure.run([sys.executable, "warm.py", "--once", who, str(folder), name])
    said: dict[str, Any] = json.loads(run.output)
    seconds: list[float] = said["seconds"]
    return said["rows"], f"{seconds[0]:.3f} | {statistics.median(seconds[1:]):.3f} | {said['megabytes']:,.0f}"


def _ask_case(folder: Path, name: str) -> dict[str, Any]:
    from eks_audit_nb import connect

    source = connect(str(folder))
    seconds = []
    for _ in range(_ASKED + 1):
        begin = time.perf_counter()
        result = source.run(ASKED[name])
        seconds.append(time.perf_counter() - begin)
    return _said(len(result.frame), seconds)


def _ask_parquet(folder: Path, name: str) -> dict[str, Any]:
    import duckdb

    seconds = []
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"CREATE VIEW events AS FROM read_parquet('{folder / 'events.parquet'}')")
        for _ in range(_ASKED + 1):
            begin = time.perf_counter()
            rows = connection.execute(BY_HAND[name]).fetchall()
            seconds.append(time.perf_counter() - begin)
    return _said(len(rows), seconds)


def _said(rows: int, seconds: list[float]) -> dict[str, Any]:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"rows": rows, "seconds": seconds, "megabytes": memory / 1e6}


if __name__ == "__main__":
    assert set(BY_HAND) <= set(ASKED)  # noqa: S101  # and build.py made the columns that they name
    assert {"verb", "user.username"} <= set(build.FIELDS)  # noqa: S101
    main()
