"""The engine against the oracle: made-up events, made-up queries, the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.insights import functions

from agreement import assert_agree, stored
from oracle import RawEvent

QUERIES = 3  # asked of one log
QUICK, PARTS, DEEP = 60, 10, 334  # logs; those of a deep run in so many parts

Draw = Callable[[st.SearchStrategy[Any]], Any]

# --- events ---------------------------------------------------------------------------------------------------------

# Neither the long s nor the Kelvin sign: they are s and k without regard to case in RE2 and not in Python's ASCII.
_SIGNS = st.characters(codec="utf-8", exclude_characters="\0\u017f\u212a\u0130", exclude_categories=["Cs"])
_WORDS = st.sampled_from(
    [
        "get",
        "list",
        "create",
        "alice",
        "bob",
        "system:node:n-1",
        "",
        " ",
        "a,b",
        "true",
        "false",
        "ä ö",
        "ß",
        "日本",
        "👍 x",
    ]
)
_NUMERIC = st.sampled_from(
    ["0", "1", "01", "1.0", "-2", "2.5", "403", "+7", ".5", "1e2", "1.", "0x1F", "12345678901234567890"]
)
_ADDRESSES = st.sampled_from(
    [
        "10.0.0.1",
        "10.1.2.3",
        "8.8.8.8",
        "192.168.7.7",
        "::1",
        "2001:db8::5",
        "fe80::1",
        "224.0.0.1",
        "300.1.1.1",
        "1.2.3",
    ]
)
_TIMES = st.sampled_from(
    [
        *(
            "2026-11-24T10:00:00Z",
            "2026-11-24T10:00:00.123456Z",
            "2026-11-24",
            "2026-02-30",
            "1969-12-31T23:59:59.999Z",
        ),
        *("2026-11-24 10:00:00", "2026-11-24T10:00:00+02:00", "2000-02-29T00:00:00Z"),
    ]
)
_LINES = st.sampled_from(
    [
        *(
            "a,b,c",
            '"x, y",2,',
            "one",
            '"q""q",z',
            'level=info msg="a b" n=3',
            "k= flag x=1 x=2",
            "a==b c",
            "user=bob, id=7",
        ),
        *(
            "5a 111A",
            "A9876fghj",
            "user=al, id=, id=9",
            "%41%c3%a9+",
            "YWJj",
            "QUJD",
            "41 42",
            "4142",
            "ff",
            "-1f",
            "a-b-c",
        ),
    ]
)
_NESTED = st.sampled_from(
    [
        *(
            '{"a":{"b":1},"a.b":2}',
            '["x","y",null,true,1.5,{"k":"v"}]',
            "[]",
            "{}",
            '{"a":[1,2]}',
            "[[1],[2]]",
            '{"a":',
            "7",
        ),
        *('{"a":1,"a":2}', ' [ 1, "1" ] ', "[1, 2]", '{"user":{"name":"u","tags":["p","q"]}}'),
    ]
)
_TEXTS = st.one_of(_WORDS, _NUMERIC, _ADDRESSES, _TIMES, _LINES, _NESTED, st.text(_SIGNS, max_size=5))
_PLAIN_NUMBERS = st.one_of(
    st.integers(-5, 5), st.integers(0, 600), st.sampled_from([0.5, 2.5, -1.25, 1.1, 1795514400000, 2**63, 10**22])
)
_LEAVES = st.one_of(_TEXTS, _PLAIN_NUMBERS, st.booleans(), st.none())
_KEYS = ["a", "b", "a.b", "k", "x/y", "name"]
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(st.tuples(st.sampled_from(_KEYS), inner), max_size=3).map(tuple)
    ),
    max_leaves=5,
)
# Where a value mostly is of one sort; one time in six it is anything.
_TYPICAL: dict[str, st.SearchStrategy[Any]] = {
    "verb": st.sampled_from(["get", "list", "create", "watch"]),
    "n": _PLAIN_NUMBERS,
    "s": _TEXTS,
    "t": _WORDS,
    "code": st.sampled_from([200, 201, 403, "403", 404, None]),
    "flag": st.booleans(),
    "ip": _ADDRESSES,
    "when": _TIMES,
    "line": _LINES,
    "js": _NESTED,
    "list": st.lists(_LEAVES, max_size=4),
    "user": st.builds(
        lambda name, groups: (("username", name), ("groups", groups)), _WORDS, st.lists(_WORDS, max_size=3)
    ),
    "annotations": st.builds(
        lambda decision: (("authorization.k8s.io/decision", decision), ("a", (("b", 1), ("b.c", "x")))),
        st.sampled_from(["allow", "forbid", None]),
    ),
    "@at": _LEAVES,
    "user.username": _WORDS,
}


def _json(value: Any) -> str:
    """JSON of pairs, so that a key can stand twice."""
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{json.dumps(key)}: {_json(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@st.composite
def _messages(draw: Draw) -> str:
    if not draw(st.integers(0, 11)):
        return str(draw(st.one_of(_LINES, _NESTED, st.text(_SIGNS, min_size=1, max_size=8))))
    pairs = []
    for name in draw(st.lists(st.sampled_from(list(_TYPICAL)), min_size=3, max_size=10)):
        is_typical = draw(st.integers(0, 5)) > 0
        pairs.append((name, draw(_TYPICAL[name] if is_typical else _VALUES)))
    return _json(tuple(pairs))


_MOMENTS = st.integers(0, 6).map(lambda minutes: 1_795_514_400_000 + minutes * 50_000) | st.sampled_from(
    [-1, 0, 951_782_400_000, 1_795_514_400_123]
)
EVENTS = st.lists(
    st.tuples(_MOMENTS, st.sampled_from(["kube-apiserver-audit-1", "authenticator-2"]), _messages()),
    min_size=1,
    max_size=8,
)

# --- queries --------------------------------------------------------------------------------------------------------

_FIELDS = [
    *("verb", "n", "s", "t", "code", "flag", "ip", "when", "line", "js", "list", "user.username", "user.groups.0"),
    *(
        "`annotations.authorization.k8s.io/decision`",
        "annotations.a.b",
        "annotations.a.b.c",
        "list.0",
        "list.1",
        "n",
        "s",
    ),
    *(
        "s.a",
        "s.a.b",
        "list.0.a",
        "`@@at`",
        "missing",
        "@timestamp",
        "@message",
        "@logStream",
        "@ptr",
        "user",
        "verb",
        "n",
    ),
]
_ALIASES = ["p", "q", "r", "x1", "@own", "`odd name`", "verb", "n", "s"]
_REGEXES = [
    *(
        "/a/",
        "/^[a-c]/",
        "/(?i)ALICE|bob/",
        r"/\d+/",
        "/e(t|x)?$/",
        "/[^a-z]/",
        r"/\w+:\w+/",
        "/./",
        r"/x\/y|b\"/",
        "/ä|日/",
    ),
    *(r"/^\s*$/", "/\\.5/", "/(a)(b)?/"),
]
_GROUPS = [
    ("/(?<p>[a-z]+)/", ""),
    (r"/(?<p>\w+)=(?<q>\w*)/", ""),
    ("/(.)(.)/", " as p, q"),
    (r"/(?<p>\d)(?:x|(?<r>y))?/", ""),
    (r"/(?<p>\d+)(.)/", " as x1, r"),
    (r"/(?i)(L)(?<q>I)?/", " as p, q"),
]
_GLOBS = [
    ("*=*,", "p, q"),
    ("*", "p"),
    ("user=*, id=*", "p, r"),
    ("a*c", "p"),
    ("**b", "p, q"),
    ('"*":"*"', "p, q"),
    ("* ", "p"),
]
_PERIODS = ["1s", "5m", "50 m", "1h", "300s", "1d", "2w", "1mo", "1q", "1y", "100ms", "7 days"]
_JAVA = ['"yyyy-MM-dd"', "\"yyyy-MM-dd'T'HH:mm:ss'Z'\"", '"yyyy-MM-dd HH:mm:ss"', "\"yyyy-MM-dd'T'HH:mm:ssXXX\""]
_STRFTIME = ['"%Y-%m-%d"', '"%H:%M:%S"', '"%j %a %b %y %I %p %%"', '"day %d"']
_ZONES = ['"UTC"', '"Europe/Berlin"', '"America/New_York"']
_BLOCKS = ['"10.0.0.0/8"', '"8.8.8.8"', '"2001:db8::/32"', '"::/0"', '"192.168.7.0/24"', '"10.0.0.1/9"']
_CONDITIONS = {"if": (0,), "case": (0, 2)}
_OF_NUMBERS = {
    *("abs", "ceil", "floor", "greatest", "least", "log", "round", "sqrt", "haversine", "toNumber", "toInt", "toLong"),
    *("toDouble", "fromMillis", "decToHex"),
}
_ALL = [function for name in functions.names() if (function := functions.find(name))]
_SCALARS = [function for function in _ALL if not function.is_aggregate]
_AGGREGATES = [function for function in _ALL if function.is_aggregate]
TABLES = {
    "names": "name,team,level\nalice,red,1\nbob,,2\nget,blue,\nalice,green,3\n403,codes,4\n",
    "nets": "who,block,zone\na,10.0.0.0/8,wide\nb,10.0.0.0/24,narrow\nc,2001:db8::/32,six\nd,8.8.8.8,one\ne,,none\n",
}


class Maker:
    """Makes the text of one query; keeps the names that are visible, so that most queries can be answered."""

    def __init__(self, draw: Draw, *, is_inner: bool = False) -> None:
        self.draw = draw
        self.names = list(_FIELDS)
        self.is_raw = True
        self.is_inner = is_inner

    def one(self, choices: list[Any]) -> Any:
        """One of several."""
        return self.draw(st.sampled_from(choices))

    def chance(self, of: int) -> bool:
        """One time in so many."""
        return not self.draw(st.integers(0, of - 1))

    def several(self, make: Callable[[], str], most: int) -> str:
        """One or more, with commas."""
        return ", ".join(make() for _ in range(self.draw(st.integers(1, most))))

    # --- expressions ---

    def field(self) -> str:
        """A name that is visible, most of the time."""
        return str(self.one(_FIELDS) if self.chance(60) else self.one(self.names))

    def text(self) -> str:
        """Quoted text."""
        value = self.draw(_TEXTS)
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def number(self) -> str:
        """A number without a sign."""
        return str(self.one(["0", "1", "2", "2.5", "3", "10", "200", "403", "0.1", "1e3"]))

    def expression(self, depth: int = 3) -> str:
        """Anything that has a value."""
        choice = self.draw(st.integers(0, 9)) if depth else self.draw(st.integers(0, 5))
        match choice:
            case 0 | 1 | 2 | 3:
                return self.field()
            case 4:
                return self.number()
            case 5:
                return self.text()
            case 6:
                return self.arithmetic(depth)
            case 7:
                return f"({self.condition(depth - 1)})"
            case _:
                return self.call(depth)

    def numeric(self, depth: int) -> str:
        """What often is a number."""
        return str(self.one(["n", "code"]) if self.is_raw and self.chance(2) else self.expression(depth))

    def arithmetic(self, depth: int) -> str:
        """`a + b`."""
        operator = self.one(["+", "-", "*", "/", "%", "^"])
        if self.chance(6):
            return f"-({self.numeric(depth - 1)})"
        return f"({self.numeric(depth - 1)} {operator} {self.numeric(depth - 1)})"

    def condition(self, depth: int = 3) -> str:
        """What is true or false."""
        choice = self.draw(st.integers(0, 10)) if depth else self.draw(st.integers(0, 6))
        subject = self.expression(min(depth, 1)) if depth else self.field()
        match choice:
            case 0 | 1 | 2:
                operator = self.one(["=", "!=", "<", "<=", ">", ">=", "=="])
                other = "true" if self.chance(12) else self.expression(min(depth, 1))
                return f"{subject} {operator} {other}"
            case 3:
                pattern = self.text() if self.chance(2) else self.one(_REGEXES)
                return f"{subject} {self.one(['like', 'not like'])} {pattern}"
            case 4:
                return f"{subject} =~ {self.one(_REGEXES)}"
            case 5:
                member = self.several(lambda: self.text() if self.chance(2) else self.number(), 3)
                return f"{subject} {self.one(['in', 'not in'])} [{member}]"
            case 6:
                return subject if subject[0] not in '"-.0123456789' else f"isNumeric({subject})"
            case 7:
                return f"not ({self.condition(depth - 1)})"
            case 8 if not self.is_inner and self.chance(2):
                inner = Maker(self.draw, is_inner=True)
                return f"{subject} {self.one(['in', 'not in'])} ({inner.query(columns=1)})"
            case _:
                word = self.one([" and ", " or "])
                return word.join(f"({self.condition(depth - 1)})" for _ in range(self.draw(st.integers(2, 3))))

    def call(self, depth: int) -> str:
        """A function of one row."""
        return self.applied(self.one(_SCALARS), lambda: self.expression(depth - 1), depth)

    def applied(self, function: functions.Function, argument: Callable[[], str], depth: int) -> str:
        """A function with as many arguments as it takes."""
        name = function.name
        match name:
            case "bin":
                return f"bin({self.one(_PERIODS)})" if self.is_raw else argument()
            case "datefloor" | "dateceil":
                return f"{name}({self.moment(argument)}, {self.one(_PERIODS)})"
            case "rate":
                return f"rate({argument()}, {self.one(_PERIODS[:7])})"
            case "parseDate":
                source = self.one(["when", argument()]) if self.is_raw else argument()
                return f"parseDate({source}, {self.one(_JAVA)}{self.zone()})"
            case "formatDate":
                word = self.one(["formatDate", "strftime"])
                return f"{word}({self.moment(argument)}, {self.one(_STRFTIME)}{self.zone()})"
            case "regexReplace":
                pattern = self.one(['"[0-9]+"', '"a|e"', '"(t)$"', '"(?i)X"', '"[^a-z]"'])
                replacement = self.one(['"-"', '""', '"ä"', "verb" if self.is_raw else '"x"'])
                return f"regexReplace({argument()}, {pattern}, {replacement})"
            case "strcontains":
                return f"strcontains({argument()}, {argument()}{self.one(['', '', ', true', ', false'])})"
            case "pct":
                return f"pct({argument()}, {self.one(['0', '50', '95', '99.9', '100'])})"
            case "topk":
                return f"topk({self.one(['1', '2', '10'])}, {argument()})"
            case "histogram":
                return f"histogram({argument()}, {self.one(['1', '3', '10', '0'])})"
            case "count":
                return self.one(["count(*)", "count()", f"count({argument()})"])  # type: ignore[no-any-return]
            case "substr":
                return f"substr({argument()}, {self.number()}{self.one(['', ', 2', ', 0'])})"
            case "round":
                return f"round({self.numeric(0)}, {self.one(['0', '1', '2', '-1', 'n' if self.is_raw else '3'])})"
        most = function.least + 2 if function.most is None else function.most
        count = self.draw(st.integers(function.least, most))
        given = []
        for index in range(count):
            if index in _CONDITIONS.get(name, ()):
                given.append(self.condition(max(0, depth - 1)))
            elif index == 1 and name.endswith("InSubnet") and self.chance(2):
                given.append(self.one(_BLOCKS))
            elif name in _OF_NUMBERS:
                given.append(self.numeric(min(depth, 1) if depth else 0))
            else:
                given.append(argument())
        return f"{name}({', '.join(given)})"

    def moment(self, argument: Callable[[], str]) -> str:
        """What often is a time."""
        return str(self.one(["@timestamp", "when", argument()]) if self.is_raw else argument())

    def zone(self) -> str:
        """A time zone, or nothing."""
        return f", {self.one(_ZONES)}" if self.chance(4) else ""

    def aggregate(self) -> str:
        """A function of all rows, or something computed from such functions."""

        def argument() -> str:
            return self.expression(1) if self.chance(3) else self.field()

        function = self.one(_AGGREGATES)
        if function.name in ("earliest", "latest", "rate") and not self.is_raw:
            function = functions.find("max")
        made = self.applied(function, argument, 1)
        if self.chance(6):
            return f"({made} {self.one(['+', '-', '*', '/'])} {self.number()})"
        return made

    # --- commands ---

    def alias(self) -> str:
        """A new name."""
        return str(self.one(_ALIASES))

    def know(self, *names: str) -> None:
        """Names that are visible from here on; they come up often."""
        self.names += [name for name in names for _ in range(1 + len(self.names) // 8)]

    def selections(self, most: int) -> str:
        """`a as b, c`."""
        made = []
        for _ in range(self.draw(st.integers(1, most))):
            expression = self.field() if self.chance(3) else self.expression()
            alias = self.alias() if self.chance(2) else ""
            made.append(f"{expression} as {alias}" if alias else expression)
            if alias:
                self.know(alias)
        return ", ".join(made)

    def command(self) -> str:
        """A command that adds or drops rows or names."""
        kinds = ["fields", "filter", "filter", "parse", "format", "unnest", "lookup", "odd"]
        match self.one(kinds):
            case "fields":
                return f"fields {self.selections(3)}"
            case "filter":
                return f"{self.one(['filter', 'where', 'filterIndex'])} {self.condition()}"
            case "parse":
                return self.parse()
            case "format":
                return self.format()
            case "unnest":
                return self.unnest()
            case "lookup":
                return self.lookup()
            case _:
                return str(self.one(["unmask", "SOURCE 'group'", "limit 5", "limit any 3", f"sort {self.field()}"]))

    def source(self, *names: str) -> str:
        """What a command takes its text from."""
        return str(self.one([*names, self.field()]) if self.is_raw else self.field())

    def parse(self) -> str:
        """By a glob or a regular expression."""
        source = self.source("line", "s", "@message")
        if self.chance(2):
            glob, names = self.one(_GLOBS)
            self.know(*names.split(", "))
            quoted = glob.replace('"', '\\"')
            return f'parse {source} "{quoted}" as {names}'
        pattern, names = self.one(_GROUPS)
        known = names.removeprefix(" as ").split(", ") if names else [n for n in ("p", "q", "r") if f"<{n}>" in pattern]
        self.know(*known)
        return f"parse {source} {pattern}{names}{self.one(['', '', ' multi'])}"

    def format(self) -> str:
        """CSV, logfmt and JSON."""
        match self.one(["csv", "logfmt", "json"]):
            case "csv":
                self.know("p", "q")
                return f"parse {self.source('line', 's')} csv as p, q"
            case "logfmt":
                source = self.source("line", "line", "s")
                self.know("r", "r.n", "r.x", "r.level")
                return f"parse {source} logfmt as r"
            case _:
                path = self.one(["a", "a.b", "0", "1.k", "user.name", "user.tags", "user", "5", "name"])
                source = self.source("js", "js", "@message", "list", "user", "s")
                self.know("p", "p.name", "p.0")
                return f'json field={source} "{path}" as p, "k" as q'

    def unnest(self) -> str:
        """A row for each item."""
        source = self.source("list", "js", "user.groups", "s")
        if self.chance(3):
            return f"expand {source}"
        expression = self.one([source, f"jsonParse({source})", f'split({source}, ",")', self.expression(1)])
        name = self.alias()
        self.know(name)
        return f"unnest {expression} into {name}"

    def lookup(self) -> str:
        """Columns of a table."""
        word = self.one(["output", "OUTPUTNEW"])
        if self.chance(2):
            key = self.source("t", "user.username", "verb", "code")
            more = f", level as {self.field()}" if self.chance(5) else ""
            self.know("team", "x1")
            return f"lookup names name as {key}{more} {word} team, level as x1"
        address = self.source("ip", "ip", "s")
        self.know("zone", "p")
        return f"cidrlookup nets {address} as block {word} zone, who as p"

    def stats(self) -> str:
        """Aggregates and groups; only they are visible behind it."""
        named: list[str] = []
        made: list[str] = []  # of columns without a name

        def selection(make: Callable[[], str]) -> str:
            expression = make()
            if not named or expression in made or not self.chance(4):
                alias = self.one([each for each in ("g1", "g2", "g3", "g4", "`g 5`") if each not in named])
                named.append(alias)
                return f"{expression} as {alias}"
            made.append(expression)
            if "(" not in expression:
                named.append(expression)
            return expression

        def group() -> str:
            if self.is_raw and self.chance(4):
                return f"bin({self.one(_PERIODS)})"
            return self.expression(2) if self.chance(3) else self.field()

        text = f"stats {self.several(lambda: selection(self.aggregate), 3)}"
        if self.chance(2):
            text += f" by {self.several(lambda: selection(group), 2)}"
            text += f" offset {self.one(_PERIODS[:7])}" if self.chance(8) else ""
        self.names, self.is_raw = named, False
        return text

    def sort(self) -> str:
        """One or two keys."""

        def key() -> str:
            alias = f" as {self.alias()}" if self.chance(8) else ""
            expression = self.expression(1) if self.chance(4) else self.field()
            return f"{expression}{alias}{self.one(['', ' asc', ' desc', ' DESC'])}"

        return f"sort {self.several(key, 2)}"

    def query(self, columns: int | None = None) -> str:
        """A whole query; of one column for a list."""
        commands = [self.command() for _ in range(self.draw(st.integers(0, 3)))]
        for _ in range(self.one([0, 0, 1, 1, 2])):
            commands.append(self.stats())
            commands += [self.command() for _ in range(self.one([0, 0, 1, 2]))]
        if self.chance(2):
            commands.append(self.sort())
        if self.chance(4):
            commands.append(f"dedup {self.several(self.field, 2)}")
        if self.chance(4):
            commands.append(f"limit {self.one(['1', '2', '4'])}")
        if columns:
            commands.append(f"display {self.field()}")
        elif self.chance(3) or not commands:
            commands.append(f"display {self.selections(3)}")
        elif self.chance(40):
            commands.append("estimate")
        return " | ".join(commands)


@st.composite
def queries(draw: Draw) -> str:
    """The text of a query."""
    return Maker(draw).query()


# --- both answers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The lookup tables as files."""
    folder = tmp_path_factory.mktemp("tables")
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.csv" for name in TABLES}


def store_of(events: list[RawEvent], tables: dict[str, Path]) -> EventStore:
    """The engine with the events."""
    return EventStore(stored(events), tables)


LOGS = given(EVENTS, st.lists(queries(), min_size=QUERIES, max_size=QUERIES))
# Nothing is shrunk, which takes minutes: the message has the query and the events.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]


def _check(events: list[RawEvent], texts: list[str], tables: dict[str, Path]) -> None:
    with closing(store_of(events, tables)) as store:
        for text in texts:
            assert_agree(text, events, store, tables)


@LOGS
@settings(
    max_examples=QUICK,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=SLOW,
)
def test_engine_and_oracle_give_the_same_rows(
    tables: dict[str, Path], events: list[RawEvent], texts: list[str]
) -> None:
    """For any query over any events, the engine and the oracle give the same rows, or both refuse."""
    _check(events, texts, tables)


@pytest.mark.deep
@pytest.mark.parametrize("part", range(PARTS))
@LOGS
@settings(max_examples=DEEP, derandomize=False, phases=[Phase.generate], suppress_health_check=SLOW)
def test_engine_and_oracle_give_the_same_rows_many_times(
    tables: dict[str, Path], part: int, events: list[RawEvent], texts: list[str]
) -> None:
    """For any of 10,000 queries over any events, the engine and the oracle give the same rows, or both refuse."""
    _check(events, texts, tables)


_SMALL: list[RawEvent] = [
    (5, "s", '{"verb":"get","user":{"username":"alice"},"n":1,"@at":[1,2],"t":"a b=1 xa=","line":"abcdefghijklm"}'),
    (5, "s", '{"verb":"list","n":"01","t":"é"}'),
    (9, "s", '{"verb":"get","n":1000000.25,"js":"{\\"a\\":{\\"b\\":1}}","flag":true,"word":"true"}'),
]


@pytest.mark.parametrize(
    "text",
    [
        "fields verb as v | lookup names name as v OUTPUT team | display v, team",
        "stats count(*) by verb | lookup names name as verb OUTPUTNEW team | display verb, team",
        "stats count(*) | estimate",
        'filter verb = "none" | estimate',
        "unnest t into x | estimate",
        "parse verb /(?<x>g)(e)/ as p, q | display p, q",
        "parse line /(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)/ as a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11 | display a1, a10, a11",
        'parse line "*b*c*d*e*f*g*h*i*j*k*" as a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11 | display a10, a11',
        r"parse verb /(?<p>.)(?<q>x)?/ multi | display p, q",
        "expand `@@at` | display `@@at`",
        'json field=js "a.b.c.d.e.f.g.h.i.j.k" as x | display x',
        "stats earliest(verb), latest(verb), rate(n, 1ms), sortsFirst(n), sortsLast(n)",
        "stats topk(2, verb) * 2 as x",
        "stats topk(2, missing), values(missing)",
        "fields n + 999999.5 as m | stats histogram(m, 3)",
        "parse t logfmt as m | display m.a, m.b, m.xa",
        "display datefloor(fromMillis(0 - 62000000000000), 100y) as x",
        'fields jsonParse(js) as m | display coalesce(m.a, "x") as c',
        "filter verb in (fields verb | filter n in (fields n))",
        'display split((verb in (fields verb)), "x") as x',
        "fields split(verb, missing) as x | sort x",
        "fields flag = true, flag != true, word = true, true = word, word = false, word < true, word != false",
        "fields @timestamp = true, strlen(verb) = true, (verb = 'get') = true",
        "fields isIpInSubnet(verb, 'get')",
        "fields isIpInSubnet(verb, t)",
        "fields formatDate(@timestamp, 'day')",
    ],
)
def test_what_once_differed(tables: dict[str, Path], text: str) -> None:
    """A query on which the engine and the oracle once differed has the same answer, or is refused, in both."""
    with closing(store_of(_SMALL, tables)) as store:
        assert_agree(text, _SMALL, store, tables)
