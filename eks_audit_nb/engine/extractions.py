"""What takes fields out of a value, or rows out of a list: parse in its forms, unnest, expand; steps of a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eks_audit_nb.engine.expressions import accessed, compile_expression
from eks_audit_nb.engine.values import Kind, Value, structure, text
from eks_audit_nb.insights import regex, tree

if TYPE_CHECKING:
    from eks_audit_nb.engine.chain import Chain


def parse(chain: Chain, command: tree.Parse) -> None:
    """Take fields out of a text."""
    subject = text(chain.field(command.source))
    numbers = {name: number for number, name in enumerate(command.names, 1)}
    if isinstance(command.pattern, tree.Regex):
        found = regex.groups(command.pattern.pattern)
        pattern = found.pattern
        if command.names == tuple(found.numbers):  # names behind `as` go by the groups' order, over their own names
            numbers = found.numbers
    else:
        pattern = regex.from_glob(command.pattern.value)
    bound = chain.bind(pattern)
    if command.is_multi:
        _parse_all(chain, command, subject, bound, numbers)
        return
    groups = ", ".join(f"'g{number}'" for number in range(1, max(numbers.values()) + 1))
    found_in = f"CASE WHEN regexp_matches({subject}, {bound}) THEN regexp_extract({subject}, {bound}, [{groups}]) END"
    match = chain.new_column()
    chain.step(f"SELECT *, {found_in} AS {match} FROM {chain.relation}")
    columns = []
    for name in command.names:
        column = chain.new_column()
        columns.append(f"{match}.g{numbers[name]} AS {column}")
        chain.visible[name] = Value(column, Kind.TEXT)
    chain.step(f"SELECT *, {', '.join(columns)} FROM {chain.relation}")


def _parse_all(chain: Chain, command: tree.Parse, subject: str, bound: str, numbers: dict[str, int]) -> None:
    """One row for each match; an event without one stays as it is."""
    columns = []
    rank = chain.new_column()
    for name in command.names:
        column = chain.new_column()
        group = f"CAST({chain.bind(numbers[name])} AS INTEGER)"
        matches = f"regexp_extract_all({subject}, {bound}, {group})"
        # A group that takes no part in a match is empty, as regexp_extract has it.
        texts = f"list_transform({matches}, lambda found: coalesce(found, ''))"
        every = f"CASE WHEN len({matches}) > 0 THEN {texts} ELSE [NULL] END"
        columns.append(f"unnest({every}) AS {column}")
        chain.visible[name] = Value(column, Kind.TEXT)
    columns.append(f"generate_subscripts({every}, 1) AS {rank}")
    chain.ranks.append(rank)
    chain.step(f"SELECT *, {', '.join(columns)} FROM {chain.relation}")


def parse_format(chain: Chain, command: tree.ParseCsv | tree.ParseLogfmt | tree.ParseJson) -> None:
    """Take fields out of CSV, logfmt or JSON."""
    value = chain.field(command.source)
    match command:
        case tree.ParseLogfmt(name=name):
            chain.add(name, Value(f"logfmt_map({text(value)})", Kind.STRUCTURE))
        case tree.ParseCsv(names=names):
            line = chain.new_column()
            chain.step(f"SELECT *, csv_fields({text(value)}) AS {line} FROM {chain.relation}")
            for index, name in enumerate(names, 1):
                chain.add(name, Value(f"{line}[{index}]", Kind.TEXT))
        case tree.ParseJson(paths=paths):
            root = chain.held(command.source)
            for path in paths:
                chain.add(path.name, accessed(Value(root, Kind.STRUCTURE), path.path, chain))


def unnest(chain: Chain, command: tree.Unnest | tree.Expand) -> None:
    """One row for each item of a list; anything else is a list of one."""
    if isinstance(command, tree.Expand):
        source: tree.Node = command.source
        name = command.source.name
    else:
        source, name = command.expression, command.name
    value = compile_expression(source, chain)
    held = chain.held(source) if isinstance(source, tree.Field) else structure(value)
    items, item, rank = (chain.new_column() for _ in range(3))
    chain.step(f"SELECT *, items_of({held}, {text(value)}) AS {items} FROM {chain.relation}")
    unnested = f"unnest({items}) AS {item}, generate_subscripts({items}, 1) AS {rank}"
    chain.step(f"SELECT *, {unnested} FROM {chain.relation}")
    chain.ranks.append(rank)
    root = f"CAST({item} AS VARCHAR)"
    chain.add(name, Value(f"leaf_at({root}, '$')", Kind.TEXT, f"branch_at({root}, '$')"))
