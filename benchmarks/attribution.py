"""How long attributing flat columns takes, and how much memory it adds: `python benchmarks/attribution.py`.

The columns are those of events as `generate.py` makes them, as many as asked for; each row has texts of its own, as
rows that were read from a log have. Taking events apart is not part of the figure, and is measured by itself.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

import measure
import numpy as np
import pandas as pd
from generate import log

from eks_audit_nb.analysis.attribution import attributed, credentials
from eks_audit_nb.events import COLUMNS, flatten

_TAKEN_APART = 20_000  # events that are made and taken apart; the rows are copies of them
_CHANGING = ("audit_id", "uri", "name", "message")  # texts that differ from row to row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--callers", type=int, default=200, metavar="N", help="sessions of each actor")
    given = parser.parse_args()
    lines = b"".join(log(_TAKEN_APART, 1)).decode().splitlines()
    times = pd.date_range("2026-11-24T06:00:00Z", periods=len(lines), freq="ms").astype("datetime64[us, UTC]")
    start = time.perf_counter()
    events = flatten(pd.DataFrame({"@timestamp": times, "@message": pd.Series(lines, dtype="string")}))
    per_event = (time.perf_counter() - start) / len(events)
    requests = rows(events.drop(columns="raw"), given.rows, given.callers)

    before = resident()
    start = time.perf_counter()
    found = attributed(requests)
    seconds = time.perf_counter() - start
    most = peak()
    start = time.perf_counter()
    grouped = credentials(found)
    grouping = time.perf_counter() - start
    print(f"{measure.machine()}; {measure.versions('eks-audit-nb', 'pandas', 'numpy')}.\n")
    print("| step | rows | seconds | MB more |\n|---|---:|---:|---:|")
    print(f"| attributed | {len(found):,} | {seconds:.2f} | {most - before:,.0f} |")
    print(f"| credentials | {len(grouped):,} | {grouping:.2f} | |")
    print(f"| flatten, an event | 1 | {per_event:.6f} | |")


def rows(events: pd.DataFrame, number: int, callers: int) -> pd.DataFrame:
    """As many requests, drawn from the events, with texts of their own and more callers than the events have."""
    draw = random.Random(1)  # noqa: S311  # the same again, and no secret
    places = np.random.default_rng(1).integers(0, len(events), number)
    made: dict[str, pd.Series] = {}
    who = [draw.randrange(callers) for _ in range(number)]
    for name in events:
        column = events[name].take(places).reset_index(drop=True)
        if COLUMNS[name] == "string":
            values = column.to_numpy(object, na_value=None)
            suffix = [f"-{n}" for n in (range(number) if name in _CHANGING else who)]
            if name in (*_CHANGING, "access_key", "session", "credential_id"):
                column = pd.Series([v and v + end for v, end in zip(values, suffix, strict=True)], dtype="string")
            elif name == "source_ip":
                made_up = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in who]
                column = pd.Series(made_up, dtype="string")
            else:  # the same text, but a copy of it for each row
                column = pd.Series([v and (v + " ")[:-1] for v in values], dtype="string")
        made[name] = column
    return pd.DataFrame(made, copy=False)


def resident() -> float:
    """The memory that this process has now, in MB; its peak is reset where the system can."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def peak() -> float:
    """The most memory that this process has had since `resident`, in MB."""
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
