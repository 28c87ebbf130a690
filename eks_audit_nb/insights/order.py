"""The order in which commands take effect, and what is said when the text has them in another one.

AWS publishes queries with `limit` and `sort` before `filter` and before `stats`, which only make sense if the cap
applies to the final rows; by today's stats page a sort or limit before the last stats is invalid. So both are moved to
the end here, and the result says so with the text that means the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, schema, tree
from eks_audit_nb.insights.nearness import SURE, nearest


@dataclass(frozen=True)
class Effective:
    """The commands as they take effect.

    `steps` holds everything but limit in the order of the text; `keys` the sort that orders the final rows; `limit` the
    cap on them, None without one; `warnings` one sentence for each thing that was moved or dropped.
    """

    steps: tuple[tree.Command, ...]
    keys: tuple[tree.SortKey, ...]
    limit: int | None
    warnings: tuple[str, ...]


def effective(query: tree.Query, *, is_strict: bool = False) -> Effective:
    """Move sort and limit to the end, where the service applies them.

    Raises:
        QueryError: Only when strict: sort or limit before the last stats, anything but limit after dedup, a filter of
            events behind stats, topk beside others, estimate before others.
    """
    commands, late_filters = _filters_first(query)
    last_stats = max((i for i, command in enumerate(commands) if isinstance(command, tree.Stats)), default=-1)
    estimates = [i for i, command in enumerate(commands) if isinstance(command, tree.Estimate)]
    cut = (tree.Filter, tree.Stats, tree.Dedup)  # what a limit before it would change the rows of
    last_cut = max((i for i, command in enumerate(commands) if isinstance(command, cut)), default=-1)
    dedups = [i for i, command in enumerate(commands) if isinstance(command, tree.Dedup)]
    sorts = [(i, command) for i, command in enumerate(commands) if isinstance(command, tree.Sort)]
    limits = [(i, command) for i, command in enumerate(commands) if isinstance(command, tree.Limit)]

    # An estimate is one row, whatever order the rows would have had.
    kept_sorts = [command for i, command in sorts if i > max(last_stats, *estimates, -1)]
    keys = kept_sorts[-1].keys if kept_sorts else ()
    count = min((command.count for _, command in limits), default=None)
    early_sort = any(i < last_stats for i, _ in sorts)
    early_limit = any(i < last_cut for i, _ in limits)

    if is_strict:
        _refuse_invalid(query, late_filters)
    warnings = []
    if late_filters:
        warnings.append("A filter behind stats names fields of the events and was put before it.")
    if early_sort or early_limit:
        stands = (
            "`sort` and `limit` stand"
            if early_sort and early_limit
            else f"`{'sort' if early_sort else 'limit'}` stands"
        )
        before = "stats" if early_sort else _word(commands[last_cut])
        effect = " Rows are capped at the end, after every filter, stats and dedup." if early_limit else ""
        dropped = " A sort before stats has no effect and was left out." if early_sort else ""
        warnings.append(f"{stands} before `{before}`.{effect}{dropped}")
    if warnings:
        warnings[-1] += f" Write instead: {_mended(query, commands, kept_sorts[-1] if kept_sorts else None, count)}"
    if len(sorts) > 1:
        warnings.append("Only the last `sort` orders the result.")
    behind = commands[min(dedups) + 1 :] if dedups else ()
    if late := [command for command in behind if not isinstance(command, tree.Limit)]:
        warnings.append(f"`{_word(late[0])}` stands after `dedup`, where CloudWatch takes nothing but `limit`.")
    steps = tuple(c for c in commands if not isinstance(c, tree.Limit))
    return Effective(steps, keys, count, tuple(warnings))


def _filters_first(query: tree.Query) -> tuple[tuple[tree.Command, ...], tuple[tree.Filter, ...]]:
    """Put filters that name fields of the events before the stats behind which they stand.

    AWS publishes such queries; behind a stats only its own columns are visible, so nothing else can be meant. A filter
    that names something made there as well cannot be moved, and one with a name like that of a column there is misspelt
    rather than late: both stay where the engine refuses them.
    """
    first = next((i for i, command in enumerate(query.commands) if isinstance(command, tree.Stats)), None)
    if first is None:
        return query.commands, ()
    visible: set[str] = set()
    made: set[str] = set()  # what is there only behind a stats
    late = []
    for command in query.commands[first:]:
        if isinstance(command, tree.Filter):
            wanted = _names(command.condition)
            unknown = wanted - _among(wanted, visible)
            is_movable = not _among(wanted, made) and not functions.is_aggregate(command.condition)
            if unknown and is_movable and not any(nearest(name, visible, SURE) for name in unknown):
                late.append(command)
        elif isinstance(command, tree.Stats):
            visible = {item.name for item in (*command.groups, *command.aggregates)}
            made |= visible - {item.name for item in command.groups if _is_itself(item)}
        else:
            visible |= _added(command)
            made |= _added(command)
    rest = [command for command in query.commands[first:] if command not in late]
    return (*query.commands[:first], *late, *rest), tuple(late)


def _names(condition: tree.Node) -> set[str]:
    fields = {node.name for node in condition.walk() if isinstance(node, tree.Field)}
    return fields - {"true", "false"}


def _among(wanted: set[str], names: set[str]) -> set[str]:
    """The wanted names that are there, themselves or as the map that they lie in."""
    return {name for name in wanted if any(name == each or name.startswith(f"{each}.") for each in names)}


def _added(command: tree.Command) -> set[str]:
    """The names that a command adds to those that are visible."""
    if isinstance(command, tree.Fields | tree.Display):
        return {item.name for item in command.selections if not _is_itself(item)}
    if isinstance(command, tree.Sort):
        return {key.name for key in command.keys if key.name}
    return set(schema.added(command))


def _is_itself(item: tree.Selection) -> bool:
    return isinstance(item.expression, tree.Field) and item.expression.name == item.name


def _refuse_invalid(query: tree.Query, late_filters: tuple[tree.Filter, ...]) -> None:
    """What the documentation calls invalid."""
    last_stats = max((i for i, command in enumerate(query.commands) if isinstance(command, tree.Stats)), default=-1)
    deduplicated = False
    for index, command in enumerate(query.commands):
        if isinstance(command, tree.Sort | tree.Limit) and index < last_stats:
            problem, hint = f"{_word(command)} stands before the last stats", "Move it behind the last stats."
        elif command in late_filters:
            problem, hint = "A filter behind stats names fields that are not there any more", "Put it before the stats."
        elif isinstance(command, tree.Stats) and _mixes_topk(command):
            problem, hint = "topk stands alone, without by", "Give it a query of its own: stats topk(10, FIELD)"
        elif isinstance(command, tree.Estimate) and index < len(query.commands) - 1:
            problem, hint = "estimate stands before other commands", "Put it at the end, behind the last pipe."
        elif deduplicated and not isinstance(command, tree.Limit):
            problem, hint = f"{_word(command)} stands after dedup", "Only limit can follow dedup."
        else:
            deduplicated = deduplicated or isinstance(command, tree.Dedup)
            continue
        raise QueryError(problem, query.text, command.span.start, command.span.end, hint)


def _mixes_topk(command: tree.Stats) -> bool:
    calls = [node for node in command.walk() if isinstance(node, tree.Call)]
    is_used = any(functions.of(call).name == "topk" for call in calls)
    return is_used and bool(command.groups or len(command.aggregates) > 1)


def _mended(query: tree.Query, commands: tuple[tree.Command, ...], sort: tree.Sort | None, count: int | None) -> str:
    kept = [c for c in commands if not isinstance(c, tree.Sort | tree.Limit)]
    if sort is not None:
        # Before a dedup, which keeps the first row in the order of the sort; at the end otherwise.
        later = [c for c in kept if isinstance(c, tree.Dedup) and c.span.start > sort.span.start]
        kept.insert(kept.index(later[0]) if later else len(kept), sort)
    parts = [query.source_of(command).strip() for command in kept]
    if count is not None:
        parts.append(f"limit {count}")
    return " | ".join(parts)


def _word(command: tree.Command) -> str:
    return type(command).__name__.lower()
