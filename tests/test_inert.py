"""Text of a log made harmless for pages, shells and spreadsheets."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.inert import inert, shell_quoted

HOSTILE = st.text(st.sampled_from("`|$<>&[]()!#*_~=+-@\\'\"\n\r\t\x00\x1b\x03\u202e\u2028\ud800ab:/.")) | st.text()


@given(HOSTILE)
def test_one_line_of_printable_characters(text: str) -> None:
    """What comes out is one line without controls, backticks, pipes and dollars, and begins no formula."""
    shown = inert(text)
    assert shown.isprintable()
    assert not set(shown) & set("`|$")
    assert not shown.startswith(("=", "+", "-", "@"))


@given(HOSTILE)
def test_it_can_be_read_back(text: str) -> None:
    """Nothing is lost: with the escapes undone the text is what it was."""
    if "\\" in text:
        return
    undone = re.sub(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})", lambda found: chr(int(found[1] or found[2], 16)), inert(text))
    assert undone == text


def test_long_texts_are_cut_and_it_is_said() -> None:
    """A text that is too long says how much of it is missing."""
    assert inert("a" * 30, 10) == "aaaaaaaaaa… (20 more characters)"


@given(HOSTILE.filter(lambda text: "\x00" not in text and "\ud800" not in text))
def test_one_word_of_a_shell(text: str) -> None:
    """A quoted text holds no control character, which would act on the terminal that it is pasted into."""
    quoted = shell_quoted(text)
    assert quoted.isprintable()
    if text.isprintable():
        assert shlex.split(quoted) == [text]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "text",
    ["", "--all", "a'b", "$(id)", "`id`", "a\nrm -rf /", "\x1b[201~ id", "\u202egnp", "a\\b'\n", "é\x07ü", "'\\''\t"],
)
def test_bash_reads_the_same_text(text: str) -> None:
    """bash gives the text back, and runs nothing of it."""
    done = subprocess.run(["bash", "-c", f"printf %s {shell_quoted(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text
