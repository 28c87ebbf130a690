"""Where JSON values stand in a text: found without being kept, whole ones as well as one that breaks off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_DECODER = json.JSONDecoder()
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_TOKEN = re.compile(_STRING + r'|[{}\[\]]|[^\s,:{}\[\]"]++', re.DOTALL)
_WITHOUT_SPACE = re.compile(rf'(?:[^\s"]++|{_STRING})++', re.DOTALL)
_KEY = re.compile(r'[ \t\r\n,]*"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_GAP = re.compile(r"[ \t\r\n,]*")
# Printed JSON is indented: a line that begins with a bracket begins a value.
_NEXT = re.compile(r"\n(?=[{\[])")


class Span(NamedTuple):
    """A value from `start` to before `end`; one that is not whole ends where the text does or the next one begins."""

    start: int
    end: int
    is_whole: bool


def at(text: str, start: int, stop: int) -> Span:
    """The JSON value that starts at a place, and lies before `stop`."""
    try:
        return Span(start, _DECODER.raw_decode(text, start)[1], True)
    except json.JSONDecodeError:
        following = _NEXT.search(text, start)
        return Span(start, min(following.end() if following else stop, stop), False)
    except (ValueError, RecursionError):  # too many digits or too many levels for Python, and JSON all the same
        return _counted(text, start, stop)


def line(text: str, start: int) -> Span:
    """From a place to the end of its line."""
    end = text.find("\n", start)
    return Span(start, len(text) if end < 0 else end, True)


def skip(text: str, position: int) -> int:
    """The place behind blanks and commas."""
    found = _GAP.match(text, position)
    return found.end() if found else position


def elements(text: str, array: Span) -> Iterator[Span]:
    """The values of an array."""
    position = skip(text, array.start + 1)
    while position < array.end and text[position] != "]":
        element = at(text, position, array.end)
        yield element
        position = skip(text, element.end)


def members(text: str, value: Span) -> Iterator[tuple[str, Span]]:
    """The names and values of an object."""
    position = value.start + 1
    while found := _KEY.match(text, position, value.end):
        member = at(text, found.end(), value.end)
        yield found[1], member
        position = member.end


def compact(text: str, span: Span) -> str:
    """A value's text, on one line as the service holds it, and otherwise as it is."""
    value = text[span.start : span.end]
    return "".join(_WITHOUT_SPACE.findall(value)) if span.is_whole and "\n" in value else value.rstrip()


def _counted(text: str, start: int, stop: int) -> Span:
    depth = 0
    for token in _TOKEN.finditer(text, start, stop):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth <= 0:
            return Span(start, token.end(), True)
    return Span(start, stop, False)
