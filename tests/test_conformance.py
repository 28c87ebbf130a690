"""The documented rules of the language, a row each: where it is written, what it says, and a query that shows it.

What AWS does not document is tested elsewhere; the choices are listed in `eks_audit_nb.insights`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eks_audit_nb.engine.store import Answer, Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, parse
from eks_audit_nb.insights.commands import ANSWERED
from eks_audit_nb.window import Window

_GUIDE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/"

# Commands with a page of their own name.
_PAGES = (
    *("Fields", "Display", "Filter", "Where", "Stats", "Sort", "Limit", "Dedup", "Parse", "Unnest", "Expand", "Lookup"),
    *("Cidrlookup", "Subqueries", "Unmask", "Estimate"),
)

# Where the rules stand: pages of the CloudWatch Logs User Guide (autumn 2026) and queries that AWS has published.
SOURCES = {
    "syntax": _GUIDE + "CWL_QuerySyntax.html",
    "alias": _GUIDE + "CWL_QuerySyntax-alias.html",
    "special characters": _GUIDE + "CWL_QuerySyntax-Guidelines.html",
    "fields of logs": _GUIDE + "CWL_AnalyzeLogData-discoverable-fields.html",
    "examples": _GUIDE + "CWL_QuerySyntax-examples.html",
    "quotas": "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html",
    "functions": _GUIDE + "CWL_QuerySyntax-operations-functions.html",
    "hashes": _GUIDE + "CWL_QuerySyntax-hash-functions.html",
    "time series": _GUIDE + "CWL_QuerySyntax-timeseries-functions.html",
    "SOURCE": _GUIDE + "CWL_QuerySyntax-Source.html",
    "filterIndex": _GUIDE + "CWL_QuerySyntax-FilterIndex.html",
    **{page.lower(): f"{_GUIDE}CWL_QuerySyntax-{page}.html" for page in _PAGES},
    "guide 2022": "https://github.com/awsdocs/amazon-cloudwatch-logs-user-guide doc_source/CWL_QuerySyntax.md",
    "EKS best practices": "https://github.com/aws/aws-eks-best-practices latest/bpg/security",
    "observability guide": "https://github.com/aws-observability/observability-best-practices",
    "AppSync guide": "https://docs.aws.amazon.com/appsync/latest/devguide/monitoring.html",
    # Not AWS itself, but seen in the service.
    "observed": "https://github.com/DataBiosphere/azul/issues/5884",
}

Columns = dict[str, list[str | None]]


@dataclass(frozen=True)
class Refused:
    """An error at a place of the query, with words in it."""

    place: str
    words: str


@dataclass(frozen=True)
class Case:
    """One rule; `expected` are the columns of the result, or the error."""

    source: str
    rule: str
    query: str
    expected: Columns | Refused
    events: tuple[Any, ...] = ()
    warning: str = ""
    options: dict[str, Any] = field(default_factory=dict)


FIRST = 1_795_514_400_000  # 2026-11-24 10:00:00 UTC
ONE: tuple[Any, ...] = (
    {
        "verb": "get",
        "code": 401,
        "n": "7",
        "negative": -5,
        "text": "xyZxyfooxyZ",
        "ip": "192.0.2.9",
        "ip6": "2001:db8::5",
        "yes": True,
        "empty": "",
        "blank": " \t",
        "agent": "kubectl/v1.22.0",
        "user": {"username": "alice", "groups": ["a", "b"]},
        "annotations": {"authorization.k8s.io/decision": "allow"},
        "foo": 9,
        "bar": 4,
        "foo-bar": "hyphen",
        "@key": "at",
    },
)
# Three events, a second apart; the newest is the last.
THREE: tuple[Any, ...] = ({"v": "a", "n": 1}, {"v": "b", "n": 2}, {"v": "a", "n": 3})
MISSING: tuple[Any, ...] = ({"v": "x", "n": 0}, {"n": 1})
JSON_TEXT = json.dumps({"status_code": 5, "users": [{"action": "Get"}, {"action": "PutData"}], "user.id": "123"})
NESTED: tuple[Any, ...] = ({"payload": JSON_TEXT, "v": "x"},)
SORTED = [*("!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh")]
SORTED += ["0", "01", "1", "2", "3"]
# 250 leaves before the annotations, as in the event of a large object.
LONG: tuple[Any, ...] = (
    {"body": {f"k{i}": i for i in range(250)}, "annotations": {"authorization.k8s.io/decision": "forbid"}},
)
ADDRESSES: tuple[Any, ...] = (
    {"src": "10.1.2.3", "name": "own"},
    {"src": "10.9.9.9"},
    {"src": "203.0.113.7"},
    {"src": "no address"},
)


def value(source: str, rule: str, expression: str, expected: str | None, events: tuple[Any, ...] = ONE) -> Case:
    """A rule of an expression over one event."""
    return Case(source, rule, f"fields {expression} as value", {"value": [expected]}, events)


def stat(source: str, rule: str, expression: str, expected: str | None, *values: object) -> Case:
    """A rule of an aggregate over values of `v`; None is missing."""
    events = tuple({} if each is None else {"v": each} for each in values)
    return Case(source, rule, f"stats {expression} as value", {"value": [expected]}, events)


def keeps(source: str, rule: str, condition: str, expected: bool, events: tuple[Any, ...] = ONE) -> Case:
    """A rule of a condition over one event."""
    return Case(source, rule, f"filter {condition} | stats count(*) as n", {"n": [str(int(expected))]}, events)


LEXICAL = [
    Case("syntax", "Commands are separated by the pipe", "fields v | filter n = 2", {"v": ["b"]}, THREE),
    Case(
        "syntax",
        "Comments are set off by a hash",
        "# what\nfields v # why | limit 1\n| filter n = 2",
        {"v": ["b"]},
        THREE,
    ),
    Case("alias", "A comment may follow a command", "stats count(*) as n # all\n| sort n", {"n": ["3"]}, THREE),
    Case("alias", "A hash in quotes is text", "filter v = '#b' | fields v", {"v": ["#b"]}, ({"v": "#b"},)),
    Case(
        "stats",
        "Keywords have no case",
        "FIELDS n | FILTER n > 1 | STATS count(*) AS c BY v | SORT c DESC, v ASC | LIMIT 1",
        {"v": ["a"], "c": ["1"]},
        THREE,
    ),
    Case("stats", "Function names have no case", "STATS SUM(n) | SORT sum(n)", {"SUM(n)": ["6"]}, THREE),
    value("filter", "Text stands in double quotes", 'verb = "get"', "1"),
    value("filter", "Text stands in single quotes", "verb = 'get'", "1"),
    value("special characters", "Without backticks a hyphen subtracts", "foo-bar", "5"),
    value("special characters", "Other characters stand in backticks", "`foo-bar`", "hyphen"),
    value(
        "special characters",
        "A name with a slash stands in backticks",
        "`annotations.authorization.k8s.io/decision`",
        "allow",
    ),
    value("fields of logs", "A key that begins with @ is shown with another one", "@@key", "at"),
    value("fields of logs", "A dotted path reaches into objects", "user.username", "alice"),
    value("fields of logs", "A number in a path is a place in an array", "user.groups.1", "b"),
    value("fields of logs", "JSON in a text is one field", "payload.status_code", None, NESTED),
    Case("where", "where is another name of filter", "where n = 2 | fields v", {"v": ["b"]}, THREE),
    Case("alias", "An alias names a field", "fields n as number | filter number = 2", {"number": ["2"]}, THREE),
    Case("alias", "An alias names an aggregate", "stats max(n) as most", {"most": ["3"]}, THREE),
    Case(
        "alias",
        "An alias names a group",
        "stats count(*) as c by v as name | sort name",
        {"name": ["a", "b"], "c": ["2", "1"]},
        THREE,
    ),
    Case("alias", "An alias may begin with @", "fields n as @n | filter @n = 2", {"@n": ["2"]}, THREE),
    Case(
        "examples",
        "An expression may use an alias before it",
        "stats max(n) as high, min(n) as low, high - low as spread",
        {"high": ["3"], "low": ["1"], "spread": ["2"]},
        THREE,
    ),
    Case("quotas", "A query has at most 10,000 characters", "fields v #" + "x" * 9990, {"v": ["x"]}, MISSING[:1]),
]

COMMAND_CASES = [
    Case("fields", "Several fields add up", "fields v | fields n | filter n = 2", {"v": ["b"], "n": ["2"]}, THREE),
    Case(
        "fields",
        "Fields takes functions and operations",
        "fields n * 10 as tenfold | limit 1",
        {"tenfold": ["30"]},
        THREE,
    ),
    Case(
        "observability guide",
        "Fields hides nothing from later commands",
        "fields v | filter n = 2 | display n",
        {"n": ["2"]},
        THREE,
    ),
    Case(
        "guide 2022",
        "Without fields there are @timestamp and @message",
        "filter n = 1",
        {"@timestamp": ["2026-11-24 10:00:00.000"], "@message": ['{"n": 1}']},
        ({"n": 1},),
    ),
    Case(
        "display", "Only the last display counts", "fields n | display v, n | display v | limit 1", {"v": ["a"]}, THREE
    ),
    Case("display", "Sort and limit may follow display", "display v | sort n desc | limit 1", {"v": ["a"]}, THREE),
    Case(
        "parse",
        "Display takes expressions",
        "display v, n = 2 as is_two | limit 1",
        {"v": ["a"], "is_two": ["0"]},
        THREE,
    ),
    Case("filter", "Several filters hold together", "filter v = 'a' | filter n > 1 | fields n", {"n": ["3"]}, THREE),
    Case(
        "filterIndex",
        "filterIndex filters, and here reads everything",
        "filterIndex v = 'b' | fields n",
        {"n": ["2"]},
        THREE,
        warning="filterIndex is taken as filter",
    ),
    Case(
        "filterIndex",
        "filterIndex takes a list",
        "filterIndex v in ['b'] | fields n",
        {"n": ["2"]},
        THREE,
        warning="filterIndex",
    ),
    Case("limit", "Limit caps the rows", "fields n | sort n | limit 2", {"n": ["1", "2"]}, THREE),
    Case(
        "limit", "limit any stops when enough are found", "filter v = 'b' | limit any 1 | fields n", {"n": ["2"]}, THREE
    ),
    Case("limit", "A limit is at most 100,000", "limit 100001", Refused("100001", "from 1 to 100000"), THREE),
    Case(
        "dedup",
        "Dedup keeps the first row in the order of the sort",
        "fields v, n | sort n asc | dedup v",
        {"v": ["a", "b"], "n": ["1", "2"]},
        THREE,
    ),
    Case(
        "dedup",
        "Without a sort dedup keeps the newest",
        "fields v, n | dedup v",
        {"v": ["a", "b"], "n": ["3", "2"]},
        THREE,
    ),
    Case("dedup", "Dedup takes several fields", "fields n | dedup v, n", {"n": ["3", "2", "1"]}, THREE),
    Case("dedup", "Rows without a value are all kept", "fields n | dedup v", {"n": ["2", "1"]}, ({"n": 1}, {"n": 2})),
    Case("dedup", "Only limit follows dedup", "fields n | dedup v | limit 1", {"n": ["3"]}, THREE),
    Case(
        "dedup",
        "Anything but limit behind dedup is invalid",
        "dedup v | sort n",
        Refused("sort n", "stands after dedup"),
        THREE,
        options={"is_strict": True},
    ),
    Case(
        "sort",
        "Text comes first, by runs of digits and of letters, then numbers",
        "fields v | sort v asc",
        {"v": list(SORTED)},
        tuple({"v": each} for each in reversed(SORTED)),
    ),
    Case(
        "sort",
        "Descending is the reverse",
        "fields v | sort v desc",
        {"v": SORTED[::-1]},
        tuple({"v": each} for each in SORTED),
    ),
    Case("sort", "Sort takes several keys", "fields n | sort v desc, n asc", {"n": ["2", "1", "3"]}, THREE),
    Case(
        "subqueries",
        "A list may be a query of one column",
        "filter v in (filter n = 1 | fields v) | fields n | sort n",
        {"n": ["1", "3"]},
        THREE,
    ),
    Case(
        "subqueries",
        "not in takes a query too",
        "filter v not in (filter n = 1 | fields v) | fields n",
        {"n": ["2"]},
        THREE,
    ),
    Case(
        "subqueries",
        "A query in a list may name its source",
        "filter v in (SOURCE 'g' | filter n = 2 | fields v) | fields n",
        {"n": ["2"]},
        THREE,
        warning="SOURCE is left out",
    ),
    Case(
        "subqueries",
        "Queries do not nest",
        "filter v in (filter n in (fields n) | fields v)",
        Refused("n in (fields n)", "cannot hold another one"),
        THREE,
    ),
    Case(
        "subqueries",
        "The query gives one column",
        "filter v in (fields v, n)",
        Refused("fields v, n", "gives one column"),
        THREE,
    ),
    Case("unmask", "unmask shows what nothing masks here", "fields v | unmask | limit 1", {"v": ["a"]}, THREE),
    Case(
        "estimate",
        "estimate gives the bytes that would be read",
        "filter v = 'b' | estimate",
        {"estimatedBytesScanned": ["54"]},
        THREE,
    ),
    Case(
        "SOURCE",
        "SOURCE names log groups, which are here what was named",
        "SOURCE logGroups(namePrefix: ['/aws/eks']) | fields n | limit 1",
        {"n": ["3"]},
        THREE,
        warning="SOURCE is left out",
    ),
]

PARSE = [
    Case(
        "parse",
        "A glob takes what stands at its stars",
        'parse @message "user=*, method:*, latency := *" as @user, @method, @latency'
        " | display @user, @method, @latency",
        {"@user": ["alice"], "@method": ["GET"], "@latency": ["12"]},
        ("user=alice, method:GET, latency := 12",),
    ),
    Case(
        "parse",
        "What a glob takes can be aggregated",
        'parse @message "user=*, method:*, latency := *" as @user,\n    @method, @latency'
        " | stats avg(@latency) by @method, @user",
        {"@method": ["GET"], "@user": ["alice"], "avg(@latency)": ["15"]},
        ("user=alice, method:GET, latency := 12", "user=alice, method:GET, latency := 18"),
    ),
    Case(
        "parse",
        "Without a field the message is parsed",
        "parse 'user=*,' as u | display u",
        {"u": ["bob"]},
        ("user=bob, x",),
    ),
    Case(
        "parse",
        "Any field can be parsed",
        "parse agent '*/*' as tool, version | display tool, version",
        {"tool": ["kubectl"], "version": ["v1.22.0"]},
        ONE,
    ),
    Case(
        "parse",
        "A field that was parsed can be parsed again",
        'parse @message "url=*" as url | parse url "/api/*/users/*" as apiVersion, userId | display apiVersion, userId',
        {"apiVersion": ["v1"], "userId": ["77"]},
        ("url=/api/v1/users/77",),
    ),
    Case(
        "parse",
        "There are as many names as stars",
        "parse @message 'a*b*' as x",
        Refused("'a*b*'", "one name for each"),
    ),
    Case(
        "parse",
        "Events that do not match stay",
        "parse v 'a*' as rest | display v, rest | sort n",
        {"v": ["a", "b", "a"], "rest": ["", None, ""]},
        THREE,
    ),
    Case(
        "parse",
        "A regular expression takes its named groups",
        "parse @message /user=(?<user2>.*?), method:(?<method2>.*?), / | display user2, method2",
        {"user2": ["alice"], "method2": ["GET"]},
        ("user=alice, method:GET, latency := 12",),
    ),
    Case(
        "parse",
        "A group may be named behind as",
        r"parse @message /(?<eni>eni-\S+)/ as card | display card",
        {"card": ["eni-1"]},
        ("x eni-1 y",),
    ),
    Case(
        "parse",
        "multi gives a row for each match",
        r"parse @message /(\d+\.\d+\.\d+\.\d+)/ as ip_addr multi | stats count(*) by ip_addr",
        {"ip_addr": [None, "10.0.0.1", "10.0.0.2"], "count(*)": ["1", "2", "1"]},
        ("10.0.0.1 to 10.0.0.2", "from 10.0.0.1", "none"),
    ),
    Case(
        "parse",
        "multi takes named groups",
        r"parse @message /(?<x>\d)/ multi | display x",
        {"x": ["1", "2"]},
        ("1 and 2",),
    ),
    Case(
        "parse",
        "logfmt gives a map with dots",
        'parse @message logfmt as lf | filter lf.level = "error" | display lf.msg, lf.duration',
        {"lf.msg": ["not found"], "lf.duration": ["5"]},
        ('level=error msg="not found" duration=5', "level=info msg=ok"),
    ),
    Case(
        "parse",
        "A map of logfmt can be grouped by",
        "parse @message logfmt as lf | stats count(*) by lf.host",
        {"lf.host": ["a", "b"], "count(*)": ["2", "1"]},
        ("host=a", "host=b", "host=a x=1"),
    ),
    Case(
        "parse",
        "csv gives each value a name",
        'parse @message csv as timestamp, level, message | filter level = "ERROR" | display timestamp, message',
        {"timestamp": ["10:00"], "message": ["a, b"]},
        ('10:00,ERROR,"a, b"', "10:01,INFO,c"),
    ),
    Case(
        "parse",
        "json takes a path out of what was parsed",
        r"parse @message /(?<payload>\{.*\})/ as payload"
        ' | json field=payload "user.name" as username | display username',
        {"username": ["alice"]},
        ('x {"user": {"name": "alice"}} y',),
    ),
    Case(
        "parse",
        "json takes a path out of a field",
        "json field=user 'groups.1' as group | display group",
        {"group": ["b"]},
        ONE,
    ),
]

STRUCTURES = [
    value(
        "functions",
        "jsonParse gives a map of JSON text",
        "jsonParse(payload)",
        JSON_TEXT,
        NESTED,
    ),
    value("functions", "jsonParse gives a list of JSON text", "jsonParse('[1, 2]')", "[1, 2]"),
    value("functions", "jsonParse of anything else is empty", "jsonParse(verb)", None),
    Case(
        "functions",
        "A dot reaches into a map",
        "fields jsonParse(payload) as m | stats count() by m.status_code",
        {"m.status_code": ["5"], "count()": ["1"]},
        NESTED,
    ),
    Case(
        "functions",
        "Brackets reach into a list",
        'fields jsonParse(payload) as m | filter m.users[1].action = "PutData" | display v',
        {"v": ["x"]},
        NESTED,
    ),
    Case(
        "functions",
        "A key with other characters stands in backticks",
        'fields jsonParse(payload) as m | filter m.`user.id` = "123" | display v',
        {"v": ["x"]},
        NESTED,
    ),
    Case(
        "functions",
        "A map is null to functions",
        "fields jsonParse(payload) as m | display toupper(m), abs(m), toMillis(m)",
        {"toupper(m)": [None], "abs(m)": [None], "toMillis(m)": [None]},
        NESTED,
    ),
    Case(
        "functions",
        "Comparing a map or a list is false",
        "fields jsonParse(payload) as m | display m = v, m != v, m < 1, m.users = v, m.users != v",
        {"m = v": ["0"], "m != v": ["0"], "m < 1": ["0"], "m.users = v": ["0"], "m.users != v": ["0"]},
        NESTED,
    ),
    Case(
        "functions",
        "A map or a list is unsupported in sort",
        "fields jsonParse(payload) as m | sort m",
        Refused("m", "sort takes no map and no list"),
        NESTED,
        options={"is_strict": True},
    ),
    Case(
        "functions",
        "A map or a list is unsupported in dedup",
        "fields jsonParse(payload) as m | dedup m",
        Refused("m", "dedup takes no map and no list"),
        NESTED,
        options={"is_strict": True},
    ),
    Case(
        "functions",
        "A map or a list is unsupported in stats",
        "fields jsonParse(payload) as m | stats count(*) by m",
        Refused("m", "stats takes no map and no list"),
        NESTED,
        options={"is_strict": True},
    ),
    value("functions", "jsonStringify gives the text of a map", "jsonStringify(jsonParse('{\"a\": 1}'))", '{"a":1}'),
    value("functions", "jsonArraySize counts the elements of an array in a text", "jsonArraySize('[1, [2], 3]')", "3"),
    value("functions", "jsonArrayContains finds a value", "jsonArrayContains('[\"admin\"]', 'admin')", "1"),
    value("functions", "jsonArrayContains has case", "jsonArrayContains('[\"Admin\"]', 'admin')", "0"),
    value("functions", "jsonArrayContains is false for an empty array", "jsonArrayContains('[]', 'admin')", "0"),
    value("functions", "jsonArrayContains is false for what is no array", "jsonArrayContains('{}', 'admin')", "0"),
    value("functions", "jsonArrayContains is false for what is no JSON", "jsonArrayContains(verb, 'admin')", "0"),
    Case(
        "unnest",
        "unnest gives a row for each element of a list",
        "fields jsonParse(@message) as json_message | unnest json_message.events into event | display event.name",
        {"event.name": ["exception", "user action"]},
        ({"events": [{"name": "exception"}, {"name": "user action"}]},),
    ),
    Case(
        "unnest",
        "Elements can be filtered and other fields stay",
        "fields jsonParse(@message) as js | unnest js.accounts into account"
        " | filter account.type = 'internal' | display v, account.id",
        {"v": ["x"], "account.id": ["2"]},
        ({"v": "x", "accounts": [{"type": "external", "id": 1}, {"type": "internal", "id": 2}]},),
    ),
    Case(
        "unnest",
        "Elements can be aggregated",
        "fields jsonParse(t) as accounts | unnest accounts into account"
        " | stats sum(account.dropped) as n by account.id | sort n desc | limit 10",
        {"account.id": ["b", "a"], "n": ["5", "3"]},
        ({"t": '[{"id":"a","dropped":3},{"id":"b","dropped":4}]'}, {"t": '[{"id":"b","dropped":1}]'}),
    ),
    Case(
        "unnest",
        "A map is a list of one",
        "unnest jsonParse(payload) into m | display m.status_code",
        {"m.status_code": ["5"]},
        NESTED,
    ),
    Case("unnest", "A text is a list of one", "unnest v into x | display x", {"x": ["x"]}, NESTED),
    Case("unnest", "A number is a list of one", "unnest strlen(v) into x | display x", {"x": ["1"]}, NESTED),
    Case(
        "expand",
        "expand gives an event for each element, with all other fields",
        "expand items | stats count(*) by items, host",
        {"items": ["apple", "banana", "cherry"], "host": ["web-01"] * 3, "count(*)": ["1", "1", "1"]},
        ({"items": ["apple", "banana", "cherry"], "host": "web-01"},),
    ),
]

LOOKUPS = [
    Case(
        "lookup",
        "OUTPUT adds the columns, overwrites, and sets null where nothing matches",
        "lookup hosts ip as src OUTPUT name, zone | display src, name, zone | sort src",
        {
            "src": ["10.1.2.3", "10.9.9.9", "203.0.113.7", "no address"],
            "name": ["web", "Db", None, None],
            "zone": ["blue", None, None, None],
        },
        ADDRESSES,
    ),
    Case(
        "lookup",
        "OUTPUTNEW keeps what is there",
        "lookup hosts ip as src OUTPUTNEW name | filter ispresent(name) | display src, name | sort src",
        {"src": ["10.1.2.3", "10.9.9.9"], "name": ["own", "Db"]},
        ADDRESSES,
    ),
    Case(
        "lookup",
        "OUTPUTNEW leaves a field unchanged where nothing matches",
        "lookup hosts ip as src OUTPUTNEW name | display name",
        {"name": ["mine"]},
        ({"src": "1.1.1.1", "name": "mine"},),
    ),
    Case(
        "lookup",
        "A key of the same name needs no as",
        "lookup hosts ip OUTPUT name | display name",
        {"name": ["web"]},
        ({"ip": "10.1.2.3"},),
    ),
    Case(
        "lookup",
        "All keys have to match",
        "lookup hosts ip, zone OUTPUT name | display name",
        {"name": [None]},
        ({"ip": "10.1.2.3", "zone": "red"},),
    ),
    Case(
        "lookup",
        "Keys match whole and with case",
        "lookup hosts name OUTPUT ip | display ip",
        {"ip": [None]},
        ({"name": "db"},),
    ),
    Case(
        "lookup",
        "A column may be given another name",
        "lookup hosts ip OUTPUT name as host | display host",
        {"host": ["web"]},
        ({"ip": "10.1.2.3"},),
    ),
    Case(
        "lookup",
        "What a lookup adds can be filtered and counted",
        "lookup hosts ip as src OUTPUT zone | filter zone = 'blue' | stats count(*) by zone",
        {"zone": ["blue"], "count(*)": ["1"]},
        ADDRESSES,
    ),
    Case(
        "cidrlookup",
        "cidrlookup finds the block of an address",
        "cidrlookup nets src OUTPUT owner | display src, owner | sort src",
        {"src": ["10.1.2.3", "10.9.9.9", "203.0.113.7", "no address"], "owner": ["narrow", "wide", None, None]},
        ADDRESSES,
    ),
    Case(
        "cidrlookup",
        "AS names the column of the blocks",
        "cidrlookup nets src AS other OUTPUT owner | filter ispresent(owner) | display src, owner",
        {"src": ["203.0.113.7"], "owner": ["narrow"]},
        ADDRESSES,
    ),
    Case(
        "cidrlookup",
        "OUTPUTNEW fills only what is empty",
        "cidrlookup nets src OUTPUTNEW owner as name | display name | sort src",
        {"name": ["own", "wide", None, None]},
        ADDRESSES,
    ),
    Case(
        "lookup",
        "A table has to be there",
        "lookup users id OUTPUT name",
        Refused("users", "Known: hosts, nets"),
        ADDRESSES,
    ),
    Case(
        "lookup",
        "A column has to be there",
        "lookup hosts id OUTPUT name",
        Refused("id", "It has: ip, name, zone"),
        ADDRESSES,
    ),
]

OPERATORS = [
    value("functions", "Plus adds", "code + 1", "402"),
    value("functions", "Minus subtracts", "code - 1", "400"),
    value("functions", "A star multiplies", "n * 3", "21"),
    value("functions", "A slash divides", "n / 2", "3.5"),
    value("functions", "A caret raises to a power", "2 ^ 3", "8"),
    value("functions", "A percent sign gives the remainder", "10 % 3", "1"),
    keeps("functions", "and holds where both do", "verb = 'get' and code = 401", True),
    keeps("functions", "or holds where one does", "verb = 'list' or code = 401", True),
    keeps("functions", "not turns a condition round", "not verb = 'list'", True),
    keeps("functions", "An exclamation mark is not", "!ispresent(nothing)", True),
    keeps("functions", "Equal", "code = 401", True),
    keeps("observability guide", "Two equal signs are one", 'verb == "get"', True),
    keeps("functions", "Not equal", "code != 401", False),
    keeps("functions", "Less", "negative < 0", True),
    keeps("functions", "Greater", "code > 401", False),
    keeps("functions", "Less or equal", "code <= 401", True),
    keeps("functions", "Greater or equal", "code >= 402", False),
    keeps("observed", "!= holds where the field is missing", "v != 'foo'", True, MISSING[1:]),
    keeps("filter", "in finds whole values", "verb in ['get', 'list']", True),
    keeps("filter", "in does not find parts", "verb in ['ge']", False),
    keeps("filter", "not in", "verb not in ['list']", True),
    keeps("guide 2022", "A list of numbers finds numbers that are text", "n in [5, 7]", True),
    keeps("guide 2022", "A number in a list of texts is found as text", "n not in ['foo', 'bar', 7]", False),
    keeps("EKS best practices", "A text in a list finds a JSON number", "code in ['401', '403']", True),
    keeps("EKS best practices", "A quoted number equals a JSON number", "code = '401'", True),
    keeps("filter", "like with text finds a part", "agent like 'ctl/v1'", True),
    keeps("filter", "like has case", "agent like 'Kubectl'", False),
    keeps("filter", "like knows no wildcards", "agent like 'kube%'", False),
    keeps("filter", "like with a regular expression searches", "agent like /v1\\.\\d+/", True),
    keeps("observability guide", "A slash in a regular expression is escaped", "agent like /kubectl\\/v1.22.0/", True),
    keeps("filter", "not like", "agent not like /curl/", True),
    keeps("filter", "=~ searches with a regular expression", "agent =~ /^kube/", True),
    keeps("filter", "(?i) leaves case out", "agent like /(?i)KUBECTL/", True),
    keeps("AppSync guide", "JSON's true is a condition", "yes and verb = 'get'", True),
    value("guide 2022", "A condition is 1 or 0", "verb = 'get'", "1"),
]

NUMBERS = [
    value("functions", "abs", "abs(negative)", "5"),
    value("functions", "ceil rounds up", "ceil(1.2)", "2"),
    value("functions", "floor rounds down", "floor(1.8)", "1"),
    value("functions", "greatest", "greatest(1, code, 3)", "401"),
    value("functions", "least", "least(1, negative, 3)", "-5"),
    value("functions", "log is the natural one", "log(1)", "0"),
    value("functions", "round gives the nearest integer", "round(2.6)", "3"),
    value("functions", "round to places", "round(1234.567, 2)", "1234.57"),
    value("functions", "sqrt", "sqrt(16)", "4"),
    value("functions", "haversine is in kilometers", "round(haversine(52.52, 13.405, 48.8566, 2.3522))", "877"),
    value("functions", "haversine of half the equator", "round(haversine(0, 0, 0, 180))", "20015"),
    value("functions", "toNumber makes text a number", "toNumber('1.50')", "1.5"),
    value("functions", "toInt makes a value an integer", "toInt('7.9')", "7"),
    value("functions", "toInt has 32 bits", "toInt(2147483648)", None),
    value("functions", "toLong has 64 bits", "toLong(2147483648)", "2147483648"),
    value("functions", "toDouble", "toDouble('1e3')", "1000"),
]

TIMES = [
    value("functions", "bin truncates to the period", "bin(1m)", "2026-11-24 10:00:00.000"),
    Case(
        "functions",
        "bin caps seconds at 60",
        "stats count(*) as c by bin(300s) as b",
        {"b": ["2026-11-24 10:00:00.000", "2026-11-24 10:01:00.000"], "c": ["60", "1"]},
        ({},) * 61,
    ),
    *(
        value(
            "functions",
            f"{name}s are capped at {cap}",
            f"datefloor(t, {many}{unit}) = datefloor(t, {cap}{unit})",
            "1",
            ({"t": "2026-11-24T10:31:31.987Z"},),
        )
        for name, unit, many, cap in [
            ("millisecond", "ms", 5000, 1000),
            ("second", "s", 90, 60),
            ("minute", "m", 90, 60),
            ("hour", "h", 48, 24),
        ]
    ),
    *(
        value(
            "functions", f"{word} is a unit", f"datefloor(t, 1{word})", expected, ({"t": "2026-11-24T10:31:31.987Z"},)
        )
        for words, expected in [
            (("millisecond", "ms", "msec", "milliseconds", "msecs"), "2026-11-24 10:31:31.987"),
            (("second", "s", "sec", "seconds", "secs"), "2026-11-24 10:31:31.000"),
            (("minute", "m", "min", "minutes", "mins"), "2026-11-24 10:31:00.000"),
            (("hour", "h", "hr", "hours", "hrs"), "2026-11-24 10:00:00.000"),
            (("day", "d", "days"), "2026-11-24 00:00:00.000"),
            (("month", "mo", "mon", "months", "mons"), "2026-11-01 00:00:00.000"),
            (("quarter", "q", "qtr", "quarters", "qtrs"), "2026-10-01 00:00:00.000"),
            (("year", "y", "yr", "years", "yrs"), "2026-01-01 00:00:00.000"),
        ]
        for word in words
    ),
    *(
        value(
            "functions",
            f"{word} is a unit",
            f"(toMillis(datefloor(t, 1{word})) - toMillis(t)) / 86400000 > -7",
            "1",
            ({"t": "2026-11-24T10:31:31Z"},),
        )
        for word in ("week", "w", "weeks")
    ),
    value(
        "functions",
        "datefloor gives the bottom of the hour",
        "datefloor(t, 1h)",
        "2026-11-24 10:00:00.000",
        ({"t": "2026-11-24T10:31:31Z"},),
    ),
    value(
        "functions",
        "dateceil gives the top of the hour",
        "dateceil(t, 1h)",
        "2026-11-24 11:00:00.000",
        ({"t": "2026-11-24T10:31:31Z"},),
    ),
    value("functions", "fromMillis makes milliseconds a time", "fromMillis(1642195111000)", "2022-01-14 21:18:31.000"),
    value(
        "functions", "toMillis makes a time milliseconds", "toMillis('2022-01-14T13:18:31.000-08:00')", "1642195111000"
    ),
    value("functions", "now is in seconds", "now()", str(FIRST // 1000)),
    value("functions", "now finds the last hours", "toMillis(@timestamp) >= (now() * 1000 - 7200000)", "1"),
    value(
        "functions",
        "parseDate gives milliseconds by a pattern of Java",
        "parseDate('2026-11-24', 'yyyy-MM-dd', 'UTC')",
        "1795478400000",
    ),
    value(
        "functions",
        "parseDate takes a time zone",
        "parseDate('2026-11-24 01', 'yyyy-MM-dd HH', 'Europe/Berlin')",
        "1795478400000",
    ),
    value(
        "functions",
        "formatDate writes by a pattern of strftime",
        "formatDate(@timestamp, '%Y-%m-%d', 'UTC')",
        "2026-11-24",
    ),
    value("functions", "strftime is formatDate", "strftime(@timestamp, '%H:%M')", "10:00"),
    value("functions", "formatDate takes a time zone", "formatDate(@timestamp, '%H', 'Asia/Tokyo')", "19"),
]

GENERAL = [
    value("functions", "ispresent is true where the field is", "ispresent(verb)", "1"),
    value("functions", "ispresent is false where it is not", "ispresent(nothing)", "0"),
    value("functions", "coalesce gives the first value that is there", "coalesce(nothing, verb, code)", "get"),
    value(
        "functions",
        "case gives the value of the first true condition",
        "case(code = 1, 'a', code > 1, 'b', code > 2, 'c')",
        "b",
    ),
    value("functions", "case has a default", "case(code = 1, 'a', 'other')", "other"),
    value("functions", "case without a default may give nothing", "case(code = 1, 'a')", None),
    value("functions", "case takes 10 branches", f"case({', '.join(f'code = {i}, {i}' for i in range(10))}, 'x')", "x"),
    Case(
        "functions",
        "case takes no 11 branches",
        f"fields case({', '.join(f'{i} = n, {i}' for i in range(11))})",
        Refused("10 = n", "at most 10 branches"),
    ),
    value("functions", "if gives the one value", "if(code = 401, 'yes', 'no')", "yes"),
    value("functions", "if gives the other value", "if(code = 1, 'yes', 'no')", "no"),
    value("functions", "isNumeric is true for what reads as a number", "isNumeric(n)", "1"),
    value("functions", "isNumeric is false for other text", "isNumeric(verb)", "0"),
    value("functions", "messageSize counts bytes", "messageSize('größe')", "7"),
    Case(
        "functions",
        "The window's start, end and length are in milliseconds",
        "fields queryStartTime() as s, queryEndTime() as e, queryTimeRange() as r",
        {"s": [str(FIRST - 500)], "e": [str(FIRST + 500)], "r": ["1000"]},
        ONE,
        options={"window": Window(FIRST - 500, FIRST + 500)},
    ),
    value("unmask", "unmask of a field shows its value", "unmask(verb)", "get"),
]

ADDRESS_FUNCTIONS = [
    value("functions", "isValidIp takes IPv4", "isValidIp(ip)", "1"),
    value("functions", "isValidIp takes IPv6", "isValidIp(ip6)", "1"),
    value("functions", "isValidIp is false for anything else", "isValidIp('192.0.2.256')", "0"),
    value("functions", "isValidIpV4", "isValidIpV4(ip)", "1"),
    value("functions", "isValidIpV4 takes no IPv6", "isValidIpV4(ip6)", "0"),
    value("functions", "isValidIpV6", "isValidIpV6(ip6)", "1"),
    value("functions", "isValidIpV6 takes no IPv4", "isValidIpV6(ip)", "0"),
    value("functions", "isIpInSubnet with IPv4", "isIpInSubnet(ip, '192.0.2.0/24')", "1"),
    value("functions", "isIpInSubnet with IPv6", "isIpInSubnet(ip6, '2001:db8::/32')", "1"),
    value("functions", "isIpInSubnet outside", "isIpInSubnet(ip, '198.51.100.0/24')", "0"),
    value("functions", "isIpInSubnet of no address", "isIpInSubnet(verb, '192.0.2.0/24')", "0"),
    value("functions", "isIpv4InSubnet", "isIpv4InSubnet(ip, '192.0.2.0/24')", "1"),
    value("functions", "isIpv4InSubnet takes no IPv6", "isIpv4InSubnet(ip6, '2001:db8::/32')", "0"),
    value("functions", "isIpv6InSubnet", "isIpv6InSubnet(ip6, '2001:db8::/32')", "1"),
    value("functions", "isIpv6InSubnet takes no IPv4", "isIpv6InSubnet(ip, '192.0.2.0/24')", "0"),
    value("functions", "ipv4ToNumber", "ipv4ToNumber('10.0.0.1')", "167772161"),
    *(
        value("functions", f"{ip} is private by RFC 1918", f"isPrivateIP('{ip}')", "1")
        for ip in ("10.1.2.3", "172.31.0.1", "192.168.1.1")
    ),
    value("functions", "isPrivateIP ends with its ranges", "isPrivateIP('172.32.0.1')", "0"),
    value("functions", "isPublicIP of a routable address", "isPublicIP('8.8.8.8')", "1"),
    *(
        value("functions", f"{ip} is not routable", f"isPublicIP('{ip}')", "0")
        for ip in ("10.1.2.3", "127.0.0.1", "no address")
    ),
    *(
        value("functions", f"{ip} is reserved", f"isReservedIP('{ip}')", "1")
        for ip in ("127.0.0.1", "240.0.0.1", "192.0.2.1")
    ),
    value("functions", "isReservedIP of a routable address", "isReservedIP('8.8.8.8')", "0"),
]

TEXTS = [
    value("functions", "isempty of a missing field", "isempty(nothing)", "1"),
    value("functions", "isempty of empty text", "isempty(empty)", "1"),
    value("functions", "isempty of anything else", "isempty(blank)", "0"),
    value("functions", "isblank of a missing field", "isblank(nothing)", "1"),
    value("functions", "isblank of empty text", "isblank(empty)", "1"),
    value("functions", "isblank of white space", "isblank(blank)", "1"),
    value("functions", "isblank of anything else", "isblank(verb)", "0"),
    value("functions", "concat", "concat(verb, '-', code)", "get-401"),
    value("functions", "ltrim takes characters from the left", "ltrim('xyZxyfooxyZ', 'xyZ')", "fooxyZ"),
    value("functions", "ltrim takes white space", "ltrim('  a ')", "a "),
    value("functions", "ltrim with characters leaves white space", "ltrim(' xa', 'x')", " xa"),
    value("functions", "rtrim takes characters from the right", "rtrim('xyZfooxyxyZ', 'xyZ')", "xyZfoo"),
    value("functions", "rtrim takes white space", "rtrim(' a  ')", " a"),
    value("functions", "trim takes characters from both sides", "trim('xyZxyfooxyxyZ', 'xyZ')", "foo"),
    value("functions", "trim takes white space", "trim(' a ')", "a"),
    value("functions", "strlen counts code points", "strlen('größe 😀')", "7"),
    value("functions", "toupper", "toupper(verb)", "GET"),
    value("functions", "tolower", "tolower('GET')", "get"),
    value("functions", "substr to the end", "substr('xyZfooxyZ', 3)", "fooxyZ"),
    value("functions", "substr of a length", "substr('xyZfooxyZ', 3, 3)", "foo"),
    value(
        "functions",
        "replace takes all instances",
        "replace('smoke_test-smoke_test', 'smoke_test', 'Smoke')",
        "Smoke-Smoke",
    ),
    value("functions", "regexReplace takes all matches", "regexReplace('a1b22', '[0-9]+', '#')", "a#b#"),
    value("functions", "regexReplace has RE2 syntax", r"regexReplace('ab', '(a)(b)', '\2\1')", "ba"),
    Case(
        "functions",
        "RE2 has no look-around",
        "fields regexReplace(v, '(?=a)', '')",
        Refused("'(?=a)'", "not valid"),
    ),
    value("functions", "strcontains finds text", "strcontains(agent, 'v1.22')", "1"),
    value("functions", "strcontains has case", "strcontains(agent, 'KUBE')", "0"),
    value("functions", "strcontains leaves case out when told", "strcontains(agent, 'KUBE', true)", "1"),
    value("functions", "startsWith", "startsWith(agent, 'kube')", "1"),
    value("functions", "startsWith elsewhere", "startsWith(agent, 'v1')", "0"),
    value("functions", "endsWith", "endsWith(agent, '.0')", "1"),
    value("functions", "endsWith elsewhere", "endsWith(agent, 'kube')", "0"),
    value("functions", "urlencode", "urlencode('a b/c')", "a%20b%2Fc"),
    value("functions", "urldecode", "urldecode('a%20b%2Fc')", "a b/c"),
    value("functions", "base64encode", "base64encode('hello')", "aGVsbG8="),
    value("functions", "base64decode", "base64decode('aGVsbG8=')", "hello"),
    value("functions", "split gives a list", "split('a,b,c', ',')", '["a","b","c"]'),
    Case(
        "functions",
        "An element of what split gives",
        "fields split('a,b,c', ',') as parts | display parts[1]",
        {"parts[1]": ["b"]},
        ONE,
    ),
    value("functions", "hexToAscii", "hexToAscii('48656c6c6f')", "Hello"),
    value("functions", "hexToDec", "hexToDec('0xff')", "255"),
    value("functions", "decToHex has lower case and a prefix", "decToHex(255)", "0xff"),
    value("functions", "decToHex of a negative number", "decToHex(-255)", "-0xff"),
    value("functions", "decToHex truncates", "decToHex(255.9)", "0xff"),
    value("hashes", "md5", "md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
    value("hashes", "sha256", "sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
]

STATS = [
    stat("stats", "count() counts all events", "count()", "3", 1, None, "x"),
    stat("stats", "count(*) counts all events", "count(*)", "3", 1, None, "x"),
    stat("stats", "count of a field counts the events that have it", "count(v)", "2", 1, None, "x"),
    stat("stats", "count_distinct counts different values", "count_distinct(v)", "2", 1, 1, "x", None),
    stat("stats", "countDistinct is count_distinct", "countDistinct(v)", "2", 1, 1, "x", None),
    stat("stats", "sum", "sum(v)", "6", 1, 2, "3"),
    stat("stats", "avg", "avg(v)", "2", 1, 2, "3"),
    stat("stats", "min", "min(v)", "1", 3, 1, 2),
    stat("stats", "max", "max(v)", "3", 3, 1, 2),
    stat("stats", "pct gives the value that a share is below", "pct(v, 50)", "2", 3, 1, 2),
    stat("stats", "stddev", "stddev(v)", "2", 2, 4, 4, 4, 5, 5, 7, 9),
    stat("stats", "variance is the population's", "variance(v)", "4", 2, 4, 4, 4, 5, 5, 7, 9),
    stat("stats", "values gives the different values", "values(v)", '["a","b"]', "b", "a", "b", None),
    stat("stats", "collect_values is values", "COLLECT_VALUES(v)", '["a","b"]', "b", "a", "b"),
    stat("stats", "topk gives the most frequent values", "topk(2, v)", '["b","a"]', "a", "b", "c", "b", "a", "b"),
    stat("stats", "earliest goes by the time", "earliest(v)", "b", "b", "a", "c"),
    stat("stats", "latest goes by the time", "latest(v)", "c", "b", "a", "c"),
    stat("stats", "sortsFirst goes by the sort", "sortsFirst(v)", "a2", "10", "a10", "a2"),
    stat("stats", "sortsLast goes by the sort", "sortsLast(v)", "10", "10", "a10", "a2"),
    stat("time series", "rate is the change for each interval", "rate(v, 1m)", "300", 10, 15, 20),
    stat("time series", "count_over_time counts", "count_over_time(v)", "2", 1, None, 2),
    stat("time series", "sum_over_time sums", "sum_over_time(v)", "3", 1, None, 2),
    stat("time series", "countOverTime is count_over_time", "countOverTime(v)", "2", 1, None, 2),
    stat("time series", "sumOverTime is sum_over_time", "sumOverTime(v)", "3", 1, None, 2),
    stat("time series", "histogram has ranges of equal width", "histogram(v, 2)", '{"0-5":2,"5-10":1}', 0, 4, 10),
    Case(
        "time series",
        "offset shifts the bins",
        "stats count(*) as c by bin(1m) as t offset 1h",
        {"t": ["2026-11-24 11:00:00.000"], "c": ["3"]},
        THREE,
    ),
    Case(
        "stats",
        "Groups come before aggregates",
        "stats count(*), sum(n) by v | sort v",
        {"v": ["a", "b"], "count(*)": ["2", "1"], "sum(n)": ["4", "2"]},
        THREE,
    ),
    Case("stats", "An expression holds aggregates", "stats sum(n) / count(*) as mean", {"mean": ["2"]}, THREE),
    Case(
        "stats",
        "A stats aggregates another one's rows",
        "FIELDS strlen(v) AS length | STATS sum(length) / 2 as half BY v"
        " | STATS max(half) AS most, min(half) AS least, avg(half) AS mean",
        {"most": ["1"], "least": ["0.5"], "mean": ["0.75"]},
        THREE,
    ),
    Case(
        "stats",
        "A filter stands between two stats",
        "STATS count(*) AS c BY v | FILTER c > 1 | STATS sum(c) AS s",
        {"s": ["2"]},
        THREE,
    ),
    Case(
        "stats",
        "Only outputs of a stats are left behind it",
        "FIELDS @message | STATS SUM(n) by v | STATS MAX(strlen(@message)) AS m",
        Refused("@message", "not visible after stats"),
        THREE,
    ),
    Case("stats", "An output is named by its text", "STATS SUM(n) by v | STATS MAX(SUM(n)) AS m", {"m": ["4"]}, THREE),
    Case(
        "stats",
        "bin in a second stats needs the time",
        "STATS sum(n) AS s BY v | STATS avg(s) BY bin(5m)",
        Refused("5m", "'@timestamp' is not visible"),
        THREE,
    ),
    Case(
        "stats",
        "A time that is carried along can be binned",
        "STATS sum(n) AS s, max(@timestamp) as @t BY v | STATS avg(s) as m BY dateceil(@t, 5m) as t",
        {"t": ["2026-11-24 10:05:00.000"], "m": ["3"]},
        THREE,
    ),
    Case("stats", "A query holds 10 stats", "stats count(*) as c" + " | stats max(c) as c" * 9, {"c": ["3"]}, THREE),
    Case(
        "stats",
        "A query holds no 11 stats",
        "stats count(*) as c" + " | stats max(c) as c" * 9 + " | stats sum(c)",
        Refused("stats sum(c)", "at most 10 stats"),
        THREE,
    ),
    Case(
        "stats",
        "A sort before the last stats is invalid",
        "sort n | stats count(*)",
        Refused("sort n ", "stands before the last stats"),
        THREE,
        options={"is_strict": True},
    ),
    Case(
        "stats",
        "A limit before the last stats is invalid",
        "limit 2 | stats count(*)",
        Refused("limit 2", "stands before the last stats"),
        THREE,
        options={"is_strict": True},
    ),
    Case(
        "stats",
        "Between two stats a sort is invalid too",
        "stats count(*) as c by v | sort c | stats max(c)",
        Refused("sort c ", "stands before the last stats"),
        THREE,
        options={"is_strict": True},
    ),
    Case(
        "EKS best practices",
        "A published limit before stats caps the result",
        "sort @timestamp desc | limit 1 | filter n < 3 | stats count() as c by bin(1m) as t",
        {"t": ["2026-11-24 10:00:00.000"], "c": ["2"]},
        THREE,
        warning="capped at the end",
    ),
    Case(
        "EKS best practices",
        "A published limit before a filter caps the result",
        "fields n | sort n desc | limit 1 | filter v = 'b'",
        {"n": ["2"]},
        THREE,
        warning="Rows are capped at the end",
    ),
    Case(
        "EKS best practices",
        "A published filter behind stats filters the events",
        "stats count(*) as c by v as name | filter n > 1 | sort name",
        {"name": ["a", "b"], "c": ["1", "1"]},
        THREE,
        warning="was put before it",
    ),
    Case(
        "stats",
        "A filter of events behind stats is invalid",
        "stats count(*) by v | filter n > 1",
        Refused("filter n > 1", "not there any more"),
        THREE,
        options={"is_strict": True},
    ),
]

LIMITS = [
    Case(
        "stats",
        "topk stands alone",
        "stats topk(1, v), count(*)",
        Refused("stats topk(1, v), count(*)", "stands alone"),
        THREE,
        options={"is_strict": True},
    ),
    Case(
        "stats",
        "topk has no groups",
        "stats topk(1, v) by n",
        Refused("stats topk(1, v) by n", "without by"),
        THREE,
        options={"is_strict": True},
    ),
    Case(
        "fields of logs",
        "Without a cap every field is found",
        "filter `annotations.authorization.k8s.io/decision` = 'forbid' | display body.k249",
        {"body.k249": ["249"]},
        LONG,
    ),
    Case(
        "fields of logs",
        "At most 200 fields of an event are discovered",
        "filter `annotations.authorization.k8s.io/decision` = 'forbid' | stats count(*) as c",
        {"c": ["0"]},
        LONG,
        options={"field_cap": 200},
    ),
    Case(
        "fields of logs",
        "The first 200 fields of an event are discovered",
        "display body.k199, body.k200, @message like 'forbid' as text",
        {"body.k199": ["199"], "body.k200": [None], "text": ["1"]},
        LONG,
        options={"field_cap": 200},
    ),
]

CASES = [
    *(*LEXICAL, *COMMAND_CASES, *PARSE, *STRUCTURES, *LOOKUPS, *OPERATORS, *NUMBERS, *TIMES, *GENERAL),
    *(*ADDRESS_FUNCTIONS, *TEXTS, *STATS, *LIMITS),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two lookup tables."""
    folder = tmp_path_factory.mktemp("tables")
    hosts, nets = folder / "hosts.csv", folder / "nets.csv"
    hosts.write_text("ip,name,zone\n10.1.2.3,web,blue\n10.9.9.9,Db,\n", encoding="utf-8")
    nets.write_text("cidr,owner,other\n10.0.0.0/8,wide,\n10.1.0.0/16,narrow,203.0.113.0/24\n", encoding="utf-8")
    return {"hosts": hosts, "nets": nets}


@cache
def store_of(events: str, tables: tuple[tuple[str, Path], ...] = ()) -> EventStore:
    """A store of events a second apart, texts as they are; it is only read."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in json.loads(events)]
    rows = (
        Event(i, FIRST + 1000 * i, FIRST, line, line if line.startswith("{") else None, "stream", "log", f"log:{i}", "")
        for i, line in enumerate(lines)
    )
    return EventStore(rows, dict(tables))


def answer(case: Case, tables: dict[str, Path]) -> Answer:
    """What the query of a case gives."""
    needed = tuple(tables.items()) if case in LOOKUPS else ()
    options = dict(case.options)
    window = options.pop("window", None)
    return store_of(json.dumps(case.events), needed).ask(parse(case.query), window, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.source}: {case.rule}")
def test_documented_rules(case: Case, tables: dict[str, Path]) -> None:
    """What the documentation says is what the engine does."""
    if isinstance(case.expected, Refused):
        with pytest.raises(QueryError) as caught:
            answer(case, tables)
        assert case.query[caught.value.start : caught.value.end].strip() == case.expected.place.strip()
        assert case.expected.words in str(caught.value)
    else:
        found = answer(case, tables)
        assert found.values == case.expected
        assert list(found.values) == list(case.expected)
        assert (case.warning in " ".join(found.warnings)) if case.warning else not found.warnings


def test_every_rule_has_a_source() -> None:
    """Each row names a source that is listed, states a rule of its own, and every source is used."""
    assert {case.source for case in CASES} == set(SOURCES)
    assert len({(case.source, case.rule) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("name", functions.names())
def test_every_function_has_a_rule(name: str) -> None:
    """The table has a row for every function of the language."""
    assert any(re.search(rf"(?i)\b{name}\(", case.query) for case in CASES)


@pytest.mark.parametrize("name", ANSWERED)
def test_every_command_has_a_rule(name: str) -> None:
    """The table has a row for every command that is answered."""
    assert any(re.search(rf"(?i)(^|\||\()\s*{name}\b", case.query) for case in CASES)
