"""A query's tree to one SQL statement over the table `events`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eks_audit_nb.engine.chain import Chain, Context
from eks_audit_nb.insights import schema, tree


@dataclass(frozen=True)
class Statement:
    """SQL that gives one text column a column of the query, in its order."""

    sql: str
    parameters: dict[str, object]
    columns: tuple[schema.Column, ...]
    warnings: tuple[str, ...]


def compile_query(query: tree.Query, context: Context) -> Statement:
    """Compile a query for the events of a window.

    Raises:
        QueryError: For a name that is not visible, or something that the engine cannot answer.
    """
    chain = Chain(query, context)
    sql, columns = chain.statement()
    used = set(re.findall(r"\$(p\d+)\b", sql))  # DuckDB refuses a parameter that the statement does not name
    parameters = {name: value for name, value in chain.parameters.items() if name in used}
    return Statement(sql, parameters, columns, tuple(dict.fromkeys(chain.warnings)))
