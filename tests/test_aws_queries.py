"""Every query that AWS has published for EKS control plane logs runs as published, or its error says what is wrong."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import chdir, closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eks_audit_nb.engine.store import EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import columns, parse
from eks_audit_nb.reading.finding import find_files
from eks_audit_nb.reading.lines import Tally, log_stream_name, read_events
from eks_audit_nb.sources.base import Result
from eks_audit_nb.sources.files import FileSource

from agreement import assert_agree, stored
from conftest import DATA, audit_event
from oracle import LOG, RawEvent, time_in

QUERIES: list[dict[str, Any]] = tomllib.loads((DATA / "aws_queries.toml").read_text(encoding="utf-8"))["query"]
BY_NAME = {query["name"]: query for query in QUERIES}

# The texts that are no queries: the place at which each goes wrong, and what its error says.
WRONG = {
    "bpg_unauthorized_secret_reads_2021": ("count", "An aggregate stands in stats: stats count(...)"),
    "bpg_unscheduled_pods": ("count", "An aggregate stands in stats: stats count(...)"),
    "bpg_slow_lists_by_agent_2023": ("*", "A name has no asterisks around it"),
    "bpg_unscheduled_pods_2023": ("*", "A name has no asterisks around it"),
    "bpg_etcd_defrag_2023": ("*", "A name has no asterisks around it"),
    "workshop_requests_by_agent": ("~", "A regular expression is searched for with =~ or like."),
    "rosa_source_addresses": ("SRC_IP", "Did you mean 'SRC_IP_Count'?"),
}
RIGHT = [name for name in BY_NAME if name not in WRONG]


@cache
def answer(sample: FileSource, name: str) -> Result:
    """What a published query gives over the sample, asked once."""
    return sample.run(BY_NAME[name]["text"])


def test_names_are_distinct() -> None:
    """Each published text has a name of its own, and every wrong one is in the collection."""
    assert len(BY_NAME) == len(QUERIES)
    assert set(WRONG) < set(BY_NAME)


@pytest.mark.parametrize("name", RIGHT)
def test_published_queries_run(sample: FileSource, name: str) -> None:
    """A published query is answered over the sample as it stands, placeholders included, with the columns it names."""
    text = BY_NAME[name]["text"]
    result = answer(sample, name)
    assert list(result.frame.columns) == [column.name for column in columns(parse(text))]
    limits = [int(number) for number in re.findall(r"(?i)\|\s*limit\s+(\d+)", text)]
    assert not limits or len(result.frame) <= min(limits)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_texts_are_told_what_is_wrong(sample: FileSource, name: str) -> None:
    """A published text that is no query is refused at the word that is wrong, with what to write."""
    text = BY_NAME[name]["text"]
    place, words = WRONG[name]
    with pytest.raises(QueryError) as caught:
        sample.run(text)
    assert text[caught.value.start : caught.value.end] == place
    assert words in str(caught.value)


def test_most_find_something(sample: FileSource) -> None:
    """Most of the published questions about audit logs find rows in the sample, so that they are tried in earnest."""
    asked = [name for name in RIGHT if BY_NAME[name]["stream"] == "audit"]
    assert sum(len(answer(sample, name).frame) > 0 for name in asked) > len(asked) / 2


# --- the answers against the oracle's -------------------------------------------------------------------------------

EVERY = 10  # of the sample's events one in so many, and all that a label names

# What the sample does not have, made up so that the queries that ask for it have something to find.
NODE = "ip-192-168-132-83.eu-west-1.compute.internal"
EVICTION = {"resource": "pods", "subresource": "eviction", "namespace": "NAMESPACE", "name": "pod-name"}
EVICTED = "/api/v1/namespaces/NAMESPACE/pods/pod-name/eviction"
NODE_MANAGER = {"username": "eks:node-manager", "groups": ["system:authenticated"]}
BLOCKED = {"code": 429, "details": {"causes": [{"reason": "DisruptionBudget", "message": "The budget web needs 2"}]}}
LATENCY = "apiserver.latency.k8s.io"
STALE = "subject: system:serviceaccount:default:web, seconds after warning threshold: 4185"
FULL = "etcdserver: mvcc: database space exceeded"
AUDIT: list[dict[str, Any]] = [
    *(audit_event(verb="list", stageTimestamp=f"2026-11-24T10:00:{second:02}.5Z") for second in range(50)),
    audit_event(verb="list", user={"username": "foo"}),
    audit_event(verb="create", objectRef={"resource": "validatingwebhookconfigurations"}, responseStatus={"code": 201}),
    audit_event(verb="create", responseStatus={"code": 500, "message": FULL}),
    audit_event(verb="patch", requestURI="/api/v1/namespaces/default/pods/name_of_the_pod_that_is_updating_fast"),
    audit_event(userAgent="kubectl/v1.22.0 (linux/amd64) kubernetes/c2b5237"),
    audit_event(verb="delete", requestURI="/api/v1/namespaces/default/pods/my-app"),
    audit_event(
        verb="delete",
        requestURI=f"/api/v1/nodes/{NODE}",
        user={"username": f"system:node:{NODE}", "extra": {"sessionName": ["i-0a1b2c3d4e5f60718"]}},
        objectRef={"resource": "nodes", "name": NODE},
        responseObject={"spec": {"providerID": "aws:///eu-west-1a/i-0a1b2c3d4e5f60718"}},
    ),
    audit_event(requestURI=f"/api/v1/nodes/{NODE}", userAgent="multi-tool/v1"),  # has neither of what is sorted by
    audit_event(annotations={"authentication.k8s.io/stale-token": STALE}),
    audit_event(annotations={f"{LATENCY}/mutating-webhook": "6.25s", f"{LATENCY}/validating-webhook": "512.3ms"}),
    audit_event(annotations={f"{LATENCY}/validating-webhook": "1.5s"}),
    audit_event(
        verb="create", objectRef={"resource": "events"}, requestObject={"message": "Startup probe failed: HTTP 503"}
    ),
    audit_event(verb="create", requestURI=EVICTED, objectRef=EVICTION, user=NODE_MANAGER),
    audit_event(
        verb="create",
        requestURI=EVICTED.replace("pod-name", "pod_name"),
        objectRef=EVICTION,
        user=NODE_MANAGER,
        responseStatus={"code": 429},
        responseObject=BLOCKED,
    ),
    audit_event(
        user={"username": "system:serviceaccount:kube-system:horizontal-pod-autoscaler"},
        stageTimestamp="2026-11-25T00:00:00.000001Z",
    ),
]

# Lines of the other logs of a control plane, each behind the beginning of its stream's name.
OTHER_LINES = """
authenticator level=info msg="access granted" groups="[system:masters]" stsendpoint=sts.test username=kubernetes-admin
authenticator level=warning msg="access denied" error="Unauthorized" method=POST path=/authenticate
kube-scheduler I1124 10:00:00.1 11 f.go:339] "Unable to schedule pod" pod="default/aws-6799fc88d8-jqc2r" err="no memory"
kube-scheduler I1124 10:00:01.1 11 schedule_one.go:286] "Successfully bound pod to node" pod="default/nginx-1"
kube-apiserver W1124 10:00:02.1 10 dispatcher.go:225] failed calling webhook "gate.example.com": deadline exceeded
kube-apiserver I1124 10:00:03.1 10 healthz.go:261] etcd: healthz check failed
kube-apiserver W1124 10:00:04.1 10 lease.go:265] Resetting endpoints for master service "kubernetes" to [10.0.0.1]
kube-apiserver I1124 10:00:05.1 10 request.go:1116] Throttling request took 1.02s, request: GET:https://10.0.0.1/api
kube-controller-manager E1124 10:00:06.1 10 controller.go:114] Error: a sync error of the endpoints
cloud-controller-manager I1124 10:00:07.1 10 node_controller.go:415] Initializing node
cloud-controller-manager I1124 10:00:08.1 10 node_controller.go:220] Skip putting node into the queue
etcd-manager I1124 10:00:09.1 defraging member
etcd-manager I1124 10:00:10.1 defraged member
"""
OTHER: list[RawEvent] = [
    (1_795_514_400_000 + 1000 * second, f"{name}-0123456789abcdef0123456789abcdef", text)
    for second, (name, _, text) in enumerate(line.partition(" ") for line in OTHER_LINES.strip().splitlines())
]

# They find nothing in any log: one asks for a field that no event has, the other for a stream that EKS does not write.
WITHOUT_ROWS = {"immersion_pod_patch_counts", "userguide_stale_tokens_2022"}


@pytest.fixture(scope="module")
def both(
    sample: FileSource, labels: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EventStore, list[RawEvent]]]:
    """Events for the engine, which reads those of the audit log from a file, and the same events for the oracle."""
    kinds = ("primary_audit_ids", "audit_ids", "consequence_audit_ids")
    labelled = {audit_id for label in labels.values() for kind in kinds for audit_id in label[kind]}
    with gzip.open(sample.files[0], "rt", encoding="utf-8") as lines:
        texts = [
            line.rstrip("\n")
            for number, line in enumerate(lines)
            if number % EVERY == 0 or json.loads(line)["auditID"] in labelled
        ]
    texts += map(json.dumps, AUDIT)
    events = [(time_in(json.loads(text)["stageTimestamp"]) or 0, log_stream_name(Path(LOG)), text) for text in texts]
    # Read from its own folder, the file's @log and @ptr are those that the oracle gives.
    folder = tmp_path_factory.mktemp("published")
    (folder / LOG).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    with chdir(folder):
        read = [*read_events(find_files(LOG), Tally())]
    with closing(EventStore([*read, *stored(OTHER, len(read))])) as store:
        yield store, [*events, *OTHER]


@pytest.mark.parametrize("name", RIGHT)
def test_published_queries_are_answered_as_the_oracle_does(both: tuple[EventStore, list[RawEvent]], name: str) -> None:
    """The engine and the oracle give a published query the same columns and rows, and there are rows to compare."""
    store, events = both
    rows = assert_agree(BY_NAME[name]["text"], events, store, {})
    assert rows is not None
    assert (rows > 0) == (name not in WITHOUT_ROWS)
