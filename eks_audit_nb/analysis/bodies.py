"""What the bodies of a request say about its object: its state, its uid, its owners, and whether anything was stored.

Shapes: Kubernetes API, meta/v1 (ObjectMeta, OwnerReference, DeleteOptions, Status). Only what the server answered, or
took from a client without an error, is believed: a body that was refused can name any uid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

# What a request is answered with where that is not its object, or not the whole of it.
_OTHER_KINDS = frozenset(
    {"Status", "Scale", "PartialObjectMetadata", "Binding", "Eviction", "TokenRequest", "DeleteOptions"}
)
READS = frozenset({"get", "list", "watch"})
# Subresources that open a connection into a pod, or through a node or a service: no read, whatever the verb is.
CONNECTIONS = frozenset({"exec", "attach", "portforward", "proxy"})
_ACTS = {
    "scale": "scale",
    "status": "status",
    "exec": "exec",
    "attach": "attach",
    "portforward": "port-forward",
    "proxy": "proxy",
    "eviction": "eviction",
    "binding": "binding",
    "token": "token",
    "approval": "approval",
    "finalize": "finalize",
    "ephemeralcontainers": "ephemeral container",
}


@dataclass(frozen=True)
class Owner:
    """One entry of metadata.ownerReferences."""

    kind: str
    name: str
    uid: str
    is_controller: bool


def act_of(verb: object, resource: object, uri: object, sent: object = None) -> str:
    """The kind of act in a word, such as create, apply, scale, status, exec, eviction; "" for a read.

    A server-side apply is a patch with a whole object and a field manager; the audit event does not hold its
    Content-Type.
    """
    verb, subresource = text(verb), text(resource).partition("/")[2]
    if subresource in CONNECTIONS:
        return _ACTS[subresource]
    if verb in READS or not verb:
        return ""
    if subresource:
        return _ACTS.get(subresource, f"{verb} {subresource}")
    if verb == "patch" and is_apply(uri, sent):
        return "apply"
    return {"deletecollection": "delete collection"}.get(verb, verb)


def is_apply(uri: object, sent: object) -> bool:
    """Whether a patch is a server-side apply, which must name a field manager and the kind of the object."""
    names_kind = isinstance(sent, dict) and "apiVersion" in sent and "kind" in sent
    return names_kind and "fieldManager=" in text(uri).partition("?")[2]


def effect_of(verb: object, code: int | None, uri: object, sent: object) -> str:
    """What a request left behind: "done", "none" (refused, failed, or a dry run), "not recorded", or "may have".

    "may have" is a deletion of a collection, which can pass over any single object.
    """
    if code is None:
        return "not recorded"
    if code >= 400:
        return "none"
    is_deletion = verb in ("delete", "deletecollection")
    # A deletion can carry its options in the body.
    if "dryRun=" in text(uri).partition("?")[2] or (is_deletion and isinstance(sent, dict) and sent.get("dryRun")):
        return "none"
    return "may have" if verb == "deletecollection" else "done"


def stored_object(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object as the server answered with it; None where the answer is another thing or is not recorded."""
    body = event.get("responseObject")
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return None
    kind = text(body.get("kind"))
    is_other = kind in _OTHER_KINDS or (kind.endswith("List") and "items" in body)
    return None if is_other or _is_failure(event) else body


def asked_object(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object as a create or an update asked for it; None for other requests."""
    body = event.get("requestObject")
    if event.get("verb") not in ("create", "update") or not isinstance(body, dict):
        return None
    return None if text(body.get("kind")) in _OTHER_KINDS else body


def object_uid(event: Mapping[str, Any]) -> str | None:
    """The uid of the request's object, as the server stated or accepted it."""
    answered, sent = mapping(event.get("responseObject")), mapping(event.get("requestObject"))
    found = mapping(answered.get("metadata")).get("uid") or mapping(answered.get("details")).get("uid")
    if not found and not _is_failure(event):
        found = mapping(sent.get("preconditions")).get("uid") or mapping(sent.get("metadata")).get("uid")
        found = found or mapping(event.get("objectRef")).get("uid")
    return found if isinstance(found, str) and found else None


def owners_of(event: Mapping[str, Any]) -> tuple[Owner, ...]:
    """The owners of the request's object, the controlling one first."""
    body = stored_object(event)
    if body is None and mapping(event.get("responseObject")).get("kind") == "PartialObjectMetadata":
        body = mapping(event.get("responseObject"))  # type: ignore[assignment]
    if body is None and not _is_failure(event):
        body = asked_object(event)
    references = mapping(mapping(body).get("metadata")).get("ownerReferences")
    found = [
        Owner(text(each.get("kind")), text(each.get("name")), text(each.get("uid")), each.get("controller") is True)
        for each in (references if isinstance(references, list) else ())
        if isinstance(each, dict)
    ]
    return tuple(sorted(found, key=lambda owner: not owner.is_controller))


def deleted_items(event: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...] | None:
    """Namespace, name and uid of what a deletion of a collection was answered with; None where it is not recorded."""
    items = mapping(event.get("responseObject")).get("items")
    if not isinstance(items, list):
        return None
    metadata = (mapping(mapping(item).get("metadata")) for item in items)
    return tuple((text(each.get("namespace")), text(each.get("name")), text(each.get("uid"))) for each in metadata)


def resource_of_kind(kind: str) -> str:
    """The resource that a kind is served as, by the rule that Kubernetes guesses it with.

    Source: apimachinery, meta.UnsafeGuessKindToResource.
    """
    name = kind.lower()
    if name in ("endpoints", ""):
        return name
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def selectors(uri: object) -> tuple[str, ...]:
    """What narrows a request for a collection, such as "app=web"."""
    asked = parse_qs(text(uri).partition("?")[2])
    return tuple(each for name in ("labelSelector", "fieldSelector") for each in asked.get(name, ()) if each)


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is an object of JSON, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def _is_failure(event: Mapping[str, Any]) -> bool:
    code = mapping(event.get("responseStatus")).get("code")
    return isinstance(code, int) and code >= 400


def text(value: object) -> str:
    """The value where it is text, otherwise an empty one."""
    return value if isinstance(value, str) else ""
