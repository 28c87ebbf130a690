"""What each request of one object's life changed, field by field, and what of it the log cannot show.

EKS records the bodies of writes in the listed API groups (level RequestResponse), only the request of a node's status
patches (Request), and no body of Secrets, ConfigMaps and custom resources (Metadata).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.bodies import asked_object, mapping, stored_object
from eks_audit_nb.analysis.states import (
    ABSENT,
    WHOLE,
    differences,
    patch_fields,
    patched,
    shallow,
    text_of,
    without_volatile,
)
from eks_audit_nb.events import parse_event

COLUMNS = {
    "time": "datetime64[us, UTC]",
    "audit_id": "string",
    "life": "Int64",
    "act": "string",
    "path": "string",  # such as spec.containers[name=app].image
    # added, removed, changed; set where the state before is not known; created, deleted, deletion begun, evicted;
    # refused; unknown
    "change": "string",
    "before": "string",
    "after": "string",
    # recorded: both states are in the log; after only: the state after is; asked for: only the request is, and not what
    # came of it; unknown: neither is.
    "basis": "string",
    "note": "string",
}
_BEGINNING = 200
# A request as a replay takes it: its event, the act, the effect and the number of the life.
Step = tuple[Mapping[str, Any], str, str, int]
_NO_CHANGE = frozenset({"exec", "attach", "port-forward", "proxy", "token"})
_NO_BODY = "the bodies of this request are not in the log"
_NO_BEFORE = "the state before is not in the log"
_GAP = "a change in between is not in the log"


@dataclass(frozen=True)
class Change:
    """One field that a request changed, or one remark on it."""

    path: str
    change: str
    before: Any = ABSENT
    after: Any = ABSENT
    basis: str = "unknown"
    note: str = ""


@dataclass(frozen=True)
class _Known:
    """The last state of an object that the log shows, and how many later requests may have changed it unseen."""

    state: dict[str, Any] | None = None
    is_recorded: bool = False
    unseen: int = 0


def object_changes(history: pd.DataFrame, with_status: bool = False) -> pd.DataFrame:
    """One row a field that a request changed, in the order of the history.

    Fields that every write changes (resourceVersion, managedFields, generation ...) are left out.

    Args:
        history: Rows of `object_history`.
        with_status: Whether changes of `status` are told, too.

    Returns:
        The columns of `COLUMNS`. A request whose bodies are not in the log has one row with the change "unknown".
    """
    rows: list[dict[str, Any]] = []
    steps = (
        (parse_event(raw) if isinstance(raw, str) else {}, act, effect, life)
        for raw, act, effect, life in history[["raw", "act", "effect", "life"]].itertuples(index=False)
    )
    for request, changes in zip(history[list(COLUMNS)[:4]].itertuples(), replay(steps), strict=True):
        place = {"time": request.time, "audit_id": request.audit_id, "life": request.life, "act": request.act}
        rows += [{**place, **_texts(each)} for each in changes if with_status or not _is_status(each.path)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _texts(change: Change) -> dict[str, Any]:
    """A change as text; a whole object is told by its beginning, and stands in full in its event."""
    longest = {"longest": _BEGINNING} if change.path == WHOLE else {}
    return {**vars(change), "before": text_of(change.before, **longest), "after": text_of(change.after, **longest)}


def replay(steps: Iterable[Step]) -> Iterator[list[Change]]:
    """What each request of an object's life changed, one list a request; states are carried from one to the next."""
    known: dict[int, _Known] = {}
    for event, act, effect, life in steps:
        before = known.get(life, _Known())
        try:
            changes, after = _step(event, act, effect, before)
        except RecursionError:  # nested deeper than Python follows, which no object of Kubernetes is
            before = replace(before, state=shallow(before.state))
            changes, after = _step(shallow(event), act, effect, before)
        known[life] = after
        yield changes


def summary(changes: Iterable[Change], most: int = 3) -> str:
    """What a request changed in a line, such as "spec.replicas: 3 → 0"."""
    told = [each for each in changes if not _is_status(each.path)] or list(changes)
    texts = [_told(each) for each in told[:most]]
    more = len(told) - most
    return "; ".join(texts) + (f"; {more} more" if more > 0 else "")


def _told(change: Change) -> str:
    if change.path == WHOLE:
        return f"{change.change}: {change.note}" if change.note else change.change
    before, after = (_short(value) for value in (change.before, change.after))
    asked = " (refused)" if change.change == "refused" else " (asked for)" if change.basis == "asked for" else ""
    if change.change == "removed":
        return f"{change.path} removed{asked}"
    if change.before is ABSENT:
        return f"{change.path} = {after}{asked}"
    return f"{change.path}: {before} → {after}{asked}"


def _short(value: Any) -> str:
    text = " ".join((text_of(value) or "").split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def _step(event: Mapping[str, Any], act: str, effect: str, known: _Known) -> tuple[list[Change], _Known]:
    if effect == "none":
        return _refused(event), known
    if act in _NO_CHANGE:
        return [], known
    if effect == "not recorded":
        return [_unknown("no response recorded: whether it changed anything is not in the log")], _unseen(known)
    # The answer to the deletion of a namespace is the namespace, and no state of what was in it.
    if act in ("delete", "delete collection", "namespace deletion"):
        return _deletion(event, effect, known)
    if act == "eviction":
        return [Change(WHOLE, "evicted", note="the pod is asked to end")], known
    if act == "binding":
        node = mapping(mapping(event.get("requestObject")).get("target")).get("name", ABSENT)
        return _written(known, {"spec": {"nodeName": node}}, "asked for")
    if act == "scale":
        scale = mapping(event.get("responseObject"))
        if scale.get("kind") == "Scale":  # which leaves out a zero
            return _written(known, {"spec": {"replicas": mapping(scale.get("spec")).get("replicas", 0)}}, "recorded")
    stored = stored_object(event)
    if stored is not None:
        return _stored(event, act, stored, known)
    return _asked(event, act, known)


def _stored(event: Mapping[str, Any], act: str, stored: dict[str, Any], known: _Known) -> tuple[list[Change], _Known]:
    after = _Known(stored, True)
    if act == "create":
        return [Change(WHOLE, "created", after=without_volatile(stored), basis="recorded")], after
    if known.state is None:
        sent = event.get("requestObject")
        if event.get("verb") == "patch" and isinstance(sent, dict | list):
            return _named(patch_fields(sent), "after only"), after
        return [Change(WHOLE, "changed", basis="after only", note=_NO_BEFORE)], after
    basis = "recorded" if known.is_recorded else "after only"
    note = _gap(event, stored, known)
    found = [_field(*each, basis, note) for each in _differences(known.state, stored)]
    if act != "create" and _is_gone(stored):
        return [*found, Change(WHOLE, "deleted", basis="recorded", note="nothing holds it back any longer")], _Known()
    return found, after


def _asked(event: Mapping[str, Any], act: str, known: _Known) -> tuple[list[Change], _Known]:
    """A request whose answer does not hold the object: what it asked for is what the log knows."""
    asked, sent = asked_object(event), event.get("requestObject")
    if asked is not None and event.get("verb") == "create":
        return [Change(WHOLE, "created", after=without_volatile(asked), basis="asked for")], _Known(asked)
    if asked is not None and known.state is not None:
        found = [_field(*each, "asked for") for each in _differences(known.state, asked)]
        return found, _Known(asked)
    if event.get("verb") == "patch" and isinstance(sent, dict | list):
        after = None if known.state is None else patched(known.state, sent, _is_built_in(event))
        if isinstance(after, dict) and known.state is not None:
            found = [_field(*each, "asked for") for each in _differences(known.state, after)]
            # A request for the status leaves the rest as it was.
            return found, replace(known, state=after, is_recorded=known.is_recorded and act == "status")
        return _named(patch_fields(sent), "asked for"), _unseen(known)
    note = _NO_BODY if asked is None else _NO_BEFORE
    change = "created" if event.get("verb") == "create" else "unknown"
    return [Change(WHOLE, change, note=note)], _Known(asked) if asked is not None else _unseen(known)


def _written(known: _Known, patch: dict[str, Any], basis: str) -> tuple[list[Change], _Known]:
    """A request that says what it wrote in the words of another kind, such as a Scale or a Binding."""
    if known.state is None:
        return _named(patch_fields(patch), "asked for" if basis == "asked for" else "after only"), known
    after = patched(known.state, patch)
    return [_field(*each, basis) for each in _differences(known.state, after)], replace(known, state=after)


def _deletion(event: Mapping[str, Any], effect: str, known: _Known) -> tuple[list[Change], _Known]:
    if effect == "may have":
        return [_unknown("whether it was among those deleted is not in the log")], _unseen(known)
    stored, sent = stored_object(event), mapping(event.get("requestObject"))
    answered = event.get("responseObject")
    if answered is None:
        return [Change(WHOLE, "deleted", note="or its deletion begun: the answer is not in the log")], _unseen(known)
    metadata = mapping(mapping(stored).get("metadata"))
    if stored is not None and metadata.get("deletionTimestamp") and not _is_gone(stored):
        held, seconds = _finalizers(stored), metadata.get("deletionGracePeriodSeconds")
        if held or sent.get("gracePeriodSeconds") != 0:
            why = f"until {text_of(held)} are gone" if held else f"{text_of(seconds)} s to end in"
            return [Change(WHOLE, "deletion begun", basis="recorded", note=why)], _Known(stored, True)
    last = known.state if known.state is not None else stored
    before = ABSENT if last is None else without_volatile(last)
    return [Change(WHOLE, "deleted", before, basis="recorded" if last else "after only")], _Known()


def _is_gone(stored: Mapping[str, Any]) -> bool:
    """Whether an object that is being deleted has nothing left that holds it back."""
    metadata = mapping(stored.get("metadata"))
    is_due = metadata.get("deletionGracePeriodSeconds") in (None, 0)
    return bool(metadata.get("deletionTimestamp")) and is_due and not _finalizers(stored)


def _finalizers(stored: Mapping[str, Any]) -> Any:
    """What has to be done before the object goes; a namespace has it in its spec."""
    of_namespace = mapping(stored.get("spec")).get("finalizers") if stored.get("kind") == "Namespace" else None
    return mapping(stored.get("metadata")).get("finalizers") or of_namespace


def _refused(event: Mapping[str, Any]) -> list[Change]:
    """What a request asked for that was refused, failed, or was a dry run."""
    sent = event.get("requestObject")
    if event.get("verb") != "patch" or not isinstance(sent, dict | list):
        return []
    return [Change(path, "refused", after=value, basis="asked for") for path, value in patch_fields(sent)]


def _gap(event: Mapping[str, Any], stored: Mapping[str, Any], known: _Known) -> str:
    """Why a difference may hold more than this request's own change; "" where it does not.

    metadata.generation counts the changes of a spec; an update names the resourceVersion that it was made from.
    """
    if known.unseen:
        requests = "a request" if known.unseen == 1 else f"{known.unseen:,} requests"
        return f"or by {requests} before it, of which the log does not hold the bodies"
    if not known.is_recorded or known.state is None:
        return ""
    before, after = mapping(known.state.get("metadata")), mapping(stored.get("metadata"))
    one, other = before.get("generation"), after.get("generation")
    if isinstance(one, int) and isinstance(other, int) and other > one + 1:
        return f"{_GAP}: generation {one} is followed by {other}"
    sent = mapping(event.get("requestObject"))
    made_from = mapping(sent.get("metadata")).get("resourceVersion") if event.get("verb") == "update" else None
    if made_from and before.get("resourceVersion") and made_from != before.get("resourceVersion"):
        return (
            f"{_GAP}: it was made from version {text_of(made_from)}, the last one here is {before['resourceVersion']}"
        )
    return ""


def _differences(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    return differences(_comparable(before), _comparable(after))


def _comparable(state: Any) -> dict[str, Any]:
    """The state without what is volatile; the first annotation or label is one field, as every other one is."""
    kept = without_volatile(mapping(state), with_status=True)
    metadata = kept.get("metadata")
    if isinstance(metadata, dict):
        kept["metadata"] = {"labels": {}, "annotations": {}, **metadata}
    return kept


def _field(path: str, before: Any, after: Any, basis: str, note: str = "") -> Change:
    change = "added" if before is ABSENT else "removed" if after is ABSENT else "changed"
    return Change(path, change, before, after, basis, note)


def _named(fields: Iterable[tuple[str, Any]], basis: str) -> list[Change]:
    """The fields that a patch names, where the state before it is not known; null takes a field out."""
    return [
        Change(
            path, "removed" if value is ABSENT or value is None else "set", after=value, basis=basis, note=_NO_BEFORE
        )
        for path, value in fields
    ]


def _unknown(note: str) -> Change:
    return Change(WHOLE, "unknown", note=note)


def _unseen(known: _Known) -> _Known:
    return replace(known, unseen=known.unseen + 1)


def _is_built_in(event: Mapping[str, Any]) -> bool:
    """Whether the API group is one of Kubernetes' own, to which kubectl sends strategic merge patches."""
    group = mapping(event.get("objectRef")).get("apiGroup")
    return not isinstance(group, str) or "." not in group or group.endswith(".k8s.io")


def _is_status(path: str) -> bool:
    return path == "status" or path.startswith(("status.", "status["))
