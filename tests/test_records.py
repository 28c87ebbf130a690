"""What an envelope says about a message: its times in any writing, its stream, its log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.reading.records import MissingMessageError, Record, from_answer, from_log_event, milliseconds

MOMENT = 1_795_559_400_123  # 2026-11-24 22:30:00.123


@given(st.integers(0, 253_402_300_799_999))
def test_milliseconds_come_back(number: int) -> None:
    """A number of milliseconds, and the same moment in ISO 8601, with a zone or without, are that number."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)
    for text in (str(number), instant.isoformat(), instant.isoformat().replace("+00:00", "Z")):
        assert milliseconds(text) == number
    assert milliseconds(instant.replace(tzinfo=None).isoformat(" ")) == number


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "-1", "1.5", "253402300800000", "9" * 5000, "²", "2026-02-30T00:00:00Z", "10:00"]
)
def test_no_time(text: str) -> None:
    """What is no moment of the years 1 to 9999 is none."""
    assert milliseconds(text) is None


def test_the_zone_counts() -> None:
    """A time with a zone is that moment, at the first and the last day of the calendar too."""
    assert milliseconds("2026-11-25T00:30:00.123+02:00") == MOMENT
    assert milliseconds("1969-12-31T23:59:59.9999Z") == -1
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        milliseconds(text)  # beyond what a date can be: no error


def test_from_answer() -> None:
    """A row of an answer gives the message and whatever system fields it has."""
    row = {
        "@message": "text",
        "@timestamp": "2026-11-24 22:30:00.123",
        "@ingestionTime": str(MOMENT + 5),
        "@logStream": "stream",
        "@log": "1:group",
        "@ptr": "pointer",
    }
    assert from_answer(row) == Record("text", MOMENT, MOMENT + 5, "stream", "1:group", "pointer")
    assert from_answer({"@message": "text"}) == Record("text")


def test_an_answer_without_the_message() -> None:
    """A row without a message is an error that knows which fields there are."""
    with pytest.raises(MissingMessageError) as caught:
        from_answer({"@timestamp": "x", "verb": "get"})
    assert caught.value.fields == ("@timestamp", "verb")


@pytest.mark.parametrize(
    ("event", "envelope", "expected"),
    [
        ({}, {}, Record("text", MOMENT)),
        ({"ingestionTime": str(MOMENT + 5), "logStreamName": "own"}, {}, Record("text", MOMENT, MOMENT + 5, "own")),
        ({}, {"logStream": "s", "owner": "1", "logGroup": "g"}, Record("text", MOMENT, None, "s", "1:g")),
        ({"logStreamName": "own"}, {"logStream": "s", "logGroup": "g"}, Record("text", MOMENT, None, "own")),
    ],
)
def test_from_log_event(event: dict[str, str], envelope: dict[str, str], expected: Record) -> None:
    """A log event gives its message and times, and its stream and its log from itself or from what is around it."""
    assert from_log_event({"message": "text", "timestamp": str(MOMENT), **event}, envelope) == expected
