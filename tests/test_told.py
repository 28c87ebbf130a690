"""Text of a log in Markdown and HTML: it can be read, and does nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.inert import inert
from eks_audit_nb.reporting.told import code, code_html, prose, prose_html

BITS = [
    "[click](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "https://evil.example/?a=b",
    "www.evil.example",
    "bob@evil.example",
    "@someone",
    "$x^2$",
    "$$y$$",
    "\\(z\\)",
    "`",
    "``",
    "```",
    "|",
    "\n\n# title",
    "\n---\n",
    "\n| a | b |\n|---|---|\n",
    "\n- item",
    "1. item",
    "    code",
    "*b*",
    "__b__",
    "~~s~~",
    "=cmd|' /C calc'!A0",
    "&lt;b&gt;",
    "[ref]: http://evil.example",
    "[^1]",
    "<!-- ",
    "-->",
    "</code>",
    "]]>",
    "\u202e",
    "\x1b[31m",
    "plain",
    "(in brackets),",
    " ",
    "\\",
    ":smile:",
]
HOSTILE = st.lists(st.sampled_from(BITS), max_size=6).map("".join) | st.text(max_size=60)
render = mistune.create_markdown(
    escape=False, plugins=["url", "table", "strikethrough", "footnotes", "math", "task_lists", "def_list", "abbr"]
)


class Tags(HTMLParser):
    """The tags and the text of a page, and whether an attribute was there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.attributes: list[object] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@given(HOSTILE)
def test_sentences_in_markdown(text: str) -> None:
    """A sentence is words and pieces of code, whatever the log holds: no link, image, HTML or formula."""
    found = Tags(str(render(f"- Told: {prose(text)}\n")))
    assert set(found.tags) <= {"ul", "li", "code"}
    assert found.tags.count("li") == 1
    assert not found.attributes


@given(HOSTILE, HOSTILE)
def test_cells_in_markdown(first: str, second: str) -> None:
    """A row of a table stays one row with its cells, whatever the log holds."""
    found = Tags(str(render(f"| A | B |\n|---|---|\n| {code(first)} | {prose(second)} |\n")))
    assert set(found.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert found.tags.count("tr") == 2
    assert found.tags.count("td") == 2
    assert not found.attributes


@given(HOSTILE)
def test_values_in_markdown_can_be_read(text: str) -> None:
    """A value stands there whole, with the escapes of `inert`."""
    shown = code(text)
    expected = inert(text).strip() or "–"
    assert shown in (f"`{expected}`", expected)


@given(HOSTILE)
def test_html(text: str) -> None:
    """In HTML there is no tag but code, and the text is the same."""
    for page in (prose_html(text), code_html(text)):
        found = Tags(str(page))
        assert set(found.tags) <= {"code"}
        assert not found.attributes
    assert Tags(str(code_html(text))).text == (inert(text).strip() or "–")
    assert Tags(str(prose_html(text))).text.split() == (inert(text).split() or ["–"])


@pytest.mark.parametrize("bit", BITS)
def test_nothing_that_acts_stands_outside_of_code(bit: str) -> None:
    """Outside of code there are letters, digits, hyphens and the signs of a sentence, and nothing else."""
    outside = re.sub(r"`[^`]*`", "", prose(f"the caller {bit} did it"))
    assert re.fullmatch(r"[A-Za-z0-9 '.,:;?()–-]*", outside)


def test_plain_sentences_stay_plain() -> None:
    """Words of our own are not dressed up; names of a log with signs in them are."""
    told = prose("It was made at 22:30:13 by alice, since Group acme:ops (arn:aws:x) says so.")
    assert told == "It was made at 22:30:13 by alice, since Group `acme:ops` (`arn:aws:x`) says so."
    assert prose("") == code("") == "–"
