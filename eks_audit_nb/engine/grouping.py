"""What `stats` makes of rows, as a step of a chain, and which names its parts may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eks_audit_nb.engine.calls import milliseconds
from eks_audit_nb.engine.expressions import compile_expression
from eks_audit_nb.engine.values import Kind, Scope, Value, refusal
from eks_audit_nb.insights import tree

if TYPE_CHECKING:
    from eks_audit_nb.engine.chain import Chain


def stats(chain: Chain, command: tree.Stats) -> None:
    """Aggregate; behind it only its own columns are visible."""
    outputs: dict[str, Value] = {}
    selected: list[tuple[str, str]] = []
    groups_scope = _StatsScope(chain.query, chain, chain, {}, has_columns=True)
    scope = _StatsScope(chain.query, chain, groups_scope, {}, has_columns=False)
    for item in (*command.groups, *command.aggregates):
        is_group = len(selected) < len(command.groups)
        of_item = groups_scope if is_group else scope
        if is_group:
            value = chain.whole(item.expression, "stats", of_item)
        else:
            value = compile_expression(item.expression, of_item)
        if command.offset is not None and value.kind is Kind.TIME and is_group:
            value = Value(f"({value.sql} + {chain.bind(_shift(chain, command.offset))})", Kind.TIME)
        column = chain.new_column()
        selected.append((column, value.sql))
        outputs[item.name] = Value(column, value.kind)
        of_item.aliases[item.name] = value
    groups = [sql for _, sql in selected[: len(command.groups)]]
    columns = ", ".join(f"{sql} AS {column}" for column, sql in selected)
    # Without groups there is one row, also where no aggregate is left in the SQL, as in `topk(1, verb) * 2`.
    grouping = f" GROUP BY {', '.join(str(i + 1) for i in range(len(groups)))}" if groups else " HAVING count(*) >= 0"
    chain.step(f"SELECT {columns} FROM {chain.relation}{grouping}")
    chain.visible, chain.is_raw, chain.sorted_by = outputs, False, ()
    chain.ranks = []


def _shift(chain: Chain, offset: tree.Period) -> int:
    length = milliseconds(offset)
    if length is None:
        raise refusal(chain, offset, "An offset is a period up to weeks", "As in by bin(5m) offset 1h.")
    return length


@dataclass
class _StatsScope:
    """What one part of a `stats` may refer to: the aliases before it in the same command, then what is `outside`.

    The aggregates of a command do not see the columns of an earlier stats by their text: `count(*)` counts anew. Their
    arguments do, and they see no alias of the aggregates beside them: `max(a) as a, min(a) as b`.
    """

    query: tree.Query
    chain: Chain
    outside: Scope
    aliases: dict[str, Value]
    has_columns: bool

    def bind(self, value: object) -> str:
        """See `Scope`."""
        return self.chain.bind(value)

    def field(self, node: tree.Field) -> Value:
        """See `Scope`."""
        return self.aliases.get(node.name) or self.outside.field(node)

    def named(self, node: tree.Call) -> Value | None:
        """See `Scope`."""
        return self.chain.named(node) if self.has_columns else None

    def inside(self) -> Scope:
        """See `Scope`."""
        return self.outside

    def places(self) -> list[str]:
        """See `Scope`."""
        return self.chain.places()

    def moment(self, name: str) -> int:
        """See `Scope`."""
        return self.chain.moment(name)

    def subquery(self, query: tree.Query) -> str:
        """See `Scope`."""
        return self.chain.subquery(query)
