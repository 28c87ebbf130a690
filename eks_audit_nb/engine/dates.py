"""Patterns of dates: Java's DateTimeFormatter, as `parseDate` takes them, and strftime's, as `formatDate` does."""

from __future__ import annotations

import re

# Letters of the pattern and how many of them, to strptime. Source: java.time.format.DateTimeFormatter.
_LETTERS = {
    "yyyy": "%Y",
    "uuuu": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "EEEE": "%A",
    "EEE": "%a",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSSSSS": "%f",
    "SSS": "%g",
    "a": "%p",
    "Z": "%z",
    "XXX": "%z",
    "XX": "%z",
    "X": "%z",
}
_PIECE = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z']+)")


def strptime_pattern(java: str) -> str | None:
    """The strptime pattern that reads the same dates; None for one that cannot be said there."""
    pieces = []
    end = 0
    for found in _PIECE.finditer(java):
        if found.start() != end:
            return None
        end = found.end()
        if found["letters"]:
            if found["letters"] not in _LETTERS:
                return None
            pieces.append(_LETTERS[found["letters"]])
        else:
            literal = found["other"] if found["other"] else (found["quoted"].replace("''", "'") or "'")
            pieces.append(literal.replace("%", "%%"))
    return "".join(pieces) if end == len(java) and pieces else None


# What DuckDB writes, and what it can be told in those letters. Source: the C standard's strftime.
_WRITTEN = frozenset("aAbBcdfgGHIjmMpSuUVwWxXyYzZ%")
_SHORT = {"D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "h": "%b"}


def strftime_pattern(pattern: str) -> str | None:
    """The pattern in the letters that DuckDB writes; None for one that it cannot."""
    found = re.findall(r"%-?.?|[^%]+", pattern, re.DOTALL)
    letters = {piece[1:].lstrip("-") for piece in found if piece.startswith("%")}
    if not found or not letters <= _WRITTEN | set(_SHORT):
        return None
    return "".join(_SHORT.get(piece[1:], piece) if piece.startswith("%") else piece for piece in found)
