"""One object's life: what hit it, what each request changed, and what of it the log cannot show."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis import blind_spots, lives, nearest_objects, object_changes, object_history, turning_point
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

APPS = "/apis/apps/v1/namespaces/shop/deployments"


def attributed(*events: dict[str, Any] | str) -> pd.DataFrame:
    """The requests of events that were received and written a second apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    texts = [
        event if isinstance(event, str) else json.dumps({**event, "requestReceivedTimestamp": moment.isoformat()})
        for event, moment in zip(events, times, strict=True)
    ]
    frame = pd.DataFrame({"@timestamp": times, "@message": pd.Series(texts, dtype="string")})
    return attribute(frame)


def body(replicas: int = 1, image: str = "web:1", uid: str = "u1", **metadata: Any) -> dict[str, Any]:
    """A Deployment as the server would answer with it."""
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "namespace": "shop", "uid": uid, **metadata},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"replicas": replicas},
    }


def request(
    verb: str, sent: Any = None, answer: Any = None, code: int = 200, sub: str = "", **changes: Any
) -> dict[str, Any]:
    """A request for the Deployment shop/web, with the bodies that are in the log."""
    target = {"resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "subresource": sub}
    level = "Metadata" if sent is None and answer is None else "RequestResponse"
    values: dict[str, Any] = {
        "auditID": f"{verb}-{sub}-{code}",
        "verb": verb,
        "level": level,
        "requestURI": f"{APPS}/web{'/' if sub else ''}{sub}",
        "objectRef": {key: value for key, value in target.items() if value},
        "requestObject": sent,
        "responseObject": answer,
        "responseStatus": {"metadata": {}, "code": code},
    }
    return audit_event(**{**values, **changes})


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Field, kind of change, before, after and basis of every change."""
    changes = object_changes(object_history(attributed(*events), "deployments", "shop", "web")).astype(object)
    changes = changes.where(changes.notna(), None)
    return list(changes[["path", "change", "before", "after", "basis"]].itertuples(index=False, name=None))


# --- what belongs to it ---------------------------------------------------------------------------------------------


def test_order_and_kinds_of_act() -> None:
    """Every kind of act is there in order, reads are not, and a refused one has no effect."""
    pod = {"resource": "pods", "namespace": "shop", "name": "web"}
    uri = "/api/v1/namespaces/shop/pods/web"
    bound = {"kind": "Pod", "name": "web", "uid": "u1"}
    events = [
        audit_event(verb="create", objectRef=pod, responseStatus={"code": 201}),
        audit_event(verb="create", objectRef={**pod, "subresource": "binding"}),
        audit_event(
            verb="create",
            objectRef={"resource": "serviceaccounts", "namespace": "shop", "name": "sa", "subresource": "token"},
            requestObject={"kind": "TokenRequest", "spec": {"boundObjectRef": bound}},
        ),
        audit_event(verb="get", objectRef=pod),
        audit_event(verb="get", objectRef={**pod, "subresource": "log"}),
        audit_event(
            verb="get", objectRef={**pod, "subresource": "exec"}, requestURI=f"{uri}/exec?command=sh&container=app"
        ),
        audit_event(verb="create", objectRef={**pod, "subresource": "portforward"}),
        audit_event(verb="patch", objectRef={**pod, "subresource": "status"}),
        audit_event(verb="delete", objectRef=pod, responseStatus={"code": 403}),
        audit_event(verb="create", objectRef={**pod, "subresource": "eviction"}, responseStatus={"code": 201}),
        audit_event(verb="delete", objectRef=pod),
        audit_event(verb="delete", objectRef={**pod, "name": "other"}),
        audit_event(verb="delete", objectRef={**pod, "namespace": "other"}),
    ]
    events = [{**event, "auditID": f"a{number}"} for number, event in enumerate(events)]
    history = object_history(attributed(*events), "pods", "shop", "web")
    acts = ["create", "binding", "token", "exec", "port-forward", "status", "delete", "eviction", "delete"]
    assert history["act"].tolist() == acts
    assert history["effect"].tolist() == ["done"] * 6 + ["none"] + ["done"] * 2
    assert history.loc[history["act"] == "exec", "what"].tolist() == ["sh in app"]


def test_generated_name() -> None:
    """A create with generateName belongs to the name that the server made up."""
    target = {"resource": "deployments", "namespace": "shop", "apiGroup": "apps"}
    event = request("create", {}, body(), 201, objectRef=target)
    history = object_history(attributed(event), "deployments.apps", "shop", "web")
    assert history["what"].tolist() == ["created"]
    assert object_history(attributed(event), "deployments.example.com", "shop", "web").empty


def test_collections() -> None:
    """A deletion of a collection counts where its answer names the object, may count without one, else not at all."""
    everything = {"resource": "deployments", "namespace": "shop", "apiGroup": "apps"}
    listed = {"kind": "DeploymentList", "items": [{"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}}]}
    uri = f"{APPS}?labelSelector=app%3Dweb"
    named = request("deletecollection", answer=listed, objectRef=everything, auditID="1")
    silent = request("deletecollection", objectRef=everything, requestURI=uri, auditID="2")
    others = request("deletecollection", answer={**listed, "items": []}, objectRef=everything, auditID="3")
    answer = {"kind": "Namespace", "metadata": {"name": "shop", "uid": "n1"}}
    target = {"resource": "namespaces", "namespace": "shop", "name": "shop"}
    gone = audit_event(verb="delete", objectRef=target, responseObject=answer)
    created = request("create", {}, body(), 201)
    history = object_history(attributed(named, created, silent, others, gone), "deployments", "shop", "web")
    assert object_changes(history)["change"].tolist() == ["deleted", "created", "unknown", "unknown"]
    history = history[history["act"] != "create"]
    assert history["effect"].tolist() == ["done", "may have", "may have"]
    assert history["what"].tolist()[1].endswith("(where app=web)")
    assert history["act"].tolist()[2] == "namespace deletion"


def test_lives() -> None:
    """Objects that had one name one after the other are told apart by uid, and by creation where there is no uid."""
    events = [
        request("create", {}, body(uid="u1"), 201),
        request("delete", {}, {"kind": "Status", "details": {"uid": "u1"}}),
        request("create", {}, body(uid="u2"), 201, user={"username": "bob"}),
        request("patch", {}, body(uid="u2"), sub="status"),
        request("delete"),
        request("create", code=201, auditID="again"),
    ]
    history = object_history(attributed(*events), "deployments", "shop", "web")
    assert history["life"].tolist() == [1, 1, 2, 2, 2, 3]
    found = lives(history)
    assert found["life_uid"].fillna("").tolist() == ["u1", "u2", ""]
    assert found["created_by"].tolist() == ["alice", "bob", "alice"]
    assert found["deleted"].notna().tolist() == [True, True, False]


def test_nothing_there() -> None:
    """An object that is not in the log has an empty history, and the names that are like it are offered."""
    requests = attributed(request("create", {}, body(), 201))
    history = object_history(requests, "deployments", "shop", "wev")
    assert history.empty
    assert object_changes(history).empty
    assert lives(history).empty
    assert turning_point(history) is None
    assert nearest_objects(requests, "deployments", "wev") == ["deployments/web"]


# --- what changed ---------------------------------------------------------------------------------------------------


def test_recorded_states() -> None:
    """Between two states that are both in the log the difference is recorded, without what every write changes."""
    first = request("create", {}, body(image="web:1", resourceVersion="1"), 201)
    second = request("patch", {}, body(image="web:2", resourceVersion="2"))
    assert told(first, second)[1:] == [
        ("spec.template.spec.containers[name=app].image", "changed", "web:1", "web:2", "recorded")
    ]


def test_scale() -> None:
    """A Scale says the new number, also the zero that it leaves out."""
    first = request("create", {}, body(replicas=3), 201)
    scaled = request("patch", {"spec": {"replicas": 0}}, {"kind": "Scale", "metadata": {}, "spec": {}}, sub="scale")
    assert told(first, scaled)[1:] == [("spec.replicas", "changed", "3", "0", "recorded")]


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web:2"}]}}}},
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}],
    ],
)
def test_patch_without_an_answer(patch: Any) -> None:
    """Where only the request is in the log, a patch is applied to the state before, and is told as asked for."""
    changes = told(request("create", {}, body(), 201), request("patch", patch))
    assert changes[1:] == [("spec.template.spec.containers[name=app].image", "changed", "web:1", "web:2", "asked for")]


def test_patch_of_an_unknown_state() -> None:
    """Without the state before, the fields that the patch names are told, and the state before is missing."""
    patch = {"spec": {"replicas": 2, "paused": None}}
    assert told(request("patch", patch, body(replicas=2))) == [
        ("spec.replicas", "set", None, "2", "after only"),
        ("spec.paused", "removed", None, "null", "after only"),
    ]


def test_update_without_an_answer() -> None:
    """An update asks for a whole state, which is compared with the one before."""
    changes = told(request("create", {}, body(replicas=1), 201), request("update", body(replicas=5)))
    assert changes[1:] == [("spec.replicas", "changed", "1", "5", "asked for")]


def test_metadata_only() -> None:
    """Without bodies nothing is known of a change, and a later difference says that it may be an earlier one's."""
    first = request("create", {}, body(replicas=1), 201)
    events = [first, request("patch"), request("patch", {}, body(replicas=2), auditID="last")]
    changes = object_changes(object_history(attributed(*events), "deployments", "shop", "web"))
    assert changes["change"].tolist() == ["created", "unknown", "changed"]
    assert "or by a request before it" in changes["note"].iloc[2]


@pytest.mark.parametrize("sent", [{}, {"metadata": {"resourceVersion": "7"}}])
def test_a_lost_change_is_noticed(sent: dict[str, Any]) -> None:
    """A jump of the generation, or an update made from an unseen version, shows that a change is not in the log."""
    first = request("create", {}, body(generation=1, resourceVersion="5"), 201)
    generation = 2 if sent else 3
    later = request("update", sent, body(replicas=2, generation=generation, resourceVersion="8"))
    history = object_history(attributed(first, later), "deployments", "shop", "web")
    changes = object_changes(history)
    assert changes["note"].iloc[1].startswith("a change in between is not in the log")
    assert "Changes that are missing" in blind_spots(history, changes)["what"].tolist()


def test_refused_and_dry_run() -> None:
    """A refused patch and a dry run tell what was asked for, and change nothing."""
    first = request("create", {}, body(replicas=1), 201)
    refused = request("patch", {"spec": {"replicas": 9}}, {"kind": "Status", "metadata": {}}, 403)
    dry = request("patch", {"spec": {"replicas": 8}}, body(replicas=8), requestURI=f"{APPS}/web?dryRun=All")
    last = request("patch", {}, body(replicas=2), auditID="last")
    assert told(first, refused, dry, last)[1:] == [
        ("spec.replicas", "refused", None, "9", "asked for"),
        ("spec.replicas", "refused", None, "8", "asked for"),
        ("spec.replicas", "changed", "1", "2", "recorded"),
    ]


def test_deletion_begins_and_ends() -> None:
    """A deletion that waits for a finalizer has begun; the request that takes the last one out ends the object."""
    waiting = body(deletionTimestamp="t", finalizers=["keep"])
    events = [
        request("create", {}, body(finalizers=["keep"]), 201),
        request("delete", {}, waiting),
        request("patch", {}, body(deletionTimestamp="t")),
    ]
    changes = [(path, change) for path, change, *_ in told(*events)]
    assert changes[1] == ("(whole object)", "deletion begun")
    assert changes[-1] == ("(whole object)", "deleted")


def test_blind_spots() -> None:
    """Levels without bodies, truncated events, missing answers and lives without a beginning are each told."""
    truncated = {"authorization.k8s.io/decision": "allow", "audit.k8s.io/truncated": "true"}
    events = [
        request("patch"),
        request("update", annotations=truncated, auditID="2"),
        request("update", {}, code=200, level="Request", auditID="3"),
        {**request("delete", auditID="4"), "responseStatus": {}, "stage": "RequestReceived"},
    ]
    history = object_history(attributed(*events), "deployments", "shop", "web")
    found = blind_spots(history, object_changes(history)).set_index("what")["requests"].to_dict()
    assert found == {
        "No bodies": 3,
        "Requests without answers": 1,
        "Truncated events": 1,
        "No response recorded": 1,
        "Lives that begin before the log": 1,
    }


# --- what attackers write -------------------------------------------------------------------------------------------

_DEEP = '{"a":' * 1_500 + "1" + "}" * 1_500
_LESS_DEEP = '{"a":' * 900 + "1" + "}" * 900


@pytest.mark.parametrize(
    "hostile",
    [
        *("[1, [2], null]", '"text"', "null", "NaN", '{"metadata": [1], "spec": "x"}', _DEEP, _LESS_DEEP),
        *('{"kind": 5, "metadata": {"uid": []}}', '{"a": 1, "a": 2, "items": [3, {"metadata": 4}]}'),
        '{"metadata": {"ownerReferences": {"a": 1}, "labels": [], "annotations": 7}, "spec": {"replicas": NaN}}',
        '{"a": 1e400, "b": "\\ud800"}',
    ],
)
def test_hostile_bodies(hostile: str) -> None:
    """No body breaks a history: neither as what was sent nor as what was answered, for any verb."""
    events: list[dict[str, Any] | str] = [request("create", {}, body(), 201)]
    for number, verb in enumerate(("create", "update", "patch", "delete", "deletecollection", "patch", "patch")):
        sub = ("scale", "status")[number - 5] if number > 4 else ""
        for answer_number, answer in enumerate((hostile, "null")):
            text = json.dumps(request(verb, "SENT", "ANSWER", sub=sub, auditID=f"{number}-{answer_number}"))
            events.append(text.replace('"SENT"', hostile).replace('"ANSWER"', answer))
    events.append(request("patch", {}, body(replicas=4), auditID="last"))
    history = object_history(attributed(*events), "deployments", "shop", "web")
    changes = object_changes(history, with_status=True)
    # A collection whose answer is a list, and does not hold the object, did not hit it.
    assert len(history) in (len(events), len(events) - 1)
    assert changes["act"].iloc[0] == "create"
    lives(history)
    blind_spots(history, changes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "status", "uid", "kind", "items", "name"]), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["create", "update", "patch", "delete"]), json_values, json_values), max_size=6)
)
def test_any_bodies(requests: list[tuple[str, Any, Any]]) -> None:
    """Whatever bodies there are, there is one row of the history a request, and the changes are texts."""
    events = [request(verb, sent, answer, auditID=f"a{n}") for n, (verb, sent, answer) in enumerate(requests)]
    history = object_history(attributed(*events), "deployments", "shop", "web")
    assert len(history) == len(events)
    assert set(object_changes(history)["basis"]) <= {"recorded", "after only", "asked for", "unknown"}


def test_columns_are_kept() -> None:
    """Columns and index labels of the requests stay as they are."""
    requests = attributed(request("create", {}, body(), 201), request("patch", {}, body(2))).assign(principal="someone")
    requests.index = pd.Index([7, 3])
    history = object_history(requests, "deployments", "shop", "web")
    assert history.index.tolist() == [7, 3]
    assert history["principal"].tolist() == ["someone", "someone"]
    assert set(requests.columns) < set(history.columns)


def test_many_changes() -> None:
    """An object with 10,000 changes is told whole."""
    events = [
        request("update", {}, body(number % 7, f"web:{number}"), auditID=f"a{number}") for number in range(10_000)
    ]
    requests = attributed(*events)
    assert len(object_history(requests, "deployments", "shop", "web")) == 10_000


# --- the sample -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything(sample: FileSource) -> pd.DataFrame:
    """All requests of the sample that are no reads, whatever they are about."""
    result = sample.run(
        'fields @timestamp, @message | filter verb not in ["get", "list", "watch"] or objectRef.subresource = "exec"'
        ' or objectRef.subresource = "proxy" | limit 100000'
    )
    return attribute(result.frame)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (("deployments", "payments", "ledger"), "spec.replicas: 2 → 0"),
        (("validatingwebhookconfigurations", "", "policy-guard"), "failurePolicy: Fail → Ignore"),
        (("pods", "data", "order-worker-6555fbf5b6-7s4gr"), "cat /var/run/secrets/kubernetes.io/serviceaccount/token"),
        (("namespaces", "", "tmp-preview"), "deletion begun"),
        (("configmaps", "kube-system", "coredns"), "not in the log"),
    ],
)
@pytest.mark.parametrize("query", ["object_history", "object_neighbourhood"])
def test_sample(
    sample: FileSource, everything: pd.DataFrame, query: str, named: tuple[str, str, str], expected: str
) -> None:
    """Both queries fetch the whole history of an object, whatever it is, and the history tells what happened to it."""
    resource, namespace, name = named
    values = {"resource": resource} if query == "object_history" else {}
    result = sample.run(query, namespace=namespace, name=name, **values)
    history = object_history(attribute(result.frame), *named)
    assert history["what"].str.contains(expected, regex=False).any()
    whole = object_history(everything, *named)
    assert history["audit_id"].tolist() == whole["audit_id"].tolist()
