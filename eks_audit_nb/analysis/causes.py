"""From a controller's act back to the human or the pipeline behind it, and forward to what an act caused.

Controllers act on what others asked for: user -> deployment-controller -> replicaset-controller -> scheduler ->
kubelet; deletions run on through the garbage collector and the namespace controller. Each request is linked to the one
that it answers by the uid in ownerReferences or preconditions where the log has it, else by name; which of several
changes of an owner it answers is told by the time: the last one before it. Only what the log holds can be linked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from eks_audit_nb.analysis.controllers import (
    ASKED,
    INFERRED,
    PROVEN,
    READ,
    UNKNOWN,
    Act,
    Ledger,
    Link,
    act_from,
    label_of,
)

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
_WEAKER = (ASKED, PROVEN, INFERRED, UNKNOWN)


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
    ledger = Ledger()
    kept: list[int] = []
    links: list[Link] = []
    received = order.pop("_received").to_list()
    for place, request in enumerate(order[READ].itertuples(index=False)):
        act = act_from(request, received[place], len(kept), ledger)
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
        The rows of `history` with behind (the caller's name), behind_arn, behind_act, behind_object, behind_audit_id,
        certainty and why (of the first link); a controller stands behind its own act where the log does not say what it
        answered.
    """
    own = linked.reindex(history.index)
    roots = linked.reindex(own["root"])
    told = {
        "behind": "username",
        "behind_arn": "arn",
        "behind_act": "act",
        "behind_object": "object",
        "behind_audit_id": "audit_id",
    }
    named = {name: roots[column].array for name, column in told.items()}
    return history.assign(**named, certainty=own["certainty"], why=own["why"])


def _columns(index: pd.Index, acts: list[Act], links: list[Link]) -> dict[str, Any]:
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
        "object": [label_of(act) for act in acts],
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
