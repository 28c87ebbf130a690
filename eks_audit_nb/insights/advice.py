"""What a query says and probably does not mean: a sentence each, for the notes of a result."""

from __future__ import annotations

import re

from eks_audit_nb.insights import tree

_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T.*)?")


def advice(query: tree.Query) -> tuple[str, ...]:
    """The sentences, in the order of the text."""
    found = [text for command in query.commands for node in command.walk() if (text := _doubt(node, query))]
    return tuple(dict.fromkeys(found))


def _doubt(node: tree.Node, query: tree.Query) -> str:
    match node:
        # annotations.authorization.k8s.io/decision without backticks is two fields and a division.
        case tree.Arithmetic(operator="/" | "-", left=tree.Field(name=name), right=tree.Field() as right):
            written = query.source_of(node)
            if "." in name and not any(sign.isspace() for sign in written):
                read = f"{name} {node.operator} {right.name}"
                return f"{written} is read as {read}; one name goes in backticks: `{written}`."
        case tree.Compared(
            left=tree.Field(name="@timestamp" | "@ingestionTime" as name), right=tree.String(value=value)
        ):
            if _ISO_TIME.fullmatch(value):
                return (
                    f'{name} compares with "{value}" as text of the form "2026-11-24 22:30:00.000". '
                    "Give the window instead, or compare toMillis(@timestamp)."
                )
    return ""
