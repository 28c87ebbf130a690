"""JSON values are found where they stand, to the last character, whatever stands around them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.reading import spans
from eks_audit_nb.reading.spans import Span

texts = st.text(st.sampled_from('ab"\\{}[],: \n\tä😀'), max_size=6)
leaves = st.none() | st.booleans() | st.integers(-99, 99) | texts
values = st.recursive(leaves, lambda some: st.lists(some, max_size=4) | st.dictionaries(texts, some, max_size=4))
indents = st.sampled_from([None, 1])


def cut(text: str, span: Span) -> str:
    return text[span.start : span.end]


@given(values, indents, st.sampled_from(["", " ", "\n", ","]), st.sampled_from(["", " x", "{", "]", "\n{}"]))
def test_at(value: Any, indent: int | None, before: str, behind: str) -> None:
    """A value reaches from its first character to its last one, and what follows is none of it."""
    written = json.dumps([value], indent=indent, ensure_ascii=False)
    text = before + written + behind
    assert spans.at(text, len(before), len(text)) == Span(len(before), len(before) + len(written), True)


@given(st.lists(values, max_size=5), indents)
def test_elements(items: list[Any], indent: int | None) -> None:
    """The elements of an array are its values, in order."""
    text = json.dumps(items, indent=indent)
    found = list(spans.elements(text, Span(0, len(text), True)))
    assert [json.loads(cut(text, each)) for each in found] == items
    assert all(each.is_whole for each in found)


@given(st.dictionaries(texts, values, max_size=5), indents)
def test_members(items: dict[str, Any], indent: int | None) -> None:
    """The members of an object are its names, as they are written, and its values."""
    text = json.dumps(items, indent=indent)
    found = list(spans.members(text, Span(0, len(text), True)))
    assert [(json.loads(f'"{name}"'), json.loads(cut(text, each))) for name, each in found] == list(items.items())


@given(values)
def test_compact(value: Any) -> None:
    """A printed value on one line is the same value, with no space left but in its texts."""
    written = json.dumps([value], indent=1)
    compact = spans.compact(written, Span(0, len(written), True))
    assert compact == json.dumps([value], separators=(",", ":"))


@pytest.mark.parametrize("text", ["[" * 99_999 + "]" * 99_999, '{"a":' * 5000 + "1" + "}" * 5000, f"[{'9' * 5000}]"])
def test_what_python_refuses(text: str) -> None:
    """Values too deep or too long for Python's own reader are found all the same."""
    assert spans.at(f"{text} behind", 0, len(text) + 7) == Span(0, len(text), True)
    assert not spans.at(text[:-1], 0, len(text) - 1).is_whole


@given(values.map(lambda value: json.dumps([value])), st.data())
def test_a_value_that_breaks_off(text: str, data: Any) -> None:
    """A value that breaks off is not whole, and ends with the text or where the next one begins."""
    part = text[: data.draw(st.integers(1, len(text) - 1))]
    assert spans.at(part, 0, len(part)) == Span(0, len(part), False)
    assert spans.at(f"{part}\n[]", 0, len(part) + 3) == Span(0, len(part) + 1, False)


def test_line_and_skip() -> None:
    """A line ends before its end of line; blanks and commas are passed over, and nothing else."""
    assert spans.line("ab\ncd", 0) == Span(0, 2, True)
    assert spans.line("ab\ncd", 3) == Span(3, 5, True)
    assert spans.skip("a, \r\n\t,b", 1) == 7
    assert spans.skip("a;b", 1) == 1
