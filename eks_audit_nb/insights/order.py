"""The order in which commands take effect, and what is said when the text has them in another one.

AWS publishes queries with `limit` and `sort` before `filter` and before `stats`, which only make sense if the cap
applies to the final rows; by today's stats page a sort or limit before the last stats is invalid. So both are moved to
the end here, and the result says so with the text that means the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from eks_audit_nb.insights import tree


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


def effective(query: tree.Query) -> Effective:
    """Move sort and limit to the end, where the service applies them."""
    commands = query.commands
    last_stats = max((i for i, command in enumerate(commands) if isinstance(command, tree.Stats)), default=-1)
    cut = (tree.Filter, tree.Stats, tree.Dedup)  # what a limit before it would change the rows of
    last_cut = max((i for i, command in enumerate(commands) if isinstance(command, cut)), default=-1)
    dedups = [i for i, command in enumerate(commands) if isinstance(command, tree.Dedup)]
    sorts = [(i, command) for i, command in enumerate(commands) if isinstance(command, tree.Sort)]
    limits = [(i, command) for i, command in enumerate(commands) if isinstance(command, tree.Limit)]

    kept_sorts = [command for i, command in sorts if i > last_stats]
    keys = kept_sorts[-1].keys if kept_sorts else ()
    count = min((command.count for _, command in limits), default=None)
    early_sort = any(i < last_stats for i, _ in sorts)
    early_limit = any(i < last_cut for i, _ in limits)

    warnings = []
    if early_sort or early_limit:
        moved = _mended(query, kept_sorts[-1] if kept_sorts else None, count)
        what = " and ".join(word for word, is_early in (("sort", early_sort), ("limit", early_limit)) if is_early)
        before = "stats" if early_sort else _word(commands[last_cut])
        effect = "Rows are capped at the end, after every filter, stats and dedup. " if early_limit else ""
        dropped = "A sort before stats has no effect and was left out. " if early_sort else ""
        warnings.append(f"`{what}` stands before `{before}`. {effect}{dropped}Write instead: {moved}")
    if len(sorts) > 1:
        warnings.append("Only the last `sort` orders the result.")
    behind = commands[min(dedups) + 1 :] if dedups else ()
    if late := [command for command in behind if not isinstance(command, tree.Limit)]:
        warnings.append(f"`{_word(late[0])}` stands after `dedup`, where CloudWatch takes nothing but `limit`.")
    steps = tuple(c for c in commands if not isinstance(c, tree.Limit))
    return Effective(steps, keys, count, tuple(warnings))


def _mended(query: tree.Query, sort: tree.Sort | None, count: int | None) -> str:
    kept = [c for c in query.commands if not isinstance(c, tree.Sort | tree.Limit)]
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
