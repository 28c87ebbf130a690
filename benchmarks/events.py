"""The kinds of events of the made log, each as a text with gaps such as %(id)s, and how often each occurs."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from actors import ACCOUNT, ANONYMOUS, Actor, component, iam_people, node, service_account

Json = dict[str, Any]

LARGEST = 200_000
NAMESPACES = ("storefront", "payments", "data", "search", "ci", "monitoring", "batch", "ingress")
APPS = ("web", "api", "worker", "cache", "indexer", "gateway", "scheduler", "reports", "mailer", "billing")
# Where Go writes one of these, an escape stands; in JSON they occur in strings only.
GO_ESCAPES = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


@dataclass
class Mix:
    """Kinds of events, each a text with named gaps, and how often each occurs."""

    texts: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, share: float, texts: list[str]) -> None:
        """Let these texts together make up a share of all events."""
        self.texts += texts
        self.weights += [share / len(texts)] * len(texts)


# --- how often ------------------------------------------------------------------------------------------------------


def everyday(draw: random.Random) -> Mix:
    """What a cluster writes all day; shares are of 100."""
    mix = Mix()
    nodes = [node(number) for number in range(60)]
    names = ("aws-node", "coredns", "kube-proxy", "metrics-server", "cluster-autoscaler", "ebs-csi-controller-sa")
    pods = [service_account(draw, "kube-system", name) for name in names]
    pods += [service_account(draw, namespace, app) for namespace in NAMESPACES for app in APPS[:4]]
    parts = [component(f"system:{name}") for name in ("kube-controller-manager", "kube-scheduler")]
    parts += [component(f"eks:{name}") for name in ("addon-manager", "node-manager", "cloud-controller-manager")]
    people = iam_people()
    aws_auth = ref("configmaps", "kube-system", "aws-auth")
    discovery = ("/api?timeout=32s", "/openapi/v2")

    mix.add(17, [lease(actor, "update", "kube-node-lease") for actor in nodes])
    mix.add(1, [lease(actor, "get", "kube-node-lease") for actor in nodes])
    mix.add(12, [lease(actor, verb, "kube-system") for actor in pods + parts for verb in ("get", "update", "update")])
    mix.add(5, secrets(draw, [*pods, *people, *parts]))
    mix.add(4, reads(draw, nodes + pods))
    mix.add(4, reads(draw, pods + parts))
    mix.add(2, reads(draw, people))
    mix.add(0.2, [event(actor, "get", aws_auth) for actor in people + parts])
    mix.add(0.01, [event(actor, "update", aws_auth | {"namespace": "data"}) for actor in people])
    mix.add(13, [pod_patch(draw, actor) for actor in nodes * 4])
    mix.add(9, [node_patch(draw, actor) for actor in nodes * 4])
    mix.add(20, [workload_change(draw, draw.choice(parts + pods[-8:])) for _ in range(600)])
    mix.add(6, [drifted(draw, draw.choice(pods)) for _ in range(200)])
    mix.add(4, access_reviews(draw, parts))
    mix.add(1.5, probes())
    mix.add(0.9, [event(actor, "get", uri) for actor in people for uri in discovery])
    mix.add(0.1, [unauthenticated(uri) for uri in ("/api/v1/namespaces", "/version", "/api/v1/nodes")])
    mix.add(0.25, large(draw, parts))
    return mix


def lease(actor: Actor, verb: str, namespace: str) -> str:
    """A heartbeat, or a leader that stays one."""
    return event(actor, verb, ref("leases", namespace, actor.short_name, "coordination.k8s.io"))


def secrets(draw: random.Random, actors: list[Actor]) -> list[str]:
    """Events about Secrets, which are recorded without bodies."""
    verbs = ("get", "get", "get", "list", "watch", "update", "create", "delete")
    texts = []
    for actor in actors:
        for verb in verbs:
            name = "" if verb in ("list", "watch", "create") else f"{draw.choice(APPS)}-credentials"
            code = draw.choices((200, 403, 404), (90, 5, 5))[0]
            texts.append(event(actor, verb, ref("secrets", draw.choice(NAMESPACES), name), code=code))
    return texts


def reads(draw: random.Random, actors: list[Actor]) -> list[str]:
    """What clients fetch."""
    texts = []
    for actor in actors:
        for resource in ("pods", "nodes", "configmaps", "services"):
            verb, namespace = draw.choice(("get", "list", "watch")), draw.choice(NAMESPACES)
            stage = "ResponseStarted" if verb == "watch" and draw.random() < 0.5 else "ResponseComplete"
            name = f"{draw.choice(APPS)}-@short@" if verb == "get" else ""
            texts.append(event(actor, verb, ref(resource, namespace, name), level="Request", stage=stage))
    return texts


def pod_patch(draw: random.Random, actor: Actor) -> str:
    """A kubelet's patch of the status of a pod."""
    app = draw.choice(APPS)
    reference = ref("pods", draw.choice(NAMESPACES), f"{app}-7677fb8d48-@short@", subresource="status")
    return event(actor, "patch", reference, request=pod_status(draw, app))


def node_patch(draw: random.Random, actor: Actor) -> str:
    """A kubelet's patch of the status of its node."""
    return event(actor, "patch", ref("nodes", name=actor.short_name, subresource="status"), request=node_status(draw))


def workload_change(draw: random.Random, actor: Actor) -> str:
    """A change of a workload, with the bodies of request and response."""
    namespace, app = draw.choice(NAMESPACES), draw.choice(APPS)
    kinds = {"Deployment": "deployments", "ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}
    kind, verb = draw.choice(list(kinds)), draw.choice(("update", "update", "patch", "create", "delete"))
    reference = ref(kinds[kind], namespace, app, "apps", draw.choice(("", "status")))
    room = max(0, int(draw.gauss(2200, 200)) - len(event(actor, verb, reference)) - 700)
    request: Json = {"spec": {"replicas": draw.randint(1, 9), "paused": draw.choice((True, "false", None))}}
    response = workload(draw, kind, namespace, app, room)
    return event(actor, verb, reference, code=201 if verb == "create" else 200, request=request, response=response)


def drifted(draw: random.Random, actor: Actor) -> str:
    """A change of a custom resource."""
    namespace = draw.choice(NAMESPACES)
    reference = ref("syncs", namespace, "@short@", "example.com")
    room = max(0, int(draw.gauss(2150, 220)) - len(event(actor, "update", reference)) - 250)
    body = custom_resource(draw, namespace, room)
    return event(actor, "update", reference, request={"spec": body["spec"]}, response=body)


def access_reviews(draw: random.Random, actors: list[Actor]) -> list[str]:
    """Questions to the API server on what someone may do: some are about Secrets, without being requests for them."""
    texts = []
    for actor in actors:
        for resource in ("pods", "secrets", "nodes"):
            attributes = {"namespace": draw.choice(NAMESPACES), "verb": "get", "resource": resource}
            body: Json = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
            body["metadata"] = {"managedFields": managed(draw, 500)}
            body |= {"spec": {"resourceAttributes": attributes}, "status": {"allowed": True}}
            reference = ref("subjectaccessreviews", group="authorization.k8s.io")
            texts.append(event(actor, "create", reference, code=201, request=body, response=body))
    return texts


def probes() -> list[str]:
    """Health checks, which are anonymous and let in."""
    reason = (
        'RBAC: allowed by ClusterRoleBinding "system:public-info-viewer" of ClusterRole "system:public-info-viewer"'
    )
    checker = Actor(ANONYMOUS.user, "10.0.0.21", "ELB-HealthChecker/2.0", f'{reason} to Group "system:unauthenticated"')
    return [event(checker, "get", uri) for uri in ("/livez", "/readyz", "/healthz")]


def unauthenticated(uri: str) -> str:
    """A refused token: the event names no user."""
    nobody = Actor({}, "203.0.113.9", "python-requests/2.32")
    return event(nobody, "get", uri, stage="ResponseStarted", code=401)


def large(draw: random.Random, actors: list[Actor]) -> list[str]:
    """Objects of 3 to 200 KB; the larger, the fewer."""
    texts = []
    for step in range(60):
        size = int(3_000 * (LARGEST / 3_000) ** ((step / 59) ** 3))
        actor, namespace = draw.choice(actors), draw.choice(NAMESPACES)
        response = workload(draw, "Deployment", namespace, "catalogue", size)
        reference = ref("deployments", namespace, "catalogue", "apps")
        texts.append(event(actor, "update", reference, response=response))
    return texts


def aws_auth_changes() -> list[str]:
    """Changes of the mapping from IAM identities to groups, with the whole object as the answer."""
    texts = []
    for actor in iam_people():
        for verb in ("update", "patch"):
            role = f"arn:aws:iam::{ACCOUNT}:role/team-@short@"
            mapping = f"- rolearn: {role}\n  username: team\n  groups:\n  - example:developer\n"
            meta = {"name": "aws-auth", "namespace": "kube-system", "uid": "@uid@", "resourceVersion": "@version@"}
            body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": {"mapRoles": mapping}}
            reference = ref("configmaps", "kube-system", "aws-auth")
            texts.append(event(actor, verb, reference, request=body, response=body))
    return texts


def refused_anonymous() -> list[str]:
    """Requests without an identity that were turned away."""
    paths = (
        "/api/v1/namespaces/kube-system/secrets?limit=500",
        "/api/v1/pods?limit=1&continue=a",
        "/metrics",
        "/api/v1/nodes",
    )
    return [event(ANONYMOUS, "get", uri, code=code) for uri in paths for code in (401, 403, 403)]


# --- what -----------------------------------------------------------------------------------------------------------


def event(
    actor: Actor,
    verb: str,
    about: Json | str,
    *,
    level: str = "",
    stage: str = "ResponseComplete",
    code: int = 200,
    request: Any = None,
    response: Any = None,
) -> str:
    """The text of an event about an object or a bare URI, keys in Go's order; @id@ and the like become gaps."""
    uri = about if isinstance(about, str) else path_of(about, verb)
    needed = "RequestResponse" if response else "Request" if request else "Metadata"
    whole: Json = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level or needed, "auditID": "@id@"}
    whole |= {"stage": stage, "requestURI": uri, "verb": verb, "user": actor.user}
    whole |= {"sourceIPs": [actor.address], "userAgent": actor.agent}
    whole |= {"objectRef": about} if isinstance(about, dict) else {}
    whole |= {"responseStatus": status(code, f"{verb} {uri}")}
    whole |= {"requestObject": request} if request else {}
    whole |= {"responseObject": response} if response else {}
    whole |= {"requestReceivedTimestamp": "@received@", "stageTimestamp": "@stage@"}
    if code != 401:
        decision, reason = ("forbid", "") if code == 403 else ("allow", actor.reason)
        whole["annotations"] = {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).translate(GO_ESCAPES)
    return re.sub("@([a-z]+)@", r"%(\1)s", text.replace("%", "%%")) + "\n"


def status(code: int, what: str) -> Json:
    """A `responseStatus`."""
    if code < 400:
        return {"metadata": {}, "code": code}
    reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}[code]
    failure = {"status": "Failure", "message": f"{what}: {reason}", "reason": reason, "details": {}}
    return {"metadata": {}, **failure, "code": code}


def ref(resource: str, namespace: str = "", name: str = "", group: str = "", subresource: str = "") -> Json:
    """An `objectRef`, with what is empty left out as Go does."""
    fields = {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "apiVersion": "v1"}
    return {key: value for key, value in (fields | {"subresource": subresource}).items() if value}


def path_of(reference: Json, verb: str) -> str:
    """The URI of a request about an object."""
    group = reference.get("apiGroup")
    parts = [f"/apis/{group}/v1" if group else "/api/v1"]
    parts += [f"namespaces/{reference['namespace']}"] if "namespace" in reference else []
    parts += [reference[key] for key in ("resource", "name", "subresource") if key in reference]
    tail = {"watch": "?allowWatchBookmarks=true&timeout=8m43s&watch=true", "list": "?limit=500&resourceVersion=0"}
    return "/".join(parts) + tail.get(verb, "")


def managed(draw: random.Random, size: int) -> list[Json]:
    """The `managedFields` of an object: about this many bytes of nested keys."""
    entries: list[Json] = []
    while size > 150:
        labels: Json = {
            f"f:{draw.choice(APPS)}.example.com/{draw.choice(APPS)}-{draw.randint(10, 99)}": {} for _ in range(6)
        }
        spec: Json = {
            "f:replicas": {},
            f'k:{{"name":"{draw.choice(APPS)}"}}': {".": {}, "f:image": {}, "f:resources": {}},
        }
        fields = {"f:metadata": {"f:labels": labels}, "f:spec": spec} if size > 450 else {"f:status": {"f:phase": {}}}
        entry: Json = {"manager": draw.choice(("kubectl", "helm", "argocd-controller")), "operation": "Update"}
        entry |= {"apiVersion": "v1", "time": "@second@", "fieldsType": "FieldsV1", "fieldsV1": fields}
        entries.append(entry)
        size -= len(json.dumps(entry, separators=(",", ":")))
    return entries


def workload(draw: random.Random, kind: str, namespace: str, name: str, size: int) -> Json:
    """A Deployment, ReplicaSet or the like; the types of a few of its values differ from one to the next."""
    meta: Json = {"name": name, "namespace": namespace, "uid": "@uid@", "resourceVersion": "@version@"}
    meta |= {"generation": draw.randint(1, 40), "labels": {"app": name, "team": namespace}}
    meta |= {"managedFields": fields} if (fields := managed(draw, size)) else {}
    surge: Any = draw.choice(("25%", 1, "1", 0))  # an IntOrString
    spec: Json = {"replicas": draw.randint(1, 9), "selector": {"matchLabels": {"app": name}}, "maxSurge": surge}
    state = {"replicas": draw.randint(1, 9), "observedGeneration": draw.randint(1, 40)}
    return {"kind": kind, "apiVersion": "apps/v1", "metadata": meta, "spec": spec, "status": state}


def custom_resource(draw: random.Random, namespace: str, size: int) -> Json:
    """An object of a kind whose schema nobody checks: the same key holds text, numbers, lists and objects."""
    drifting: tuple[Any, ...] = (
        "on",
        3,
        3.7,
        True,
        None,
        ["a", 1],
        {"mode": "auto", "ratio": 0.25},
        "7",
        12345678901234567890,
    )
    meta = {"name": "@short@", "namespace": namespace, "uid": "@uid@", "managedFields": managed(draw, size)}
    spec = {"value": draw.choice(drifting), "interval": draw.choice((30, "30s", {"seconds": 30}))}
    state: Any = draw.choice(("ok", {"phase": "Ready", "observed": 3}, ["Ready", "Synced"], {"phase": 2}, None))
    return {"kind": "Sync", "apiVersion": "example.com/v1", "metadata": meta, "spec": spec, "status": state}


def pod_status(draw: random.Random, name: str) -> Json:
    """What a kubelet patches into a pod."""
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    containers = [
        {
            "containerID": f"containerd://{draw.getrandbits(256):064x}",
            "image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{container}:1.{draw.randint(0, 99)}",
            "name": container,
            "ready": True,
            "restartCount": draw.randint(0, 5),
            "state": {"running": {"startedAt": "@second@"}},
        }
        for container in (name, "sidecar")[: draw.randint(1, 2)]
    ]
    conditions = [
        {"lastTransitionTime": "@second@", "status": "True", "type": kind} for kind in kinds[: draw.randint(2, 4)]
    ]
    order = [{"type": kind} for kind in kinds]
    state = {"$setElementOrder/conditions": order, "conditions": conditions, "containerStatuses": containers}
    return {"metadata": {"uid": "@uid@"}, "status": state | {"phase": "Running", "podIP": "10.0.9.17"}}


def node_status(draw: random.Random) -> Json:
    """What a kubelet patches into its node."""
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    images = [
        {
            "names": [f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{app}@sha256:{draw.getrandbits(256):064x}"],
            "sizeBytes": 1,
        }
        for app in draw.sample(APPS, draw.randint(1, 4))
    ]
    conditions = [{"lastHeartbeatTime": "@second@", "type": kind} for kind in kinds]
    order = [{"type": kind} for kind in kinds]
    return {"status": {"$setElementOrder/conditions": order, "conditions": conditions, "images": images}}
