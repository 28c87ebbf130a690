"""From what the service answered to columns in the query's order, and why some of it may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eks_audit_nb.events import FIELDS
from eks_audit_nb.insights import order, schema, tree
from eks_audit_nb.insights.advice import advice
from eks_audit_nb.insights.spelling import misspelt
from eks_audit_nb.sources.cloudwatch import splitting
from eks_audit_nb.sources.cloudwatch.asking import DEFAULT_ROWS, Answered
from eks_audit_nb.sources.cloudwatch.fetching import DEFAULT_REACHED, Part
from eks_audit_nb.sources.cloudwatch.ordering import Ordered, permutation

NEWEST_FIRST = Ordered("", (), (), is_ascending=False)
_SKIPPED = "The service skipped about {:,} events."


def warnings(query: tree.Query | None) -> tuple[str, ...]:
    """What the text may not mean as it is meant."""
    return (*order.effective(query).warnings, *advice(query), *misspelt(query, FIELDS)) if query else ()


def columns(query: tree.Query | None, values: dict[str, list[str | None]]) -> tuple[schema.Column, ...]:
    """The columns and their types; of a text that is not understood by what came."""
    if query is not None and schema.is_known(query):
        return schema.columns(query)
    return tuple(schema.Column(name, schema.FIELD_TYPES.get(name, schema.ColumnType.TEXT)) for name in values)


def doubts(answered: Answered, parsed: tree.Query | None, max_rows: int) -> Iterator[str]:
    """Why rows of a query that was asked at once may be missing."""
    limit, rows = splitting.limit_in(parsed), answered.columns.rows
    is_event_each = parsed is not None and splitting.has_own_rows(splitting.without_limits(parsed))
    if limit is not None and is_event_each and rows < min(limit, answered.matched or 0):
        yield f"The service matched {answered.matched:,} events and gave {rows:,} rows, below the limit of {limit:,}."
    is_open = limit is None or limit > max_rows
    if is_open and rows >= max_rows:
        yield (
            f"The service returns {max_rows:,} rows at most and there may be more; it cannot be asked in parts. "
            "Ask for a shorter window."
        )
    elif is_open and rows == DEFAULT_ROWS:
        yield f"{DEFAULT_REACHED} Ask for a shorter window."
    if answered.skipped:
        yield _SKIPPED.format(answered.skipped)


def reasons(parts: Sequence[Part]) -> tuple[str, ...]:
    """Why rows of the parts may be missing."""
    skipped = sum(answer.skipped for part in parts for answer in part.answers)
    found = [reason for part in parts for reason in part.reasons]
    return (*found, _SKIPPED.format(skipped)) if skipped else tuple(found)


def arranged(parts: Sequence[Part], arranged: Ordered) -> dict[str, list[str | None]]:
    """The columns of all answers in the query's order."""
    answers = [answer for part in parts for answer in part.answers]
    values: dict[str, list[str | None]] = {}
    for answer in answers if arranged.is_ascending else reversed(answers):
        for name, cells in answer.columns.values.items():
            values.setdefault(name, []).extend(cells)
    if not arranged.keys or len(answers) < 2:
        return values
    rows = permutation(
        [values[name] for name, _ in arranged.keys], [direction for _, direction in arranged.keys]
    ).tolist()
    return {name: [cells[row] for row in rows] for name, cells in values.items()}
