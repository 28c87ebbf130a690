"""Saved queries inside a query: `$Name(parameter="value") | limit 10` stands for the text saved under the name.

Source: CloudWatch Logs User Guide, "Save and re-run queries" (autumn 2026): a name with other signs than letters,
digits and `_` stands in backticks, invocations are chained with `|`, there are at most 20 parameters, and no saved
query invokes another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights.lexical import COMMENT, NAME_IN_BACKTICKS, QUOTED, SEARCHED
from eks_audit_nb.insights.rewriting import Piece, Rewritten

# What a saved query says, given its name and parameters: its text, filled in.
SavedQueries = Callable[[str, Mapping[str, object]], str]

MAX_PARAMETERS = 20

# Nothing is invoked inside quoted text, names in backticks, comments and regular expressions.
_TOKEN = re.compile(
    rf"""{QUOTED}|{NAME_IN_BACKTICKS}|{COMMENT}|{SEARCHED}
    |(?P<invoked>\$(?P<name>\w+|`[^`\n]+`)[ \t]*(?P<arguments>\((?:[^()"']|{QUOTED})*\))?)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ARGUMENT = re.compile(
    rf"\s*(?P<name>[A-Za-z_]\w*)\s*=\s*(?:(?P<text>{QUOTED})|(?P<number>-?\d+(?:\.\d+)?))\s*", re.DOTALL
)
_AS_IN = 'Write it as in $secrets_by_user(namespace="kube-system") | limit 10.'


def expand(text: str, saved: SavedQueries) -> Rewritten:
    """Put the texts of saved queries in the place of their invocations.

    Args:
        text: A query.
        saved: Gives the text of a saved query; it raises its own errors for an unknown name or parameter.

    Raises:
        QueryError: An invocation that is not finished, of an unknown query, with too many parameters, or of a query
            that invokes another.
    """
    found = (each for each in _TOKEN.finditer(text) if each["invoked"])
    return Rewritten(text, tuple(Piece(*each.span(), _said(each, text, saved)) for each in found))


def is_invocation(text: str) -> bool:
    """Whether a text invokes any saved query."""
    return any(found["invoked"] for found in _TOKEN.finditer(text))


def _said(found: re.Match[str], text: str, saved: SavedQueries) -> str:
    name = found["name"].strip("`")
    if found["arguments"] is None:
        raise _unfinished(found, text)
    parameters = _arguments(found["arguments"][1:-1], text, found.start("arguments") + 1)
    if len(parameters) > MAX_PARAMETERS:
        message = f"${name} is given {len(parameters)} parameters; {MAX_PARAMETERS} are taken at most"
        raise QueryError(message, text, *found.span(), "Write the query out.")
    try:
        said = saved(name, parameters).strip()
    except QueryError as error:
        raise QueryError(error.message, text, found.start(), found.end("name"), error.hint) from None
    if is_invocation(said):
        raise QueryError(
            f"The saved query ${name} invokes another one", text, *found.span(), "Write the inner query out."
        )
    return f"{said}\n" if "#" in said else said  # a comment at its end takes nothing that follows


def _unfinished(found: re.Match[str], text: str) -> QueryError:
    """The error for a name without its parentheses."""
    name, behind = found["name"].strip("`"), text[found.end() :]
    if behind.startswith("("):
        return QueryError("This parenthesis is not closed", text, found.end(), hint=_AS_IN)
    if "`" not in found["name"] and (more := re.match(r"[-./: ][\w./: -]*(?=\()", behind)):
        whole = f"{name}{more[0]}"
        hint = f"Other signs than letters, digits and _ stand in backticks: $`{whole}`()"
        return QueryError(
            f"The name of a saved query ends at ${name}", text, found.start(), found.end() + more.end(), hint
        )
    return QueryError(f"The saved query ${name} is not followed by (...)", text, *found.span(), _AS_IN)


def _arguments(given: str, text: str, offset: int) -> dict[str, object]:
    parameters: dict[str, object] = {}
    position = 0
    while given.strip():
        found = _ARGUMENT.match(given, position)
        if found is None:
            message = 'A parameter is NAME="text" or NAME=number'
            raise QueryError(message, text, offset + position, offset + len(given), _AS_IN)
        quoted, number = found["text"], found["number"]
        if quoted:
            parameters[found["name"]] = re.sub(r"\\([\"'\\])", r"\1", quoted[1:-1])
        else:
            parameters[found["name"]] = float(number) if "." in number else int(number)
        position = found.end()
        if position == len(given):
            break
        if given[position] != ",":
            raise QueryError("Parameters are separated by commas", text, offset + position, hint=_AS_IN)
        position += 1
    return parameters
