"""From a controller's act back to who asked for it, and forward to what followed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis import behind, cause_links, causes, consequences, object_history, turning_point
from eks_audit_nb.analysis.controllers import controller_of
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

MANAGER = "kube-controller-manager/v1.33.0 (linux/amd64) kubernetes/abc"
SYSTEM = "system:serviceaccount:kube-system:"
PODS = {"resource": "pods", "namespace": "shop"}


def attributed(*events: dict[str, Any], apart: str = "1s") -> pd.DataFrame:
    """The requests of events that were received and written some time apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq=apart).astype("datetime64[us, UTC]")
    texts = [
        json.dumps({"auditID": f"a{number}", **event, "requestReceivedTimestamp": moment.isoformat()})
        for number, (event, moment) in enumerate(zip(events, times, strict=True))
    ]
    return attribute(pd.DataFrame({"@timestamp": times, "@message": pd.Series(texts, dtype="string")}))


def act(
    who: str, verb: str, target: str, uid: str = "", owner: tuple[str, str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    """A request by a person, a controller ("replicaset-controller"), the scheduler or a node for resource/name."""
    resource, name = target.split("/", 1)
    resource, _, subresource = resource.partition(".")
    metadata: dict[str, Any] = {"name": name, **({"uid": uid} if uid else {})}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": owner[2], "controller": True}]
    agent, user = "kubectl/v1.33", who
    if who.endswith(("-controller", "-collector")):
        agent, user = f"{MANAGER}/{SYSTEM}{who}", f"{SYSTEM}{who}"
    elif who == "system:kube-scheduler":
        agent = "kube-scheduler/v1.33"
    elif who.startswith("system:node:"):
        agent = "kubelet/v1.33"
    reference = {"resource": resource, "namespace": "shop", "name": name, "subresource": subresource or None}
    values: dict[str, Any] = {
        "verb": verb,
        "user": {"username": user},
        "userAgent": agent,
        "level": "RequestResponse",
        "objectRef": {key: value for key, value in reference.items() if value},
        "requestURI": f"/x/{resource}/{name}",
        "responseStatus": {"code": 201 if verb == "create" else 200},
        "responseObject": {"kind": "X", "metadata": metadata},
    }
    event = audit_event(**{**values, **changes})
    event.pop("auditID")
    return event


DEPLOYMENT, REPLICASET = ("Deployment", "web", "d1"), ("ReplicaSet", "web-1", "r1")
ROLLOUT = (
    act("alice", "create", "deployments/web", "d1"),
    act("deployment-controller", "create", "replicasets/web-1", "r1", DEPLOYMENT),
    act("replicaset-controller", "create", "pods/web-1-a", "p1", REPLICASET),
    act("system:kube-scheduler", "create", "pods.binding/web-1-a", "p1"),
    act("system:node:n1", "patch", "pods.status/web-1-a", "p1"),
)


def roots(linked: pd.DataFrame) -> list[str]:
    return [f"{linked.loc[root, 'username']} {linked.loc[root, 'verb']}" for root in linked["root"]]


def test_rollout() -> None:
    """Pod, ReplicaSet and Deployment lead back to who created the Deployment, each step proven by a uid."""
    linked = cause_links(attributed(*ROLLOUT))
    assert set(roots(linked)) == {"alice create"}
    assert linked["certainty"].tolist() == ["asked for by the caller"] + ["proven by uid"] * 4
    way = causes(linked, 4)
    assert way["object"].tolist() == [
        "pods/shop/web-1-a",
        "pods/shop/web-1-a",
        "pods/shop/web-1-a",
        "replicasets/shop/web-1",
        "deployments/shop/web",
    ]
    assert consequences(linked, [0])["step"].tolist() == [1, 2, 3, 4]
    assert consequences(linked, [1]).index.tolist() == [2, 3, 4]


def test_the_last_change_counts() -> None:
    """Of several changes of an owner its controller answers the last; a label changes nothing that it would answer."""
    events = [
        *ROLLOUT,
        act("bob", "patch", "deployments/web", responseObject=generation("d1", 2)),
        act("dave", "patch", "deployments/web", responseObject=generation("d1", 2)),
        act("deployment-controller", "create", "replicasets/web-2", "r2", DEPLOYMENT),
    ]
    assert roots(cause_links(attributed(*events)))[-1] == "bob patch"


def generation(uid: str, number: int) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"uid": uid, "generation": number}, "spec": {}}


def test_refused_and_dry_run_cause_nothing() -> None:
    """What was refused, failed, or was a dry run is no cause."""
    refused = act("bob", "patch", "deployments/web", responseStatus={"code": 403}, responseObject={"kind": "Status"})
    dry = act("dave", "patch", "deployments/web", "d1", requestURI="/x?dryRun=All")
    later = act("deployment-controller", "create", "replicasets/web-2", "r2", DEPLOYMENT)
    assert roots(cause_links(attributed(*ROLLOUT, refused, dry, later)))[-1] == "alice create"


def test_garbage_collection() -> None:
    """What the garbage collector deletes leads back over its owners to who deleted the first of them."""
    gone = {"kind": "Status", "details": {"uid": "d1"}}
    events = [
        *ROLLOUT,
        act("bob", "delete", "deployments/web", responseObject=gone),
        act("generic-garbage-collector", "delete", "replicasets/web-1", "r1"),
        act("generic-garbage-collector", "delete", "pods/web-1-a", "p1", REPLICASET),
        act("system:node:n1", "delete", "pods/web-1-a", "p1"),
    ]
    linked = cause_links(attributed(*events))
    assert roots(linked)[-3:] == ["bob delete"] * 3
    assert linked["certainty"].tolist()[-3:] == ["proven by uid"] * 3
    assert consequences(linked, [5]).index.tolist() == [6, 7, 8]


def test_eviction() -> None:
    """A pod made anew after an eviction answers it, by inference; a drain is told where the node was cordoned."""
    node = {"resource": "nodes", "name": "n1"}
    bound = {"kind": "Binding", "metadata": {"uid": "p1"}, "target": {"kind": "Node", "name": "n1"}}
    binding = act("system:kube-scheduler", "create", "pods.binding/web-1-a", requestObject=bound, responseObject=None)
    events = [
        *ROLLOUT[:3],
        binding,
        act("bob", "patch", "nodes/n1", "n", objectRef=node, requestObject={"spec": {"unschedulable": True}}),
        act("bob", "create", "pods.eviction/web-1-a", responseObject={"kind": "Status"}),
        act("system:node:n1", "delete", "pods/web-1-a", "p1"),
        act("replicaset-controller", "create", "pods/web-1-b", "p2", REPLICASET),
    ]
    linked = cause_links(attributed(*events))
    assert "part of a drain" in linked["why"].iloc[5]
    assert roots(linked)[-2:] == ["bob create"] * 2
    assert linked["certainty"].iloc[-1] == "inferred"


def test_cron_job() -> None:
    """A pod of a CronJob leads back to who made it, hours later."""
    events = [
        act("dave", "create", "cronjobs/report", "c1"),
        act("cronjob-controller", "create", "jobs/report-1", "j1", ("CronJob", "report", "c1")),
        act("job-controller", "create", "pods/report-1-x", "p1", ("Job", "report-1", "j1")),
    ]
    requests = attributed(*events)
    later = requests["received"] + pd.to_timedelta([0, 180, 180], unit="min") + pd.to_timedelta([0, 0, 1], unit="s")
    linked = cause_links(requests.assign(received=later))
    assert set(roots(linked)) == {"dave create"}


def test_rest() -> None:
    """What a controller does after a long rest is not ascribed to the last change."""
    late = act("replicaset-controller", "create", "pods/web-1-b", "p2", REPLICASET)
    linked = cause_links(attributed(*ROLLOUT[:2], late, apart="20min"))
    assert linked["basis"].tolist()[-1] == "not in the log"
    assert "at rest for 20 minutes" in linked["why"].iloc[-1]


def test_the_log_begins_too_late() -> None:
    """Where the owner's change lies before the window the way ends at the controller, and says so."""
    linked = cause_links(attributed(*ROLLOUT[2:]))
    assert roots(linked)[0] == f"{SYSTEM}replicaset-controller create"
    assert linked["certainty"].tolist() == ["not in the log"] * 3
    assert "no change of its owner ReplicaSet web-1 is in the log" in linked["why"].iloc[0]


def test_autoscaler() -> None:
    """An autoscaler acts on metrics: the way ends there, and says who set it up last."""
    target = {"kind": "HorizontalPodAutoscaler", "metadata": {"uid": "h"}}
    target["spec"] = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}  # type: ignore[assignment]
    scaler = f"{SYSTEM}horizontal-pod-autoscaler"
    events = [
        *ROLLOUT,
        act("dave", "create", "horizontalpodautoscalers/web", responseObject=target),
        act("x", "update", "deployments.scale/web", "d1", user={"username": scaler}, userAgent=f"{MANAGER}/{scaler}"),
        act("deployment-controller", "update", "replicasets/web-1", "r1", DEPLOYMENT),
    ]
    linked = cause_links(attributed(*events))
    assert "horizontalpodautoscalers/shop/web was last set up at" in linked["why"].iloc[6]
    assert roots(linked)[-1] == f"{scaler} update"


def test_inferred_by_name() -> None:
    """Owners that are recorded without bodies are found by name, which is an inference."""
    event = act("alice", "create", "rollouts/web", responseObject=None, level="Metadata")
    owner = ("Rollout", "web", "unknown")
    linked = cause_links(attributed(event, act("replicaset-controller", "create", "pods/web-a", "p", owner)))
    assert linked["basis"].tolist() == ["asked for by the caller", "inferred"]


@pytest.mark.parametrize(
    ("username", "agent", "expected"),
    [
        (f"{SYSTEM}replicaset-controller", f"{MANAGER}/{SYSTEM}replicaset-controller", "replicaset-controller"),
        (f"{SYSTEM}replicaset-controller", "kubectl/v1.33", ""),
        (f"{SYSTEM}aws-load-balancer-controller", "controller/v2", ""),
        ("system:kube-controller-manager", f"{MANAGER}/{SYSTEM}job-controller", "job-controller"),
        ("system:kube-controller-manager", f"{MANAGER}/leader-election", "kube-controller-manager"),
        ("system:kube-scheduler", "kube-scheduler/v1", "kube-scheduler"),
        ("system:node:n1", "kubelet/v1", "kubelet"),
        ("system:node:n1", "curl/8", ""),
        ("system:serviceaccount:shop:job-controller", MANAGER, ""),
        ("alice", MANAGER, ""),
        (None, None, ""),
    ],
)
def test_controllers(username: str | None, agent: str | None, expected: str) -> None:
    """A controller has its name and the user agent of its program; its name with another one is somebody else."""
    assert controller_of(username, agent) == expected
    assert controller_of(username, agent, "someone") == ""


def test_hostile_events() -> None:
    """Bodies of any shape, deep ones and missing ones break nothing, and a claimed uid that was refused is no proof."""
    deep: Any = 1
    for _ in range(900):
        deep = {"a": deep}
    shapes: list[Any] = [[], "x", 5, {"metadata": []}, {"metadata": {"uid": deep, "ownerReferences": [deep, 1]}}]
    shapes += [{"spec": deep, "target": {"name": deep}, "status": {"phase": deep}, "items": [deep, 2]}]
    events = [
        act(who, verb, target, requestObject=shape, responseObject=shape)
        for shape in shapes
        for who in ("alice", "replicaset-controller", "generic-garbage-collector", "system:node:n1")
        for verb, target in (
            ("create", "pods/a"),
            ("patch", "pods.status/a"),
            ("delete", "pods/a"),
            ("update", "x.scale/a"),
        )
    ]
    forged = act("bob", "delete", "deployments/web", responseStatus={"code": 403}, responseObject={"kind": "Status"})
    forged["requestObject"] = {"preconditions": {"uid": "d1"}}
    linked = cause_links(attributed(*events, forged))
    assert len(linked) == len(events) + 1
    assert linked["object_life"].isna().iloc[-1]


def test_nothing() -> None:
    """No requests give no links, no way and no consequences."""
    empty = attributed()
    linked = cause_links(empty)
    assert linked.empty
    assert causes(linked, None).empty
    assert consequences(linked, []).empty
    assert behind(object_history(empty, "pods", "shop", "x"), linked).empty


def test_columns_are_kept() -> None:
    """Columns and index labels stay, whatever they are, and one auditID on several requests confuses nothing."""
    requests = attributed(*({**event, "auditID": "same"} for event in ROLLOUT)).assign(principal="someone")
    requests.index = pd.Index([50, 40, 30, 20, 10])
    linked = cause_links(requests)
    assert linked.index.tolist() == [50, 40, 30, 20, 10]
    assert linked["root"].tolist() == [50] * 5
    assert causes(linked, 10).index.tolist() == [10, 20, 30, 40, 50]
    assert linked["principal"].tolist() == ["someone"] * 5


# --- the sample and the corpus --------------------------------------------------------------------------------------


def test_sample(sample: FileSource) -> None:
    """The ReplicaSet that the garbage collector deleted in the sample leads back to bob, who deleted the Deployment."""
    result = sample.run("object_neighbourhood", namespace="storefront", name="checkout-f54c6c7d8")
    requests = attribute(result.frame)
    linked = cause_links(requests)
    history = behind(object_history(requests, "replicasets", "storefront", "checkout-f54c6c7d8"), linked)
    assert history["behind"].tolist()[-1] == "bob"
    way = causes(linked, turning_point(history))
    assert way["username"].tolist() == [f"{SYSTEM}generic-garbage-collector", "bob"]
    assert way["basis"].tolist() == ["proven by uid", "asked for by the caller"]


def corpus_links(corpus: Path) -> pd.DataFrame:
    with gzip.open(corpus / "audit.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [line.rstrip("\n") for line in lines]
    texts = [text for text in texts if '"verb":"watch"' not in text and '"verb":"list"' not in text]
    stamps = [text.rpartition('"stageTimestamp":"')[2][:27] for text in texts]
    times = pd.to_datetime(pd.Series(stamps), utc=True).astype("datetime64[us, UTC]")
    frame = pd.DataFrame({"@timestamp": times, "@message": pd.Series(texts, dtype="string")})
    return cause_links(attribute(frame))


def test_corpus(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Consequences of the labelled acts are told apart from their causes: precision and recall are printed.

    The labels list what the controllers did within seconds; the floors allow for one act more or less in ten.
    """
    linked = corpus_links(corpus)
    labels = [json.loads(line) for line in (corpus / "labels.jsonl").read_text().splitlines()]
    labelled = [label for label in labels if label.get("consequence_audit_ids")]
    assert len(labelled) >= 3
    for label in labelled:
        primary, wanted = set(label["primary_audit_ids"]), set(label["consequence_audit_ids"])
        begun = linked.index[linked["audit_id"].isin(primary)]
        found = consequences(linked, begun)
        told = set(found["audit_id"])
        precision, recall = len(told & wanted) / len(told), len(told & wanted) / len(wanted)
        with capsys.disabled():
            print(f"\n{label['scenario']}: precision {precision:.2f}, recall {recall:.2f} of {len(wanted)}", end="")
        assert precision >= 0.9
        assert recall >= 0.9
        assert not told & primary
        assert set(linked.loc[found["root"], "username"]) == {label["actor"]}


def test_corpus_by_name(corpus: Path) -> None:
    """Acts on the pods and ReplicaSets of a Deployment, known by their names, lead back to it or to one of its pods."""
    linked = corpus_links(corpus)
    plain = (
        linked["object"].str.extract(r"^deployments/(?P<namespace>[^/]+)/(?P<name>[^/*]+)$").dropna().drop_duplicates()
    )
    checked = 0
    for namespace, name in plain.itertuples(index=False):
        pattern = rf"(?:pods|replicasets)/{namespace}/{name}-[a-z0-9]{{8,10}}(?:-[a-z0-9]{{5}})?"
        acts = linked[linked["object"].str.fullmatch(pattern) & linked["controller"].notna()]
        begun = linked.loc[acts["root"], "object"]
        expected = rf"deployments/{namespace}/{name}|{pattern}|pods/{namespace}/\*"
        assert begun.str.fullmatch(expected).all(), begun[~begun.str.fullmatch(expected)]
        checked += len(acts)
    assert checked > 500
