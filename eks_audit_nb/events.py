"""Audit events as flat columns: one row an event, or one row a request.

Field names: k8s.io/apiserver audit/v1 types. EKS's `user.extra` fields: aws-iam-authenticator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

# Every column of `flatten`, in order, with its dtype.
COLUMNS = {
    "time": "datetime64[us, UTC]",  # when the event was written (the @timestamp)
    "audit_id": "string",  # chosen by the client where it wants: not unique
    "stage": "string",
    "level": "string",
    "verb": "string",
    "code": "Int64",
    "username": "string",
    "groups": "string",  # joined by ", "
    "arn": "string",  # the STS ARN with the session, put there by the authenticator
    "canonical_arn": "string",  # the IAM role or user behind it
    "session": "string",
    "access_key": "string",
    "credential_id": "string",
    "uid": "string",
    "principal_id": "string",  # IAM's own id of the user or role, with the session behind a colon
    "pod": "string",  # the pod and the node that the token is bound to
    "pod_uid": "string",
    "node": "string",
    "node_uid": "string",
    "issued_credential_id": "string",  # that of the token which this request issued
    "source_ip": "string",  # the last of sourceIPs: the peer that the API server saw
    "forwarded_ips": "string",  # the earlier ones: what the client claims
    "user_agent": "string",  # what the client claims
    "uri": "string",
    "api_group": "string",
    "resource": "string",  # with the subresource: pods/exec
    "namespace": "string",
    "name": "string",
    "object_uid": "string",
    "decision": "string",
    "reason": "string",
    "message": "string",  # responseStatus.message
    "impersonated": "string",
    "impersonated_groups": "string",  # joined by ", "
    "impersonated_arn": "string",  # what the caller claims in the name of the other one
    "received": "datetime64[us, UTC]",
    "is_truncated": "boolean",
    "raw": "string",  # the event's text
}

# The fields of an event as a query names them; `.0` stands for every item of a list, `.*` for keys that anyone chooses.
# Source: k8s.io/apiserver audit/v1 types.
FIELDS = (
    *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "userAgent", "sourceIPs.0"),
    *("user.username", "user.uid", "user.groups.0", "user.extra.*"),
    *("impersonatedUser.username", "impersonatedUser.uid", "impersonatedUser.groups.0", "impersonatedUser.extra.*"),
    *("authenticationMetadata.impersonationConstraint",),
    *("objectRef.resource", "objectRef.namespace", "objectRef.name", "objectRef.uid", "objectRef.apiGroup"),
    *("objectRef.apiVersion", "objectRef.resourceVersion", "objectRef.subresource"),
    *("responseStatus.code", "responseStatus.status", "responseStatus.message", "responseStatus.reason"),
    *("responseStatus.kind", "responseStatus.apiVersion", "responseStatus.metadata.*", "responseStatus.details.*"),
    *("requestObject.*", "responseObject.*", "requestReceivedTimestamp", "stageTimestamp", "annotations.*"),
)

# Keys of user.extra and annotations about tokens. Source: KEP-4193.
_AUTHENTICATION = "authentication.kubernetes.io/"

_STAGES = {"RequestReceived": 0, "ResponseStarted": 1, "ResponseComplete": 2, "Panic": 3}

# Deeper than any object of Kubernetes. A refused patch is recorded as it came, so bodies can be made to break readers.
_MAX_DEPTH = 64
_MAX_DIGITS = 1000
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\],]', re.DOTALL)
# An escape of JSON; the group holds one that is half of a pair of surrogates without the other half.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


def flatten(frame: pd.DataFrame) -> pd.DataFrame:
    """Take events apart: one row an event, in the frame's order.

    Args:
        frame: Rows with `@timestamp` and `@message`, as a query without `stats` gives them.

    Returns:
        The columns of `COLUMNS`. An event whose text is cut keeps what could be read of it and has `is_truncated` set.

    Raises:
        KeyError: The frame has no `@message`.
    """
    rows = [_row(text) for text in frame["@message"].fillna("")]
    flat = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in ("time", "raw")], index=frame.index)
    flat.insert(0, "time", frame["@timestamp"])
    flat["raw"] = frame["@message"]
    flat["received"] = pd.to_datetime(flat["received"], utc=True, format="ISO8601", errors="coerce")
    return flat.astype(COLUMNS).reset_index(drop=True)


def last_stages(events: pd.DataFrame) -> pd.DataFrame:
    """One row a request: the last stage of each, in the order of time.

    A watch, an exec or a TokenRequest leaves two or three events with one auditID. Clients choose the auditID, so what
    tells requests apart is the auditID with the time of receipt, the URI and the user.
    """
    rank = events["stage"].map(_STAGES).fillna(-1)
    ordered = events.assign(_rank=rank).sort_values(["time", "_rank"], kind="stable")
    key = ["audit_id", "received", "uri", "verb", "username"]
    # An event without an auditID cannot be told from another one, and is kept.
    repeated = ordered.duplicated(key, keep="last") & ordered["audit_id"].notna()
    return ordered[~repeated].drop(columns="_rank").reset_index(drop=True)


def unescaped(text: pd.Series) -> pd.Series:
    """Text that a query cut out of an event's JSON, with JSON's escapes undone."""
    values = {value: _unescaped(value) for value in text.dropna().unique()}
    return text.map(values, na_action="ignore").astype("string")


def parse_event(text: str) -> dict[str, Any]:
    """The event as a dictionary; empty where the text is not whole JSON.

    What a client can send to break a reader does not hide the event: a lone surrogate becomes U+FFFD, and what is
    nested deeper than 64 levels becomes null.
    """
    text = without_surrogates(text)
    try:
        event = json.loads(text)
    except json.JSONDecodeError:
        return {}
    except (ValueError, RecursionError):  # too many digits, too many levels
        try:
            event = json.loads(_shallow(text), parse_int=_integer)
        except ValueError:
            return {}
    return event if isinstance(event, dict) else {}


def parse_cut_event(text: str) -> dict[str, Any]:
    """What can be read of an event whose text is cut or broken: the fields before that place."""
    text = _shallow(without_surrogates(text))
    stop = len(text)
    try:
        json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        stop = error.pos
    depth = end = 0
    for found in _TOKEN.finditer(text, 0, stop):
        depth += (found[0] in "{[") - (found[0] in "}]")
        if found[0] == "," and depth == 1:
            end = found.start()
    return parse_event(text[:end] + "}")


def without_surrogates(text: str) -> str:
    """JSON text in which an escaped surrogate without its other half, which is no character, is U+FFFD."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text)


def _row(text: str) -> dict[str, Any]:
    event = parse_event(text)
    is_cut = not event
    if is_cut:
        event = parse_cut_event(text)
    user = _mapping(event.get("user"))
    extra = _mapping(user.get("extra"))
    other = _mapping(event.get("impersonatedUser"))
    target = _mapping(event.get("objectRef"))
    status = _mapping(event.get("responseStatus"))
    annotations = _mapping(event.get("annotations"))
    addresses = [str(address) for address in _list(event.get("sourceIPs"))]
    resource, subresource = target.get("resource"), target.get("subresource")
    code = status.get("code")
    texts = {
        "audit_id": event.get("auditID"),
        "stage": event.get("stage"),
        "level": event.get("level"),
        "verb": event.get("verb"),
        "username": user.get("username"),
        "groups": ", ".join(str(group) for group in _list(user.get("groups"))) or None,
        "arn": _first(extra.get("arn")),
        "canonical_arn": _first(extra.get("canonicalArn")),
        "session": _first(extra.get("sessionName")),
        "access_key": _first(extra.get("accessKeyId")),
        "credential_id": _first(extra.get(f"{_AUTHENTICATION}credential-id")),
        "uid": user.get("uid"),
        "principal_id": _first(extra.get("principalId")),
        "pod": _first(extra.get(f"{_AUTHENTICATION}pod-name")),
        "pod_uid": _first(extra.get(f"{_AUTHENTICATION}pod-uid")),
        "node": _first(extra.get(f"{_AUTHENTICATION}node-name")),
        "node_uid": _first(extra.get(f"{_AUTHENTICATION}node-uid")),
        "issued_credential_id": annotations.get(f"{_AUTHENTICATION}issued-credential-id"),
        "source_ip": addresses[-1] if addresses else None,
        "forwarded_ips": ", ".join(addresses[:-1]) or None,
        "user_agent": event.get("userAgent"),
        "uri": event.get("requestURI"),
        "api_group": target.get("apiGroup"),
        "resource": f"{resource}/{subresource}" if resource and subresource else resource,
        "namespace": target.get("namespace"),
        "name": target.get("name") or _created_name(event),
        "object_uid": target.get("uid"),
        "decision": annotations.get("authorization.k8s.io/decision"),
        "reason": annotations.get("authorization.k8s.io/reason"),
        "message": status.get("message"),
        "impersonated": other.get("username"),
        "impersonated_groups": ", ".join(str(group) for group in _list(other.get("groups"))) or None,
        "impersonated_arn": _first(_mapping(other.get("extra")).get("arn")),
        "received": event.get("requestReceivedTimestamp"),
    }
    return {
        **{name: text if isinstance(text, str) else None for name, text in texts.items()},
        "code": code if isinstance(code, int) and abs(code) < 2**31 else None,
        "is_truncated": is_cut or annotations.get("audit.k8s.io/truncated") == "true",
    }


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(without_surrogates(f'"{text}"')))
    except ValueError:
        return text


def _shallow(text: str) -> str:
    """JSON text with null in the place of whatever is nested deeper than `_MAX_DEPTH`."""
    kept: list[str] = []
    depth = begin = 0
    for found in _TOKEN.finditer(text):
        if found[0] in "{[":
            depth += 1
            if depth == _MAX_DEPTH + 1:
                kept.append(text[begin : found.start()])
                begin = len(text)  # nothing more, unless it is closed again
        elif found[0] in "}]":
            if depth == _MAX_DEPTH + 1:
                kept.append("null")
                begin = found.end()
            depth -= 1
    return "".join([*kept, text[begin:]])


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


def _created_name(event: Mapping[str, Any]) -> str | None:
    """The name that the server made up for a create with generateName."""
    name = _mapping(_mapping(event.get("responseObject")).get("metadata")).get("name")
    return name if isinstance(name, str) and event.get("verb") == "create" else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _first(value: object) -> str | None:
    values = _list(value)
    return str(values[0]) if values and values[0] != "" else None
