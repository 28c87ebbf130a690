"""Figures count right, say so in words, and survive what a log can hold."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import pandas as pd
import pytest

from eks_audit_nb.reporting.plots import activity_over_time, counts_over_time, ranked, timeline
from eks_audit_nb.reporting.shown import Shown


def alt_of(shown: Shown) -> str:
    return str(shown._repr_mimebundle_()[1]["image/png"]["alt"])


def rows(*pairs: tuple[str, str | None]) -> pd.DataFrame:
    times = pd.to_datetime([time for time, _ in pairs], utc=True)
    return pd.DataFrame({"time": times, "verb": pd.Series([verb for _, verb in pairs], dtype="string")})


def test_every_span_is_counted() -> None:
    """Spans without a row count 0, and the sum over all spans and kinds is the number of rows."""
    frame = rows(("2026-11-24 10:00:30", "get"), ("2026-11-24 10:03:10", "list"), ("2026-11-24 10:03:50", "get"))
    counts = counts_over_time(frame, "verb", "1min")
    assert counts["get"].tolist() == [1, 0, 0, 1]
    assert counts["list"].tolist() == [0, 0, 0, 1]


def test_rare_kinds_are_put_together() -> None:
    """Beyond six kinds the rest is shown as others, and none is lost."""
    frame = rows(*(("2026-11-24 10:00:00", verb) for verb in "aabbccddeeffgh"))
    counts = counts_over_time(frame, "verb", "1min")
    assert counts["others"].sum() == 2
    assert counts.to_numpy().sum() == len(frame)


def test_missing_kind_is_named() -> None:
    """A row without the value is counted as none."""
    assert counts_over_time(rows(("2026-11-24 10:00:00", None)), "verb", "1min")["none"].sum() == 1


def test_alt_text_has_the_numbers() -> None:
    """The alternative text says how many there were, when the most, and of which kind."""
    shown = activity_over_time(
        rows(("2026-11-24 10:00:00", "get"), ("2026-11-24 10:00:00", "list")), "verb", "Requests"
    )
    assert "2 in all" in alt_of(shown)
    assert "The most are 2 at 2026-11-24 10:00:00 UTC" in alt_of(shown)
    assert "get 1" in alt_of(shown)


def test_empty_figures() -> None:
    """Without rows there is a figure that says so."""
    assert "nothing in the window" in alt_of(activity_over_time(rows(), "verb", "Requests"))
    assert "nothing in the window" in alt_of(ranked(pd.Series(dtype="int64"), "Requests"))


def test_labels_are_no_mathematics() -> None:
    """A dollar sign, a backslash or an underscore in a name of the log is drawn as it is."""
    hostile = pd.Series([3, 2, 1], index=["$x_{1}$", "\\alpha", "_hidden"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "$x_{1}$ 3" in alt_of(ranked(hostile, "Kinds"))
        frame = rows(("2026-11-24 10:00:00", "$x_{1}$"), ("2026-11-24 10:00:00", "_hidden"))
        assert "_hidden 1" in alt_of(activity_over_time(frame, "verb", "Requests"))


@pytest.mark.parametrize("kind", ["$\\nonsense{$", "$$", "\\$x$", "a$b"])
def test_broken_mathematics(kind: str) -> None:
    """A kind that matplotlib would take for mathematics, and for wrong ones, does not cost the figure."""
    assert "1 in all" in alt_of(activity_over_time(rows(("2026-11-24 10:00:00", kind)), "verb", "Requests"))


def test_the_column_has_a_spoken_name() -> None:
    """The alternative text says a column's name in words, or the label that was given for it."""
    frame = rows(("2026-11-24 10:00:00", "get")).rename(columns={"verb": "source_ip"})
    assert "By source ip: get 1" in alt_of(activity_over_time(frame, "source_ip", "Requests"))
    assert "By address: get 1" in alt_of(activity_over_time(frame, "source_ip", "Requests", label="address"))


def an_hour_and(*others: datetime) -> pd.DataFrame:
    times = [*(datetime(2026, 11, 24, 10, minute, tzinfo=UTC) for minute in range(60)), *others]
    frame = pd.DataFrame({"time": pd.Series(times, dtype="datetime64[us, UTC]")})
    return frame.assign(verb=pd.Series(["get"] * len(frame), dtype="string"))


@pytest.mark.parametrize(
    "others",
    [
        [datetime(1, 1, 1, tzinfo=UTC)],
        [datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)],
        [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)],
        [datetime(2001, 1, 1, tzinfo=UTC)],
        [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)],
    ],
)
def test_times_out_of_range(others: list[datetime]) -> None:
    """Rows of forged times are left out of the figure and counted in words; every other row is in it."""
    alt = alt_of(activity_over_time(an_hour_and(*others), "verb", "Requests"))
    assert "Requests per minute, 60 in all. The most are 1 at 2026-11-24 10:00:00 UTC." in alt
    assert f"Not counted: {len(others)} row" in alt


def test_only_times_out_of_range() -> None:
    """Where no row can be drawn the figure says how many there were."""
    frame = an_hour_and(datetime(1, 1, 1, tzinfo=UTC)).tail(1)
    assert "An empty figure: Requests: 1 row has a time out of range." in alt_of(
        activity_over_time(frame, "verb", "Requests")
    )


def test_a_log_of_years_is_whole() -> None:
    """In a log that reaches over years no row is taken for a forged one."""
    frame = an_hour_and().assign(time=pd.date_range("2020-01-01", periods=60, freq="30D", tz="UTC", unit="us"))
    alt = alt_of(activity_over_time(frame, "verb", "Requests"))
    assert "60 in all" in alt
    assert "Not counted" not in alt


def test_long_windows_have_few_bars() -> None:
    """The width of a bar grows with the window, so that a year is as readable as a minute."""
    frame = rows(("2025-11-24 10:00:00", "get"), ("2026-11-24 10:00:00", "get"))
    assert "per 7 days" in alt_of(activity_over_time(frame, "verb", "Requests")).replace("week", "7 days")


def test_timeline() -> None:
    """A timeline says in words how many marks each lane and each colour has, the rest of many lanes put together."""
    frame = rows(
        ("2026-11-24 10:00:00", "create"), ("2026-11-24 10:05:00", "delete"), ("2026-11-24 10:06:00", "delete")
    )
    shown = timeline(frame.assign(who=["alice", "bob", None]), "verb", "who", "Requests", label="caller")
    assert alt_of(shown) == (
        "A timeline: Requests, 3 in all, from 2026-11-24 10:00:00 to 2026-11-24 10:06:00 UTC. "
        "Lanes: create 1; delete 2. By caller: alice 1, bob 1, none 1."
    )
    many = rows(*(("2026-11-24 10:00:00", f"$x_{number}$") for number in range(20)))
    assert "others 8" in alt_of(timeline(many, "verb", "verb", "Requests"))
    assert "nothing in the window" in alt_of(timeline(rows(), "verb", "verb", "Requests"))
