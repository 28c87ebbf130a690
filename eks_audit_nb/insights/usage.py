"""Where functions may stand and what they take: everything about calls that the grammar leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, tree
from eks_audit_nb.insights.functions import Function
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.insights.synonyms import FUNCTIONS

# How many stats commands a query may hold. Source: CloudWatch Logs User Guide, "stats".
MAX_STATS = 10
_TAKES_PERIOD = {"bin": 0, "datefloor": 1, "dateceil": 1, "rate": 1}


def check(query: tree.Query) -> None:
    """Refuse unknown functions, wrong numbers of arguments, aggregates where they cannot stand, and too many stats.

    Raises:
        QueryError: With the position of the call and the nearest known name.
    """
    all_stats = [command for command in query.commands if isinstance(command, tree.Stats)]
    if len(all_stats) > MAX_STATS:
        hint = "Aggregate in fewer steps."
        raise _refusal(query, all_stats[MAX_STATS], f"A query holds at most {MAX_STATS} stats commands", hint)
    columns: dict[str, str] = {}  # what the last stats gives, by name and by expression: `sort count(*)` names one
    for command in query.commands:
        calls = [node for node in command.walk() if isinstance(node, tree.Call)]
        for call in calls:
            _check_call(query, call)
        allowed = command.aggregates if isinstance(command, tree.Stats) else ()
        _check_places(query, [call for call in calls if functions.of(call).is_aggregate], allowed, columns)
        if isinstance(command, tree.Stats):
            _check_stats(query, command)
            selections = (*command.groups, *command.aggregates)
            columns = {tree.label(query.source_of(item.expression)): item.name for item in selections}
            columns |= {tree.label(item.name): item.name for item in selections}


def _check_places(
    query: tree.Query, calls: Sequence[tree.Call], allowed: Sequence[tree.Selection], columns: Mapping[str, str]
) -> None:
    """Aggregates stand in stats, before its by, and in no other aggregate; elsewhere one names a column of stats."""
    inside = {id(node) for selection in allowed for node in selection.walk()} if calls else set()

    def names_column(call: tree.Call) -> bool:
        label = tree.label(query.source_of(call))
        return label in columns and tree.label(columns[label]) == label

    for call in calls:
        if id(call) not in inside and not names_column(call):
            named = columns.get(tree.label(query.source_of(call)))
            hint = f"stats named it {named}: write {named}." if named else "Aggregates stand in stats, before its by."
            raise _refusal(query, call, f"{call.name}() is an aggregate", hint)
        parts = [part for argument in call.arguments for part in argument.walk() if isinstance(part, tree.Call)]
        if any(functions.of(part).is_aggregate and not names_column(part) for part in parts):
            raise _refusal(query, call, "An aggregate cannot hold another one", "Use a second stats command.")


def _check_stats(query: tree.Query, command: tree.Stats) -> None:
    """Each column has a name of its own and is an aggregate, or is computed from the aliases before it.

    As in `max(a) as x, x / 2 as y`.
    """
    earlier: set[str] = set()
    for selection in command.aggregates:
        waiting: list[tree.Node] = [selection.expression]
        while waiting:
            node = waiting.pop()
            if isinstance(node, tree.Field) and node.name not in earlier:
                message = f"stats needs an aggregate such as count(*), not the field {node.name!r}"
                raise _refusal(query, node, message, _aggregated(node.name))
            if isinstance(node, tree.Call) and functions.of(node).name == "bin":
                raise _refusal(query, node, "stats needs an aggregate, not bin()", "Group: stats count(*) by bin(5m)")
            if not (isinstance(node, tree.Call) and functions.of(node).is_aggregate):
                waiting.extend(node.children())
        earlier.add(selection.name)
    if not any(functions.is_aggregate(selection) for selection in command.aggregates):
        hint = "Such as stats count(*) or stats max(@timestamp)."
        raise _refusal(query, command.aggregates[0], "stats needs an aggregate", hint)
    seen: set[str] = set()
    for item in (*command.aggregates, *command.groups):
        if item.name in seen:
            hint = f"Give it another name: {query.source_of(item.expression)} as NAME"
            raise _refusal(query, item, f"Two columns of stats are called {item.name!r}", hint)
        seen.add(item.name)


def _aggregated(name: str) -> str:
    function = functions.find(name)
    if function is not None and function.is_aggregate:
        return f"A function has its parentheses: {function.example}"
    return f"Aggregate it, as in count({name}), or group: stats count(*) by {name}"


def _check_call(query: tree.Query, call: tree.Call) -> None:
    function = functions.find(call.name)
    if function is None:
        near = nearest(call.name, functions.names())
        meant = FUNCTIONS.get(call.name.lower()) or (f"Did you mean {near}()?" if near else "")
        hint = meant or f"Known: {', '.join(functions.names())}."
        raise _refusal(query, call, f"There is no function {call.name}()", hint)
    given = len(call.arguments)
    if given < function.least or (function.most is not None and given > function.most):
        message = f"{function.name}() takes {_arity(function)}, not {given}"
        raise _refusal(query, call, message, f"As in {function.example}.")
    for index, argument in enumerate(call.arguments):
        _check_argument(query, function, argument, takes_period=_TAKES_PERIOD.get(function.name) == index)


def _check_argument(query: tree.Query, function: Function, argument: tree.Node, *, takes_period: bool) -> None:
    if isinstance(argument, tree.Star) and function.name != "count":
        raise _refusal(query, argument, f"{function.name}(*) has no meaning", "Only count takes a `*`.")
    if isinstance(argument, tree.Period) != takes_period:
        needs = "needs a period such as 5m here" if takes_period else "takes no period"
        hint = f"Periods: ms s m h d w mo q y. As in {function.example}."
        raise _refusal(query, argument, f"{function.name}() {needs}", hint)
    if isinstance(argument, tree.Period) and argument.number == 0:
        raise _refusal(query, argument, "A period of 0 has no meaning", "Give at least 1, as in bin(1m).")
    if isinstance(argument, tree.Period) and functions.capped(argument) > functions.LONGEST_PERIOD:
        hint = f"Give at most {functions.LONGEST_PERIOD}, as in bin(1d)."
        raise _refusal(query, argument, "This period is too long", hint)


def _arity(function: Function) -> str:
    if function.most is None:
        return f"{function.least} or more arguments"
    if function.least == function.most:
        return f"{function.least} argument{'s' if function.least != 1 else ''}"
    return f"{function.least} to {function.most} arguments"


def _refusal(query: tree.Query, node: tree.Node, message: str, hint: str) -> QueryError:
    return QueryError(message, query.text, node.span.start, node.span.end, hint)
