"""What adds columns of a lookup table: lookup and cidrlookup, as steps of a chain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eks_audit_nb.engine.values import Kind, Value, text
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import tree
from eks_audit_nb.insights.nearness import nearest

if TYPE_CHECKING:
    from eks_audit_nb.engine.chain import Chain


@dataclass(frozen=True)
class LookupTable:
    """A table that `lookup` names: its relation, in which columns are `k0`, `k1` and so on, and their real names."""

    relation: str
    columns: tuple[str, ...]


def lookup(chain: Chain, command: tree.Lookup | tree.CidrLookup) -> None:
    """Add columns of a table: of the row with equal keys, or of the narrowest block that holds an address."""
    table = _table(chain, command)
    wanted = [(_table_column(chain, table, output, output.column), output.name) for output in command.outputs]
    if isinstance(command, tree.Lookup):
        pairs = [(_table_column(chain, table, name, column), chain.field(name)) for column, name in command.keys]
        keys = ", ".join(column for column, _ in pairs)
        on = " AND ".join(f"t.{column} = {text(value)}" for column, value in pairs)
        matches = f"SELECT * FROM {table.relation} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY row) = 1"
    else:
        address = text(chain.field(command.address))
        block = _table_column(chain, table, command, command.column or table.columns[0])
        on = f"t.address = {address}"
        width = f"TRY_CAST(split_part({block}, '/', 2) AS INTEGER)"
        matches = (
            f"SELECT * FROM (SELECT DISTINCT {address} AS address FROM {chain.relation}) "
            f"JOIN {table.relation} ON coalesce(ip_in_subnet(address, {block}), false) "
            f"QUALIFY row_number() OVER (PARTITION BY address ORDER BY {width} DESC NULLS FIRST, row) = 1"
        )
    added = []
    for column, name in wanted:
        has_before = command.keeps and (chain.is_raw or name in chain.visible)
        before = f"coalesce({text(chain.field(tree.Field(command.span, name)))}, " if has_before else "("
        new = chain.new_column()
        added.append((name, new, f"{before}t.{column}) AS {new}"))
    columns = ", ".join(sql for _, _, sql in added)
    chain.step(f"SELECT s.*, {columns} FROM {chain.relation} s LEFT JOIN ({matches}) t ON {on}")
    chain.visible.update({name: Value(new, Kind.TEXT) for name, new, _ in added})


def _table(chain: Chain, command: tree.Lookup | tree.CidrLookup) -> LookupTable:
    table: LookupTable | None = chain.context.tables.get(command.table)
    if table is None:
        tables = chain.context.tables
        name_one = "Name a CSV file: connect(source, tables={'NAME': 'file.csv'}) or --table NAME FILE."
        hint = f"Known: {', '.join(tables) or 'none'}. {name_one}"
        raise _unknown(chain, command, command.table, f"There is no lookup table {command.table!r}", tables, hint)
    return table


def _table_column(chain: Chain, table: LookupTable, node: tree.Node, column: str) -> str:
    if column not in table.columns:
        has = f"It has: {', '.join(table.columns)}."
        raise _unknown(chain, node, column, f"The table has no column {column!r}", table.columns, has)
    return f"k{table.columns.index(column)}"


def _unknown(chain: Chain, node: tree.Node, name: str, message: str, known: Iterable[str], hint: str) -> QueryError:
    """The error for the name of a table or a column, at its place in the node."""
    written = chain.query.source_of(node)
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", written)
    begin, end = found.span() if found else (0, len(written))
    near = nearest(name, known)
    said = f"Did you mean {near!r}? {hint}" if near else hint
    return QueryError(message, chain.query.text, node.span.start + begin, node.span.start + end, said)
