"""Text of a log made harmless: one line that no shell, terminal, page or spreadsheet takes for anything but text.

Names, user agents and paths are chosen by whoever calls: they can hold line breaks, terminal escapes, characters that
turn the direction of writing, backticks, formulas.
"""

from __future__ import annotations

import shlex

from eks_audit_nb.terminal import replace_controls

# What would end a piece of code in Markdown, split a cell of its tables, or begin a formula of MathJax.
_MARKUP = "`|$"
# What begins a formula in a spreadsheet into which somebody pastes the text.
_FORMULA = "=+-@"


def inert(text: str, longest: int = 2000) -> str:
    r"""The text in one line, with every character that could act written as an escape such as \u000a.

    Args:
        text: Anything.
        longest: How many characters of it are kept; that it is cut is said.
    """
    more = len(text) - longest
    shown = "".join(_escaped(each) if _acts(each) else each for each in text[:longest])
    if shown.startswith(tuple(_FORMULA)):
        shown = _escaped(shown[0]) + shown[1:]
    return f"{shown}… ({more:,} more characters)" if more > 0 else shown


def visible(text: str) -> str:
    r"""The text with controls, and what turns the direction of writing or has no sign, as escapes such as \u202e."""
    return replace_controls(text, _escaped)


def shell_quoted(text: str) -> str:
    """The text as one word of bash or zsh; without control characters, which act on a terminal when they are pasted."""
    if all(each.isprintable() for each in text):
        return shlex.quote(text)
    return "$'" + "".join(_ansi(each) for each in text) + "'"


def _acts(character: str) -> bool:
    return character in _MARKUP or not character.isprintable()


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _ansi(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
