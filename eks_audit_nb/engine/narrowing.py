"""What must hold of an event for it to count in a query's answer, so that others need not be read at all.

Only sound conclusions are drawn: an event that does not fulfil them changes nothing in the answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from eks_audit_nb.insights import functions, order, schema, tree
from eks_audit_nb.insights.spelling import SYSTEM_FIELDS

# What stands in JSON text as it is, whoever writes it: ASCII without quotes, backslashes and what Go's encoder escapes.
_AS_IT_IS = re.compile(r"[ !#-%'-;=?-\[\]-~]+")
_NUMERIC = re.compile(r"[0-9+\-.eEinfatyNI]*")
_SHORTEST = 3
_WITHOUT_ORDER = frozenset({"count", "count_distinct", "min", "max", "values", "sortsFirst", "sortsLast", "pct"})
_CLOCKS = frozenset({"now", "queryStartTime", "queryEndTime", "queryTimeRange"})
# Any other name with an @ is that of a field of the event.
_BESIDE_MESSAGE = frozenset(SYSTEM_FIELDS) - {"@message"}
_REPLACED = "\ufffd"  # what stands for bytes that are no UTF-8


@dataclass(frozen=True)
class Narrowed:
    """Conditions over fields of events, all of which must hold; and the rows that are wanted, where a limit says so."""

    conditions: tuple[tree.Node, ...] = ()
    keys: tuple[tree.SortKey, ...] = ()
    limit: int | None = None


def narrowed(query: tree.Query, columns: Collection[str]) -> Narrowed:
    """The conditions that name nothing but these columns and the system fields beside @message."""
    if _reads_all(query):
        return Narrowed()
    effective = order.effective(query)
    found = tuple(_terms(effective.steps))
    kept = tuple(term for term in found if _is_over(term, columns))
    if effective.limit is None or not _only_selects(effective.steps, columns):
        return Narrowed(kept)
    made = {name for command in effective.steps for name in _made(command)}
    for key in effective.keys:
        names = _names(key.expression)
        if not _is_over(key.expression, columns) or any(_is_made(name, made) for name in names):
            return Narrowed(kept)
    return Narrowed(kept, effective.keys, effective.limit)


def literals(query: tree.Query) -> list[tuple[str, ...]]:
    r"""Texts of which at least one, for each entry, stands in the JSON of an event that counts.

    Not in JSON that escapes more than it has to: with `\/` or `\u` beyond what Go's encoder writes.
    """
    if _reads_all(query):
        return []
    found = (_literals(term) for term in _terms(order.effective(query).steps))
    return [texts for texts in found if texts]


def asks_for_clock(query: tree.Query) -> bool:
    """Whether the answer depends on the window itself."""
    nodes = (node for each in query.queries() for node in each.walk())
    return any(isinstance(node, tree.Call) and functions.of(node).name in _CLOCKS for node in nodes)


def tells_order(query: tree.Query) -> bool:
    """Whether the answer can depend on the order of events beyond what is in them."""
    if not any(isinstance(command, tree.Stats) for command in query.commands):
        return True
    for node in query.walk():
        if isinstance(node, tree.Dedup) or (isinstance(node, tree.Field) and node.name == "@ptr"):
            return True
        if isinstance(node, tree.Call) and _keeps_order(functions.of(node)):
            return True
    return False


def _keeps_order(function: functions.Function) -> bool:
    return function.is_aggregate and function.name not in _WITHOUT_ORDER


def _reads_all(query: tree.Query) -> bool:
    """A query in a list reads the same events under conditions of its own; estimate counts every one."""
    nodes = list(query.walk())
    return any(isinstance(node, tree.InQuery | tree.Estimate) for node in nodes)


def _terms(steps: Sequence[tree.Command]) -> Iterator[tree.Node]:
    """The conditions over fields of events that stand before anything that counts or compares rows."""
    made: set[str] = set()
    for command in steps:
        if isinstance(command, tree.Filter):
            for term in _split(command.condition):
                if not any(_is_made(name, made) for name in _names(term)):
                    yield term
        elif isinstance(command, tree.Stats | tree.Dedup | tree.Unanswered):
            return
        made.update(_made(command))


def _split(condition: tree.Node) -> Iterator[tree.Node]:
    if isinstance(condition, tree.AllOf):
        for term in condition.terms:
            yield from _split(term)
    else:
        yield condition


def _only_selects(steps: Sequence[tree.Command], columns: Collection[str]) -> bool:
    made: set[str] = set()
    for command in steps:
        if isinstance(command, tree.Filter):
            if not _is_over(command.condition, columns) or any(_is_made(n, made) for n in _names(command.condition)):
                return False
        elif not isinstance(command, tree.Fields | tree.Display | tree.Sort | tree.Unmask | tree.SourceGroups):
            return False
        made.update(_made(command))
    return True


def _made(command: tree.Command) -> Iterator[str]:
    yield from schema.added(command)
    if isinstance(command, tree.Expand):
        yield command.source.name
    elif isinstance(command, tree.Fields | tree.Display):
        for item in command.selections:
            if not (isinstance(item.expression, tree.Field) and item.expression.name == item.name):
                yield item.name
    elif isinstance(command, tree.Sort):
        yield from (key.name for key in command.keys if key.name)


def _is_made(name: str, made: Collection[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in made)


def _names(node: tree.Node) -> set[str]:
    return {each.name for each in node.walk() if isinstance(each, tree.Field)} - {"true", "false"}


def _is_over(node: tree.Node, columns: Collection[str]) -> bool:
    return all(name in columns or name in _BESIDE_MESSAGE for name in _names(node))


def _literals(term: tree.Node) -> tuple[str, ...]:
    match term:
        case tree.Compared(operator="=", left=tree.Field(name=name), right=tree.String(value=value)):
            return _in_json(name, value, is_whole=True)
        case tree.Compared(operator="=", left=tree.String(value=value), right=tree.Field(name=name)):
            return _in_json(name, value, is_whole=True)
        case tree.Like(operand=tree.Field(name=name), pattern=tree.String(value=value), is_negated=False):
            return _in_json(name, value, is_whole=False)
        case tree.In(operand=tree.Field(name=name), members=members, is_negated=False):
            return _any_of(
                [_in_json(name, m.value, is_whole=True) if isinstance(m, tree.String) else () for m in members]
            )
        case tree.AnyOf(terms=terms):
            return _any_of([_literals(each) for each in terms])
        case tree.AllOf(terms=terms):
            return max((_literals(each) for each in terms), key=_weight, default=())
        case _:
            return ()


def _any_of(alternatives: list[tuple[str, ...]]) -> tuple[str, ...]:
    if not alternatives or not all(alternatives):
        return ()
    return tuple(dict.fromkeys(text for texts in alternatives for text in texts))


def _weight(texts: tuple[str, ...]) -> int:
    return min(map(len, texts), default=0)


def _in_json(name: str, value: str, *, is_whole: bool) -> tuple[str, ...]:
    """What of a field's value stands in the text of its event; () where that is not sure."""
    if name == "@message":
        return (value,) if not is_whole and len(value) >= _SHORTEST and _REPLACED not in value else ()
    if name in ("true", "false"):  # JSON's own words where they are compared
        return ()
    if name.startswith("@") and not name.startswith("@@"):
        return ()
    if _NUMERIC.fullmatch(value):  # JSON writes numbers in many ways, and true as true
        return ()
    if is_whole and _AS_IT_IS.fullmatch(value):
        return (f'"{value}"',)
    longest = max(_AS_IT_IS.findall(value), key=len, default="")
    return (longest,) if len(longest) >= _SHORTEST and not _NUMERIC.fullmatch(longest) else ()
