"""The functions of the language: one table row a function, with what it takes, what type it returns and an example.

The engine that runs a query has a table of the same names with what each computes; a test holds the two together.
Source: Amazon CloudWatch Logs User Guide, "Supported operations and functions" and "stats" (autumn 2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

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
    example: str
    is_aggregate: bool = False


def _row(name: str, least: int, most: int | None, returns: Returns, example: str) -> Function:
    return Function(name, least, most, returns, example)


def _aggregate(name: str, least: int, most: int | None, returns: Returns, example: str) -> Function:
    return Function(name, least, most, returns, example, is_aggregate=True)


_TABLE = (
    # numbers
    _row("abs", 1, 1, Returns.NUMBER, "abs(n)"),
    _row("ceil", 1, 1, Returns.NUMBER, "ceil(n)"),
    _row("floor", 1, 1, Returns.NUMBER, "floor(n)"),
    _row("greatest", 1, None, Returns.NUMBER, "greatest(a, b)"),
    _row("least", 1, None, Returns.NUMBER, "least(a, b)"),
    _row("log", 1, 1, Returns.NUMBER, "log(n)"),
    _row("round", 1, 2, Returns.NUMBER, "round(n, 2)"),
    _row("sqrt", 1, 1, Returns.NUMBER, "sqrt(n)"),
    _row("haversine", 4, 4, Returns.NUMBER, "haversine(latitude1, longitude1, latitude2, longitude2)"),
    _row("toNumber", 1, 1, Returns.NUMBER, "toNumber(n)"),
    _row("toInt", 1, 1, Returns.NUMBER, "toInt(n)"),
    _row("toLong", 1, 1, Returns.NUMBER, "toLong(n)"),
    _row("toDouble", 1, 1, Returns.NUMBER, "toDouble(n)"),
    # times
    _row("bin", 1, 1, Returns.TIME, "bin(5m)"),
    _row("datefloor", 2, 2, Returns.TIME, "datefloor(@timestamp, 1h)"),
    _row("dateceil", 2, 2, Returns.TIME, "dateceil(@timestamp, 1h)"),
    _row("fromMillis", 1, 1, Returns.TIME, "fromMillis(1795514400000)"),
    _row("toMillis", 1, 1, Returns.INTEGER, "toMillis(@timestamp)"),
    _row("now", 0, 0, Returns.INTEGER, "now()"),
    _row("parseDate", 2, 3, Returns.INTEGER, "parseDate(stageTimestamp, \"yyyy-MM-dd'T'HH:mm:ss.SSSSSSX\")"),
    _row("formatDate", 2, 3, Returns.TEXT, 'formatDate(@timestamp, "%Y-%m-%d")'),
    # general
    _row("ispresent", 1, 1, Returns.INTEGER, "ispresent(user.username)"),
    _row("coalesce", 1, None, Returns.TEXT, 'coalesce(user.username, "nobody")'),
    _row("case", 2, None, Returns.TEXT, 'case(verb = "get", "read", verb = "list", "read", "other")'),
    _row("if", 3, 3, Returns.TEXT, 'if(verb = "get", "read", "other")'),
    _row("isNumeric", 1, 1, Returns.INTEGER, "isNumeric(n)"),
    _row("messageSize", 1, 1, Returns.INTEGER, "messageSize(@message)"),
    _row("queryStartTime", 0, 0, Returns.INTEGER, "queryStartTime()"),
    _row("queryEndTime", 0, 0, Returns.INTEGER, "queryEndTime()"),
    _row("queryTimeRange", 0, 0, Returns.INTEGER, "queryTimeRange()"),
    _row("unmask", 1, 1, Returns.FIRST, "unmask(@message)"),
    # maps and lists
    _row("jsonParse", 1, 1, Returns.TEXT, "jsonParse(@message)"),
    _row("jsonStringify", 1, 1, Returns.TEXT, "jsonStringify(jsonParse(@message).user)"),
    _row("jsonArraySize", 1, 1, Returns.INTEGER, "jsonArraySize(jsonParse(@message).user.groups)"),
    _row(
        "jsonArrayContains",
        2,
        2,
        Returns.INTEGER,
        'jsonArrayContains(jsonParse(@message).user.groups, "system:masters")',
    ),
    # addresses
    _row("isValidIp", 1, 1, Returns.INTEGER, "isValidIp(sourceIPs.0)"),
    _row("isValidIpV4", 1, 1, Returns.INTEGER, "isValidIpV4(sourceIPs.0)"),
    _row("isValidIpV6", 1, 1, Returns.INTEGER, "isValidIpV6(sourceIPs.0)"),
    _row("isIpInSubnet", 2, 2, Returns.INTEGER, 'isIpInSubnet(sourceIPs.0, "10.0.0.0/8")'),
    _row("isIpv4InSubnet", 2, 2, Returns.INTEGER, 'isIpv4InSubnet(sourceIPs.0, "10.0.0.0/8")'),
    _row("isIpv6InSubnet", 2, 2, Returns.INTEGER, 'isIpv6InSubnet(sourceIPs.0, "2001:db8::/32")'),
    _row("ipv4ToNumber", 1, 1, Returns.INTEGER, "ipv4ToNumber(sourceIPs.0)"),
    _row("isPrivateIP", 1, 1, Returns.INTEGER, "isPrivateIP(sourceIPs.0)"),
    _row("isPublicIP", 1, 1, Returns.INTEGER, "isPublicIP(sourceIPs.0)"),
    _row("isReservedIP", 1, 1, Returns.INTEGER, "isReservedIP(sourceIPs.0)"),
    # text
    _row("isempty", 1, 1, Returns.INTEGER, "isempty(user.username)"),
    _row("isblank", 1, 1, Returns.INTEGER, "isblank(user.username)"),
    _row("concat", 1, None, Returns.TEXT, 'concat(verb, " ", requestURI)'),
    _row("ltrim", 1, 2, Returns.TEXT, 'ltrim(requestURI, "/")'),
    _row("rtrim", 1, 2, Returns.TEXT, 'rtrim(requestURI, "/")'),
    _row("trim", 1, 2, Returns.TEXT, "trim(verb)"),
    _row("strlen", 1, 1, Returns.INTEGER, "strlen(userAgent)"),
    _row("toupper", 1, 1, Returns.TEXT, "toupper(verb)"),
    _row("tolower", 1, 1, Returns.TEXT, "tolower(userAgent)"),
    _row("substr", 2, 3, Returns.TEXT, "substr(userAgent, 0, 7)"),
    _row("replace", 3, 3, Returns.TEXT, 'replace(requestURI, "/api/v1", "")'),
    _row("regexReplace", 3, 3, Returns.TEXT, 'regexReplace(requestURI, "[0-9]+", "N")'),
    _row("strcontains", 2, 3, Returns.INTEGER, 'strcontains(userAgent, "kubectl")'),
    _row("startsWith", 2, 2, Returns.INTEGER, 'startsWith(user.username, "system:")'),
    _row("endsWith", 2, 2, Returns.INTEGER, 'endsWith(requestURI, "/exec")'),
    _row("urlencode", 1, 1, Returns.TEXT, "urlencode(requestURI)"),
    _row("urldecode", 1, 1, Returns.TEXT, "urldecode(requestURI)"),
    _row("base64encode", 1, 1, Returns.TEXT, "base64encode(verb)"),
    _row("base64decode", 1, 1, Returns.TEXT, "base64decode(text)"),
    _row("split", 2, 2, Returns.TEXT, 'split(requestURI, "/")'),
    _row("hexToAscii", 1, 1, Returns.TEXT, "hexToAscii(text)"),
    _row("hexToDec", 1, 1, Returns.NUMBER, "hexToDec(text)"),
    _row("decToHex", 1, 1, Returns.TEXT, "decToHex(n)"),
    _row("md5", 1, 1, Returns.TEXT, "md5(userAgent)"),
    _row("sha256", 1, 1, Returns.TEXT, "sha256(userAgent)"),
    # aggregates
    _aggregate("count", 0, 1, Returns.INTEGER, "count(*)"),
    _aggregate("count_distinct", 1, 1, Returns.INTEGER, "count_distinct(user.username)"),
    _aggregate("sum", 1, 1, Returns.NUMBER, "sum(n)"),
    _aggregate("avg", 1, 1, Returns.NUMBER, "avg(n)"),
    _aggregate("min", 1, 1, Returns.NUMBER, "min(@timestamp)"),
    _aggregate("max", 1, 1, Returns.NUMBER, "max(@timestamp)"),
    _aggregate("pct", 2, 2, Returns.NUMBER, "pct(n, 95)"),
    _aggregate("stddev", 1, 1, Returns.NUMBER, "stddev(n)"),
    _aggregate("variance", 1, 1, Returns.NUMBER, "variance(n)"),
    _aggregate("values", 1, 1, Returns.TEXT, "values(verb)"),
    _aggregate("topk", 2, 2, Returns.TEXT, "topk(10, user.username)"),
    _aggregate("rate", 2, 2, Returns.NUMBER, "rate(n, 1m)"),
    _aggregate("count_over_time", 1, 1, Returns.INTEGER, "count_over_time(verb)"),
    _aggregate("sum_over_time", 1, 1, Returns.NUMBER, "sum_over_time(n)"),
    _aggregate("histogram", 2, 2, Returns.TEXT, "histogram(n, 10)"),
    _aggregate("earliest", 1, 1, Returns.FIRST, "earliest(verb)"),
    _aggregate("latest", 1, 1, Returns.FIRST, "latest(verb)"),
    _aggregate("sortsFirst", 1, 1, Returns.FIRST, "sortsFirst(verb)"),
    _aggregate("sortsLast", 1, 1, Returns.FIRST, "sortsLast(verb)"),
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
