"""Audit events as flat columns: one row an event, or one row a request."""

from __future__ import annotations

import json
import time
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.events import COLUMNS, flatten, last_stages, parse_cut_event, parse_event, unescaped
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event


def frame_of(*events: dict[str, Any] | str) -> pd.DataFrame:
    """Events as a query gives them, a second apart."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(texts), freq="s").astype("datetime64[us, UTC]")
    return pd.DataFrame({"@timestamp": times, "@message": pd.Series(texts, dtype="string")})


def flat(*events: dict[str, Any] | str) -> list[dict[str, Any]]:
    """The rows of `flatten`, missing values as None."""
    frame = flatten(frame_of(*events)).astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


ODD_EVENTS: dict[str, dict[str, Any] | str] = {
    "empty": {},
    "nothing known": {"auditID": "x"},
    "no user": audit_event(user={}),
    "null everywhere": dict.fromkeys(audit_event()),
    "wrong kinds": dict.fromkeys(audit_event(), 7),
    "wrong kinds inside": audit_event(
        user={"username": None, "groups": "admins", "extra": ["arn"]}, responseStatus={"code": "403"}, objectRef=[]
    ),
    "array bodies": audit_event(requestObject=[{"op": "add"}], responseObject=["x"]),
    "text bodies": audit_event(verb="create", objectRef=None, requestObject="text", responseObject="text"),
    "null bodies": audit_event(verb="create", requestObject=None, responseObject=None),
    "no objectRef": audit_event(objectRef=None),
    "no annotations": audit_event(annotations=None),
    "no status": audit_event(responseStatus=None),
    "no times": audit_event(requestReceivedTimestamp=None, stageTimestamp=None),
    "wrong time": audit_event(requestReceivedTimestamp="yesterday"),
    "surrogate": json.dumps(audit_event(userAgent="\ud800")),
    "deep": f'{json.dumps(audit_event())[:-1]}, "requestObject": {"[" * 1500 + "]" * 1500}}}',
    "cut": json.dumps(audit_event())[:400] + "[Truncated...]",
    "not JSON": "I1124 10:00:00 starting",
    "array": "[1, 2]",
    "blank": "",
}


@pytest.mark.parametrize("event", ODD_EVENTS.values(), ids=ODD_EVENTS)
def test_columns_and_types(event: dict[str, Any] | str) -> None:
    """Every event, however odd, gives one row with all columns, in order and of their types, and keeps its text."""
    frame = flatten(frame_of(event, audit_event()))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    assert list(frame.columns) == list(COLUMNS)
    assert frame["raw"].tolist() == frame_of(event, audit_event())["@message"].tolist()
    assert frame["username"].tolist()[1] == "alice"


def test_no_events() -> None:
    """Without events there are the same columns with the same types."""
    frame = flatten(frame_of())
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COLUMNS
    assert len(last_stages(frame)) == 0
    assert list(last_stages(frame).columns) == list(COLUMNS)


def test_an_event_without_a_message() -> None:
    """A frame that does not hold the events' text is refused."""
    with pytest.raises(KeyError, match="@message"):
        flatten(pd.DataFrame({"@timestamp": [], "verb": []}))


# --- values ---------------------------------------------------------------------------------------------------------

STS_ARN = "arn:aws:sts::111122223333:assumed-role/Admin/dave@example.com"
IAM_USER = {
    "username": "arn:aws:sts::111122223333:assumed-role/Admin/dave-example.com",
    "uid": "aws-iam-authenticator:111122223333:AROAEXAMPLE",
    "groups": ["system:masters", "system:authenticated"],
    "extra": {
        "accessKeyId": ["ASIAEXAMPLE"],
        "arn": [STS_ARN],
        "canonicalArn": ["arn:aws:iam::111122223333:role/Admin"],
        "sessionName": ["dave@example.com"],
    },
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"username": "alice", "verb": "get", "code": 200, "stage": "ResponseComplete", "level": "Metadata"}),
        ({}, {"resource": "pods", "namespace": "default", "name": "web", "api_group": None, "is_truncated": False}),
        (
            {},
            {
                "decision": "allow",
                "reason": "",
                "user_agent": "kubectl/v1.31.0",
                "received": pd.Timestamp("2026-11-24T10Z"),
            },
        ),
        ({"user": {}}, {"username": None, "groups": None, "arn": None}),
        (
            {"user": IAM_USER},
            {"arn": IAM_USER["extra"]["arn"][0], "canonical_arn": "arn:aws:iam::111122223333:role/Admin"},
        ),
        ({"user": IAM_USER}, {"session": "dave@example.com", "access_key": "ASIAEXAMPLE", "credential_id": None}),
        ({"user": IAM_USER}, {"groups": "system:masters, system:authenticated", "username": IAM_USER["username"]}),
        ({"user": {"username": "u", "extra": {"sessionName": [""]}}}, {"session": None}),
        ({"user": {"extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]}}}, {"credential_id": "JTI=1"}),
        (
            {"user": IAM_USER, "impersonatedUser": {"username": "root", "extra": {"arn": ["arn:forged"]}}},
            {"impersonated": "root", "arn": STS_ARN, "impersonated_arn": "arn:forged", "impersonated_groups": None},
        ),
        ({"impersonatedUser": {"username": "bob", "groups": ["ops", "dev"]}}, {"impersonated_groups": "ops, dev"}),
        (
            {"user": {"uid": "u-1", "extra": {"principalId": ["AROA1:dave"]}}},
            {"uid": "u-1", "principal_id": "AROA1:dave"},
        ),
        (
            {
                "user": {
                    "extra": {
                        f"authentication.kubernetes.io/{name}": [value]
                        for name, value in (("pod-name", "p"), ("pod-uid", "1"), ("node-name", "n"), ("node-uid", "2"))
                    }
                }
            },
            {"pod": "p", "pod_uid": "1", "node": "n", "node_uid": "2"},
        ),
        (
            {"annotations": {"authentication.kubernetes.io/issued-credential-id": "JTI=2"}},
            {"issued_credential_id": "JTI=2", "credential_id": None},
        ),
        ({"objectRef": {"resource": "pods", "uid": "3"}}, {"object_uid": "3"}),
        (
            {"sourceIPs": ["1.1.1.1", "2.2.2.2", "10.0.0.9"]},
            {"source_ip": "10.0.0.9", "forwarded_ips": "1.1.1.1, 2.2.2.2"},
        ),
        ({"sourceIPs": ["10.0.0.9"]}, {"source_ip": "10.0.0.9", "forwarded_ips": None}),
        ({"sourceIPs": []}, {"source_ip": None, "forwarded_ips": None}),
        ({"objectRef": {"resource": "pods", "subresource": "exec", "name": "web"}}, {"resource": "pods/exec"}),
        (
            {"objectRef": {"resource": "deployments", "apiGroup": "apps"}},
            {"resource": "deployments", "api_group": "apps"},
        ),
        ({"objectRef": None, "requestURI": "/version"}, {"resource": None, "name": None, "uri": "/version"}),
        ({"responseStatus": None}, {"code": None, "message": None}),
        ({"responseStatus": {"code": 403, "message": "no"}}, {"code": 403, "message": "no"}),
        ({"annotations": None}, {"decision": None, "reason": None}),
        ({"annotations": {"audit.k8s.io/truncated": "true"}}, {"is_truncated": True}),
        ({"userAgent": "\ud800x"}, {"user_agent": "\ufffdx"}),
    ],
)
def test_values(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each column holds what its name says, of the caller and never of whom the caller impersonates."""
    (row,) = flat(audit_event(**changes))
    assert {name: row[name] for name in expected} == expected


def test_generated_names() -> None:
    """The name of an object that the server named is taken from its answer, of a creation only."""
    created = {
        "objectRef": {"resource": "pods", "namespace": "default"},
        "requestObject": {"metadata": {"generateName": "web-"}},
        "responseObject": {"metadata": {"name": "web-x7k2p"}},
    }
    rows = flat(
        audit_event(verb="create", **created),
        audit_event(verb="list", **created),
        audit_event(verb="create", **{**created, "responseObject": None}),
        audit_event(verb="create", **{**created, "responseObject": {"metadata": {"name": 7}}}),
        audit_event(verb="create", **{**created, "responseObject": {"metadata": "x"}}),
    )
    assert [row["name"] for row in rows] == ["web-x7k2p", None, None, None, None]


# --- events that are cut --------------------------------------------------------------------------------------------


def test_a_cut_event() -> None:
    """Of an event whose text breaks off in a body, everything before the body is still there."""
    event = audit_event(verb="create", sourceIPs=["1.1.1.1", "10.0.0.9"], user=IAM_USER)
    tail = {key: event.pop(key) for key in ("requestReceivedTimestamp", "stageTimestamp", "annotations")}
    text = json.dumps({**event, "requestObject": {"data": {"k": "v" * 500}}, **tail})
    (row,) = flat(text[: text.index("vvv") + 100] + "[Truncated...]")
    known = {"is_truncated": True, "code": 200, "verb": "create", "source_ip": "10.0.0.9", "name": "web"}
    assert {name: row[name] for name in known} == known
    assert row["arn"] == STS_ARN
    assert (row["decision"], row["received"]) == (None, None)


def test_a_body_cannot_pose_as_a_cut_event() -> None:
    """Fields inside a body are never taken for those of the event around it."""
    text = json.dumps({"auditID": "x", "verb": "create", "requestObject": audit_event()})
    (row,) = flat(text[:-20] + "[Truncated...]")
    assert (row["audit_id"], row["verb"], row["username"], row["received"]) == ("x", "create", None, None)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("", {}),
        ("{", {}),
        ('{"a": 1', {}),
        ('{"a": 1,', {"a": 1}),
        ('{"a": 1, "b": {"c": 2, "d"', {"a": 1}),
        ('{"a": "x, y", "b', {"a": "x, y"}),
        ('{"a": "x\\", ", "b": [1, 2, ', {"a": 'x", '}),
        ('{"a": {"b": [1, 2]}, "c": ', {"a": {"b": [1, 2]}}),
        ('{"a": 1, "b": "\\', {"a": 1}),
        ('{"a": 1, "b": ' + "[" * 5000, {"a": 1}),
        ('{"a": 1, "b": ' + "9" * 5000 + ", ", {"a": 1, "b": float("inf")}),
        ("no JSON, at all", {}),
        ('["a", "b", ', {}),
    ],
)
def test_parse_cut_event(text: str, event: dict[str, Any]) -> None:
    """What is read of a cut event is every field that ended before the cut."""
    assert parse_cut_event(text) == event


@pytest.mark.parametrize(
    "junk",
    [
        "{" * 10**6,
        '{"a":1,' + "," * 10**6,
        '{"' * 300_000,
        '{"a":1,"b":"' + "\\" * 10**6,
        '{"a":1,"b":' + '"x",' * 250_000,
    ],
    ids=["braces", "commas", "quotes", "backslashes", "texts"],
)
def test_junk_takes_no_time(junk: str) -> None:
    """A megabyte that is made to keep a reader busy is read in an instant."""
    began = time.perf_counter()
    assert set(parse_cut_event(junk)) <= {"a", "b"}
    assert time.perf_counter() - began < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), JSON, min_size=1, max_size=5), st.booleans())
def test_parse_event(event: dict[str, Any], is_ascii: bool) -> None:
    """Any JSON object is read as it is, whether its text is escaped or not."""
    assert parse_event(json.dumps(event, ensure_ascii=is_ascii)) == event


# --- requests -------------------------------------------------------------------------------------------------------


def ids_of(*events: dict[str, Any]) -> list[tuple[str, str]]:
    """The auditID and the stage of each request."""
    requests = last_stages(flatten(frame_of(*events)))
    return list(zip(requests["audit_id"], requests["stage"], strict=True))


def test_stages_of_one_request() -> None:
    """A request is its last stage: a watch is not counted twice."""
    stages = ("RequestReceived", "ResponseStarted", "ResponseComplete")
    assert ids_of(*(audit_event(auditID="a", stage=stage) for stage in stages)) == [("a", "ResponseComplete")]
    assert ids_of(*(audit_event(auditID="a", stage=stage) for stage in stages[:2])) == [("a", "ResponseStarted")]
    panicked = (audit_event(auditID="a", stage=stage) for stage in ("ResponseComplete", "Panic"))
    assert ids_of(*panicked) == [("a", "Panic")]


def test_stages_in_one_millisecond() -> None:
    """Stages of the same time count in their own order, whatever order they come in."""
    events = [audit_event(auditID="a", stage=stage) for stage in ("ResponseComplete", "ResponseStarted")]
    frame = frame_of(*events).assign(**{"@timestamp": pd.Timestamp("2026-11-24T10:00:00Z")})
    assert last_stages(flatten(frame))["stage"].tolist() == ["ResponseComplete"]


@pytest.mark.parametrize(
    "change",
    [
        {"requestReceivedTimestamp": "2026-11-24T10:00:00.000001Z"},
        {"requestURI": "/api/v1/secrets"},
        {"user": {"username": "mallory"}},
        {"verb": "delete"},
    ],
    ids=["time", "URI", "user", "verb"],
)
def test_one_id_on_several_requests(change: dict[str, Any]) -> None:
    """Clients choose the auditID: requests that differ in anything else stay apart though they share it."""
    assert len(ids_of(audit_event(), audit_event(**change))) == 2


def test_events_without_an_id() -> None:
    """Events without an auditID cannot be told to be one request, and all are kept."""
    assert len(ids_of(audit_event(auditID=None), audit_event(auditID=None))) == 2


def test_requests_are_in_the_order_of_time() -> None:
    """Requests come in the order of time, whatever the order of the events."""
    frame = frame_of(*(audit_event(auditID=name) for name in "abc")).iloc[::-1]
    assert last_stages(flatten(frame))["audit_id"].tolist() == ["a", "b", "c"]


def test_requests_of_the_sample(sample: FileSource, sample_events: list[dict[str, Any]]) -> None:
    """On the sample, where no id is used twice, there are as many requests as auditIDs."""
    requests = last_stages(flatten(sample.run("fields @timestamp, @message").frame))
    assert len(requests) == len({event["auditID"] for event in sample_events})
    complete = {event["auditID"] for event in sample_events if event["stage"] == "ResponseComplete"}
    assert set(requests.loc[requests["stage"] != "ResponseComplete", "audit_id"]).isdisjoint(complete)


# --- escapes --------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8")))
def test_unescaped(text: str) -> None:
    """Text that was cut out of JSON is what it was before, and missing stays missing."""
    cut_out = pd.Series([json.dumps(text)[1:-1], None], dtype="string")
    assert unescaped(cut_out).fillna("\0missing").tolist() == [text, "\0missing"]


@pytest.mark.parametrize(("text", "read"), [("a\\", "a\\"), ('a"b', 'a"b'), ("\\ud800", "\ufffd"), ("\\u003c", "<")])
def test_odd_escapes(text: str, read: str) -> None:
    """Text that is no JSON string stays as it is, and half a surrogate becomes U+FFFD."""
    assert unescaped(pd.Series([text], dtype="string")).tolist() == [read]
