"""What a query says and probably does not mean: a sentence each, for the notes of a result."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eks_audit_nb.insights import functions, tree

_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T.*)?")
# Wildcards of other languages, which no text of a log begins or ends with but for escapes such as %2F.
_WILDCARD = re.compile(r"%(?![0-9A-Fa-f]{2}).*|\*.*|.*[%*]", re.DOTALL)
_BODIES = ("requestObject.", "responseObject.")


def advice(query: tree.Query) -> tuple[str, ...]:
    """The sentences, in the order of the text."""
    nodes = (node for each in query.queries() for command in each.commands for node in command.walk())
    return tuple(dict.fromkeys(sentence for node in nodes for sentence in _doubts(node, query)))


def _doubts(node: tree.Node, query: tree.Query) -> Iterator[str]:
    match node:
        # annotations.authorization.k8s.io/decision without backticks is two fields and a division.
        case tree.Arithmetic(operator="/" | "-", left=tree.Field(name=name), right=tree.Field() as right):
            written = query.source_of(node)
            if "." in name and not any(sign.isspace() for sign in written):
                read = f"{name} {node.operator} {right.name}"
                yield f"{written} is read as {read}; one name goes in backticks: `{written}`."
        case tree.Arithmetic(operator="-", left=left, right=tree.Minus(operand=operand)):
            between = query.text[left.span.end : operand.span.start]
            if "--" in between:
                yield f"{query.source_of(node)} is read as a subtraction; a comment begins with #."
        case tree.Compared(
            left=tree.Field(name="@timestamp" | "@ingestionTime" as name), right=tree.String(value=value)
        ):
            if _ISO_TIME.fullmatch(value):
                yield (
                    f'{name} compares with "{value}" as text of the form "2026-11-24 22:30:00.000". '
                    "Give the window instead, or compare toMillis(@timestamp)."
                )
        case tree.Compared(left=tree.Field(name=name), right=tree.String(value="true" | "false" as word)):
            if name.startswith(_BODIES):
                written = f"{query.source_of(node.left)} {node.operator} {word}"
                yield f"JSON's {word} is no text but {int(word == 'true')} here: write {written}, without quotes."
        case tree.Like(pattern=tree.String(value=value)):
            if _WILDCARD.fullmatch(value):
                yield (
                    f"like takes a part of the text or /a regular expression/: in {query.source_of(node.pattern)} "
                    "% and * stand for themselves. Leave them out."
                )
        case tree.Period():
            number = functions.capped(node)
            if number != node.number:
                taken = f"{query.source_of(node)} is taken as {number}{node.unit}, which CloudWatch has as the most"
                yield f"{taken}: write {_mended(node)}."


# How many of a unit make one of the next.
_NEXT = {"ms": (1000, "s"), "s": (60, "m"), "m": (60, "h"), "h": (24, "d")}


def _mended(period: tree.Period) -> str:
    """The same period in a unit that is long enough: 300s is 5m."""
    number, unit = period.number, period.unit
    while number > functions.PERIOD_CAPS.get(unit, number):
        many, longer = _NEXT[unit]
        if number % many:
            return "a longer unit"
        number, unit = number // many, longer
    return f"{number}{unit}"
