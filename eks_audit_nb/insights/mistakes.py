"""What lark's refusals mean to a person: the place, what is wrong there, and what to write instead."""

from __future__ import annotations

import difflib
import re
from typing import Any

from lark import Token, UnexpectedCharacters, UnexpectedToken

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions
from eks_audit_nb.insights.commands import UNANSWERED

# The commands that are answered, as they are named in hints.
COMMANDS = (
    *("fields", "display", "filter", "where", "filterIndex", "stats", "sort", "limit", "dedup", "parse", "json"),
    *("unnest", "expand", "lookup", "cidrlookup", "unmask", "estimate", "source"),
)
_WORDS = (*COMMANDS, *UNANSWERED)


def unexpected_token(error: UnexpectedToken, text: str) -> QueryError:
    """A word that is read and cannot stand where it stands."""
    token: Token = error.token
    if token.type == "$END":
        return QueryError("The query ends too early", text, len(text.rstrip()), hint=unfinished(text))
    start, end = _start(token), _end(token)
    return QueryError(
        f"{str(token)!r} cannot stand here", text, start, end, _hint(text, start, str(token), error.accepts)
    )


def unexpected_character(error: UnexpectedCharacters, text: str) -> QueryError:
    """A character with which no word begins here."""
    start = error.pos_in_stream or 0
    word = re.compile(r"[\w@.]+|.", re.DOTALL).match(text, start)
    shown = word[0] if word else text[start : start + 1]
    message = f"{shown!r} cannot stand here"
    if shown in "\"'":
        message = "This quote is not closed"
    elif shown == "`":
        message = "This backtick is not closed"
    return QueryError(message, text, start, start + len(shown), _hint(text, start, shown, error.allowed))


# What to write where one kind of thing can stand.
_ONLY = {
    frozenset({"STRING", "REGEX"}): "Quoted text or a regular expression such as /ab.c/ stands here.",
    frozenset({"LSQB", "LPAR"}): 'A list stands here, as in verb in ["create", "get"], or a query in parentheses.',
    frozenset({"NUMBER"}): "A whole number stands here.",
    frozenset({"NUMBER", "ANY"}): "A whole number stands here, as in limit 100.",
    frozenset({"NAME"}): "A name stands here; other characters than letters, digits, @ and dots go in backticks.",
}


def _hint(text: str, start: int, found: str, expected: Any) -> str:
    expected = set(expected or ())
    before = text[:start].rstrip()
    if "FIELDS" in expected and before.endswith("("):
        return 'A query stands in parentheses; a list of values stands in brackets, as in verb in ["create", "get"].'
    if "FIELDS" in expected:  # a command begins here
        return _command_hint(found, before)
    if frozenset(expected) in _ONLY:
        return _ONLY[frozenset(expected)]
    if "OUTPUT" in expected:
        return "OUTPUT or OUTPUTNEW stands before the columns that the table adds."
    if "RSQB" in expected:
        return 'A list holds quoted text and numbers with commas between them, as in verb in ["create", "get"].'
    fixed = {
        "&": "Write `and`.",
        ">": "Write `!=` for unequal." if before.endswith("<") else "",
        "|": "Write `or`." if text.startswith("||", start) else "A command is missing or unfinished before this pipe.",
        '"': 'Close the text with the same quote; a quote inside it is written \\".',
        "'": "Close the text with the same quote; a quote inside it is written \\'.",
        "`": "Close the name with a second backtick.",
        "{": "Give the parameter a value: {{name}} is a placeholder of a saved query.",
        "[": "Write `in [...]` for a list of values.",
        "$": 'A saved query stands alone between pipes, as in $Name(parameter="value").',
        ";": "Separate commands with `|`.",
        "*": "A name has no asterisks around it; only count(*) has one.",
        "~": "A regular expression is searched for with =~ or like.",
        "/": "A regular expression stands behind like, =~ or parse.",
    }
    if fixed.get(found):
        return fixed[found]
    if found.lower() in _WORDS:
        return "Put a `|` before this command."
    if "LIKE" in expected:
        return (
            f"Expected an operator, `and`, `or`, `as`, a comma or `|` after {before[-20:]!r}. "
            "A name with other characters than letters, digits, @ and dots goes in backticks."
        )
    if found == ",":
        return "Something is missing before this comma."
    if found == ")":
        return "There is no opening parenthesis for this one, or something is missing before it."
    return "Expected a field, a number, quoted text or a function call."


def _command_hint(found: str, before: str) -> str:
    if found == "|":
        return (
            "Remove this pipe: there is no command before it."
            if not before
            else "Two pipes stand side by side; between two conditions write `or`."
        )
    function = functions.find(found)
    if function is not None and function.is_aggregate:
        return f"An aggregate stands in stats: stats {found}(...)"
    near = difflib.get_close_matches(found.lower(), _WORDS, 1)
    known = f"Did you mean {near[0]!r}? " if near else ""
    return f"{known}A command begins here: {', '.join(COMMANDS)}."


def unfinished(text: str) -> str:
    """What may be missing at the end of the text."""
    if text.rstrip().endswith("|"):
        return "Remove the pipe at the end, or write the command that follows it."
    if text.count("(") > text.count(")"):
        return "A parenthesis is not closed."
    if text.count("[") > text.count("]"):
        return "A list is not closed."
    return "Something is missing behind the last word."


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0
