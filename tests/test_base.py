"""A result: the frame and everything needed to trust it, for people and for machines."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from eks_audit_nb.sources.base import RESULT_MIMETYPE, Estimate, Result, Statistics, limit_note, size_text
from eks_audit_nb.window import Window

RESULT = Result(
    frame=pd.DataFrame({"verb": ["get", "list"]}, dtype="string"),
    query='fields verb\n| filter verb like "<get> & more"\n',
    source="audit.jsonl",
    window=Window(1_795_514_400_000, 1_795_518_000_123),
    statistics=Statistics(13_107, 27_800_000),
    name="mine",
)


class Text(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_summary() -> None:
    """The summary says what was asked, over which window, how many rows of how many events, and that it is whole."""
    assert RESULT.summary() == {
        "Source": "audit.jsonl",
        "Window": "2026-11-24 10:00:00.000 to 2026-11-24 11:00:00.123 UTC",
        "Rows": "2 of 13,107 events read",
        "Scanned": "27.8 MB",
        "Complete": "yes",
    }


def test_an_incomplete_result_says_so() -> None:
    """Where there is a reason for doubt the result is incomplete, and each reason is shown and recorded."""
    doubted = replace(RESULT, reasons=("Two lines are no JSON.", "The service skipped 5 events."))
    assert not doubted.complete
    assert doubted.summary()["Complete"] == "NO. Two lines are no JSON. The service skipped 5 events."
    assert "Complete:  NO." in repr(doubted)
    assert doubted.record()["complete"] is False
    assert doubted.record()["reasons"] == ["Two lines are no JSON.", "The service skipped 5 events."]


def test_notes_are_no_doubt() -> None:
    """Notes are shown and leave the result complete."""
    noted = replace(RESULT, notes=("A sort was left out.",))
    assert noted.complete
    assert noted.summary()["Notes"] == "A sort was left out."


def test_what_is_paid_for_has_a_price() -> None:
    """The cost is shown where the bytes are paid for, and only there."""
    paid = replace(RESULT, is_remote=True, query_id="12345678")
    assert paid.summary()["Scanned"] == "27.8 MB, $0.0001 at AWS's us-east-1 list price"
    assert paid.summary()["Query id"] == "12345678"
    assert "$" not in repr(RESULT)


def test_a_source_without_events() -> None:
    """Without any event there is no window, and that is said."""
    empty = replace(RESULT, window=None, frame=RESULT.frame.head(0), statistics=Statistics())
    assert empty.summary()["Window"] == "no events"
    assert (empty.record()["start"], empty.record()["end"]) == (None, None)


def test_repr_shows_the_query() -> None:
    """The text form ends with the query as it ran, line by line."""
    assert repr(RESULT).endswith('Query:\n    fields verb\n    | filter verb like "<get> & more"')


def test_html_is_escaped() -> None:
    """Nothing of a source's name, a query or a reason becomes markup."""
    hostile = "<script>alert(1)</script>&\"'"
    result = replace(RESULT, source=hostile, query=hostile, name=hostile, reasons=(hostile,), notes=(hostile,))
    html = result._repr_mimebundle_()["text/html"]
    page = Text(html)
    assert "script" not in page.tags
    assert page.text.count(hostile) == 5


def test_mimebundle() -> None:
    """A result shows itself to Jupyter as text, as HTML, and as a record for the report's index."""
    bundle = RESULT._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "text/html", RESULT_MIMETYPE}
    assert bundle["text/plain"] == repr(RESULT)
    assert json.loads(json.dumps(bundle[RESULT_MIMETYPE])) == RESULT.record()


def test_record() -> None:
    """The record holds everything in plain JSON types, times in ISO 8601 with their zone."""
    assert RESULT.record() == {
        "query": RESULT.query,
        "name": "mine",
        "source": "audit.jsonl",
        "start": "2026-11-24T10:00:00+00:00",
        "end": "2026-11-24T11:00:00.123000+00:00",
        "rows": 2,
        "events_scanned": 13_107,
        "bytes_scanned": 27_800_000,
        "complete": True,
        "reasons": [],
        "notes": [],
        "query_id": "",
        "dollars": 0.0,
        "console_url": "",
    }


def test_len() -> None:
    """The length of a result is its number of rows."""
    assert len(RESULT) == 2


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (27_812_345, "27.8 MB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (1_500_000_000, "1.5 GB"),
        (2_340_000_000_000, "2.3 TB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_size_text(size: int, text: str) -> None:
    """Sizes are decimal, as AWS bills them, and no number before a unit reaches the next unit."""
    assert size_text(size) == text


@pytest.mark.parametrize(("limit", "rows", "notes"), [(None, 10, 0), (10, 9, 0), (10, 10, 1), (1, 0, 0)])
def test_limit_note(limit: int | None, rows: int, notes: int) -> None:
    """A limit is noted where as many rows came as it allows."""
    assert len(limit_note(limit, rows)) == notes


def test_dollars() -> None:
    """A gigabyte costs half a cent by default, or what the region asks, and the price is named."""
    assert Statistics(1, 2_000_000_000).dollars == pytest.approx(0.01)
    dear = Statistics(1, 2_000_000_000, dollars_per_gigabyte=0.0075)
    assert dear.dollars == pytest.approx(0.015)
    assert dear.price == "$0.0150 at $0.0075 a GB"


def test_estimate() -> None:
    """An estimate says bytes and dollars, and where the window will be counted first, twice as many at most."""
    window = RESULT.window
    assert window is not None
    once, twice = (Estimate(3_000_000_000, is_planned, 0.005, window) for is_planned in (False, True))
    assert once.most_bytes == 3_000_000_000
    assert once.summary() == {
        "Window": str(window),
        "Would scan": "3.0 GB, $0.0150 at AWS's us-east-1 list price",
    }
    assert twice.most_bytes == 6_000_000_000
    assert twice.summary()["At most"].startswith("6.0 GB, $0.0300 at AWS's us-east-1 list price")


def test_the_console_is_a_link() -> None:
    """The link to the AWS console can be followed in a notebook, and is a line of text elsewhere."""
    linked = replace(RESULT, console_url="https://eu-west-1.console.aws.amazon.com/cloudwatch/home?a=b&c='d'")
    html = linked._repr_mimebundle_()["text/html"]
    assert "home?a=b&amp;c=&#x27;d&#x27;" in html
    assert Text(html).tags.count("a") == 1
    assert linked.summary()["Console"] == linked.record()["console_url"] == linked.console_url
    assert "Console" not in RESULT.summary()
