"""Saved-query parameters: `{{name}}` in a text stands for a value.

Source: CloudWatch Logs User Guide, "Save and re-run queries" (autumn 2026).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping

from eks_audit_nb.errors import ParameterError

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class Period(str):
    """A span of time, which stands unquoted."""

    __slots__ = ()


def fill(text: str, values: Mapping[str, object], what: str = "the query") -> str:
    """Put values in the place of a text's placeholders, as literals of the language.

    Args:
        text: A query with placeholders such as `{{namespace}}`.
        values: Text becomes quoted text, a number stands as it is, a list becomes ["a", "b"], a `Period` 5m.
        what: What the text is called in an error.

    Raises:
        ParameterError: A value that the text has no place for, a place without a value, or a value that is no literal.
    """
    wanted = dict.fromkeys(_PLACEHOLDER.findall(text))
    refuse_unknown(values, wanted, what)
    missing = [name for name in wanted if name not in values]
    if missing:
        raise ParameterError(f"{what} needs a value for {', '.join(missing)}. Give it with -p NAME VALUE.")
    return _PLACEHOLDER.sub(lambda found: _literal(found[1], values[found[1]]), text)


def refuse_unknown(given: Mapping[str, object], known: Mapping[str, object], what: str) -> None:
    """Refuse a name that is not known, with the nearest one that is."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            has = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known) or 'none'}."
            raise ParameterError(f"{what} has no parameter {name!r}. {has}")


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
