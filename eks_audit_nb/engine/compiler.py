"""A query's tree to one SQL statement over the table `events`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eks_audit_nb.engine.chain import EVENT_COLUMNS, Chain, Context
from eks_audit_nb.engine.expressions import truth
from eks_audit_nb.engine.narrowing import Narrowed
from eks_audit_nb.insights import schema, tree


@dataclass(frozen=True)
class Statement:
    """SQL that gives one text column a column of the query, in its order."""

    sql: str
    parameters: dict[str, object]
    columns: tuple[schema.Column, ...]
    warnings: tuple[str, ...]
    reads_documents: bool = True
    fields: tuple[str, ...] = ()  # the keys of events that it names


def compile_query(query: tree.Query, context: Context) -> Statement:
    """Compile a query for the events of a window.

    Raises:
        QueryError: For a name that is not visible, or something that the engine cannot answer.
    """
    chain = Chain(query, context)
    sql, columns = chain.statement()
    return Statement(
        sql,
        named_in(sql, chain.parameters),
        columns,
        tuple(dict.fromkeys(chain.warnings)),
        chain.reads_documents,
        chain.fields,
    )


def named_in(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters that a statement names: DuckDB refuses any other one."""
    used = set(re.findall(r"\$(\w+)", sql))
    return {name: value for name, value in parameters.items() if name in used}


def compile_narrowed(query: tree.Query, context: Context, only: Narrowed, most: int) -> Statement:
    """Compile the question which events of the window a query has to look at: `most` of their rows, whole."""
    chain = Chain(query, context)
    for condition in only.conditions:
        chain.step(f"SELECT * FROM {chain.relation} WHERE {truth(condition, chain)}")
    chain.reads_documents = True
    tail = f"SELECT {', '.join(EVENT_COLUMNS)}, message, document FROM {chain.relation}"
    if only.limit is not None:
        tail += f" ORDER BY {', '.join(chain.order_by(only.keys))}"
    sql = chain.render(f"{tail} LIMIT {chain.bind(min(most, only.limit or most))}")
    return Statement(sql, named_in(sql, chain.parameters), (), ())


def compile_kept(
    query: tree.Query, context: Context, conditions: Sequence[tree.Node], columns: Sequence[str], *, with_texts: bool
) -> Statement:
    """Compile the question which events a query has to look at, or are not whole.

    Args:
        query: The query.
        context: Where the events are, and which of their fields are columns.
        conditions: What must hold of an event that counts.
        columns: Those that are wanted; the columns of fields come behind them.
        with_texts: Whether the events' texts are wanted too.
    """
    chain = Chain(query, context)
    terms = " AND ".join(truth(condition, chain) for condition in conditions) or "true"
    fields = [f"{chain.column(key)} AS {column}" for key, column in context.events.columns.items()]
    chain.reads_documents = with_texts
    wanted = [*columns, *fields, *(("message",) if with_texts else ())]
    sql = chain.render(f"SELECT {', '.join(wanted)} FROM {chain.relation} WHERE ({terms}) OR condition <> ''")
    return Statement(sql, named_in(sql, chain.parameters), (), ())
