"""Which queries may be asked in parts, and the texts by which that is done.

A query may be asked window by window where each of its rows comes from one event and depends on no other: then the
rows of the parts are the rows of the whole. `stats`, `dedup` and a limit look at all rows at once, a query in a list
reads the whole window by itself, and functions of the query's own time give another value for each part; those are
asked at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, order, parse, schema, tree
from eks_audit_nb.sources.cloudwatch.asking import PAGE, POINTER
from eks_audit_nb.window import Window

_ROW_BY_ROW = (
    *(tree.Fields, tree.Display, tree.Filter, tree.Sort, tree.Unmask),
    *(tree.Parse, tree.ParseCsv, tree.ParseLogfmt, tree.ParseJson),
    *(tree.Unnest, tree.Expand, tree.Lookup, tree.CidrLookup),
)
_OF_THE_QUERY = {"now", "queryStartTime", "queryEndTime", "queryTimeRange"}
_TIME = "@timestamp"
# Names that no query has already: the service refuses one that is given twice.
COUNT, BIN, STREAM = "eks_audit_rows", "eks_audit_bin", "eks_audit_stream"


@dataclass(frozen=True)
class Period:
    """The width of a bin, as the language writes it and in milliseconds."""

    text: str
    milliseconds: int


_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
# Within the caps of the language: 1,000 ms, 60 s, 60 m, 24 h.
PERIODS = tuple(
    Period(f"{number}{unit}", number * _UNITS[unit])
    for unit, numbers in {
        "ms": (1, 2, 5, 10, 20, 50, 100, 200, 500),
        "s": (1, 2, 5, 10, 15, 30),
        "m": (1, 2, 5, 10, 15, 30),
        "h": (1, 2, 3, 6, 12, 24),
    }.items()
    for number in numbers
)


def period_for(window: Window, most: int) -> Period:
    """The narrowest bins of which the window has no more than so many; the widest ones where none are few enough."""
    span = window.end_ms - window.start_ms + 1
    return next((each for each in PERIODS if span <= (most - 1) * each.milliseconds), PERIODS[-1])


def may_be_split(query: tree.Query) -> bool:
    """Whether the rows of the parts of a window are the rows of the window."""
    for command in query.commands:
        if not isinstance(command, _ROW_BY_ROW) or _TIME in schema.added(command):
            return False
        for node in command.walk():
            is_of_query = isinstance(node, tree.Call) and functions.of(node).name in _OF_THE_QUERY
            is_other_time = isinstance(node, tree.Selection) and node.name == _TIME and node.is_aliased
            if is_of_query or is_other_time or isinstance(node, tree.InQuery):
                return False
    return True


def has_own_rows(query: tree.Query) -> bool:
    """Whether each row is an event of its own: no event gives two, and no row stands for several."""
    return may_be_split(query) and not _has_several_rows(query)


def key_of(query: tree.Query) -> str:
    """What comes once in the result, see `Asker.ask`; "" where rows can be alike."""
    last = max((place for place, each in enumerate(query.commands) if isinstance(each, tree.Stats)), default=None)
    if last is None:
        return "" if _has_several_rows(query) else POINTER
    *_, stats = (each for each in query.commands if isinstance(each, tree.Stats))
    is_shown = all(isinstance(each, tree.Sort | tree.Filter | tree.Limit) for each in query.commands[last + 1 :])
    return PAGE if stats.groups and is_shown else ""


def counted_by_bin(query: tree.Query, period: Period) -> str:
    """The text that counts the query's rows by bin: its own commands without those that only show; "" without one."""
    return _counted(query, f"bin({period.text}) as {BIN}")


def counted_by_stream(query: tree.Query) -> str:
    """The same by log stream."""
    return _counted(query, f"@logStream as {STREAM}")


def of_stream(query: tree.Query, text: str, stream: str) -> str:
    """A text that begins as the query does, over one log stream; "" where it cannot be made."""
    if '"' in stream or "\\" in stream:  # how these are escaped is not documented
        return ""
    return _valid(f'filter @logStream = "{stream}"\n| {text[query.commands[0].span.start :]}')


def estimated(text: str) -> str:
    """The text that asks what a query would scan."""
    return f"{text.rstrip().removesuffix('|')}\n| estimate"


def without_limits(query: tree.Query) -> tree.Query:
    """The tree of the query without its limits; its text stays."""
    return replace(query, commands=tuple(each for each in query.commands if not isinstance(each, tree.Limit)))


def is_estimate(query: tree.Query | None) -> bool:
    """Whether the text asks what it would scan, and reads no event."""
    return query is not None and any(isinstance(command, tree.Estimate) for command in query.commands)


def limit_in(query: tree.Query | None) -> int | None:
    """The limit that the text has."""
    return order.effective(query).limit if query else None


def _counted(query: tree.Query, group: str) -> str:
    kept = []
    for command in query.commands:
        if isinstance(command, tree.Display | tree.Sort):  # these show and order; an alias of theirs may be filtered by
            if any(isinstance(node, tree.Selection | tree.SortKey) and _is_named(node) for node in command.walk()):
                return ""
        else:
            kept.append(query.source_of(command))
    return _valid("\n| ".join([*kept, f"stats count(*) as {COUNT} by {group}"]))


def _is_named(node: tree.Selection | tree.SortKey) -> bool:
    return node.is_aliased if isinstance(node, tree.Selection) else bool(node.name)


def _valid(text: str) -> str:
    try:
        parse(text)
    except QueryError:  # too long, or what was put together means something else
        return ""
    return text


def _has_several_rows(query: tree.Query) -> bool:
    """Whether one event may give several rows."""
    return any(
        isinstance(command, tree.Unnest | tree.Expand) or (isinstance(command, tree.Parse) and command.is_multi)
        for command in query.commands
    )
