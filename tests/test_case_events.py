"""Raw files of events, and parts of a case made of them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.case.events import write_parts
from eks_audit_nb.case.raw import Stretch, accounts_of, counts_by_bin, read_counts, write_counts, write_raw
from eks_audit_nb.window import Window

from conftest import audit_event


def frame(rows: list[tuple[int, str, str]]) -> pd.DataFrame:
    """Rows of a query: time in milliseconds, stream and message."""
    times = pd.Series(pd.to_datetime([time for time, *_ in rows], unit="ms", utc=True)).astype("datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "@timestamp": times,
            "@ingestionTime": times + pd.Timedelta(1, "s"),
            "@logStream": pd.array([stream for _, stream, _ in rows], dtype="string"),
            "@log": pd.array(["111122223333:group"] * len(rows), dtype="string"),
            "@message": pd.array([message for *_, message in rows], dtype="string"),
        }
    )


def test_rows_are_turned_round(tmp_path: Path) -> None:
    """Rows that come newest first are kept by time, then by stream, and of one stream as the service has them."""
    rows = [(5, "b", "new"), (3, "b", "second"), (3, "b", "first"), (3, "a", "ä"), (1, "b", "old")]
    size = write_raw(frame(rows), tmp_path / "raw.parquet")
    held = duckdb.execute(
        "SELECT message, timestamp_ms, ingestion_ms, line FROM read_parquet($1)", [str(tmp_path / "raw.parquet")]
    ).fetchall()
    assert [message for message, *_ in held] == ["old", "ä", "first", "second", "new"]
    assert held[0][1:] == (1, 1001, 1)
    assert size == sum(len(message.encode()) for *_, message in rows)


@settings(max_examples=8)
@given(times=st.lists(st.integers(0, 400), min_size=1, max_size=30), cuts=st.sets(st.integers(1, 400), max_size=4))
def test_parts_hold_all_rows(tmp_path_factory: pytest.TempPathFactory, times: list[int], cuts: set[int]) -> None:
    """However a window is cut into stretches, the parts hold every row once, in lines that count on from the first."""
    folder = tmp_path_factory.mktemp("case")
    newest_first = sorted(times, reverse=True)
    rows = [(time, f"s{n % 2}", json.dumps(audit_event(auditID=f"{n}"))) for n, time in enumerate(newest_first)]
    write_raw(frame(rows), folder / "raw.parquet")
    edges = [0, *sorted(cuts), 401]
    windows = [Window(start, end - 1) for start, end in pairwise(edges)]
    stretches = [Stretch(window, folder / "raw.parquet") for window in windows]
    parts = write_parts(stretches, folder, first_line=7, first_number=3)
    held = duckdb.execute(
        "SELECT line, timestamp_ms, log_stream, message, condition FROM read_parquet($1) ORDER BY line",
        [str(folder / "part-*.odd.parquet")],
    ).fetchall()
    assert [line for line, *_ in held] == list(range(7, 7 + len(rows)))
    assert sorted(row[1:4] for row in held) == sorted(rows)
    assert [row[1:3] for row in held] == sorted(row[:2] for row in rows)
    assert {condition for *_, condition in held} == {""}
    assert sum(part.lines for part in parts) == len(rows)
    assert parts[0].name == "part-00003"
    assert not (folder / "tmp").exists()
    width = 50
    found = counts_by_bin(stretches, width)
    assert found == {b: n for b in range(0, 401, width) if (n := sum(b <= time < b + width for time in times))}


def test_counts_and_account(tmp_path: Path) -> None:
    """Counts are read as they were written; the account is what stands before the group in @log, where it is one."""
    write_counts({50: 2, 0: 1}, tmp_path / "counts.parquet")
    assert read_counts(tmp_path / "counts.parquet") == {0: 1, 50: 2}
    write_raw(frame([(1, "s", "{}")]), tmp_path / "raw.parquet")
    stretch = Stretch(Window(0, 5), tmp_path / "raw.parquet")
    assert accounts_of([stretch]) == ["111122223333"]
    assert accounts_of([]) == []
    write_raw(frame([(1, "s", "{}")]).assign(**{"@log": "group"}), tmp_path / "other.parquet")
    assert accounts_of([Stretch(Window(0, 5), tmp_path / "other.parquet")]) == []
