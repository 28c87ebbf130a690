"""Fields that a query names and no event can have: a sentence each, with what was probably meant.

A wrong name is no error of the language: the field is merely missing everywhere, and a filter on it finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from eks_audit_nb.insights import functions, schema, tree
from eks_audit_nb.insights.nearness import SURE, nearest

SYSTEM_FIELDS = ("@timestamp", "@message", "@logStream", "@log", "@ptr", "@ingestionTime")
_NOTHING = ("null", "none", "nil", "undefined")


def misspelt(query: tree.Query, known: Collection[str]) -> tuple[str, ...]:
    """The sentences, in the order of the text.

    Args:
        query: What is asked.
        known: The names of the events' fields. `sourceIPs.0` stands for all items of a list, and a name that ends in
            `.*` for a map whose keys anyone chooses. A name that is near none of them is left alone: a log group holds
            other lines as well.
    """
    found = [sentence for each in query.queries() for sentence in _Names(each, known).doubts()]
    return tuple(dict.fromkeys(found))


@dataclass
class _Names:
    """The names of one query, and those that there can be."""

    query: tree.Query
    known: Collection[str]

    def __post_init__(self) -> None:
        self.made = {name for command in self.query.commands for name in _made(command)}

    def doubts(self) -> Iterator[str]:
        """A sentence for each name that is none."""
        for command in self.query.commands:
            told: set[int] = set()  # nodes for which their own sentence was said, or none is needed
            for node in command.walk():
                match node:
                    case tree.Expand(source=tree.Field() as field) | tree.Unnest(expression=tree.Field() as field):
                        if self.items_of(field):
                            told.add(id(field))
                    case tree.Compared(right=tree.Field() as word) if self.is_bare_word(word):
                        yield self.unquoted(node, word)
                        told.add(id(word))
                    case tree.Call(arguments=[tree.Field() as field, *_]) if functions.of(node).name.startswith("json"):
                        if self.items_of(field):
                            yield self.not_parsed(node, field)
                            told.add(id(field))
                    case tree.Field(name=name) if id(node) not in told and not _is_among(name, self.made):
                        yield from self.doubt(name)
            if isinstance(command, tree.Stats):
                return  # behind it only its own columns are visible, and the engines refuse any other name

    def items_of(self, field: tree.Field) -> list[str]:
        """What lies in a field that is a list or a map of the event; nothing for any other."""
        if _is_among(field.name, self.made):
            return []
        return [each for each in self.known if each.startswith(f"{field.name}.")]

    def is_bare_word(self, field: tree.Field) -> bool:
        """Whether a name is probably a text whose quotes are missing."""
        name = field.name
        is_word = re.fullmatch(r"\w+", name) and self.query.source_of(field) == name and name not in ("true", "false")
        return bool(is_word) and name not in self.known and name not in self.made

    def unquoted(self, node: tree.Compared, word: tree.Field) -> str:
        """For a bare word beside a field."""
        left = self.query.source_of(node.left)
        if word.name.lower() in _NOTHING:
            meant = f"not ispresent({left})" if node.operator == "=" else f"ispresent({left})"
            return f"{word.name} is read as the name of a field: write {meant}."
        return f'{word.name} without quotes is the name of a field: write {left} {node.operator} "{word.name}".'

    def not_parsed(self, call: tree.Call, field: tree.Field) -> str:
        """For a map or a list of the event, which is no value of a field."""
        taken = f"jsonParse(@message).{field.name}"
        name = functions.of(call).name
        _, *rest = (self.query.source_of(argument) for argument in call.arguments)
        written = taken if name == "jsonParse" else f"{name}({', '.join([taken, *rest])})"
        return f"{field.name} is a list or a map, which is no field: write {written}."

    def doubt(self, name: str) -> Iterator[str]:
        """For a name of a field."""
        plain = re.sub(r"\.\d+\b", ".0", name)
        maps = tuple(each.removesuffix("*") for each in self.known if each.endswith(".*"))
        if plain in self.known or plain in SYSTEM_FIELDS or name in ("true", "false") or plain.startswith(maps):
            return
        if f"{plain}.0" in self.known:
            yield f"{name} is a list, and only its items are fields: {name}.0 and so on."
            return
        if inside := [each for each in self.known if each.startswith(f"{plain}.") and not each.endswith("*")]:
            yield f"{name} is a map, and only what lies in it is a field: {', '.join(inside[:3])} and so on."
            return
        names = [*(each for each in self.known if not each.endswith("*")), *SYSTEM_FIELDS]
        last_of = {each.removesuffix(".0").rpartition(".")[2].lower(): each for each in reversed(names)}
        meant = nearest(plain, [*names, *sorted(self.made)], SURE) or last_of.get(plain.lower(), "")
        if meant:
            yield f"No audit event has a field {name}. Did you mean {meant}?"


def _is_among(name: str, names: Collection[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in names)


def _made(command: tree.Command) -> Iterator[str]:
    yield from schema.added(command)
    for node in command.walk():
        if (isinstance(node, tree.Selection) and node.is_aliased) or (isinstance(node, tree.SortKey) and node.name):
            yield node.name
