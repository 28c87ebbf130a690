"""What each controller's act answers: which earlier request, and how the log shows it.

Source: the controllers of kube-controller-manager, the scheduler and the kubelet of Kubernetes, by what they do to
which objects; ownerReferences, preconditions and metadata.generation: Kubernetes API, meta/v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.bodies import (
    Owner,
    act_of,
    deleted_items,
    effect_of,
    mapping,
    object_uid,
    owners_of,
    resource_of_kind,
    stored_object,
    text,
)
from eks_audit_nb.events import parse_event

# How a link is known, the surest first.
ASKED, PROVEN, INFERRED, UNKNOWN = "asked for by the caller", "proven by uid", "inferred", "not in the log"
# The columns of `attribute` that `act_from` reads.
READ = ["verb", "resource", "namespace", "name", "code", "uri", "username", "user_agent", "impersonated", "raw"]
# How long a controller can rest before what it does next is taken for something else: a rollout that makes no progress
# for so long has failed. Source: progressDeadlineSeconds of a Deployment.
_REST = pd.Timedelta(minutes=10)
_SOON = pd.Timedelta(minutes=1)
_OF_A_CONTROLLER = re.compile(r"system:serviceaccount:kube-system:([a-z0-9-]+)")
# The controllers that make and end pods for their owners; every other end of a pod has them make a new one.
_WORKLOADS = frozenset(
    {
        *("deployment-controller", "replicaset-controller", "replication-controller", "statefulset-controller"),
        *("daemon-set-controller", "job-controller", "cronjob-controller"),
    }
)
_SPEC_ACTS = frozenset({"create", "update", "patch", "apply", "scale", "approval"})
_PUBLISHERS = frozenset({"service-account-controller", "root-ca-cert-publisher"})


@dataclass(frozen=True)
class Link:
    """The place of the request that one answers, or why the way ends there."""

    cause: int | None
    basis: str
    why: str


@dataclass(frozen=True)
class Act:
    """One request as the walk sees it; `position` is its place in the order in which requests were received."""

    position: int
    received: pd.Timestamp
    act: str
    effect: str
    controller: str
    resource: str
    namespace: str
    name: str
    caller: str
    identity: str  # the uid, or resource/namespace/name where none is known
    has_uid: bool
    owners: tuple[Owner, ...]
    event: Mapping[str, Any]


def controller_of(username: object, user_agent: object, impersonated: object = None) -> str:
    """The name of the controller, "kube-scheduler" or "kubelet" behind a request; "" for everyone else.

    A name of the control plane with another program's user agent is somebody else with its credential. A user agent can
    be forged, so the name is no proof that a controller acted; another user agent is one that none did.
    """
    user, agent = (value if isinstance(value, str) else "" for value in (username, user_agent))
    if isinstance(impersonated, str) and impersonated:
        return ""
    if user.startswith("system:node:"):
        return "kubelet" if agent.startswith("kubelet/") else ""
    if user == "system:kube-scheduler":
        return "kube-scheduler" if agent.startswith("kube-scheduler/") else ""
    if not agent.startswith("kube-controller-manager/"):
        return ""
    found = _OF_A_CONTROLLER.fullmatch(user)
    if not found and user == "system:kube-controller-manager":
        # Without credentials of their own, the controllers say their names in the user agent.
        found = _OF_A_CONTROLLER.search(agent)
        return found[1] if found else "kube-controller-manager"
    return found[1] if found else ""


def act_from(request: Any, received: Any, position: int, ledger: Ledger) -> Act | None:
    """A row of `attribute` as the walk sees it; None for a read."""
    resource = request.resource if isinstance(request.resource, str) else ""
    if not resource:
        return None
    event = parse_event(request.raw) if isinstance(request.raw, str) else {}
    sent = event.get("requestObject")
    act = act_of(request.verb, resource, request.uri, sent)
    if not act:
        return None
    code = None if pd.isna(request.code) else int(request.code)
    namespace, name = (value if isinstance(value, str) else "" for value in (request.namespace, request.name))
    plural = resource.partition("/")[0]
    if plural == "namespaces":  # named as its own namespace, except when it is created
        namespace = ""
    uid = object_uid(event) if act != "token" else None
    identity = uid or ledger.identity(plural, namespace, name)
    return Act(
        position,
        received,
        act,
        effect_of(request.verb, code, request.uri, sent),
        controller_of(request.username, request.user_agent, request.impersonated),
        plural,
        namespace,
        name,
        text(request.username),
        identity,
        uid is not None,
        owners_of(event) or ledger.owners.get(identity, ()),
        event,
    )


@dataclass
class Ledger:
    """What is known so far, in the order in which requests were received: by identity, the place of the last act."""

    acts: list[Act] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    latest: dict[int, pd.Timestamp] = field(default_factory=dict)  # by root: when something last answered it
    identities: dict[tuple[str, str, str], str] = field(default_factory=dict)
    owners: dict[str, tuple[Owner, ...]] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)  # its spec
    deleted: dict[str, int] = field(default_factory=dict)  # or evicted
    bound: dict[str, int] = field(default_factory=dict)
    disturbed: dict[str, int] = field(default_factory=dict)  # by owner: one of its pods ended without it
    generations: dict[str, int] = field(default_factory=dict)
    replicas: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)  # by pod
    deletions: dict[str, list[int]] = field(default_factory=dict)  # by namespace
    autoscalers: dict[tuple[str, str, str], int] = field(default_factory=dict)  # by what they scale
    cordons: dict[tuple[str, str], int] = field(default_factory=dict)  # by node and caller

    def identity(self, resource: str, namespace: str, name: str) -> str:
        """The uid that an object of that name has now; without one, its name."""
        return self.identities.get((resource, namespace, name), f"{resource}/{namespace}/{name}")

    # --- what answers what ------------------------------------------------------------------------------------------

    def link(self, act: Act) -> Link:
        """The request that this one answers, or why the way ends here."""
        rules = {
            "generic-garbage-collector": self._of_garbage_collector,
            "namespace-controller": self._of_namespace_controller,
            "kube-scheduler": self._of_scheduler,
            "kubelet": self._of_kubelet,
            "ttl-after-finished-controller": self._of_time_to_live,
            "horizontal-pod-autoscaler": self._of_autoscaler,
            **dict.fromkeys(_PUBLISHERS, self._of_publisher),
            **dict.fromkeys(("pod-garbage-collector", "taint-eviction-controller"), self._of_node),
            **dict.fromkeys(("node-controller", "node-lifecycle-controller"), self._of_node),
        }
        if not act.controller:
            return Link(None, ASKED, self._of_caller(act))
        return rules.get(act.controller, self._of_owner)(act)

    def _of_caller(self, act: Act) -> str:
        cordon = self.cordons.get((self.nodes.get(act.identity, ""), act.caller)) if act.act == "eviction" else None
        if cordon is None:
            return "the caller is no controller"
        since = f"{self.acts[cordon].received:%Y-%m-%d %H:%M:%S}"
        return f"part of a drain: the same caller had cordoned the node {self.acts[cordon].name} at {since}"

    def _of_owner(self, act: Act) -> Link:
        """A controller works on its own object (its status), or on what belongs to it."""
        if act.act == "status" or not act.owners:
            return self._of_own_object(act)
        owner = act.owners[0]
        resource = resource_of_kind(owner.kind)
        known = owner.uid if owner.uid in self.changed or owner.uid in self.deleted else ""
        identity = known or self.identity(resource, act.namespace, owner.name)
        places = [self.changed.get(identity), self.deleted.get(identity)]
        if act.act == "create":
            places.append(self.disturbed.get(identity))
        place = self._last(places)
        named = f"its owner {owner.kind} {owner.name}"
        if place is None:
            return Link(None, UNKNOWN, f"no change of {named} is in the log (before the window, or not recorded)")
        basis = PROVEN if known and self.acts[place].has_uid else INFERRED
        if act.act == "create" and place == self.disturbed.get(identity):
            return self._within(place, act, INFERRED, f"{named} lost a pod")
        if act.controller == "cronjob-controller":  # its time comes without a request
            return Link(place, basis, f"the last change of {named}, on whose schedule it is")
        return self._within(place, act, basis, f"the last change of {named}")

    def _of_own_object(self, act: Act) -> Link:
        lost = self.disturbed.get(act.identity) if act.act == "status" else None
        place = self._last([self.changed.get(act.identity), self.deleted.get(act.identity), lost])
        if place is None or self.acts[place].controller == act.controller:
            return Link(None, UNKNOWN, f"no request that the {act.controller} answered is in the log")
        if place == lost:
            return self._within(place, act, INFERRED, f"this {_one(act.resource)} lost a pod")
        return self._within(place, act, self._basis(place, act), f"the last change of this {_one(act.resource)}")

    def _of_garbage_collector(self, act: Act) -> Link:
        own = self.deleted.get(act.identity)
        if own is not None and act.act != "delete":
            return Link(own, self._basis(own, act), "it waits until what belongs to it is gone")
        for owner in act.owners:
            known = self.deleted.get(owner.uid)
            place = (
                known
                if known is not None
                else self.deleted.get(self.identity(resource_of_kind(owner.kind), act.namespace, owner.name))
            )
            if place is not None:
                basis = PROVEN if known is not None and self.acts[place].has_uid else INFERRED
                return Link(place, basis, f"its owner {owner.kind} {owner.name} was deleted")
        if act.owners:
            named = f"{act.owners[0].kind} {act.owners[0].name}"
            return Link(None, UNKNOWN, f"the deletion of its owner {named} is not in the log")
        for place in reversed(self.deletions.get(act.namespace, ())):
            other = self.acts[place]
            if act.received - other.received > _SOON:
                break
            if act.name.startswith(f"{other.name}-"):
                return Link(place, INFERRED, f"its name begins with that of {label_of(other)}, just deleted")
        return Link(None, UNKNOWN, "its owner is not in the log")

    def _of_namespace_controller(self, act: Act) -> Link:
        if act.resource == "namespaces":
            place = self.deleted.get(act.identity)
            why = "the namespace is being deleted"
            basis = UNKNOWN if place is None else self._basis(place, act)
        else:
            place = self.deleted.get(self.identity("namespaces", "", act.namespace))
            why, basis = f"its namespace {act.namespace} is being deleted", INFERRED
        if place is None:
            return Link(None, UNKNOWN, "the deletion of the namespace is not in the log")
        return Link(place, basis, why)

    def _of_scheduler(self, act: Act) -> Link:
        place = self.created.get(act.identity)
        if act.act == "delete":
            return Link(None, UNKNOWN, "preempted: the scheduler made room for a pod of higher priority")
        if act.resource != "pods" or place is None:
            return Link(None, UNKNOWN, "the creation of the pod is not in the log")
        return Link(place, self._basis(place, act), "the pod was created")

    def _of_kubelet(self, act: Act) -> Link:
        if act.act == "token":
            pod = mapping(mapping(mapping(act.event.get("requestObject")).get("spec")).get("boundObjectRef")).get("uid")
            place = self.bound.get(pod) if isinstance(pod, str) else None
            if place is None:
                return Link(None, UNKNOWN, "the binding of the pod to this node is not in the log")
            return self._within(place, act, PROVEN, "the pod was bound to this node and needs its token")
        if act.resource != "pods":
            return Link(None, UNKNOWN, "a node's own upkeep")
        place = self.deleted.get(act.identity)
        if act.act == "delete":
            if place is None:
                return Link(None, UNKNOWN, "the deletion that it carries out is not in the log")
            return Link(place, self._basis(place, act), "the node ends what is being deleted")
        place = self._last([place, self.bound.get(act.identity)])
        if place is None:
            return Link(None, UNKNOWN, "the node's report on its pod")
        return self._within(place, act, self._basis(place, act), "the node reports on the pod")

    def _of_time_to_live(self, act: Act) -> Link:
        place = self.created.get(act.identity)
        if place is None:
            return Link(None, UNKNOWN, "the creation of the Job, which sets its time to live, is not in the log")
        return Link(place, self._basis(place, act), "the Job was created with a time to live after its end")

    def _of_autoscaler(self, act: Act) -> Link:
        place = self.autoscalers.get((act.resource, act.namespace, act.name))
        told = "who set it up is not in the log"
        if place is not None:
            told = f"{label_of(self.acts[place])} was last set up at {self.acts[place].received:%Y-%m-%d %H:%M:%S}"
        return Link(None, UNKNOWN, f"the autoscaler acted on its metrics, which no request shows; {told}")

    def _of_publisher(self, act: Act) -> Link:
        place = self.created.get(self.identity("namespaces", "", act.namespace))
        if place is None or act.act != "create":
            return Link(None, UNKNOWN, f"no request that the {act.controller} answered is in the log")
        return self._within(place, act, INFERRED, f"the namespace {act.namespace} was created")

    def _of_node(self, act: Act) -> Link:
        node = self.nodes.get(act.identity, "")
        places = [at.get(self.identity("nodes", "", node)) for at in (self.changed, self.deleted)] if node else []
        place = self._last(places)
        if act.resource != "pods" or place is None or self.acts[place].controller == act.controller:
            return Link(None, UNKNOWN, f"the {act.controller} acts on the state of nodes, which reports show")
        return self._within(place, act, INFERRED, f"the last change of its node {node}")

    def _basis(self, place: int, act: Act) -> str:
        return PROVEN if self.acts[place].has_uid and act.has_uid else INFERRED

    def _within(self, place: int, act: Act, basis: str, why: str) -> Link:
        """The link, unless what began there has been at rest for too long."""
        rested = act.received - self.latest[self.roots[place]]
        if rested > _REST:
            minutes = int(rested.total_seconds() // 60)
            return Link(None, UNKNOWN, f"{why} had been at rest for {minutes:,} minutes: something else moved it")
        return Link(place, basis, why)

    @staticmethod
    def _last(places: Iterable[int | None]) -> int | None:
        return max((place for place in places if place is not None), default=None)

    # --- what is remembered -----------------------------------------------------------------------------------------

    def record(self, act: Act, link: Link) -> None:
        """Remember an act for those that come after it."""
        place = act.position
        self.acts.append(replace(act, event={}))  # bodies are large, and not asked for again
        self.roots.append(place if link.cause is None else self.roots[link.cause])
        if link.cause is None or act.act != "status":  # a report moves nothing on
            self.latest[self.roots[place]] = act.received
        if act.effect not in ("done", "may have"):
            return
        if act.act != "token":
            self.identities[act.resource, act.namespace, act.name] = act.identity
            if act.owners:
                self.owners[act.identity] = act.owners
        if act.act == "create":
            self.created[act.identity] = place
        if act.act in _SPEC_ACTS and self._is_spec_change(act):
            self.changed[act.identity] = place
        if act.act in ("delete", "eviction"):
            self._record_end(act, act.identity, act.owners)
        for namespace, name, uid in deleted_items(act.event) or () if act.act == "delete collection" else ():
            identity = uid or self.identity(act.resource, namespace or act.namespace, name)
            self._record_end(act, identity, self.owners.get(identity, ()))
        if act.resource == "pods":
            self._record_pod(act)
        elif act.resource == "nodes":
            self._record_node(act)
        elif act.resource == "horizontalpodautoscalers" and act.act != "status":
            target = mapping(mapping(mapping(stored_object(act.event)).get("spec")).get("scaleTargetRef"))
            key = (resource_of_kind(text(target.get("kind"))), act.namespace, text(target.get("name")))
            self.autoscalers[key] = place

    def _is_spec_change(self, act: Act) -> bool:
        """Whether a write changed what the object asks for; metadata.generation counts that where an object has it."""
        if act.act == "scale":
            scale = mapping(act.event.get("responseObject"))
            wanted = mapping(scale.get("spec")).get("replicas", 0)
            is_change = bool(self.replicas.get(act.identity) != wanted)
            if is_change and act.identity in self.generations:
                self.generations[act.identity] += 1
        else:
            stored = mapping(stored_object(act.event))
            generation = mapping(stored.get("metadata")).get("generation")
            wanted = mapping(stored.get("spec")).get("replicas")
            is_change = not isinstance(generation, int) or self.generations.get(act.identity) != generation
            if isinstance(generation, int):
                self.generations[act.identity] = generation
        if isinstance(wanted, int):
            self.replicas[act.identity] = wanted
        return is_change

    def _record_end(self, act: Act, identity: str, owners: tuple[Owner, ...]) -> None:
        """A deletion or an eviction; a node's, which carries out an earlier one, is none of its own."""
        if act.controller == "kubelet" and identity in self.deleted:
            return
        self.deleted[identity] = act.position
        self.deletions.setdefault(act.namespace, []).append(act.position)
        if act.resource == "pods" and act.controller not in _WORKLOADS:
            self._disturb(owners, act.position)

    def _disturb(self, owners: tuple[Owner, ...], place: int) -> None:
        for owner in owners[:1]:
            self.disturbed[owner.uid] = place
            for above in self.owners.get(owner.uid, ())[:1]:
                self.disturbed[above.uid] = place

    def _record_pod(self, act: Act) -> None:
        sent = mapping(act.event.get("requestObject"))
        if act.act == "binding":
            self.bound[act.identity] = act.position
            self.nodes[act.identity] = text(mapping(sent.get("target")).get("name"))
        elif act.act == "status" and mapping(sent.get("status")).get("phase") == "Failed":
            self._disturb(act.owners, act.position)
        node = mapping(mapping(stored_object(act.event)).get("spec")).get("nodeName")
        if isinstance(node, str):
            self.nodes[act.identity] = node

    def _record_node(self, act: Act) -> None:
        spec = mapping(mapping(act.event.get("requestObject")).get("spec"))
        if act.act == "patch" and spec.get("unschedulable") is True:
            self.cordons[act.name, act.caller] = act.position


def label_of(act: Act) -> str:
    """The object of an act as resource/namespace/name."""
    name = "*" if act.act == "delete collection" else act.name
    return "/".join(part for part in (act.resource, act.namespace, name) if part)


def _one(resource: str) -> str:
    return "object" if resource.endswith("ies") else resource.removesuffix("s")
