"""Text of a log cannot drive the terminal that it is printed to."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.terminal import cleaned

any_text = st.text(st.characters())


@given(any_text)
def test_nothing_that_controls_is_left(text: str) -> None:
    """A cleaned text is as long as before, shows the same characters, and holds none that controls."""
    clean = cleaned(text)
    assert len(clean) == len(text)
    assert all(unicodedata.category(sign)[0] != "C" for sign in clean)
    assert all(new == old or unicodedata.category(old)[0] == "C" for new, old in zip(clean, text, strict=True))


@given(any_text)
def test_lines_can_be_kept(text: str) -> None:
    """Where lines are kept a line feed stays, and nothing else that controls."""
    assert cleaned(text, keeps_lines=True).split("\n") == [cleaned(line) for line in text.split("\n")]


@pytest.mark.parametrize("text", ["\x1b]0;owned\x07", "\x9b31m", "\u202eevil", "\r", "\x7f", "\ud800", "\u2066"])
def test_known_ways(text: str) -> None:
    """Escape sequences of 7 and 8 bits, a carriage return, turned directions and lone surrogates are taken away."""
    assert cleaned(text)[0] == " "
