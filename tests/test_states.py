"""How two states of an object differ, and what a patch makes of a state."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.states import (
    ABSENT,
    differences,
    json_patched,
    patch_fields,
    patched,
    shallow,
    text_of,
    without_volatile,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_infinity=False) | st.sampled_from("ab"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "a", "b/c", "x~y"]), inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc"), "v": inner}), max_size=3)
    ),
    max_leaves=12,
)


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(values, values)
def test_equal_states_do_not_differ(one: Any, other: Any) -> None:
    """Two states differ in some field just where their JSON differs."""
    assert list(differences(one, json.loads(canonical(one)))) == []
    assert bool(list(differences(one, other))) == (canonical(one) != canonical(other))


@given(values, values)
def test_differences_have_two_directions(one: Any, other: Any) -> None:
    """What was added one way was removed the other way."""
    there = [(path, canonical_or_absent(a), canonical_or_absent(b)) for path, a, b in differences(one, other)]
    back = [(path, canonical_or_absent(b), canonical_or_absent(a)) for path, a, b in differences(other, one)]
    assert len(there) == len(back)
    assert {a for _, a, _ in there} == {a for _, a, _ in back}


def canonical_or_absent(value: Any) -> str:
    return "absent" if value is ABSENT else canonical(value)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"spec": {"containers": [{"name": "app", "image": "a:1"}, {"name": "log", "image": "l"}]}},
            {"spec": {"containers": [{"name": "log", "image": "l"}, {"name": "app", "image": "a:2"}]}},
            [("spec.containers[name=app].image", "a:1", "a:2")],
        ),
        (
            {"rules": [{"verbs": ["get"]}, {"verbs": ["list"]}]},
            {"rules": [{"verbs": ["*"]}, {"verbs": ["get"]}, {"verbs": ["list"]}]},
            [("rules[0]", ABSENT, {"verbs": ["*"]})],
        ),
        (
            {"metadata": {"annotations": {"a.b/c": "1"}}},
            {"metadata": {"annotations": {}}},
            [('metadata.annotations["a.b/c"]', "1", ABSENT)],
        ),
        ({"a": True}, {"a": 1}, [("a", True, 1)]),
        ({"a": None}, {}, [("a", None, ABSENT)]),
    ],
)
def test_differences(before: Any, after: Any, expected: list[Any]) -> None:
    """Items are matched by their name or by being equal; null, absent, true and 1 are four things."""
    assert list(differences(before, after)) == expected


def test_volatile_fields_are_left_out() -> None:
    """What every write changes, and the status, is no change; labels and a deletion in progress are."""
    state = {
        "metadata": {
            "uid": "1",
            "resourceVersion": "2",
            "generation": 3,
            "managedFields": [],
            "deletionTimestamp": "t",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {},
        "status": {"phase": "Running"},
    }
    assert without_volatile(state) == {"metadata": {"deletionTimestamp": "t"}, "spec": {}}
    assert without_volatile(state, with_status=True)["status"] == {"phase": "Running"}


# --- patches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "operations", "expected"),
    [  # after the examples of RFC 6902, appendix A
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
        ({"foo": [1]}, [{"op": "add", "path": "/foo/-", "value": [2]}], {"foo": [1, [2]]}),
        ({"foo": [1, 2]}, [{"op": "remove", "path": "/foo/0"}], {"foo": [2]}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": "1"}], None),
        ({"a": 1}, [{"op": "replace", "path": "/b", "value": 1}], None),
        ({"a": [1]}, [{"op": "add", "path": "/a/7", "value": 1}], None),
        ({"a": {}}, [{"op": "move", "from": "/a", "path": "/a/b"}], None),
        ({"a": 1}, [{"op": "add", "path": "b", "value": 1}], None),
        ({"a": 1}, ["not an operation", {}], None),
    ],
)
def test_json_patch(state: Any, operations: list[Any], expected: Any) -> None:
    """A JSON patch is applied as RFC 6902 says, and one that does not fit gives nothing."""
    assert json_patched(state, operations) == expected


def test_json_patch_that_grows() -> None:
    """Copies of copies end where the API server ends them."""
    operations = [{"op": "copy", "from": "/a", "path": "/a/-"} for _ in range(60)]
    assert json_patched({"a": ["x" * 100]}, operations) is None


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("abc"), values))
def test_json_patch_leads_from_one_state_to_another(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Removing every field of one state and adding every field of another gives the other."""
    operations = [{"op": "remove", "path": f"/{key}"} for key in one]
    operations += [{"op": "add", "path": f"/{key}", "value": value} for key, value in other.items()]
    assert canonical(json_patched(one, operations)) == canonical(other)


@pytest.mark.parametrize(
    ("state", "patch", "expected"),
    [  # after the examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch(state: Any, patch: dict[str, Any], expected: Any) -> None:
    """A merge patch is applied as RFC 7386 says."""
    assert patched(state, patch, is_strategic=False) == expected


@pytest.mark.parametrize(
    ("state", "patch", "expected"),
    [
        (
            {"containers": [{"name": "app", "image": "1"}, {"name": "log"}]},
            {"$setElementOrder/containers": [{"name": "app"}], "containers": [{"name": "app", "image": "2"}]},
            {"containers": [{"name": "app", "image": "2"}, {"name": "log"}]},
        ),
        (
            {"containers": [{"name": "app"}, {"name": "log"}]},
            {"containers": [{"name": "log", "$patch": "delete"}, {"name": "new"}]},
            {"containers": [{"name": "app"}, {"name": "new"}]},
        ),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["b"]}, {"finalizers": ["a"]}),
        ({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, {"finalizers": ["a", "b"]}),
        ({"s": {"a": 1, "b": 2}}, {"s": {"$retainKeys": ["a"], "a": 3}}, {"s": {"a": 3}}),
        ({"s": {"a": 1}}, {"s": {"$patch": "replace", "b": 2}}, {"s": {"b": 2}}),
        ({"s": {"a": 1}, "t": 1}, {"s": {"$patch": "delete"}}, {"t": 1}),
        ({"ports": "not a list"}, {"ports": [{"port": 1}]}, {"ports": [{"port": 1}]}),
    ],
)
def test_strategic_merge_patch(state: Any, patch: dict[str, Any], expected: Any) -> None:
    """A strategic merge patch merges lists by the keys of the core types, and follows its directives."""
    assert patched(state, patch) == expected


@given(values, values)
def test_any_patch(state: Any, patch: Any) -> None:
    """A patch of any shape gives a state or nothing, and leaves the state that it was applied to as it was."""
    before = canonical(state)
    for is_strategic in (True, False):
        canonical(patched(state, patch, is_strategic))
    list(patch_fields(patch))
    assert canonical(state) == before


def test_fields_of_a_patch() -> None:
    """The fields that a patch names are told by path, whatever kind of patch it is."""
    merge = {"spec": {"containers": [{"name": "app", "image": "2"}], "paused": True}}
    assert list(patch_fields(merge)) == [("spec.containers[name=app].image", "2"), ("spec.paused", True)]
    operations = [{"op": "remove", "path": "/metadata/labels/a~1b"}, {"op": "add", "path": "/spec/x", "value": 1}]
    assert list(patch_fields(operations)) == [('metadata.labels["a/b"]', ABSENT), ("spec.x", 1)]


def test_texts() -> None:
    """A value is told as text, long ones cut with their length, and a missing one not at all."""
    assert text_of("a") == "a"
    assert text_of({"a": [1, None, True]}) == '{"a": [1, null, true]}'
    assert text_of(ABSENT) is None
    assert (text_of("x" * 5_000) or "").endswith("… (5,000 characters)")


def test_shallow() -> None:
    """What is nested deeper than 64 levels is null, without following it down."""
    deep: Any = "end"
    for _ in range(900):
        deep = {"a": deep}
    assert canonical(shallow(deep)).count("{") == 64
