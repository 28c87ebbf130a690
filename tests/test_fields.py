"""A dotted name finds its value in an event, whatever dots and slashes the keys hold themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.engine.fields import MAX_DOTS, pointers
from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

MakeLog = Callable[..., Path]
NAMES = st.lists(st.text(st.sampled_from("ab0~/-@ "), max_size=4), min_size=1, max_size=7).map(".".join)


def value_of(make_log: MakeLog, name: str, **changes: Any) -> str | None:
    """What a field of one event reads as."""
    frame = FileSource(str(make_log(audit_event(**changes)))).run(f"fields {name} as value").frame
    (value,) = frame["value"].astype(object).where(frame["value"].notna(), None)
    return None if value is None else str(value)


def keys_of(pointer: str) -> list[str]:
    """The keys of a JSON pointer, by RFC 6901."""
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]


# --- readings -------------------------------------------------------------------------------------------------------


@given(NAMES)
@settings(max_examples=100, deadline=None)
def test_every_reading_spells_the_name(name: str) -> None:
    """The keys of every reading, joined with dots, give the name back."""
    assert all(".".join(keys_of(pointer)) == name for pointer in pointers(name))


@given(NAMES)
@settings(max_examples=100, deadline=None)
def test_all_readings_are_there(name: str) -> None:
    """A name with n dots has 2 to the n different readings, the most nested one first."""
    found = pointers(name)
    assert len(set(found)) == len(found) == 2 ** name.count(".")
    depths = [len(keys_of(pointer)) for pointer in found]
    assert depths == sorted(depths, reverse=True)


def test_readings_of_an_annotation() -> None:
    """Slashes and tildes of a name are those of a key."""
    first, *between, last = pointers("a.k8s.io/b~c")
    assert (first, last) == ("/a/k8s/io~1b~0c", "/a.k8s.io~1b~0c")
    assert set(between) == {"/a/k8s.io~1b~0c", "/a.k8s/io~1b~0c"}


@given(st.lists(st.text(st.sampled_from("ab~/-"), min_size=1, max_size=3), min_size=1, max_size=4), st.data())
@settings(max_examples=12, deadline=None)
def test_keys_with_dots_are_found(parts: list[str], data: st.DataObject) -> None:
    """However the parts of a name are joined into keys, the value is found."""
    keys = [parts[0]]
    for part in parts[1:]:
        if data.draw(st.booleans()):
            keys.append(part)
        else:
            keys[-1] += f".{part}"
    document: Any = "found"
    for key in reversed(keys):
        document = {key: document}
    message = json.dumps(document)
    store = EventStore([Event(0, 0, 0, message, message, "", "", "", "")])
    assert store.ask(parse(f"fields `{'.'.join(parts)}` as value"), None).values == {"value": ["found"]}
    store.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user.username", "alice"),
        ("user.groups.0", "system:authenticated"),
        ("user.groups.1", None),
        ("sourceIPs.0", "198.51.100.21"),
        ("`annotations.authorization.k8s.io/decision`", "allow"),
        ("annotations.`authorization.k8s.io/decision`", "allow"),
        ("`annotations.authorization.k8s.io/reason`", ""),
        ("`user.extra.authentication.kubernetes.io/pod-name.0`", "web-0"),
        ("User.username", None),
        ("user.nobody", None),
        ("user.username.first", None),
    ],
)
def test_names_of_audit_events(make_log: MakeLog, name: str, expected: str | None) -> None:
    """The names that audit events are asked for find their values, and others find none."""
    user = {
        "username": "alice",
        "groups": ["system:authenticated"],
        "extra": {"authentication.kubernetes.io/pod-name": ["web-0"]},
    }
    assert value_of(make_log, name, user=user) == expected


def test_the_most_nested_reading_wins(make_log: MakeLog) -> None:
    """Where two readings of a name have a value, the more nested one is taken."""
    assert value_of(make_log, "a.b.c", a={"b": {"c": "nested"}, "b.c": "joined"}) == "nested"
    assert value_of(make_log, "a.b.c", a={"b": {"x": 1}, "b.c": "joined"}) == "joined"
    assert value_of(make_log, "a.b.c", a={"b": {"c": None}}, **{"a.b.c": "flat"}) == "flat"


def test_numbers_are_indices_and_keys(make_log: MakeLog) -> None:
    """A number in a name is an index into an array or a key of an object, whichever is there."""
    assert value_of(make_log, "a.1.b", a=[{"b": "no"}, {"b": "yes"}]) == "yes"
    assert value_of(make_log, "a.1.b", a={"1": {"b": "key"}}) == "key"


def test_names_are_no_paths(make_log: MakeLog) -> None:
    """Signs that mean something in JSON paths mean nothing in a name."""
    for name in ("`$.user.username`", "`user.*`", "`user[0]`", "`/user/username`", "`#`", "`user..username`"):
        assert value_of(make_log, name) is None
    assert value_of(make_log, "`$.*`", **{"$": {"*": "literal"}}) == "literal"


def test_too_many_dots_are_refused(make_log: MakeLog) -> None:
    """A name with more dots than can be tried is refused at its place, with another way."""
    deepest = ".".join("a" * (MAX_DOTS + 1))
    assert value_of(make_log, deepest) is None
    with pytest.raises(QueryError, match="more than 9 dots") as caught:
        value_of(make_log, f"{deepest}.b")
    assert (caught.value.start, caught.value.end) == (7, 7 + len(deepest) + 2)
    assert "parse @message" in caught.value.hint


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json_value", "expected"),
    [
        ("text", "text"),
        ("", ""),
        ("null", "null"),
        (" padded ", " padded "),
        ("größe 😀", "größe 😀"),
        ("zero\x00byte", "zero\x00byte"),
        ("{}", "{}"),
        ('{"a": 1}', '{"a": 1}'),
        ("[1, 2", "[1, 2"),
        ("true", "true"),
        (5, "5"),
        (-0.5, "-0.5"),
        (12345678901234567890, "12345678901234567890"),
        (True, "1"),
        (False, "0"),
        (None, None),
        ({}, None),
        ({"a": 1}, None),
        ([], None),
        ([1, 2], None),
    ],
)
def test_what_a_value_is(make_log: MakeLog, json_value: object, expected: str | None) -> None:
    """Texts and numbers are values as they stand, booleans are 1 and 0; null, objects and arrays are none."""
    assert value_of(make_log, "object.value", object={"value": json_value}) == expected


def test_json_in_a_text_is_text(make_log: MakeLog) -> None:
    """A text that holds JSON is one value, with no fields in it."""
    assert value_of(make_log, "a.b", a='{"b": 1}') is None


def test_a_line_without_json_has_no_fields(make_log: MakeLog) -> None:
    """A line that is no JSON has the fields of CloudWatch, and none of its own."""
    source = FileSource(str(make_log(audit_event(), '{"auditID": "cut", "verb": "get"')))
    frame = source.run("fields @message, verb, @ptr | filter not ispresent(verb)").frame
    assert frame["@message"].to_list() == ['{"auditID": "cut", "verb": "get"']
    assert frame["@ptr"].notna().all()


# --- fields of CloudWatch -------------------------------------------------------------------------------------------


def test_system_fields(make_log: MakeLog) -> None:
    """The fields that CloudWatch adds are there: message, time, stream, log and pointer."""
    path = make_log(audit_event())
    frame = FileSource(str(path)).run("fields @message, @timestamp, @ingestionTime, @logStream, @log, @ptr").frame
    (row,) = frame.to_dict("records")
    assert json.loads(row["@message"]) == audit_event()
    assert row["@timestamp"] == row["@ingestionTime"]
    assert str(row["@timestamp"]) == "2026-11-24 10:00:00.123000+00:00"
    assert row["@logStream"].startswith("kube-apiserver-audit-")
    assert row["@log"]
    assert row["@ptr"]


def test_a_key_with_an_at_sign(make_log: MakeLog) -> None:
    """A key of the event that begins with @ is asked for with two, so that it cannot pass for a field of CloudWatch."""
    changes = {"@message": "forged", "@timestamp": "forged"}
    assert value_of(make_log, "@@message", **changes) == "forged"
    assert value_of(make_log, "@message", **changes) != "forged"
    assert value_of(make_log, "@timestamp", **changes) == "2026-11-24 10:00:00.123000+00:00"
