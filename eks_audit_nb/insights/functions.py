"""The functions of the language: one table row a function, with what it takes and what type it returns.

The engine that runs a query has a table of the same names with what each computes; a test holds the two together.
Source: Amazon CloudWatch Logs User Guide, "Supported operations and functions" and "stats" (autumn 2026).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum, auto

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import tree


class Returns(Enum):
    """The type of a function's result, which decides the type of a column."""

    TEXT = auto()
    INTEGER = auto()  # counts, lengths, milliseconds and truth values (1 or 0)
    NUMBER = auto()
    TIME = auto()
    FIRST = auto()  # the same as its first argument


@dataclass(frozen=True)
class Function:
    """What a call may look like; `most` None means any number of arguments."""

    name: str
    least: int
    most: int | None
    returns: Returns
    is_aggregate: bool = False


def _row(name: str, least: int, most: int | None, returns: Returns) -> Function:
    return Function(name, least, most, returns)


def _aggregate(name: str, least: int, most: int | None, returns: Returns) -> Function:
    return Function(name, least, most, returns, is_aggregate=True)


_TABLE = (
    # numbers
    _row("abs", 1, 1, Returns.NUMBER),
    _row("ceil", 1, 1, Returns.NUMBER),
    _row("floor", 1, 1, Returns.NUMBER),
    _row("greatest", 1, None, Returns.NUMBER),
    _row("least", 1, None, Returns.NUMBER),
    _row("log", 1, 1, Returns.NUMBER),
    _row("round", 1, 2, Returns.NUMBER),
    _row("sqrt", 1, 1, Returns.NUMBER),
    _row("haversine", 4, 4, Returns.NUMBER),
    _row("toNumber", 1, 1, Returns.NUMBER),
    _row("toInt", 1, 1, Returns.NUMBER),
    _row("toLong", 1, 1, Returns.NUMBER),
    _row("toDouble", 1, 1, Returns.NUMBER),
    # times
    _row("bin", 1, 1, Returns.TIME),
    _row("datefloor", 2, 2, Returns.TIME),
    _row("dateceil", 2, 2, Returns.TIME),
    _row("fromMillis", 1, 1, Returns.TIME),
    _row("toMillis", 1, 1, Returns.INTEGER),
    _row("now", 0, 0, Returns.INTEGER),
    _row("parseDate", 2, 3, Returns.INTEGER),
    _row("formatDate", 2, 3, Returns.TEXT),
    # general
    _row("ispresent", 1, 1, Returns.INTEGER),
    _row("coalesce", 1, None, Returns.TEXT),
    _row("case", 2, None, Returns.TEXT),
    _row("if", 3, 3, Returns.TEXT),
    _row("isNumeric", 1, 1, Returns.INTEGER),
    _row("messageSize", 1, 1, Returns.INTEGER),
    _row("queryStartTime", 0, 0, Returns.INTEGER),
    _row("queryEndTime", 0, 0, Returns.INTEGER),
    _row("queryTimeRange", 0, 0, Returns.INTEGER),
    _row("unmask", 1, 1, Returns.FIRST),
    # maps and lists
    _row("jsonParse", 1, 1, Returns.TEXT),
    _row("jsonStringify", 1, 1, Returns.TEXT),
    _row("jsonArraySize", 1, 1, Returns.INTEGER),
    _row("jsonArrayContains", 2, 2, Returns.INTEGER),
    # addresses
    _row("isValidIp", 1, 1, Returns.INTEGER),
    _row("isValidIpV4", 1, 1, Returns.INTEGER),
    _row("isValidIpV6", 1, 1, Returns.INTEGER),
    _row("isIpInSubnet", 2, 2, Returns.INTEGER),
    _row("isIpv4InSubnet", 2, 2, Returns.INTEGER),
    _row("isIpv6InSubnet", 2, 2, Returns.INTEGER),
    _row("ipv4ToNumber", 1, 1, Returns.INTEGER),
    _row("isPrivateIP", 1, 1, Returns.INTEGER),
    _row("isPublicIP", 1, 1, Returns.INTEGER),
    _row("isReservedIP", 1, 1, Returns.INTEGER),
    # text
    _row("isempty", 1, 1, Returns.INTEGER),
    _row("isblank", 1, 1, Returns.INTEGER),
    _row("concat", 1, None, Returns.TEXT),
    _row("ltrim", 1, 2, Returns.TEXT),
    _row("rtrim", 1, 2, Returns.TEXT),
    _row("trim", 1, 2, Returns.TEXT),
    _row("strlen", 1, 1, Returns.INTEGER),
    _row("toupper", 1, 1, Returns.TEXT),
    _row("tolower", 1, 1, Returns.TEXT),
    _row("substr", 2, 3, Returns.TEXT),
    _row("replace", 3, 3, Returns.TEXT),
    _row("regexReplace", 3, 3, Returns.TEXT),
    _row("strcontains", 2, 3, Returns.INTEGER),
    _row("startsWith", 2, 2, Returns.INTEGER),
    _row("endsWith", 2, 2, Returns.INTEGER),
    _row("urlencode", 1, 1, Returns.TEXT),
    _row("urldecode", 1, 1, Returns.TEXT),
    _row("base64encode", 1, 1, Returns.TEXT),
    _row("base64decode", 1, 1, Returns.TEXT),
    _row("split", 2, 2, Returns.TEXT),
    _row("hexToAscii", 1, 1, Returns.TEXT),
    _row("hexToDec", 1, 1, Returns.NUMBER),
    _row("decToHex", 1, 1, Returns.TEXT),
    _row("md5", 1, 1, Returns.TEXT),
    _row("sha256", 1, 1, Returns.TEXT),
    # aggregates
    _aggregate("count", 0, 1, Returns.INTEGER),
    _aggregate("count_distinct", 1, 1, Returns.INTEGER),
    _aggregate("sum", 1, 1, Returns.NUMBER),
    _aggregate("avg", 1, 1, Returns.NUMBER),
    _aggregate("min", 1, 1, Returns.NUMBER),
    _aggregate("max", 1, 1, Returns.NUMBER),
    _aggregate("pct", 2, 2, Returns.NUMBER),
    _aggregate("stddev", 1, 1, Returns.NUMBER),
    _aggregate("variance", 1, 1, Returns.NUMBER),
    _aggregate("values", 1, 1, Returns.TEXT),
    _aggregate("topk", 2, 2, Returns.TEXT),
    _aggregate("rate", 2, 2, Returns.NUMBER),
    _aggregate("count_over_time", 1, 1, Returns.INTEGER),
    _aggregate("sum_over_time", 1, 1, Returns.NUMBER),
    _aggregate("histogram", 2, 2, Returns.TEXT),
    _aggregate("earliest", 1, 1, Returns.FIRST),
    _aggregate("latest", 1, 1, Returns.FIRST),
    _aggregate("sortsFirst", 1, 1, Returns.FIRST),
    _aggregate("sortsLast", 1, 1, Returns.FIRST),
)

# Names that AWS's pages spell in two ways.
_ALIASES = {
    "countdistinct": "count_distinct",
    "countovertime": "count_over_time",
    "sumovertime": "sum_over_time",
    "collect_values": "values",
    "strftime": "formatdate",
    "regex_replace": "regexreplace",
}
_BY_NAME = {function.name.lower(): function for function in _TABLE}

# The unit of a period, and where a number beyond it is capped without a word: bin(300s) is bin(60s).
PERIOD_CAPS = {"ms": 1000, "s": 60, "m": 60, "h": 24}
# What no cap applies to has an end too: 9,999 years are as long as there are dates.
LONGEST_PERIOD = 9_999
_UNIT_WORDS = {
    "ms": ("ms", "msec", "msecs", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "week", "weeks"),
    "mo": ("mo", "mon", "mons", "month", "months"),
    "q": ("q", "qtr", "qtrs", "quarter", "quarters"),
    "y": ("y", "yr", "yrs", "year", "years"),
}
_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
# How many stats commands a query may hold. Source: CloudWatch Logs User Guide, "stats".
MAX_STATS = 10
_TAKES_PERIOD = {"bin": 0, "datefloor": 1, "dateceil": 1, "rate": 1}


def names() -> tuple[str, ...]:
    """Every function's name, as documented."""
    return tuple(function.name for function in _TABLE)


def find(name: str) -> Function | None:
    """The function of that name in any case, or None."""
    lowered = name.lower()
    return _BY_NAME.get(_ALIASES.get(lowered, lowered))


def of(call: tree.Call) -> Function:
    """The function of a call that `check` has accepted."""
    function = find(call.name)
    if function is None:  # only reachable with a tree that did not come from `parse`
        raise KeyError(call.name)
    return function


def period_unit(word: str) -> str:
    """The unit that a word such as "minutes" stands for: ms s m h d w mo q y."""
    return _UNITS[word.lower()]


def capped(period: tree.Period) -> int:
    """The number of a period as the service takes it: bin(300s) is bin(60s)."""
    return min(period.number, PERIOD_CAPS.get(period.unit, period.number))


def is_aggregate(node: tree.Node) -> bool:
    """Whether an aggregate stands anywhere in an expression."""
    return any(isinstance(part, tree.Call) and of(part).is_aggregate for part in node.walk())


def check(query: tree.Query) -> None:
    """Refuse unknown functions, wrong numbers of arguments, aggregates where they cannot stand, and too many stats.

    Raises:
        QueryError: With the position of the call and the nearest known name.
    """
    all_stats = [command for command in query.commands if isinstance(command, tree.Stats)]
    if len(all_stats) > MAX_STATS:
        hint = "Aggregate in fewer steps."
        _refuse(query, all_stats[MAX_STATS], f"A query holds at most {MAX_STATS} stats commands", hint)
    outputs: set[str] = set()  # what the last stats gives; `sort count(*)` names such a column
    for command in query.commands:
        for node in command.walk():
            if isinstance(node, tree.Call):
                _check_call(query, node)
        allowed = command.aggregates if isinstance(command, tree.Stats) else ()
        inside = {id(node) for aggregate in allowed for node in aggregate.walk()}
        _check_bare_fields(query, allowed)
        if allowed and not any(is_aggregate(selection) for selection in allowed):
            _refuse(query, allowed[0], "stats needs an aggregate", "Such as stats count(*) or stats max(@timestamp).")
        for node in command.walk():
            if isinstance(node, tree.Call) and of(node).is_aggregate:
                if id(node) not in inside and tree.label(query.source_of(node)) not in outputs:
                    _refuse(
                        query, node, f"{node.name}() is an aggregate", "Aggregates stand in `stats`, before its `by`."
                    )
                if any(_computes_aggregate(query, argument, outputs) for argument in node.arguments):
                    _refuse(query, node, "An aggregate cannot hold another one", "Use a second `stats` command.")
        if isinstance(command, tree.Stats):
            outputs = {tree.label(item.name) for item in (*command.groups, *command.aggregates)}


def _computes_aggregate(query: tree.Query, node: tree.Node, outputs: set[str]) -> bool:
    """Whether an aggregate stands in an expression that does not name a column of the stats before: `max(count(*))`."""
    return any(
        isinstance(part, tree.Call) and of(part).is_aggregate and tree.label(query.source_of(part)) not in outputs
        for part in node.walk()
    )


def _check_bare_fields(query: tree.Query, aggregates: tuple[tree.Selection, ...]) -> None:
    """Outside an aggregate, an expression of stats may only use the aliases before it: `max(a) as x, x / 2 as y`."""
    earlier: set[str] = set()
    for selection in aggregates:
        waiting: list[tree.Node] = [selection.expression]
        while waiting:
            node = waiting.pop()
            if isinstance(node, tree.Field) and node.name not in earlier:
                hint = f"Aggregate it, as in count({node.name}), or group: stats count(*) by {node.name}"
                _refuse(query, node, f"stats needs an aggregate such as count(*), not the field {node.name!r}", hint)
            if isinstance(node, tree.Call) and of(node).name == "bin":
                _refuse(query, node, "stats needs an aggregate, not bin()", "Group: stats count(*) by bin(5m)")
            if not (isinstance(node, tree.Call) and of(node).is_aggregate):
                waiting.extend(node.children())
        earlier.add(selection.name)


def _check_call(query: tree.Query, call: tree.Call) -> None:
    function = find(call.name)
    if function is None:
        near = difflib.get_close_matches(call.name.lower(), _BY_NAME, 1)
        hint = f"Did you mean {_BY_NAME[near[0]].name}()?" if near else "Known: " + ", ".join(names()) + "."
        _refuse(query, call, f"There is no function {call.name}()", hint)
        return
    given = len(call.arguments)
    if given < function.least or (function.most is not None and given > function.most):
        _refuse(query, call, f"{function.name}() takes {_arity(function)}, not {given}", "")
    for index, argument in enumerate(call.arguments):
        is_period = isinstance(argument, tree.Period)
        wanted = _TAKES_PERIOD.get(function.name) == index
        if is_period != wanted:
            text = "needs a period such as 5m here" if wanted else "takes no period"
            _refuse(query, argument, f"{function.name}() {text}", "Periods: ms s m h d w mo q y, as in bin(5m).")
        if isinstance(argument, tree.Star) and function.name != "count":
            _refuse(query, argument, f"{function.name}(*) has no meaning", "Only count takes a `*`.")
        if isinstance(argument, tree.Period) and argument.number == 0:
            _refuse(query, argument, "A period of 0 has no meaning", "Give at least 1, as in bin(1m).")
        if isinstance(argument, tree.Period) and capped(argument) > LONGEST_PERIOD:
            _refuse(query, argument, "This period is too long", f"Give at most {LONGEST_PERIOD}, as in bin(1d).")


def _arity(function: Function) -> str:
    if function.most is None:
        return f"{function.least} or more arguments"
    if function.least == function.most:
        return f"{function.least} argument{'s' if function.least != 1 else ''}"
    return f"{function.least} to {function.most} arguments"


def _refuse(query: tree.Query, node: tree.Node, message: str, hint: str) -> None:
    raise QueryError(message, query.text, node.span.start, node.span.end, hint)
