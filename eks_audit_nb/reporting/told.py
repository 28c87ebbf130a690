"""Text for a write-up in Markdown and in HTML: what comes from a log can be read, and does nothing.

In Markdown every word that is not plain letters, digits and hyphens becomes a piece of code, in which no renderer looks
for links, images, HTML, mentions or formulas. In HTML the same words do, escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup

from eks_audit_nb.analysis.inert import inert

# A word that no renderer of Markdown can take for anything else.
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9'-]*[A-Za-z0-9])?|\d\d:\d\d:\d\d(?:\.\d+)?|\d{1,3}(?:[.,]\d+)+")
# What surrounds a word in a sentence.
_WORD = re.compile(r"(?P<before>\(*)(?P<word>.*?)(?P<after>\)*[.,;:?]?\)*)", re.DOTALL)
_LIST = re.compile(r"\d+[.)]+")
MISSING = "–"


class Finished(str):
    """Text that a template puts out as it is."""

    __slots__ = ()


def prose(text: object) -> Finished:
    """A sentence in Markdown; words that could be markup stand as code."""
    return Finished(
        " ".join(f"{before}{_in_code(word, is_code)}{after}" for before, word, is_code, after in _words(text))
    )


def code(text: object) -> Finished:
    """A value of the log in Markdown, as one piece of code."""
    shown = inert(str(text)).strip()
    return Finished(f"`{shown}`" if shown and shown != MISSING else MISSING)


def prose_html(text: object) -> Markup:
    """A sentence in HTML; the same words stand as code."""
    as_code, as_text = Markup("{}<code>{}</code>{}"), Markup("{}{}{}")
    words = [
        (as_code if is_code else as_text).format(before, word, after) for before, word, is_code, after in _words(text)
    ]
    return Markup(" ").join(words)


def code_html(text: object) -> Markup:
    """A value of the log in HTML, as one piece of code."""
    shown = inert(str(text)).strip()
    if not shown or shown == MISSING:
        return Markup(MISSING)  # noqa: S704  # a dash
    return Markup("<code>{}</code>").format(shown)


def _in_code(word: str, is_code: bool) -> str:
    return f"`{word}`" if is_code else word


def _words(text: object) -> Iterator[tuple[str, str, bool, str]]:
    """Each word with what stands before and after it, and whether it has to be code."""
    words = inert(str(text)).split()
    for place, word in enumerate(words or [MISSING]):
        found = _WORD.fullmatch(word)
        before, core, after = (found["before"], found["word"], found["after"]) if found else ("", word, "")
        if place == 0 and _LIST.fullmatch(word):  # it would begin a list
            before, core, after = "", word, ""
        is_plain = core == MISSING or bool(_PLAIN.fullmatch(core))
        if not core:  # nothing but brackets and points
            before, core, after, is_plain = "", word, "", False
        yield before, core, not is_plain, after
