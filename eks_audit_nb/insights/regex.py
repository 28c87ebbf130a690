"""Regular expressions of the language: RE2 syntax with named groups written `(?<name>...)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PIECE = re.compile(
    r"""
      (?P<quoted>\\Q.*?(?:\\E|\Z))                  # quoted text opens nothing
    | (?P<escaped>\\.)                              # nor does an escaped character
    | (?P<set>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])  # nor anything in a character class
    | \(\?P?<(?P<name>[^>!=]+)>                     # a named group
    | \((?P<special>\?)                             # (?:...), (?i) and their like
    | (?P<plain>\()                                 # a numbered group
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Groups:
    """A pattern whose named groups have become numbered ones, and the number of each name."""

    pattern: str
    numbers: dict[str, int]
    count: int


def groups(pattern: str) -> Groups:
    """Take the names out of a pattern: group names of Insights such as `@user` are none in RE2."""
    count = 0
    numbers: dict[str, int] = {}

    def replace(found: re.Match[str]) -> str:
        nonlocal count
        if found["name"]:
            count += 1
            numbers.setdefault(found["name"], count)
            return "("
        if found["plain"]:
            count += 1
        return found[0]

    replaced = _PIECE.sub(replace, pattern)
    return Groups(replaced, numbers, count)


def from_glob(glob: str) -> str:
    """The pattern of a `parse` glob: the text between the stars as it stands, each star as short as it can be.

    A star at the end takes the rest of the text, over line ends too.
    """
    *heads, tail = glob.split("*")
    pattern = "(.*?)".join([*map(re.escape, heads), re.escape(tail)])
    if not tail and heads:
        pattern = pattern[: -len("(.*?)")] + "(.*)"
    return "(?s)" + pattern
