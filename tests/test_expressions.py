"""What expressions mean: comparisons, arithmetic and every function, computed on small events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.engine.expressions import is_number
from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, parse
from eks_audit_nb.window import to_milliseconds

NOON = to_milliseconds(datetime(2026, 11, 24, 12, 34, 56, 789000, tzinfo=UTC))
TEXTS = st.text(st.sampled_from("aAbB0159.-+eE xé😀"), max_size=6)
PRESENT = TEXTS | st.integers(-50, 50) | st.booleans() | st.floats(-1e6, 1e6)
VALUES = st.none() | PRESENT

EVENT: dict[str, Any] = {
    "verb": "get",
    "code": 401,
    "text": "401",
    "padded": "0401",
    "float": "401.0",
    "exponent": "4.01e2",
    "negative": "-5",
    "huge": "1e400",
    "empty": "",
    "blank": " \t\n",
    "yes": True,
    "no": False,
    "null": None,
    "object": {"a": 1},
    "zero": 0,
    "word": "true",
    "path": "/api/v1/100%_done",
    "agent": "kubectl/v1.22.0 (Linux)",
    "iso": "2026-11-24T12:34:56.789123Z",
    "zoned": "2026-11-24T12:34:56+02:00",
    "infinite": "infinity",
}


def store_of(documents: Iterable[dict[str, Any]]) -> EventStore:
    """A store with an event a document, a millisecond apart."""
    events = []
    for line, document in enumerate(documents):
        message = json.dumps(document)
        events.append(Event(line, NOON + line, NOON + line, message, message, "stream", "log", f"log:{line}", ""))
    return EventStore(events)


def answers(query: str, documents: Iterable[dict[str, Any]]) -> dict[str, list[str | None]]:
    """What a query prints over events of those documents, in their order where it has none of its own."""
    store = store_of(documents)
    try:
        return store.ask(parse(query), None).values
    finally:
        store.close()


@cache
def one_event() -> EventStore:
    """The event above alone in a store, which is only read."""
    return store_of([EVENT])


def value(expression: str) -> str | None:
    """What an expression prints for the event above."""
    (found,) = one_event().ask(parse(f"fields {expression} as value"), None).values["value"]
    return found


def holds(condition: str) -> bool:
    """Whether a filter keeps the event above."""
    return one_event().ask(parse(f"filter {condition}"), None).rows == 1


def aggregated(expression: str, values: Iterable[object]) -> str | None:
    """What a stats prints for events whose field v has those values, None meaning that it is missing."""
    documents = [{} if each is None else {"v": each} for each in values]
    (found,) = answers(f"stats {expression} as value", documents)["value"]
    return found


# --- comparisons ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # numbers and texts that read as numbers
        ("code = 401", True),
        ('code = "401"', True),
        ("code == 401.0", True),
        ("text = 401", True),
        ("padded = 401", True),
        ("float = code", True),
        ("exponent = 401", True),
        ("text = padded", True),
        ("code != 401", False),
        ("code >= 401 and code <= 401", True),
        ("code > 99", True),
        ('text > "99"', True),
        ("negative < 0", True),
        ("code = 400 + 1", True),
        # text
        ('verb = "get"', True),
        ("verb = 'GET'", False),
        ('verb = "ge"', False),
        ('verb < "list"', True),
        ('verb > "create"', True),
        ('verb = "get "', False),
        ("verb = 0", False),
        ("verb != 0", True),
        ("verb > 5", True),
        ("huge > 5", False),
        ('huge = "1e400"', True),
        ('empty = ""', True),
        ("empty = 0", False),
        # missing on either side
        ('missing = "x"', False),
        ('missing = ""', False),
        ('missing != "x"', True),
        ("missing < 5", False),
        ("missing >= 5", False),
        ("missing = missing", False),
        ("missing != missing", True),
        ("verb != missing", True),
        ('not missing = "x"', True),
        ("not missing < 5", True),
        ("null = 'x'", False),
        ("null != 'x'", True),
        ("object = 1", False),
        ("object != 1", True),
        # booleans
        ("yes = 1", True),
        ("yes = true", True),
        ("yes != true", False),
        ("no = false", True),
        ("no = 0", True),
        ("no = true", False),
        ("missing = false", False),
        ("missing != true", True),
        ("word = true", True),
        ("word != true", False),
        ("true = word", True),
        ("word = false", False),
        ("word < true", False),
        ('word = "true"', True),
        ("(code = 401) = 1", True),
        ("ispresent(missing) = false", True),
        # times
        ('@timestamp > "2026-11-24 12:34:56.788"', True),
        ('@timestamp < "2026-11-24 12:34:56.788"', False),
        ('@timestamp like "2026-11-24"', True),
        (f"@timestamp = {NOON}", True),
        (f"@timestamp > {NOON}", False),
        ("@timestamp >= fromMillis(0)", True),
    ],
)
def test_comparisons(condition: str, expected: bool) -> None:
    """Two values that read as numbers compare as numbers, others as text; of a missing one only `!=` holds."""
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("yes", True),
        ("no", False),
        ("zero", False),
        ("code", True),
        ("word", True),
        ("verb", False),
        ("empty", False),
        ("missing", False),
        ("object", False),
        ("not missing", True),
        ("!yes", False),
        ("not not yes", True),
        ("yes and code = 401", True),
        ("yes and no", False),
        ("yes or no", True),
        ("no or no or code", True),
        ("yes and not no", True),
        ("code - 401", False),
        ("missing + 1", False),
    ],
)
def test_conditions(condition: str, expected: bool) -> None:
    """A bare value is true where it is JSON's true or a number other than 0; a missing one is false."""
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('verb in ["get", "list"]', True),
        ('verb in ["list"]', False),
        ('verb in ["ge"]', False),
        ('verb in ["GET"]', False),
        ('code in ["401", "403"]', True),
        ("code in [401, 403]", True),
        ("text in [400, 401]", True),
        ("negative in [-5]", True),
        ("exponent in ['401']", True),
        ('code in ["four"]', False),
        ("verb in []", False),
        ("verb not in []", True),
        ('verb not in ["list"]', True),
        ('verb not in ["get", 1]', False),
        ('missing in [""]', False),
        ('missing not in ["x"]', True),
        ("yes in [1]", True),
        ("strlen(verb) in [3]", True),
    ],
)
def test_lists(condition: str, expected: bool) -> None:
    """A list holds a value that equals a whole member, as number or as text; a missing value is in no list."""
    assert holds(condition) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('agent like "kubectl"', True),
        ('agent like "v1.22"', True),
        ('agent like "Kubectl"', False),
        ('agent like "kube%"', False),
        ('agent like "kubectl*"', False),
        ('path like "%"', True),
        ('path like "100%_"', True),
        ('path like "_"', True),
        ('path like "1000"', False),
        ('agent like ""', True),
        ('agent like "^kube"', False),
        ("agent like /^kube/", True),
        ("agent like /^ube/", False),
        ("agent like /ube/", True),
        (r"agent like /kubectl\/v1\.22\.0/", True),
        ("agent like /KUBECTL/", False),
        ("agent like /(?i)KUBECTL/", True),
        ("agent =~ /(?i)linux/", True),
        ('agent =~ "^kube.*[)]$"', True),
        ("agent not like /curl/", True),
        ('agent not like "kube"', False),
        (r"code like /^4\d\d$/", True),
        ("agent like /(?<tool>kube)/", True),
        ("agent like /(?<@tool>curl)/", False),
        ("missing like /x/", False),
        ('missing like ""', False),
        ("missing not like /x/", True),
        ('missing not like "x"', True),
        ("object like /a/", False),
        ("yes like /1/", True),
    ],
)
def test_like(condition: str, expected: bool) -> None:
    """Like finds a substring or a regular expression anywhere, with case; no missing value is like anything."""
    assert holds(condition) is expected


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30), VALUES)
@settings(max_examples=6, deadline=None)
def test_negations_are_opposites(pairs: list[tuple[object, object]], other: object) -> None:
    """Whatever the values, missing ones included, a comparison or its negation holds, never both and never neither."""
    word = json.dumps(str(other))
    documents = [{"a": left, "b": right} for left, right in pairs]
    for positive, negative in [
        ("a = b", "a != b"),
        (f"a in [{word}]", f"a not in [{word}]"),
        (f"a like {word}", f"a not like {word}"),
    ]:
        found = answers(f"fields {positive} as p, {negative} as n, not {positive} as m", documents)
        assert all(
            {positively, negatively} == {"0", "1"}
            for positively, negatively in zip(found["p"], found["n"], strict=True)
        )
        assert found["n"] == found["m"]


@given(st.lists(st.tuples(PRESENT, PRESENT), min_size=1, max_size=30))
@settings(max_examples=10, deadline=None)
def test_values_have_an_order(pairs: list[tuple[object, object]]) -> None:
    """Of two values that are there, exactly one of smaller, equal and greater holds."""
    found = answers(
        "fields a < b as x, a = b as y, a > b as z, a <= b as v, a >= b as w",
        [{"a": left, "b": right} for left, right in pairs],
    )
    for smaller, equal, greater, not_greater, not_smaller in zip(*found.values(), strict=True):
        assert [smaller, equal, greater].count("1") == 1
        assert (not_greater == "1") == (greater == "0")
        assert (not_smaller == "1") == (smaller == "0")


@given(st.lists(st.text(st.sampled_from("0123456789.eE+-_ a"), max_size=8), min_size=1, max_size=60))
@settings(max_examples=8, deadline=None)
def test_one_rule_of_numbers(texts: list[str]) -> None:
    """A constant of a query reads as a number exactly where the same text in an event does."""
    found = answers("fields v + 0 as n, v | sort @timestamp", ({"v": text} for text in texts))
    assert found["v"] == texts
    assert [number is not None for number in found["n"]] == [is_number(text) for text in texts]


# --- arithmetic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("10 % 3", "1"),
        ("2 ^ 3", "8"),
        ("2 ^ 3 ^ 2", "512"),
        ("-code", "-401"),
        ("code + text", "802"),
        ("padded * 1", "401"),
        ("0.1 + 0.2 > 0.3", "1"),
        ("yes + 1", "2"),
        ("@timestamp - fromMillis(1)", str(NOON - 1)),
        ("1 / 0", None),
        ("0 / 0", None),
        ("code / zero", None),
        ("10 % 0", None),
        ("1 / (1 / 0)", None),
        ("10 ^ 400", None),
        ("1e308 * 10", None),
        ("-1e308 * 10 * 10 + 1", None),
        ("verb + 1", None),
        ("missing + 1", None),
        ("-missing", None),
        ("empty + 1", None),
        ("huge + 1", None),
        ("1e15", "1000000000000000"),
        ("123456789", "123456789"),
    ],
)
def test_arithmetic(expression: str, expected: str | None) -> None:
    """Whole results print without a fraction; a result that no number can hold, or of no number, is missing."""
    assert value(expression) == expected


@pytest.mark.parametrize("operator", ["+", "-", "*", "/"])
def test_long_sums_are_quick(operator: str) -> None:
    """The work for an expression grows with its length and does not double with every term."""
    assert value(operator.join(["1"] * 60)) == str({"+": 60, "-": -58}.get(operator, 1))


@pytest.mark.parametrize(
    "expression",
    ["strlen(" * 25 + "verb" + ")" * 25, "abs(" * 25 + "code" + ")" * 25, "concat(" * 25 + "1 + code" + ", code)" * 25],
)
def test_nested_calls_are_quick(expression: str) -> None:
    """The work for nested calls does not double with every level."""
    assert value(expression) is not None


@pytest.mark.parametrize(
    "expression", ["(" * 50 + "code" + " = '1')" * 50, "dateceil(" * 40 + "@timestamp" + ", 1d)" * 40]
)
def test_what_would_grow_without_end_is_refused(expression: str) -> None:
    """An expression whose SQL would double with every level is refused before it does."""
    with pytest.raises(QueryError, match="too large"):
        value(expression)


# --- functions ------------------------------------------------------------------------------------------------------

CASES: list[tuple[str, str | None]] = [
    # numbers
    ("abs(-3)", "3"),
    ("abs(negative)", "5"),
    ("abs(verb)", None),
    ("ceil(1.2)", "2"),
    ("ceil(-1.2)", "-1"),
    ("floor(1.8)", "1"),
    ("floor(-1.2)", "-2"),
    ("greatest(1, code, 3)", "401"),
    ("greatest(negative, -7)", "-5"),
    ("least(1, code, -3)", "-3"),
    ("log(1)", "0"),
    ("floor(log(100) * 1000)", "4605"),
    ("log(0)", None),
    ("log(-1)", None),
    ("sqrt(16)", "4"),
    ("sqrt(0)", "0"),
    ("sqrt(-1)", None),
    ("sqrt(negative)", None),
    # times
    ("bin(1m)", "2026-11-24 12:34:00.000"),
    ("bin(5m)", "2026-11-24 12:30:00.000"),
    ("bin(300s)", "2026-11-24 12:34:00.000"),
    ("bin(90m)", "2026-11-24 12:00:00.000"),
    ("bin(48h)", "2026-11-24 00:00:00.000"),
    ("bin(5000ms)", "2026-11-24 12:34:56.000"),
    ("bin(100ms)", "2026-11-24 12:34:56.700"),
    ("bin(1d)", "2026-11-24 00:00:00.000"),
    ("bin(1mo)", "2026-11-01 00:00:00.000"),
    ("bin(1q)", "2026-10-01 00:00:00.000"),
    ("bin(1y)", "2026-01-01 00:00:00.000"),
    ("bin(2h) = datefloor(@timestamp, 2h)", "1"),
    ("datefloor(@timestamp, 1h)", "2026-11-24 12:00:00.000"),
    ("datefloor(iso, 15m)", "2026-11-24 12:30:00.000"),
    ("datefloor(zoned, 1h)", "2026-11-24 10:00:00.000"),
    ("datefloor(1795523696789, 1h)", "2026-11-24 12:00:00.000"),
    ("datefloor(verb, 1h)", None),
    ("datefloor(missing, 1h)", None),
    ("datefloor(infinite, 1h)", None),
    ("dateceil(@timestamp, 1h)", "2026-11-24 13:00:00.000"),
    ("dateceil(datefloor(@timestamp, 1h), 1h)", "2026-11-24 12:00:00.000"),
    ("dateceil(@timestamp, 1mo)", "2026-12-01 00:00:00.000"),
    ("dateceil(@timestamp, 1q)", "2027-01-01 00:00:00.000"),
    ("dateceil(bin(1mo), 1mo)", "2026-11-01 00:00:00.000"),
    ("dateceil(@timestamp, 9999y)", None),
    ("dateceil(missing, 1mo)", None),
    ("fromMillis(0)", "1970-01-01 00:00:00.000"),
    ("fromMillis(1795523696789.9)", "2026-11-24 12:34:56.789"),
    ("fromMillis(-1)", "1969-12-31 23:59:59.999"),
    ("fromMillis(verb)", None),
    ("fromMillis(9e18)", None),
    ("fromMillis(1e300)", None),
    ("toMillis(@timestamp)", str(NOON)),
    ("toMillis(iso)", str(NOON)),
    ("toMillis(fromMillis(5))", "5"),
    ("toMillis(5)", "5"),
    ("toMillis(verb)", None),
    ("toMillis(infinite)", None),
    # general
    ("ispresent(verb)", "1"),
    ("ispresent(empty)", "1"),
    ("ispresent(missing)", "0"),
    ("ispresent(null)", "0"),
    ("ispresent(object)", "0"),
    ("ISPRESENT(object.a)", "1"),
    ("coalesce(missing, null, verb, code)", "get"),
    ("coalesce(empty, verb)", ""),
    ("coalesce(missing, 5)", "5"),
    ("coalesce(missing, null)", None),
    ("coalesce(@timestamp, verb)", "2026-11-24 12:34:56.789"),
    # text
    ("isempty(empty)", "1"),
    ("isempty(missing)", "1"),
    ("isempty(blank)", "0"),
    ("isempty(verb)", "0"),
    ("isblank(blank)", "1"),
    ("isblank(empty)", "1"),
    ("isblank(missing)", "1"),
    ("isblank(verb)", "0"),
    ("concat(verb, '-', code)", "get-401"),
    ("concat(verb)", "get"),
    ("ltrim('xyZxyfooxyZ', 'xyZ')", "fooxyZ"),
    ("rtrim('xyZfooxyZxy', 'xyZ')", "xyZfoo"),
    ("trim('xyZfooxyZxy', 'xyZ')", "foo"),
    ("trim(concat(blank, verb, blank))", "get"),
    ("ltrim(concat(blank, verb, ' '))", "get "),
    ("rtrim(concat(' ', verb, blank))", " get"),
    ("trim(missing)", None),
    ("strlen(verb)", "3"),
    ("strlen('größe 😀')", "7"),
    ("strlen(empty)", "0"),
    ("strlen(code)", "3"),
    ("strlen(missing)", None),
    ("toupper(verb)", "GET"),
    ("tolower('GeT')", "get"),
    ("toupper(missing)", None),
    ("substr(agent, 0, 7)", "kubectl"),
    ("substr(agent, 8)", "v1.22.0 (Linux)"),
    ("substr(verb, 1, 1)", "e"),
    ("substr(verb, 5)", ""),
    ("substr(verb, -1)", "get"),
    ("substr(verb, 0, -1)", ""),
    ("substr(verb, 1e300)", ""),
    ("substr(verb, 0, 1e300)", "get"),
    ("substr(verb, missing)", None),
    ("replace(agent, '.', '-')", "kubectl/v1-22-0 (Linux)"),
    ("replace(verb, 'x', 'y')", "get"),
    ("replace(missing, 'x', 'y')", None),
    ("strcontains(agent, 'v1.22')", "1"),
    ("strcontains(agent, 'V1')", "0"),
    ("strcontains(missing, 'x')", "0"),
    ("strcontains(agent, 'KUBE', true)", "1"),
    ("strcontains(agent, 'KUBE', false)", "0"),
    ("strcontains(missing, 'x', true)", "0"),
    ("startsWith(agent, 'kube')", "1"),
    ("startsWith(missing, '')", "0"),
    ("endsWith(agent, '(Linux)')", "1"),
    ("endsWith(agent, '')", "1"),
    ("endsWith(missing, 'x')", "0"),
    ("regexReplace(agent, '[0-9]+', '#')", "kubectl/v#.#.# (Linux)"),
    ("regexReplace(verb, '(?<first>.)(.)', '\\\\2\\\\1')", "egt"),
    ("regexReplace(verb, 'e', concat('\\\\', '9'))", "g\\9t"),
    ("regexReplace(verb, 'e', '\\\\\\\\')", "g\\t"),
    ("regex_replace(verb, 'x*', '-')", "-g-e-t-"),
    ("regexReplace(missing, 'x', 'y')", None),
    ("urlencode('a b/ü&c=~')", "a%20b%2F%C3%BC%26c%3D~"),
    ("urlencode(missing)", None),
    ("urldecode('a%20b%2F%C3%BC')", "a b/ü"),
    ("urldecode('100%')", "100%"),
    ("urldecode(missing)", None),
    ("base64encode('ü')", "w7w="),
    ("base64encode(missing)", None),
    ("base64decode('w7w=')", "ü"),
    ("base64decode('no base 64')", None),
    ("base64decode('/w==')", None),
    ("split('a,b,,c', ',')", '["a","b","","c"]'),
    ("split(verb, '.')", '["get"]'),
    ("split(missing, ',')", None),
    ("hexToAscii('48656c6c6f')", "Hello"),
    ("hexToAscii('ff')", None),
    ("hexToAscii(missing)", None),
    ("hexToDec('0xff')", "255"),
    ("hexToDec('-FF')", "-255"),
    ("hexToDec(verb)", None),
    ("decToHex(code)", "0x191"),
    ("decToHex(-1.9)", "-0x1"),
    ("decToHex(verb)", None),
    ("md5(verb)", "b5eda0a74558a342cf659187f06f746f"),
    ("md5(missing)", None),
    ("sha256(empty)", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    # numbers again
    ("round(2.5)", "3"),
    ("round(-2.5)", "-3"),
    ("round(1234.567, 2)", "1234.57"),
    ("round(1234.567, -2)", "1200"),
    ("round(1.5, 1e300)", "1.5"),
    ("round(verb)", None),
    ("round(code, missing)", None),
    ("round(haversine(52.52, 13.405, 48.8566, 2.3522), 1)", "877.5"),
    ("haversine(1, 2, 1, 2)", "0"),
    ("haversine(0, 0, verb, 1)", None),
    ("toNumber(padded)", "401"),
    ("toNumber(verb)", None),
    ("toNumber(huge)", None),
    ("toInt('1.9')", "1"),
    ("toInt(-1.9)", "-1"),
    ("toInt(2147483647)", "2147483647"),
    ("toInt(-2147483648)", "-2147483648"),
    ("toInt(2147483648)", None),
    ("toLong(2147483648)", "2147483648"),
    ("toLong(1e19)", None),
    ("toDouble(exponent)", "401"),
    ("toDouble(missing)", None),
    # times again
    ("now()", str(NOON // 1000)),
    ("queryStartTime()", str(NOON)),
    ("queryEndTime()", str(NOON)),
    ("queryTimeRange()", "0"),
    ("parseDate('2026-11-24', 'yyyy-MM-dd')", "1795478400000"),
    ("parseDate('2026-11-24', 'yyyy-MM-dd', 'UTC')", "1795478400000"),
    ("parseDate('2026-11-24 01', 'yyyy-MM-dd HH', 'Europe/Berlin')", "1795478400000"),
    ("parseDate('24/Nov/2026:02:00:00 +0200', 'dd/MMM/yyyy:HH:mm:ss Z')", "1795478400000"),
    ("parseDate('2026-11-24T00:00:00.123Z', \"yyyy-MM-dd'T'HH:mm:ss.SSSX\")", "1795478400123"),
    ("parseDate('2026-11-24T01:00:00+01:00', \"yyyy-MM-dd'T'HH:mm:ssXXX\", 'Asia/Tokyo')", "1795478400000"),
    ("parseDate('2026-13-24', 'yyyy-MM-dd')", None),
    ("parseDate(missing, 'yyyy')", None),
    ("formatDate(@timestamp, '%F %T', 'UTC')", "2026-11-24 12:34:56"),
    ("formatDate(@timestamp, '%H:%M', 'Asia/Tokyo')", "21:34"),
    ("formatDate(0, '%Y')", "1970"),
    ("formatDate(zoned, '%H')", "10"),
    ("strftime(iso, '%-d.%-m.%y')", "24.11.26"),
    ("formatDate(verb, '%Y')", None),
    # general again
    ("case(code = 1, 'a', code > 1, 'b')", "b"),
    ("case(missing, 'a', 'b')", "b"),
    ("case(missing, 'a')", None),
    ("case(yes, @timestamp)", "2026-11-24 12:34:56.789"),
    ("if(code > 400, verb, code)", "get"),
    ("if(missing, verb, code)", "401"),
    ("isNumeric(exponent)", "1"),
    ("isNumeric(huge)", "0"),
    ("isNumeric(missing)", "0"),
    ("messageSize('größe')", "7"),
    ("messageSize(missing)", None),
    ("unmask(verb)", "get"),
    ("toMillis(unmask(@timestamp))", str(NOON)),
    # maps and lists
    ("jsonParse('{\"a\":1}')", '{"a":1}'),
    ("jsonParse('1')", None),
    ("jsonParse(verb)", None),
    ("jsonParse(missing)", None),
    ("strlen(jsonParse('[1]'))", None),
    ("coalesce(jsonParse('[1]'), verb)", "[1]"),
    ("ispresent(jsonParse('[1]'))", "1"),
    ("ispresent(jsonParse(verb))", "0"),
    ('jsonStringify(jsonParse(\'{"a": [1, "ü"]}\'))', '{"a":[1,"ü"]}'),
    ("jsonStringify(verb)", None),
    ("strlen(jsonStringify(jsonParse('[1]')))", "3"),
    ("jsonArraySize('[1, [2, 3], {}]')", "3"),
    ("jsonArraySize('[]')", "0"),
    ("jsonArraySize('{}')", None),
    ("jsonArraySize(split('a-b', '-'))", "2"),
    ("jsonArrayContains('[\"admin\"]', 'admin')", "1"),
    ("jsonArrayContains('[401]', code)", "1"),
    ("jsonArrayContains('[\"Admin\"]', 'admin')", "0"),
    ("jsonArrayContains(verb, 'get')", "0"),
    ("jsonArrayContains(missing, 'get')", "0"),
    # addresses
    ("isValidIp('::1')", "1"),
    ("isValidIp(verb)", "0"),
    ("isValidIp(missing)", "0"),
    ("isValidIpV4('192.0.2.1')", "1"),
    ("isValidIpV4('::1')", "0"),
    ("isValidIpV6('::1')", "1"),
    ("isValidIpV6(missing)", "0"),
    ("isIpInSubnet('192.0.2.9', '192.0.2.0/24')", "1"),
    ("isIpInSubnet(verb, '192.0.2.0/24')", "0"),
    ("isIpInSubnet('192.0.2.9', verb)", "0"),
    ("isIpInSubnet(missing, '192.0.2.0/24')", "0"),
    ("isIpv4InSubnet('192.0.2.9', '192.0.2.0/24')", "1"),
    ("isIpv4InSubnet('2001:db8::5', '2001:db8::/32')", "0"),
    ("isIpv6InSubnet('2001:db8::5', '2001:db8::/32')", "1"),
    ("isIpv6InSubnet('192.0.2.9', '192.0.2.0/24')", "0"),
    ("ipv4ToNumber('0.0.1.2')", "258"),
    ("ipv4ToNumber('::1')", None),
    ("isPrivateIP('172.16.0.1')", "1"),
    ("isPrivateIP(missing)", "0"),
    ("isPublicIP('8.8.8.8')", "1"),
    ("isPublicIP(verb)", "0"),
    ("isReservedIP('127.0.0.1')", "1"),
    ("isReservedIP('8.8.8.8')", "0"),
]

AGGREGATES: list[tuple[str, list[object], str | None]] = [
    ("count(*)", [1, None, "x"], "3"),
    ("count()", [1, None], "2"),
    ("COUNT(v)", [1, None, "x", ""], "3"),
    ("count(v)", [None, {}, []], "0"),
    ("count_distinct(v)", [1, "1", 2, None, "x"], "3"),
    ("countDistinct(v)", [1, 1], "1"),
    ("sum(v)", [1, "2.5", "x", None], "3.5"),
    ("sum(v)", ["x", None], None),
    ("sum(v)", [1e308, 1e308], None),
    ("sum(v * 2)", [1, 2], "6"),
    ("avg(v)", [1, "2", "x", None], "1.5"),
    ("avg(v)", [None], None),
    ("min(v)", [10, "9", "x"], "9"),
    ("max(v)", [10, "9", "x"], "10"),
    ("min(v)", [None], None),
    ("min(v)", ["2026-11-24T10:00:00Z", "2026-11-24T09:59:59Z"], "2026-11-24T09:59:59Z"),
    ("max(v)", ["get", "list", None], "list"),
    ("max(@timestamp)", [1, 2, 3], "2026-11-24 12:34:56.791"),
    ("min(@timestamp)", [1, 2, 3], "2026-11-24 12:34:56.789"),
    ("max(v = 2)", [1, 2, 3], "1"),
    ("pct(v, 50)", [1, 2, 3, "x"], "2"),
    ("pct(v, 0)", [4, 1, 9], "1"),
    ("pct(v, 100)", [4, 1, 9], "9"),
    ("pct(v, 50)", ["x"], None),
    ("stddev(v)", [2, 4, 4, 4, 5, 5, 7, 9], "2"),
    ("stddev(v)", [None], None),
    ("earliest(v)", [None, "first", "second"], "first"),
    ("latest(v)", ["first", "second", None], "second"),
    ("latest(strlen(v))", ["aaa", "b"], "1"),
    ("latest(@timestamp)", [1, 2], "2026-11-24 12:34:56.790"),
    ("sortsFirst(v)", ["10", "9", "a2", "a10", None], "a2"),
    ("sortsLast(v)", ["10", "9", "a2", "a10", None], "10"),
    ("sortsLast(v)", ["a2", "a10"], "a10"),
    ("variance(v)", [2, 4, 4, 4, 5, 5, 7, 9], "4"),
    ("variance(v)", ["x"], None),
    ("values(v)", ["b", "a", None, "b", 1], '["1","a","b"]'),
    ("COLLECT_VALUES(v)", [None], None),
    ("topk(2, v)", ["a", "b", "c", "b", "a", "b", None], '["b","a"]'),
    ("topk(5, v)", [None], None),
    ("rate(v, 1s)", [10, None, 14], "2000"),
    ("rate(v, 1m)", [10], None),
    ("count_over_time(v)", [1, None, "x"], "2"),
    ("countOverTime(v)", [None], "0"),
    ("sum_over_time(v)", [1, None, "2", "x"], "3"),
    ("sumOverTime(v)", ["x"], None),
    ("histogram(v, 2)", [0, 4, "10", "x", None], '{"0-5":2,"5-10":1}'),
    ("histogram(v, 2)", ["x"], None),
    ("histogram(v, 0)", [1], None),
    ("sum(v) / count(*)", [1, 2, None], "1"),
    ("max(v / 1000 / 1000)", [5_000_000], "5"),
    ("strlen(max(v))", [100, 20], "3"),
]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_functions(expression: str, expected: str | None) -> None:
    """A function gives what AWS documents, and nothing where its argument is missing or of no use to it."""
    assert value(expression) == expected


@pytest.mark.parametrize(("expression", "values", "expected"), AGGREGATES)
def test_aggregates(expression: str, values: list[object], expected: str | None) -> None:
    """An aggregate takes the values that are there and that it can use."""
    assert aggregated(expression, values) == expected


def test_every_function_is_tried() -> None:
    """No function is without an example in this module."""
    texts = " ".join([*(text for text, _ in CASES), *(text for text, _, _ in AGGREGATES)])
    called = {found.lower() for found in re.findall(r"(\w+)\(", texts)}
    assert {name.lower() for name in functions.names()} <= called


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("fields parseDate(a, b)", "b", "has to be quoted text"),
        ("fields parseDate(a, 'QQ')", "'QQ'", "cannot be read here"),
        ("fields parseDate(a, 'yyyy', 'Nowhere/Land')", "'Nowhere/Land'", "There is no time zone"),
        ("fields formatDate(a, b)", "b", "has to be quoted text"),
        ("fields formatDate(a, '%q')", "'%q'", "cannot be written here"),
        ("fields formatDate(a, '%Y', '../UTC')", "'../UTC'", "There is no time zone"),
        ("fields regexReplace(a, b, 'x')", "b", "has to be quoted text"),
        ("fields regexReplace(a, '(?=x)', '')", "'(?=x)'", "not valid"),
        (r"fields regexReplace(a, '(x)', '\2')", r"'\2'", "The pattern has no group"),
        ("fields strcontains(a, 'x', 1)", "1", "is true or false"),
        (f"fields case({', '.join('a, b' for _ in range(11))})", "a", "at most 10 branches"),
        ("stats topk(a, b)", "a", "takes a number and a field"),
        ("stats histogram(a, b)", "b", "takes a number of ranges"),
        ("stats rate(a, 1mo)", "1mo", "takes a period up to weeks"),
        ("stats count(*) by bin(1m) offset 1mo", "stats count(*) by bin(1m) offset 1mo", "An offset is a period"),
    ],
)
def test_arguments_that_a_function_cannot_take(text: str, place: str, words: str) -> None:
    """An argument that has to stand in the query in another form is refused at its place."""
    with pytest.raises(QueryError, match=re.escape(words)) as caught:
        one_event().ask(parse(text), None)
    assert text[caught.value.start : caught.value.end] == place


def test_deviations_beyond_a_double() -> None:
    """A standard deviation that no double can hold is missing or refused, never a wrong number."""
    try:
        found = aggregated("stddev(v)", [1e308, -1e308])
    except QueryError:
        found = None
    assert found is None


@pytest.mark.parametrize("share", ["101", "-1", "v", "'50'"])
def test_percentages(share: str) -> None:
    """A percentile is a number from 0 to 100 that stands in the query."""
    with pytest.raises(QueryError, match="from 0 to 100"):
        aggregated(f"pct(v, {share})", [1])


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20), st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=8, deadline=None)
def test_functions_of_text_are_those_of_python(pairs: list[tuple[str, str]], start: int, length: int) -> None:
    """Text functions count characters as Python does, of any alphabet."""
    calls: dict[str, Callable[[str, str], object]] = {
        "strlen(s)": lambda s, _: len(s),
        f"substr(s, {start})": lambda s, _: s[start:],
        f"substr(s, {start}, {length})": lambda s, _: s[start : start + length],
        "trim(s, o)": lambda s, o: s.strip(o) if o else s,
        "ltrim(s, o)": lambda s, o: s.lstrip(o) if o else s,
        "rtrim(s, o)": lambda s, o: s.rstrip(o) if o else s,
        "concat(s, o, s)": lambda s, o: s + o + s,
        "strcontains(s, o)": lambda s, o: int(o in s),
        "replace(s, 'a', o)": lambda s, o: s.replace("a", o),
        "isempty(s)": lambda s, _: int(not s),
        "isblank(s)": lambda s, _: int(not s.strip()),
    }
    query = f"fields {', '.join(calls)} | sort @timestamp"
    found = answers(query, ({"s": subject, "o": other} for subject, other in pairs))
    assert found == {call: [str(python(*pair)) for pair in pairs] for call, python in calls.items()}


@given(
    st.lists(st.integers(-(10**12), 4 * 10**12), min_size=1, max_size=20),
    st.sampled_from(["7ms", "1s", "45s", "5m", "6h", "1d", "3d", "1w"]),
)
@settings(max_examples=8, deadline=None)
def test_floors_and_ceilings(instants: list[int], period: str) -> None:
    """A time lies between its floor and its ceiling, which are the same or one period apart."""
    units = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
    unit = period.lstrip("0123456789")
    width = int(period.removesuffix(unit)) * units[unit]
    below, above = f"datefloor(fromMillis(t), {period})", f"dateceil(fromMillis(t), {period})"
    query = f"fields toMillis({below}) as f, toMillis({above}) as c | sort @timestamp"
    found = answers(query, ({"t": instant} for instant in instants))
    floors, ceilings = ([int(printed or "") for printed in found[name]] for name in "fc")
    for instant, floor, ceiling in zip(instants, floors, ceilings, strict=True):
        assert floor <= instant <= ceiling
        assert floor % width == 0
        assert ceiling - floor == (0 if instant == floor else width)


@given(
    st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=20),
    st.sampled_from([(1, "1mo"), (3, "1q"), (6, "6mo"), (12, "1y")]),
)
@settings(max_examples=8, deadline=None)
def test_months_follow_the_calendar(instants: list[datetime], period: tuple[int, str]) -> None:
    """Floors of months, quarters and years are first days of the calendar, whatever their lengths."""
    months, text = period
    milliseconds = [to_milliseconds(instant.replace(tzinfo=UTC)) for instant in instants]
    found = answers(
        f"fields datefloor(fromMillis(t), {text}) as f | sort @timestamp", ({"t": each} for each in milliseconds)
    )
    firsts = [instant.replace(month=(instant.month - 1) // months * months + 1, day=1) for instant in instants]
    assert found["f"] == [first.strftime("%Y-%m-%d 00:00:00.000") for first in firsts]
