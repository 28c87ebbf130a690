"""Tables are escaped, counted, captioned and readable by assistive software."""

from __future__ import annotations

import pandas as pd
import pytest

from eks_audit_nb.reporting.tables import MISSING, cell_kind, table

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def html_of(frame: pd.DataFrame, columns: dict[str, str], rows: int = 20) -> str:
    return str(table(frame, columns, "Rows", rows)._repr_mimebundle_()[0]["text/html"])


def test_log_text_is_escaped() -> None:
    """Text of the log becomes text of the page, in cells, headings and captions alike."""
    frame = pd.DataFrame({"agent": [HOSTILE]}, dtype="string")
    html = html_of(frame, {"agent": HOSTILE})
    assert "<img" not in html
    assert html.count("&lt;img") == 2
    assert "&lt;b&gt;" in str(table(frame, {"agent": "Agent"}, "<b>")._repr_mimebundle_()[0]["text/html"])


def test_what_turns_the_writing_is_seen() -> None:
    """A cell shows controls and turned writing as escapes, so that no name can pass for another."""
    shown = table(pd.DataFrame({"name": ["web\u202egpj"]}), {"name": "Name"}, "Names")
    assert "web\\u202egpj" in shown.formats["text/html"]


def test_rows_that_are_not_shown_are_counted() -> None:
    """The caption says how many of how many rows are shown."""
    html = html_of(pd.DataFrame({"n": range(1500)}), {"n": "N"}, rows=2)
    assert "<caption>Rows (2 of 1,500)</caption>" in html
    assert html.count("<tr>") == 3


def test_headings_have_a_scope() -> None:
    """Column headings are headings for a screen reader too."""
    assert '<th scope="col">N</th>' in html_of(pd.DataFrame({"n": [1]}), {"n": "N"})


def test_the_part_that_scrolls_has_a_name() -> None:
    """A wide table scrolls in a part that takes the focus and is called like the table, whatever the caption holds."""
    html = str(table(pd.DataFrame({"n": [1]}), {"n": "N"}, HOSTILE)._repr_mimebundle_()[0]["text/html"])
    assert 'tabindex="0" role="region" aria-label="&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;"' in html


@pytest.mark.parametrize(
    ("values", "dtype", "shown"),
    [
        ([None], "string", MISSING),
        ([""], "string", MISSING),
        ([None], "Int64", MISSING),
        ([1234567], "Int64", "1,234,567"),
        ([0.5], "Float64", "0.50"),
        ([True], "boolean", "<strong>yes</strong>"),
        ([False], "boolean", "no"),
        (["2026-11-24T22:30:00.123Z"], "datetime64[us, UTC]", "2026-11-24 22:30:00"),
        ([None], "datetime64[us, UTC]", MISSING),
    ],
)
def test_values_are_written_for_people(values: list[object], dtype: str, shown: str) -> None:
    """Times are UTC to the second, numbers have separators, and a missing value is a dash."""
    assert f">{shown}</td>" in html_of(pd.DataFrame({"v": pd.Series(values, dtype=dtype)}), {"v": "V"})


def test_only_long_words_are_broken() -> None:
    """A key, an address or a time stays on one line; an ARN may be broken."""
    frame = pd.DataFrame(
        {"v": ["ASIA761512CC952F26FD", "2026-11-24 22:30:00", "arn:aws:iam::111122223333:role/shadow"]}
    )
    html = html_of(frame, {"v": "V"})
    assert html.count('class="word"') == 2
    assert html.count('class="long"') == 1


def test_plain_form_is_whole() -> None:
    """Where HTML cannot be shown the same rows stand as text."""
    assert "ASIA1" in repr(table(pd.DataFrame({"k": ["ASIA1"]}), {"k": "Key"}, "Keys"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("arn:aws:iam::111122223333:role/eks-node-group", "long"),
        ("The key of a node's instance role: the chain ends at this node.", "long"),
        ("refused by authorization", ""),
        ("ASIA761512CC952F26FD", "word"),
        ("2026-11-24 22:30:23", "word"),
    ],
)
def test_the_kind_of_a_cell(text: str, kind: str) -> None:
    """ARNs and sentences get room to be broken in, keys and times are read as a whole, and a few words need neither."""
    assert cell_kind(text) == kind
