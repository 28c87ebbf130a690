"""What adds columns of a lookup table: lookup and cidrlookup, as steps of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eks_audit_nb.engine.values import Kind, Value, refusal, text
from eks_audit_nb.insights import tree

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
        pairs = [(_table_column(chain, table, command, column), chain.field(name)) for column, name in command.keys]
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
        known = ", ".join(chain.context.tables) or "none"
        hint = f"Known: {known}. Name a CSV file: connect(source, tables={{'NAME': 'file.csv'}}) or --table NAME FILE."
        raise refusal(chain, command, f"There is no lookup table {command.table!r}", hint)
    return table


def _table_column(chain: Chain, table: LookupTable, node: tree.Node, column: str) -> str:
    if column not in table.columns:
        raise refusal(chain, node, f"The table has no column {column!r}", f"It has: {', '.join(table.columns)}.")
    return f"k{table.columns.index(column)}"
