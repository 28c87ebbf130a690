"""Saved-query parameters: `{{name}}` in a text stands for a value.

Source: CloudWatch Logs User Guide, "Save and re-run queries" (autumn 2026).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from eks_audit_nb.errors import ParameterError
from eks_audit_nb.insights.lexical import COMMENT, NAME_IN_BACKTICKS, QUOTED, SEARCHED
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.insights.rewriting import Piece, Rewritten

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
# Placeholders, and what holds them in a way of its own; a comment holds none.
_TOKEN = re.compile(
    rf"{COMMENT}|(?P<holds>{QUOTED}|{NAME_IN_BACKTICKS}|{SEARCHED})|(?P<free>{_PLACEHOLDER.pattern})",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# What stands before a place in which the language takes a number or a period and no quoted text.
_BARE = re.compile(
    r"(?:\blimit(?:\s+any)?\s+|\boffset\s+|\b(?:bin|topk)\(\s*"
    r"|\b(?:datefloor|dateceil|rate|pct|histogram)\((?:[^()]|\([^()]*\))*,\s*)\Z",
    re.IGNORECASE,
)
_NUMBER_OR_PERIOD = re.compile(r"\d+(?:\.\d+)?\s*[A-Za-z]{0,12}")
_NEAR = 200  # no call before such a place is longer


class Period(str):
    """A span of time, which stands unquoted."""

    __slots__ = ()


def fill(text: str, values: Mapping[str, object], what: str = "the query") -> Rewritten:
    """Put values in the place of a text's placeholders, as literals of the language.

    Args:
        text: A query with placeholders such as `{{namespace}}`.
        values: Text becomes quoted text, a number stands as it is, a list becomes ["a", "b"], a `Period` 5m. Where the
            language takes no quoted text, as behind limit, a text that is a number or a period stands as it is. Inside
            quotes, backticks or a regular expression the value stands without quotes of its own, for itself.
        what: What the text is called in an error.

    Raises:
        ParameterError: A value that the text has no place for, a place without a value, or a value that is no literal.
    """
    places = list(_places(text))
    wanted = dict.fromkeys(found[1] for found, _ in places)
    refuse_unknown(values, wanted, what)
    missing = [name for name in wanted if name not in values]
    if missing:
        raise ParameterError(f"{what} needs a value for {', '.join(missing)}. Give it with -p NAME VALUE.")
    pieces = (
        Piece(*found.span(), _inside(found[1], values[found[1]], around) if around else _free(text, found, values))
        for found, around in places
    )
    return Rewritten(text, tuple(pieces))


def is_writable(value: str) -> bool:
    """Whether a text can stand in a query as it is; one with both kinds of quotes cannot."""
    try:
        _quoted("value", value)
    except ParameterError:
        return False
    return True


def refuse_unknown(given: Mapping[str, object], known: Mapping[str, object], what: str) -> None:
    """Refuse a name that is not known, with the nearest one that is."""
    for name in given:
        if name not in known:
            near = nearest(name, known)
            has = f"It has: {', '.join(known)}." if known else "It takes none: leave it out."
            raise ParameterError(
                f"{what[:1].upper()}{what[1:]} has no parameter {name!r}. {f'Did you mean {near!r}?' if near else has}"
            )


def _places(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each placeholder, and the sign that closes what it stands in: a quote, a backtick or a slash; "" for nothing."""
    for token in _TOKEN.finditer(text):
        if token["free"] or token["holds"]:
            closing = token["holds"][-1] if token["holds"] else ""
            for found in _PLACEHOLDER.finditer(text, *token.span()):
                yield found, closing


def _free(text: str, found: re.Match[str], values: Mapping[str, object]) -> str:
    name, value = found[1], values[found[1]]
    before = text[max(0, found.start() - _NEAR) : found.start()]
    if isinstance(value, str) and _BARE.search(before) and _NUMBER_OR_PERIOD.fullmatch(value.strip()):
        return value.strip()
    return _literal(name, value)


def _inside(name: str, value: object, closing: str) -> str:
    """A value inside of quotes, backticks or a regular expression."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ParameterError(
            f"The parameter {name} stands inside of other text and takes text or a number, not {value!r}."
        )
    text = str(value)
    if closing == "/":
        return re.escape(text).replace("/", r"\/").replace("\n", "n")  # a backslash stands before it
    if closing in text or "\\" in text or (closing == "`" and "\n" in text):
        raise ParameterError(
            f"The parameter {name} stands inside of {closing} and holds {closing} or a backslash: {value!r}. "
            f"Let {{{{{name}}}}} stand alone, as in like {{{{{name}}}}}."
        )
    return text


def _literal(name: str, value: object) -> str:
    if isinstance(value, Period):
        return str(value)
    if isinstance(value, bool) or value is None:
        raise ParameterError(f"The parameter {name} takes text, a number or a list, not {value!r}.")
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise ParameterError(f"The parameter {name} takes a finite number, not {value!r}.")
        return repr(value)
    if isinstance(value, list | tuple | set):
        return "[" + ", ".join(_literal(name, each) for each in value) + "]"
    return _quoted(name, str(value))


def _quoted(name: str, value: str) -> str:
    # How the service reads a backslash before a quote or a backslash is not documented, so none is ever written there.
    for quote in ('"', "'"):
        if quote not in value and not re.search(r"\\(?:[\"'\\]|\Z)", value):
            return f"{quote}{value}{quote}"
    raise ParameterError(
        f"The parameter {name} holds both kinds of quotes, or a backslash before one or at its end: {value!r}. "
        "Match a part of it with like instead."
    )
