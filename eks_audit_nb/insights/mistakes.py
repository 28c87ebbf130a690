"""What lark's refusals mean to a person: the place, and what is wrong there; `hints` says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from lark import Token, UnexpectedCharacters, UnexpectedToken

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights.builder import place
from eks_audit_nb.insights.hints import hint, unfinished

# What is shown of a place where no word of the language begins: one that is whole, or one sign.
_SHOWN = re.compile(r"[\w@.]+|.", re.DOTALL)


def unexpected_token(error: UnexpectedToken, text: str) -> QueryError:
    """A word that is read and cannot stand where it stands."""
    token: Token = error.token
    if token.type == "$END":
        return QueryError("The query ends too early", text, len(text.rstrip()), hint=unfinished(text))
    start, end = place(token)
    if token.type in ("UNANSWERED", "SOURCE"):  # which hold all that follows
        return _unexpected(error, text, start)
    shown = text[start:end]
    return QueryError(f"{shown!r} cannot stand here", text, start, end, hint(text, start, shown, _accepted(error)))


def unexpected_character(error: UnexpectedCharacters, text: str) -> QueryError:
    """A character with which no word begins here."""
    return _unexpected(error, text, error.pos_in_stream or 0)


def _unexpected(error: UnexpectedCharacters | UnexpectedToken, text: str, start: int) -> QueryError:
    word = _SHOWN.match(text, start)
    shown = word[0] if word else ""
    message = f"{shown!r} cannot stand here"
    if shown in ('"', "'"):
        message = "This quote is not closed"
    elif shown == "`":
        message = "This backtick is not closed"
    return QueryError(message, text, start, start + len(shown), hint(text, start, shown, _accepted(error)))


def _accepted(error: UnexpectedCharacters | UnexpectedToken) -> Collection[str]:
    """What the grammar takes at the place; lark's own list has what it takes in other places too."""
    parser: Any = error.interactive_parser
    accepted: Collection[str] = parser.accepts()
    return accepted
