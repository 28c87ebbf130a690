"""Commands that are read and not taken apart: how far each reaches, whatever it holds.

Where such a command ends decides where the next one begins, so that its error names it and nothing else. Its pipes and
parentheses are taken out of the parser's sight, sign for sign, so that every place stays the same.
"""

from __future__ import annotations

import re

from eks_audit_nb.insights.commands import UNANSWERED
from eks_audit_nb.insights.lexical import COMMENT, NAME_IN_BACKTICKS, QUOTED, SEARCHED

_NAMES = re.compile(rf"(?:{'|'.join(sorted((*UNANSWERED, 'source'), key=len, reverse=True))})(?![\w@.])", re.IGNORECASE)
_TOKEN = re.compile(
    rf"(?P<whole>{QUOTED}|{NAME_IN_BACKTICKS}|{COMMENT}|{SEARCHED})|(?P<word>[\w@.]+)|(?P<sign>\S)",
    re.DOTALL | re.IGNORECASE,
)
# What the grammar takes for the end of such a command, and a comment for its beginning.
_ENDS = str.maketrans("|)#", "___")


def masked(text: str) -> str:
    """The text with the signs that would end such a command before its end replaced inside of it."""
    if not _NAMES.search(text):
        return text
    pieces: list[str] = []
    done = 0
    for start, end in _extents(text):
        pieces += [text[done:start], text[start:end].translate(_ENDS)]
        done = end
    return "".join(pieces) + text[done:]


def _extents(text: str) -> list[tuple[int, int]]:
    """Where such commands begin and end."""
    found: list[tuple[int, int]] = []
    outside: list[bool] = []  # of the parentheses around: whether they hold a query
    is_beginning, before = True, ""  # of a command
    start, inside = -1, 0  # of such a command: its place, and how many parentheses are open in it
    for token in _TOKEN.finditer(text):
        word, sign = (token["word"] or "").lower(), token["sign"]
        if start >= 0:
            inside += (sign == "(") - (sign == ")")
            ends = (sign == "|" and inside <= 0) or (sign == ")" and inside < 0 and any(outside))
            if not ends:
                continue
            found.append((start, token.start()))
            start = -1
        if word and is_beginning and _NAMES.fullmatch(word):
            start, inside = token.start(), 0
        elif sign == "(":
            outside.append(before == "in")
        elif sign == ")" and outside:
            outside.pop()
        is_beginning = sign == "|" or (sign == "(" and before == "in") or (is_beginning and token[0].startswith("#"))
        before = word
    return [*found, (start, len(text))] if start >= 0 else found
