"""What must hold of an event for it to count: only what is sure is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_differential import EVENTS, Maker

from eks_audit_nb.engine import rows
from eks_audit_nb.engine.narrowing import asks_for_clock, literals, narrowed
from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse

from agreement import stored
from logs import audit_lines, go_json, hot_conditions

Draw = Callable[[st.SearchStrategy[Any]], Any]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]


def found(text: str) -> tuple[list[str], list[str], int | None]:
    """The conditions and the sort keys as the query writes them, and the limit."""
    query = parse(text)
    only = narrowed(query, rows.COLUMNS)
    conditions = [query.source_of(condition) for condition in only.conditions]
    return conditions, [query.source_of(key.expression) for key in only.keys], only.limit


# --- conditions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("filter verb = 'get'", ["verb = 'get'"]),
        ("filter verb = 'get' and n = 1 and not stage like 'x'", ["verb = 'get'", "not stage like 'x'"]),
        ("filter verb = 'get' | filter user.username in ['a']", ["verb = 'get'", "user.username in ['a']"]),
        ("filter verb = 'get' or n = 1", []),
        ("filter verb = 'get' or stage = 'x'", ["verb = 'get' or stage = 'x'"]),
        ("filter @timestamp > 5 and @logStream like 'x'", ["@timestamp > 5", "@logStream like 'x'"]),
        ("filter strlen(verb) > 3 and 1 = 1", ["strlen(verb) > 3", "1 = 1"]),
        ("filter verb = true", ["verb = true"]),
        ("stats count(*) by n | filter verb = 'get'", ["verb = 'get'"]),
        ("unnest user.groups into g | filter verb = 'get'", ["verb = 'get'"]),
        ("fields strlen(verb) as x | filter verb = 'get'", ["verb = 'get'"]),
        ("sort verb as verb2 | filter verb = 'get'", ["verb = 'get'"]),
        ("filter @message like 'get'", []),
        ("filter @at = 'x'", []),
        ("filter `@@at` = 'x'", []),
        ("filter `@verb` = 'x'", []),
        ("filter requestObject.x = 1", []),
    ],
)
def test_conditions(text: str, conditions: list[str]) -> None:
    """Each term of a filter counts that names nothing but columns and what the service knows beside the message."""
    assert found(text)[0] == conditions


@pytest.mark.parametrize(
    "before",
    [
        "fields 'x' as verb",
        "display strlen(stage) as verb",
        "sort stage as verb",
        "parse stage '*a' as verb",
        "parse stage /(?<verb>a)/",
        "parse stage csv as a, verb",
        "unnest user.groups into verb",
        "expand verb",
        "json field=n 'a' as verb",
        "lookup names key output verb",
        "cidrlookup nets ip as block OUTPUT verb",
        "stats count(*) by verb",
        "stats count(*) as verb",
        "dedup stage",
        "dedup verb",
    ],
)
def test_names_that_are_made_before_a_filter(before: str) -> None:
    """A filter behind what makes its name, or behind what counts or compares rows, tells nothing about events."""
    text = f"{before} | filter verb = 'get'"
    assert found(text)[0] == []
    assert literals(parse(text)) == []


@pytest.mark.parametrize(
    "before", ["fields jsonParse(@message) as user", "parse @message logfmt as user", "unnest n into user"]
)
def test_names_in_a_map_that_is_made_before_a_filter(before: str) -> None:
    """What lies in a map under a new name is no field of the event."""
    assert found(f"{before} | filter user.username = 'alice'") == ([], [], None)
    assert literals(parse(f"{before} | filter user.username = 'alice'")) == []
    assert literals(parse(f"{before} | filter username = 'alice'")) == [('"alice"',)]


@pytest.mark.parametrize(
    "text",
    [
        "filter verb = 'get' and n in (filter verb = 'list' | fields n)",
        "filter verb = 'get' | estimate",
        "filter verb = 'get' | stats count(*) | estimate",
    ],
)
def test_queries_that_read_every_event(text: str) -> None:
    """A query in a list has conditions of its own and estimate counts every event: then nothing is passed over."""
    assert found(text) == ([], [], None)
    assert literals(parse(text)) == []


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys", "limit"),
    [
        ("fields @message | limit 3", [], 3),
        ("limit 3 | limit 2 | fields @message", [], 2),
        ("fields @message | sort verb, @timestamp desc | limit 3", ["verb", "@timestamp"], 3),
        ("sort verb | sort stage | limit 3", ["stage"], 3),
        ("sort strlen(verb) as x | limit 3", ["strlen(verb)"], 3),
        ("filter verb = 'get' | fields strlen(verb) as x, @message | display x | limit 3", [], 3),
        ("filter stage = 'x' | sort verb | limit 3", ["verb"], 3),
        ("fields @message", [], None),
        ("sort verb", [], None),
        ("filter n = 1 | limit 3", [], None),
        ("filter @message like 'abc' | limit 3", [], None),
        ("fields 'x' as verb | filter verb = 'x' | limit 3", [], None),
        ("sort n | limit 3", [], None),
        ("sort @message | limit 3", [], None),
        ("fields strlen(stage) as verb | sort verb | limit 3", [], None),
        ("sort strlen(verb) as verb | limit 3", [], None),
        ("fields jsonParse(@message) as user | sort user.username | limit 3", [], None),
        ("parse verb '*a' as x | limit 3", [], None),
        ("unnest user.groups into g | limit 3", [], None),
        ("expand user.groups | limit 3", [], None),
        ("dedup verb | limit 3", [], None),
        ("stats count(*) by verb | limit 3", [], None),
    ],
)
def test_limits(text: str, keys: list[str], limit: int | None) -> None:
    """A limit counts where columns alone tell which events are in the result, and in which order."""
    assert found(text)[1:] == (keys, limit)


# --- literals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "texts"),
    [
        ("verb = 'get'", [('"get"',)]),
        ("verb == 'get'", [('"get"',)]),
        ("'get' = verb", [('"get"',)]),
        ("requestObject.x.y = 'a/b c'", [('"a/b c"',)]),
        ("`@@at` = 'xyz'", [('"xyz"',)]),
        ("verb in ['get', 'list']", [('"get"', '"list"')]),
        ("verb in ['get', 'get']", [('"get"',)]),
        ("userAgent like 'kube'", [("kube",)]),
        ("verb = 'get' and stage = 'Panic'", [('"get"',), ('"Panic"',)]),
        ("verb = 'get' and n = 1", [('"get"',)]),
        ("verb = 'get' or stage = 'Panic'", [('"get"', '"Panic"')]),
        ("verb in ['get', 'list'] or userAgent like 'kube'", [('"get"', '"list"', "kube")]),
        ("verb = 'get' or (stage = 'x' and userAgent = 'longest' and n = 1)", [('"get"', '"longest"')]),
        ("@message like 'secrets'", [("secrets",)]),
        ("@message like 'ä\"ö'", [('ä"ö',)]),
        ("verb = 'true'", [('"true"',)]),
        # A part of what JSON may write in other signs.
        ("user.username = 'system:node:ä'", [("system:node:",)]),
        ("user.username = 'say <hello> & more'", [("hello",)]),
        (r"user.username like 'back\\slash'", [("slash",)]),
        ("user.username = 'a<b>&c'", []),
        ("user.username = '日本'", []),
        ("user.username = ''", []),
        ("userAgent like ''", []),
        ("userAgent like 'ku'", []),
        # What is sure of no text.
        ("verb != 'get'", []),
        ("verb not like 'get'", []),
        ("verb not in ['get']", []),
        ("not (verb = 'get')", []),
        ("verb > 'get'", []),
        ("verb like /get/", []),
        ("verb =~ /get/", []),
        ("verb", []),
        ("verb = stage", []),
        ("strlen(verb) = 'get'", []),
        ("tolower(verb) = 'get'", []),
        ("verb = 'get' or n = 1", []),
        ("verb = 'get' or not (stage = 'x')", []),
        ("verb in ['get', 1]", []),
        # Numbers are written in many ways; true and false are no texts.
        *((f"code = '{number}'", []) for number in ("403", "4.0", "1e5", "-2", "+7", ".5", "inf", "nan", "Infinity")),
        ("code in ['403', '401']", []),
        ("code like '40'", []),
        ("code like '1e+22'", []),
        ("code = 403", []),
        ("flag = true", []),
        ("true = 'true'", []),
        ("'true' = true", []),
        ("'false' = false", []),
        # What no event has in its text, or not as it is.
        ("@logStream like 'kube'", []),
        ("@ptr = 'audit.jsonl:1'", []),
        ("@timestamp = '2026-11-24 10:00:00.123'", []),
        ("@at = 'xyz'", []),
        ("@message = 'secrets'", []),
        ("@message like 'se'", []),
        ("@message like 'user\ufffd'", []),
    ],
)
def test_literals(condition: str, texts: list[tuple[str, ...]]) -> None:
    """A text is looked for where it stands in the JSON of every event for which the condition holds."""
    assert literals(parse(f"filter {condition}")) == texts


def test_literals_of_several_filters() -> None:
    """Each filter before what counts or compares rows adds its own."""
    text = (
        "filter verb = 'get' | unnest user.groups into g | where stage = 'x' | stats count(*) by g | filter g = 'admin'"
    )
    assert literals(parse(text)) == [('"get"',), ('"x"',)]
    assert literals(parse("stats count(*) as n by verb | filter stage = 'Panic'")) == [('"Panic"',)]


@st.composite
def _conditions(draw: Draw) -> str:
    if draw(st.booleans()):
        return str(draw(hot_conditions()))
    return Maker(draw, is_inner=True).condition()


@settings(max_examples=30, phases=[Phase.explicit, Phase.generate], suppress_health_check=SLOW)
@given(EVENTS, st.lists(audit_lines(go_json), max_size=5), st.lists(_conditions(), min_size=5, max_size=5))
def test_events_that_count_hold_the_literals(
    made_up: list[tuple[int, str, str]], lines: list[str], conditions: list[str]
) -> None:
    """Where a filter holds, the event has a text of each entry as Go and Python write it, or it escapes more."""
    texts = [text for _, _, text in made_up] + lines
    texts += [json.dumps(json.loads(line)) for line in lines]
    store = EventStore(stored([(0, "s", text) for text in texts]))
    for condition in conditions:
        query = parse(f"filter {condition} | fields @message")
        try:
            answer = store.ask(query, None)
        except QueryError:
            continue
        entries = literals(query)
        for message in filter(None, answer.values["@message"]):
            has_all = all(any(each in message for each in entry) for entry in entries)
            assert has_all or can_count(message, entries), (condition, entries, message)
    store.close()


def can_count(line: str, entries: list[tuple[str, ...]]) -> bool:
    """What the rule in SQL says of one line."""
    sql, parameters = rows.can_count("$line::VARCHAR", entries, "x")
    used = {name: value for name, value in parameters.items() if f"${name}" in sql}
    return bool(duckdb.execute(f"SELECT {sql}", {"line": line, **used}).fetchall()[0][0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"verb":"get"}', True),
        ('{"verb":"list"}', False),
        ('{"verb":"get","x":"\\u003c\\u003e\\u0026"}', True),
        ('{"verb":"list","x":"\\u003c\\u003e\\u0026"}', False),
        ('{"verb":"list","x":"\\u003C"}', True),
        (r'{"verb":"\u0067et"}', True),
        (r'{"verb":"list","x":"a\/b"}', True),
        (r'{"verb":"list","x":"a\"b\\c\n"}', False),
    ],
)
def test_can_count(line: str, expected: bool) -> None:
    """A line can count that has the text, or that writes any sign in another way than Go's encoder."""
    assert can_count(line, [('"get"',)]) == expected


# --- the clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filter @timestamp > now() - 5", True),
        ("fields queryStartTime() as s", True),
        ("stats max(queryEndTime())", True),
        ("filter verb in (filter @timestamp > now() | fields verb)", True),
        ("fields verb, bin(5m)", False),
        ("fields 'now()' as x", False),
    ],
)
def test_asking_for_the_clock(text: str, expected: bool) -> None:
    """A query asks for the clock where it names the present or the ends of its window, in a list too."""
    assert asks_for_clock(parse(text)) == expected
