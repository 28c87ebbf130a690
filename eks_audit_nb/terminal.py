"""Text that may come from a log, on its way to a terminal: its control characters could drive it."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable

# Only these have to be looked up; the printable characters of ASCII are most of a log.
_SUSPECT = re.compile(r"[^ -~]")


def cleaned(text: str, *, keeps_lines: bool = False) -> str:
    """The text with a space for every character that controls rather than shows; line ends stay if they are to."""
    return replace_controls(text, lambda sign: sign if keeps_lines and sign == "\n" else " ")


def replace_controls(text: str, replacement: Callable[[str], str]) -> str:
    """The text with something else for every control or format character, surrogate, or code point without a sign."""
    return _SUSPECT.sub(
        lambda found: replacement(found[0]) if unicodedata.category(found[0])[0] == "C" else found[0], text
    )


def say(text: str) -> None:
    """Print to standard error what is no data."""
    print(cleaned(text), file=sys.stderr)


def complain(message: str) -> None:
    """Print an error of the command, to standard error."""
    # A message may quote the log. Its lines stay: under a query a mark shows the place.
    print(f"eks-audit: {cleaned(message, keeps_lines=True)}", file=sys.stderr)
