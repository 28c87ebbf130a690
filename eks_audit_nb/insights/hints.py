"""What to write instead of a word that cannot stand where it stands."""

from __future__ import annotations

import re
from collections.abc import Collection

from eks_audit_nb.insights import functions, synonyms
from eks_audit_nb.insights.commands import ANSWERED, UNANSWERED
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.insights.slips import slip

_EXAMPLES = {name.lower(): example for name, example in ANSWERED.items()}
_IN_BACKTICKS = "A name with other characters than letters, digits, @ and dots goes in backticks."
_LIST = 'A list holds quoted text and numbers with commas between them, as in verb in ["create", "get"].'

# What to write where one kind of thing can stand.
_ONLY = {
    frozenset({"STRING", "REGEX"}): "Quoted text or a regular expression such as /ab.c/ stands here.",
    frozenset({"LSQB", "LPAR"}): 'A list stands here, as in verb in ["create", "get"], or a query in parentheses.',
    frozenset({"NUMBER"}): "A whole number stands here.",
    frozenset({"NUMBER", "ANY"}): "A whole number stands here, as in limit 100.",
    frozenset({"STRING"}): "Quoted text stands here.",
    frozenset({"NAME"}): f"A name stands here. {_IN_BACKTICKS}",
}
# How the words of the grammar are called that can follow something whole.
_FOLLOWING = {
    "_AS": "`as`",
    "_BY": "`by`",
    "DIRECTION": "`asc` or `desc`",
    "MULTI": "`multi`",
    "COMMA": "a comma",
    "RPAR": "a closing parenthesis",
    "RSQB": "a closing bracket",
    "VBAR": "`|`",
}
_UNCLOSED = {
    '"': 'Close the text with the same quote; a quote inside it is written \\".',
    "'": "Close the text with the same quote; a quote inside it is written \\'.",
    "`": "Close the name with a second backtick.",
}


def hint(text: str, start: int, found: str, accepted: Collection[str]) -> str:
    """What to write.

    Args:
        text: The query.
        start: Where it stops making sense.
        found: What stands there.
        accepted: The terminals of the grammar that can stand there.
    """
    before = text[:start].rstrip()
    if found in _UNCLOSED:
        return _UNCLOSED[found]
    if said := slip(before, text[start:]):
        return said
    if "FIELDS" in accepted and before.endswith("("):
        return 'A query stands in parentheses; a list of values stands in brackets, as in verb in ["create", "get"].'
    if "FIELDS" in accepted:  # a command begins here
        return _command(found, before)
    if frozenset(accepted) in _ONLY:
        return _ONLY[frozenset(accepted)]
    if "OUTPUT" in accepted:
        return "OUTPUT or OUTPUTNEW stands before the columns that the table adds."
    if "RSQB" in accepted:
        return _LIST
    if found == "|":
        return "A command is missing or unfinished before this pipe."
    if found.lower() in _EXAMPLES or found.lower() in UNANSWERED:
        return "Put a `|` before this command."
    if "NAME" in accepted:
        return {
            ",": "Something is missing before this comma.",
            ")": "There is no opening parenthesis for this one, or something is missing before it.",
        }.get(found, "Expected a field, a number, quoted text or a function call.")
    return _after_something_whole(found, before, accepted)


def unfinished(text: str) -> str:
    """What may be missing at the end of a text."""
    kept = text.rstrip()
    if kept.endswith("|"):
        return "Remove the pipe at the end, or write the command that follows it."
    last = re.split(r"[|(]", kept)[-1].split()
    example = _EXAMPLES.get(last[0].lower(), "") if last else ""
    if len(last) == 1 and example:
        return f"{last[0]} is not finished. As in: {example}"
    if text.count("(") > text.count(")"):
        return "A parenthesis is not closed."
    if text.count("[") > text.count("]"):
        return "A list is not closed."
    if kept.endswith(","):
        return "Remove the comma at the end, or write what follows it."
    return f"Something is missing behind the last word{', as in: ' + example if example else '.'}"


def _command(found: str, before: str) -> str:
    if found == "|" and not before:
        return "Remove this pipe: there is no command before it."
    if found == "|":
        return "Two pipes stand side by side; between two conditions write `or`."
    function = functions.find(found)
    if function is not None and function.is_aggregate:
        return f"An aggregate stands in stats: stats {found}(...)"
    if meant := synonyms.COMMANDS.get(found.lower()):
        return meant
    near = nearest(found, (*ANSWERED, *UNANSWERED))
    known = f"Did you mean {near!r}? " if near else ""
    return f"{known}A command begins here: {', '.join(ANSWERED)}."


def _after_something_whole(found: str, before: str, accepted: Collection[str]) -> str:
    if found == ")":
        return "There is no opening parenthesis for this one."
    if found in ("]", "}"):
        return "There is no opening bracket for this one."
    if "LIKE" in accepted:  # behind a value
        function = functions.find(re.split(r"[^\w]", before)[-1])
        if function is not None:
            return f"A function has its parentheses: {function.example}"
        shown = before[-20:]
        follows = (
            "an operator, `and`, `or`, `as`, a comma or `|`" if "_AS" in accepted else "an operator, `and`, `or` or `|`"
        )
        return f"Expected {follows} after {shown!r}. {_IN_BACKTICKS}"
    if "_AND" in accepted:
        return "Conditions are joined with `and` or `or`, commands with `|`."
    can_follow = [word for name, word in _FOLLOWING.items() if name in accepted]
    *others, last = can_follow or ["`|`"]
    return f"Expected {', '.join(others)} or {last} here." if others else f"Expected {last} here."
