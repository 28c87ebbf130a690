"""From a controller's act back to the human or the pipeline behind it, and forward to what an act caused.

Controllers act on what others asked for: user -> deployment-controller -> replicaset-controller -> scheduler ->
kubelet; deletions run on through the garbage collector and the namespace controller. Each request is linked to the one
that it answers by the uid in ownerReferences or preconditions where the log has it, else by name; which of several
changes of an owner it answers is told by the time: the last one before it. Only what the log holds can be linked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
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

ASKED, PROVEN, INFERRED, UNKNOWN = "asked for by the caller", "proven by uid", "inferred", "not in the log"
# What `cause_links` adds to the columns of `attribute`.
COLUMNS = {
    "act": "string",
    "effect": "string",
    "object": "string",  # resource/namespace/name
    "object_life": "string",  # the uid of the object, as the log knows it at that time
    "controller": "string",  # the controller, scheduler or kubelet that acted; missing for everyone else
    "cause": "Int64",  # the index label of the request that this one answers
    "root": "Int64",  # ... and of the one with which it began: its own where it answers none
    "steps": "int64",  # from the root to this request
    "basis": "string",  # asked for by the caller, proven by uid, inferred, not in the log: of this link
    "certainty": "string",  # the weakest basis on the way to the root
    "why": "string",
}
_READ = ["verb", "resource", "namespace", "name", "code", "uri", "username", "user_agent", "impersonated", "raw"]
_WEAKER = (ASKED, PROVEN, INFERRED, UNKNOWN)
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
_PUBLISHERS = frozenset({"service-account-controller", "root-ca-cert-publisher", "service-ca-cert-publisher"})


@dataclass(frozen=True)
class _Link:
    cause: int | None
    basis: str
    why: str


@dataclass(frozen=True)
class _Act:
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


def cause_links(requests: pd.DataFrame) -> pd.DataFrame:
    """Each request that changes something, with the request that it answers and the one with which that began.

    Args:
        requests: Rows of `attribute`, with an index of different integers. The more of a namespace's writes are among
            them, the further the walk leads.

    Returns:
        The columns of `requests` and those of `COLUMNS`, with the index labels of `requests`, in the order in which the
        requests were received. Reads are left out.
    """
    order = requests.assign(_received=requests["received"].fillna(requests["time"]))
    order = order.sort_values(["_received", "time"], kind="stable")
    ledger = _Ledger()
    kept: list[int] = []
    links: list[_Link] = []
    received = order.pop("_received").to_list()
    for place, request in enumerate(order[_READ].itertuples(index=False)):
        act = _act(request, received[place], len(kept), ledger)
        if act is None:
            continue
        kept.append(place)
        link = ledger.link(act)
        ledger.record(act, link)
        links.append(link)
    linked = order.iloc[kept]
    return linked.assign(**_columns(linked.index, ledger.acts, links))


def causes(linked: pd.DataFrame, label: int | None) -> pd.DataFrame:
    """The way from one request back to what began it: one row a request, the given one first.

    Args:
        linked: Rows of `cause_links`.
        label: The index label of a request; None for no way at all.

    Returns:
        The rows of `linked` with `step` (int64), 0 for the request itself. `why` and `basis` of a row say how it is
        known that it answers the next one, or why the way ends there.
    """
    way: list[int] = []
    at: Any = label
    following = linked["cause"]
    while not pd.isna(at) and at in linked.index:
        way.append(int(at))
        at = following.loc[at]
    found = linked.loc[way]
    return found.assign(step=np.arange(len(found), dtype="int64"))


def consequences(linked: pd.DataFrame, labels: Iterable[int]) -> pd.DataFrame:
    """What some requests caused: the acts that answer them, and those that answer these, in order.

    Args:
        linked: Rows of `cause_links`.
        labels: The index labels of the causes, which are not among the rows that come back.

    Returns:
        The rows of `linked` with `step` (int64): 1 for what answers a cause directly.
    """
    begun = {int(label): 0 for label in labels}
    found: dict[int, int] = {}
    # A cause is received before what answers it, so one pass in that order finds them all.
    for label, cause in zip(linked.index, linked["cause"], strict=True):
        if cause is not pd.NA and label not in begun:
            before = begun.get(int(cause), found.get(int(cause)))
            if before is not None:
                found[int(label)] = before + 1
    return linked.loc[list(found)].assign(step=np.array(list(found.values()), dtype="int64"))


def behind(history: pd.DataFrame, linked: pd.DataFrame) -> pd.DataFrame:
    """The history with who stands behind each act: the caller with whom the chain of causes begins.

    Args:
        history: Rows of `object_history`.
        linked: Rows of `cause_links` for requests among which those of the history are.

    Returns:
        The rows of `history` with behind (the caller's name), behind_act, behind_object, behind_audit_id, certainty and
        why (of the first link); a controller stands behind its own act where the log does not say what it answered.
    """
    own = linked.reindex(history.index)
    roots = linked.reindex(own["root"])
    told = {"behind": "username", "behind_act": "act", "behind_object": "object", "behind_audit_id": "audit_id"}
    named = {name: roots[column].array for name, column in told.items()}
    return history.assign(**named, certainty=own["certainty"], why=own["why"])


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


def _act(request: Any, received: Any, position: int, ledger: _Ledger) -> _Act | None:
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
    return _Act(
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
class _Ledger:
    """What is known so far, in the order in which requests were received: by identity, the place of the last act."""

    acts: list[_Act] = field(default_factory=list)
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

    def link(self, act: _Act) -> _Link:
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
            return _Link(None, ASKED, self._of_caller(act))
        return rules.get(act.controller, self._of_owner)(act)

    def _of_caller(self, act: _Act) -> str:
        cordon = self.cordons.get((self.nodes.get(act.identity, ""), act.caller)) if act.act == "eviction" else None
        if cordon is None:
            return "the caller is no controller"
        since = f"{self.acts[cordon].received:%Y-%m-%d %H:%M:%S}"
        return f"part of a drain: the same caller had cordoned the node {self.acts[cordon].name} at {since}"

    def _of_owner(self, act: _Act) -> _Link:
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
            return _Link(None, UNKNOWN, f"no change of {named} is in the log (before the window, or not recorded)")
        basis = PROVEN if known and self.acts[place].has_uid else INFERRED
        if act.act == "create" and place == self.disturbed.get(identity):
            return self._within(place, act, INFERRED, f"{named} lost a pod")
        if act.controller == "cronjob-controller":  # its time comes without a request
            return _Link(place, basis, f"the last change of {named}, on whose schedule it is")
        return self._within(place, act, basis, f"the last change of {named}")

    def _of_own_object(self, act: _Act) -> _Link:
        lost = self.disturbed.get(act.identity) if act.act == "status" else None
        place = self._last([self.changed.get(act.identity), self.deleted.get(act.identity), lost])
        if place is None or self.acts[place].controller == act.controller:
            return _Link(None, UNKNOWN, f"no request that the {act.controller} answered is in the log")
        if place == lost:
            return self._within(place, act, INFERRED, f"this {_one(act.resource)} lost a pod")
        return self._within(place, act, self._basis(place, act), f"the last change of this {_one(act.resource)}")

    def _of_garbage_collector(self, act: _Act) -> _Link:
        own = self.deleted.get(act.identity)
        if own is not None and act.act != "delete":
            return _Link(own, self._basis(own, act), "it waits until what belongs to it is gone")
        for owner in act.owners:
            known = self.deleted.get(owner.uid)
            place = (
                known
                if known is not None
                else self.deleted.get(self.identity(resource_of_kind(owner.kind), act.namespace, owner.name))
            )
            if place is not None:
                basis = PROVEN if known is not None and self.acts[place].has_uid else INFERRED
                return _Link(place, basis, f"its owner {owner.kind} {owner.name} was deleted")
        if act.owners:
            named = f"{act.owners[0].kind} {act.owners[0].name}"
            return _Link(None, UNKNOWN, f"the deletion of its owner {named} is not in the log")
        for place in reversed(self.deletions.get(act.namespace, ())):
            other = self.acts[place]
            if act.received - other.received > _SOON:
                break
            if act.name.startswith(f"{other.name}-"):
                return _Link(place, INFERRED, f"its name begins with that of {_label(other)}, just deleted")
        return _Link(None, UNKNOWN, "its owner is not in the log")

    def _of_namespace_controller(self, act: _Act) -> _Link:
        if act.resource == "namespaces":
            place = self.deleted.get(act.identity)
            why = "the namespace is being deleted"
            basis = UNKNOWN if place is None else self._basis(place, act)
        else:
            place = self.deleted.get(self.identity("namespaces", "", act.namespace))
            why, basis = f"its namespace {act.namespace} is being deleted", INFERRED
        if place is None:
            return _Link(None, UNKNOWN, "the deletion of the namespace is not in the log")
        return _Link(place, basis, why)

    def _of_scheduler(self, act: _Act) -> _Link:
        place = self.created.get(act.identity)
        if act.act == "delete":
            return _Link(None, UNKNOWN, "preempted: the scheduler made room for a pod of higher priority")
        if act.resource != "pods" or place is None:
            return _Link(None, UNKNOWN, "the creation of the pod is not in the log")
        return _Link(place, self._basis(place, act), "the pod was created")

    def _of_kubelet(self, act: _Act) -> _Link:
        if act.act == "token":
            pod = mapping(mapping(mapping(act.event.get("requestObject")).get("spec")).get("boundObjectRef")).get("uid")
            place = self.bound.get(pod) if isinstance(pod, str) else None
            if place is None:
                return _Link(None, UNKNOWN, "the binding of the pod to this node is not in the log")
            return self._within(place, act, PROVEN, "the pod was bound to this node and needs its token")
        if act.resource != "pods":
            return _Link(None, UNKNOWN, "a node's own upkeep")
        place = self.deleted.get(act.identity)
        if act.act == "delete":
            if place is None:
                return _Link(None, UNKNOWN, "the deletion that it carries out is not in the log")
            return _Link(place, self._basis(place, act), "the node ends what is being deleted")
        place = self._last([place, self.bound.get(act.identity)])
        if place is None:
            return _Link(None, UNKNOWN, "the node's report on its pod")
        return self._within(place, act, self._basis(place, act), "the node reports on the pod")

    def _of_time_to_live(self, act: _Act) -> _Link:
        place = self.created.get(act.identity)
        if place is None:
            return _Link(None, UNKNOWN, "the creation of the Job, which sets its time to live, is not in the log")
        return _Link(place, self._basis(place, act), "the Job was created with a time to live after its end")

    def _of_autoscaler(self, act: _Act) -> _Link:
        place = self.autoscalers.get((act.resource, act.namespace, act.name))
        told = "who set it up is not in the log"
        if place is not None:
            told = f"{_label(self.acts[place])} was last set up at {self.acts[place].received:%Y-%m-%d %H:%M:%S}"
        return _Link(None, UNKNOWN, f"the autoscaler acted on its metrics, which no request shows; {told}")

    def _of_publisher(self, act: _Act) -> _Link:
        place = self.created.get(self.identity("namespaces", "", act.namespace))
        if place is None or act.act != "create":
            return _Link(None, UNKNOWN, f"no request that the {act.controller} answered is in the log")
        return self._within(place, act, INFERRED, f"the namespace {act.namespace} was created")

    def _of_node(self, act: _Act) -> _Link:
        node = self.nodes.get(act.identity, "")
        places = [at.get(self.identity("nodes", "", node)) for at in (self.changed, self.deleted)] if node else []
        place = self._last(places)
        if act.resource != "pods" or place is None or self.acts[place].controller == act.controller:
            return _Link(None, UNKNOWN, f"the {act.controller} acts on the state of nodes, which reports show")
        return self._within(place, act, INFERRED, f"the last change of its node {node}")

    def _basis(self, place: int, act: _Act) -> str:
        return PROVEN if self.acts[place].has_uid and act.has_uid else INFERRED

    def _within(self, place: int, act: _Act, basis: str, why: str) -> _Link:
        """The link, unless what began there has been at rest for too long."""
        rested = act.received - self.latest[self.roots[place]]
        if rested > _REST:
            minutes = int(rested.total_seconds() // 60)
            return _Link(None, UNKNOWN, f"{why} had been at rest for {minutes:,} minutes: something else moved it")
        return _Link(place, basis, why)

    @staticmethod
    def _last(places: Iterable[int | None]) -> int | None:
        return max((place for place in places if place is not None), default=None)

    # --- what is remembered -----------------------------------------------------------------------------------------

    def record(self, act: _Act, link: _Link) -> None:
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

    def _is_spec_change(self, act: _Act) -> bool:
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

    def _record_end(self, act: _Act, identity: str, owners: tuple[Owner, ...]) -> None:
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

    def _record_pod(self, act: _Act) -> None:
        sent = mapping(act.event.get("requestObject"))
        if act.act == "binding":
            self.bound[act.identity] = act.position
            self.nodes[act.identity] = text(mapping(sent.get("target")).get("name"))
        elif act.act == "status" and mapping(sent.get("status")).get("phase") == "Failed":
            self._disturb(act.owners, act.position)
        node = mapping(mapping(stored_object(act.event)).get("spec")).get("nodeName")
        if isinstance(node, str):
            self.nodes[act.identity] = node

    def _record_node(self, act: _Act) -> None:
        spec = mapping(mapping(act.event.get("requestObject")).get("spec"))
        if act.act == "patch" and spec.get("unschedulable") is True:
            self.cordons[act.name, act.caller] = act.position


def _columns(index: pd.Index, acts: list[_Act], links: list[_Link]) -> dict[str, Any]:
    roots: list[int] = []
    steps: list[int] = []
    weakest: list[int] = []
    for place, link in enumerate(links):
        own = _WEAKER.index(link.basis)
        if link.cause is None:
            roots.append(place)
            steps.append(0)
            weakest.append(own)
        else:
            roots.append(roots[link.cause])
            steps.append(steps[link.cause] + 1)
            weakest.append(max(own, weakest[link.cause]))
    labels = [int(label) for label in index]
    values: dict[str, list[Any]] = {
        "act": [act.act for act in acts],
        "effect": [act.effect for act in acts],
        "object": [_label(act) for act in acts],
        "object_life": [act.identity if "/" not in act.identity else None for act in acts],
        "controller": [act.controller or None for act in acts],
        "cause": [None if link.cause is None else labels[link.cause] for link in links],
        "root": [labels[root] for root in roots],
        "steps": steps,
        "basis": [link.basis for link in links],
        "certainty": [_WEAKER[rank] for rank in weakest],
        "why": [link.why for link in links],
    }
    return {name: pd.array(values[name], dtype=dtype) for name, dtype in COLUMNS.items()}  # type: ignore[call-overload]


def _label(act: _Act) -> str:
    name = "*" if act.act == "delete collection" else act.name
    return "/".join(part for part in (act.resource, act.namespace, name) if part)


def _one(resource: str) -> str:
    return "object" if resource.endswith("ies") else resource.removesuffix("s")
