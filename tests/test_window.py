"""Time windows: what a start and an end may be, and exact milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.errors import WindowError
from eks_audit_nb.window import Window, from_milliseconds, parse_window, to_milliseconds, to_text

NOW = datetime(2026, 11, 24, 22, 30, 0, 123456, tzinfo=UTC)
LAST_DAY = NOW - timedelta(hours=24)
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


def start_of(text: str) -> datetime:
    return parse_window(text, "9999-12-31", now=NOW, default_start=LAST_DAY).start


@given(st.integers(FIRST_MS, LAST_MS))
@settings(deadline=None)
def test_milliseconds_survive_the_round_trip(milliseconds: int) -> None:
    """Milliseconds to an instant and back are the same milliseconds."""
    assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds


@given(st.datetimes(timezones=st.timezones()))
@settings(deadline=None)
def test_instants_are_cut_to_milliseconds(instant: datetime) -> None:
    """An instant to milliseconds and back is at most a millisecond earlier, and never later."""
    try:
        lost = instant - from_milliseconds(to_milliseconds(instant))
    except OverflowError:  # the zone takes it out of the years 1 to 9999
        return
    assert timedelta(0) <= lost < timedelta(milliseconds=1)


@given(st.integers(FIRST_MS, LAST_MS))
@settings(deadline=None)
def test_a_printed_time_is_read_back(milliseconds: int) -> None:
    """A time as Logs Insights prints it is a start that means the same millisecond."""
    text = to_text(milliseconds)
    assert len(text) == len("2026-11-24 22:30:00.123")
    assert parse_window(text, text, now=NOW, default_start=LAST_DAY) == Window(milliseconds, milliseconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", LAST_DAY),
        ("  ", LAST_DAY),
        ("now", NOW),
        ("NOW", NOW),
        ("-24h", NOW - timedelta(hours=24)),
        ("-90m", NOW - timedelta(minutes=90)),
        ("-30s", NOW - timedelta(seconds=30)),
        ("-500ms", NOW - timedelta(milliseconds=500)),
        ("-7d", NOW - timedelta(days=7)),
        ("-2w", NOW - timedelta(weeks=2)),
        (" -1 h ", NOW - timedelta(hours=1)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T10:00:00Z", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00+02:00", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("2026-11-24 10:00:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00.1239999Z", datetime(2026, 11, 24, 10, 0, 0, 123000, tzinfo=UTC)),
    ],
)
def test_what_a_time_may_be(text: str, expected: datetime) -> None:
    """A time is relative, ISO 8601, now or empty; without a zone it is UTC, and it is cut to milliseconds."""
    assert start_of(text) == expected.replace(microsecond=expected.microsecond // 1000 * 1000)


def test_an_empty_end_is_now() -> None:
    """An empty end means now, not the default start."""
    assert parse_window("-1h", "", now=NOW, default_start=LAST_DAY).end_ms == to_milliseconds(NOW)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "24h",
        "-24",
        "-24x",
        "-1.5h",
        "--1h",
        "2026-13-01",
        "2026-11-24T25:00",
        "1795514400000",
        "-99999999999999999999d",
        "-" + "9" * 5000 + "h",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
@pytest.mark.parametrize("which", ["start", "end"])
def test_what_is_no_time(text: str, which: str) -> None:
    """Anything else is refused with the text, which of the two it was, and what to write."""
    ends = {"start": "", "end": "", which: text}
    with pytest.raises(WindowError, match=f"The {which} .* is not a time.*Write") as caught:
        parse_window(**ends, now=NOW, default_start=LAST_DAY)
    assert text[:20] in str(caught.value)


def test_the_end_is_not_before_the_start() -> None:
    """A window that ends before it starts is refused with both times."""
    with pytest.raises(WindowError, match=r"2026-11-24 09:59:59\.999.*2026-11-24 10:00:00\.000"):
        parse_window("2026-11-24T10:00:00Z", "2026-11-24T09:59:59.999Z", now=NOW, default_start=LAST_DAY)


def test_one_millisecond_is_a_window() -> None:
    """Both ends belong to a window, so that one with equal ends holds one millisecond."""
    window = Window(5, 5)
    assert window.start == window.end == from_milliseconds(5)


def test_a_window_prints_as_utc() -> None:
    """A window prints its ends as Logs Insights prints times, and says that they are UTC."""
    assert str(Window(0, 86_399_999)) == "1970-01-01 00:00:00.000 to 1970-01-01 23:59:59.999 UTC"
