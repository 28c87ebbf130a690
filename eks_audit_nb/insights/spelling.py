"""Fields that a query names and no event can have: a sentence each, with the name that was probably meant.

A wrong name is no error of the language: the field is merely missing everywhere, and a filter on it finds nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from eks_audit_nb.insights import schema, tree

SYSTEM_FIELDS = ("@timestamp", "@message", "@logStream", "@log", "@ptr", "@ingestionTime")


def misspelt(query: tree.Query, known: Collection[str]) -> tuple[str, ...]:
    """The sentences, in the order of the text.

    Args:
        query: What is asked.
        known: The names of the events' fields. `sourceIPs.0` stands for all items of a list, and a name that ends in
            `.*` for a map whose keys anyone chooses. A name that is near none of them is left alone: a log group holds
            other lines as well.
    """
    found = [sentence for each in query.queries() for sentence in _of(each, known)]
    return tuple(dict.fromkeys(found))


def _of(query: tree.Query, known: Collection[str]) -> Iterator[str]:
    made = {name for command in query.commands for name in _made(command)}
    for command in query.commands:
        for node in command.walk():
            if isinstance(node, tree.Field) and not _is_made(node.name, made):
                yield from _doubt(node.name, known, made)
        if isinstance(command, tree.Stats):
            return  # behind it only its own columns are visible, and the engines refuse any other name


def _doubt(name: str, known: Collection[str], made: Collection[str]) -> Iterator[str]:
    plain = re.sub(r"\.\d+\b", ".0", name)
    maps = [each.removesuffix("*") for each in known if each.endswith(".*")]
    if plain in known or plain in SYSTEM_FIELDS or name in ("true", "false") or plain.startswith(tuple(maps)):
        return
    if f"{plain}.0" in known:
        yield f"{name} is a list, and only its items are fields: {name}.0 and so on."
        return
    if inside := [each for each in known if each.startswith(f"{plain}.") and not each.endswith("*")]:
        yield f"{name} is a map, and only what lies in it is a field: {', '.join(inside[:3])} and so on."
        return
    names = [*(each for each in known if not each.endswith("*")), *SYSTEM_FIELDS, *sorted(made)]
    by_lower_case = {each.lower(): each for each in names}
    near = difflib.get_close_matches(plain.lower(), by_lower_case, 1, cutoff=0.75)
    if near:
        yield f"No audit event has a field {name}. Did you mean {by_lower_case[near[0]]}?"


def _is_made(name: str, made: Collection[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in made)


def _made(command: tree.Command) -> Iterator[str]:
    yield from schema.added(command)
    for node in command.walk():
        if (isinstance(node, tree.Selection) and node.is_aliased) or (isinstance(node, tree.SortKey) and node.name):
            yield node.name
