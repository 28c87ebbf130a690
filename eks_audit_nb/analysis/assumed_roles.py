"""From an AWS key back to whoever assumed the role, and from a pod to the AWS key that it got, by CloudTrail's events.

The key of a session stands in `responseElements.credentials.accessKeyId` of the event that issued it, and in
`userIdentity.accessKeyId` of every later call. Formats: AWS CloudTrail User Guide, "CloudTrail userIdentity element";
AWS STS and EKS Auth API references.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.credentials import ISSUED, SESSION_KEY
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.events import parse_event

# What `role_sessions` says beyond ISSUED.
SESSIONS = {
    **ISSUED,
    "event": "string",  # AssumeRole, AssumeRoleWithSAML, ...
    "role": "string",  # the ARN of the role
    "session": "string",
    "source_identity": "string",
}
POD_SESSIONS = {
    "time": "datetime64[us, UTC]",
    "way": "string",  # IRSA or Pod Identity
    "namespace": "string",
    "service_account": "string",
    "pod": "string",  # Pod Identity says it, IRSA does not
    "role": "string",
    "access_key": "string",  # missing where it was refused
    "source_ip": "string",
    "error": "string",
    "calls": "Int64",  # what was then called with this key, in what was read of CloudTrail
    "last_call": "datetime64[us, UTC]",
    "event_id": "string",
}
_POD_IDENTITY = "pods.eks.amazonaws.com"


def role_sessions(cloudtrail: pd.DataFrame | None) -> pd.DataFrame:
    """One row for each AWS key that an event of CloudTrail issued; the columns of `SESSIONS`, in the order of time.

    Args:
        cloudtrail: Has a column `raw` with the JSON text of each event; other columns and other events do not matter.
            None where there is none.

    Returns:
        `behind` names who stands behind it only where CloudTrail says so: the user of an identity provider, an IAM
        user, the root user, or a session's source identity. A role that was assumed with another role's session has
        that session's key in `by_credential`, by which the chain goes on.
    """
    rows = []
    for event in _events(cloudtrail, "responseElements"):
        answer = _mapping(event.get("responseElements"))
        key = _text(_mapping(answer.get("credentials")).get("accessKeyId"))
        if key:
            rows.append(_session(event, answer, key))
    frame = typed_frame(rows, SESSIONS)
    # An event across accounts stands in the trails of both.
    return frame.sort_values("issued", kind="stable").drop_duplicates("credential", ignore_index=True)


def pod_sessions(cloudtrail: pd.DataFrame | None) -> pd.DataFrame:
    """Which service account, and where it is known which pod, got which AWS key; the columns of `POD_SESSIONS`.

    Args:
        cloudtrail: As for `role_sessions`.

    Returns:
        A row for each AssumeRoleWithWebIdentity by a service account, and for each AssumeRoleForPodIdentity or
        AssumeRole of EKS Pod Identity, refused ones too, in the order of time.
    """
    rows = [row for event in _events(cloudtrail, "AssumeRole") if (row := _pod_session(event))]
    frame = typed_frame(rows, POD_SESSIONS)
    calls = _calls(cloudtrail, set(frame["access_key"].dropna())).groupby("key")["time"].agg(["size", "max"])
    of_each = calls.reindex(frame["access_key"]).set_axis(frame.index)
    frame = frame.assign(calls=of_each["size"].fillna(0), last_call=of_each["max"]).astype(POD_SESSIONS)
    return frame.sort_values("time", kind="stable", ignore_index=True)


def _session(event: Mapping[str, Any], answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    asked, caller = _mapping(event.get("requestParameters")), _mapping(event.get("userIdentity"))
    became = _mapping(answer.get("assumedRoleUser")) or _mapping(answer.get("federatedUser"))
    said = _text(event.get("eventName"))
    source_identity = (
        _text(answer.get("sourceIdentity"))
        or _text(asked.get("sourceIdentity"))
        or _text(_mapping(caller.get("sessionContext")).get("sourceIdentity"))
    )
    holder = _text(became.get("arn")) or _text(asked.get("roleArn")) or _text(caller.get("arn"))
    return {
        "credential": key,
        "kind": SESSION_KEY,
        "holder": holder,
        "issued": _time(event.get("eventTime")),
        "expires": _time(_mapping(answer.get("credentials")).get("expiration")),
        "username": _caller(caller),
        "caller_kind": _text(caller.get("type")),
        "arn": _text(caller.get("arn")),
        "by_credential": _text(caller.get("accessKeyId")),
        "source_ip": _text(event.get("sourceIPAddress")),
        "user_agent": _text(event.get("userAgent")),
        "audit_id": _text(event.get("eventID")),
        "behind": _behind(caller, source_identity),
        "remark": said if not source_identity else f"{said}, source identity {source_identity}",
        "event": said,
        "role": _text(asked.get("roleArn")),
        "session": _text(asked.get("roleSessionName")) or (holder or "").rpartition("/")[2],
        "source_identity": source_identity,
    }


def _caller(identity: Mapping[str, Any]) -> str | None:
    for name in ("userName", "arn", "invokedBy", "principalId"):
        if text := _text(identity.get(name)):
            return text
    return None


def _behind(identity: Mapping[str, Any], source_identity: str | None) -> str | None:
    """Who stands behind the call, where CloudTrail itself names somebody."""
    kind, name = _text(identity.get("type")), _text(identity.get("userName"))
    if kind == "SAMLUser" and name:
        return f"{name}, as the identity provider named the user"
    if kind == "IAMUser" and (name or _text(identity.get("arn"))):
        return f"the IAM user {name or _text(identity.get('arn'))}"
    if kind == "Root":
        return f"the root user of account {_text(identity.get('accountId')) or 'unknown'}"
    if kind == "IdentityCenterUser":
        user = _text(_mapping(identity.get("onBehalfOf")).get("userId"))
        return f"the IAM Identity Center user {user}" if user else None
    return f"the source identity {source_identity}" if source_identity else None


def _pod_session(event: Mapping[str, Any]) -> dict[str, Any] | None:
    asked, answer = _mapping(event.get("requestParameters")), _mapping(event.get("responseElements"))
    caller, said = _mapping(event.get("userIdentity")), event.get("eventName")
    pod: str | None = None
    namespace: str | None
    account: str | None
    if said == "AssumeRoleWithWebIdentity":
        way = "IRSA"
        subject = _text(answer.get("subjectFromWebIdentityToken")) or _text(caller.get("userName")) or ""
        parts = subject.split(":")
        if subject.count(":") != 3 or not subject.startswith("system:serviceaccount:"):
            return None  # a pipeline's or a person's token
        namespace, account = parts[2], parts[3]
    elif said == "AssumeRoleForPodIdentity":
        way, subject_of_it = "Pod Identity", _mapping(answer.get("subject"))
        namespace, account = _text(subject_of_it.get("namespace")), _text(subject_of_it.get("serviceAccount"))
    elif said == "AssumeRole" and caller.get("invokedBy") == _POD_IDENTITY:
        way, tags = "Pod Identity", _tags(asked)
        namespace, account = tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account")
        pod = tags.get("kubernetes-pod-name")
    else:
        return None
    role = _text(asked.get("roleArn")) or _text(_mapping(answer.get("assumedRoleUser")).get("arn"))
    return {
        "time": _time(event.get("eventTime")),
        "way": way,
        "namespace": namespace,
        "service_account": account,
        "pod": pod,
        "role": role,
        "access_key": _text(_mapping(answer.get("credentials")).get("accessKeyId")),
        "source_ip": _text(event.get("sourceIPAddress")),
        "error": _text(event.get("errorCode")),
        "event_id": _text(event.get("eventID")),
    }


def _tags(asked: Mapping[str, Any]) -> dict[str, str]:
    """Session tags, which CloudTrail writes as a list of keys and values, or as one object."""
    tags = asked.get("tags")
    pairs = [(_mapping(tag).get("key"), _mapping(tag).get("value")) for tag in tags] if isinstance(tags, list) else []
    pairs += list(_mapping(asked.get("principalTags")).items())
    return {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, str)}


def _texts(cloudtrail: pd.DataFrame | None) -> pd.Series:
    return pd.Series([], dtype="string") if cloudtrail is None else cloudtrail["raw"].astype("string").dropna()


def _events(cloudtrail: pd.DataFrame | None, word: str) -> list[dict[str, Any]]:
    """The events whose text holds a word; most of a trail is about other things, and is not parsed."""
    texts = _texts(cloudtrail)
    return [parse_event(text) for text in texts[texts.str.contains(word, regex=False)]]


def _calls(cloudtrail: pd.DataFrame | None, keys: set[str]) -> pd.DataFrame:
    texts = _texts(cloudtrail)
    named = texts.str.extract(r'"accessKeyId"\s*:\s*"([^"]*)"', expand=False)  # that of userIdentity comes first
    rows = []
    for event in map(parse_event, texts[named.isin(keys)]):
        key = _mapping(event.get("userIdentity")).get("accessKeyId")
        if key in keys:
            rows.append({"key": key, "time": _time(event.get("eventTime"))})
    return typed_frame(rows, {"key": "string", "time": "datetime64[us, UTC]"})


def _time(value: object) -> pd.Timestamp | None:
    # "2026-11-24T22:30:00Z"; an expiration is written as "Nov 24, 2026, 11:30:00 PM", and spaces can be special ones.
    if not isinstance(value, str):
        return None
    text = " ".join(value.split())
    for form in ("ISO8601", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p"):
        time = pd.to_datetime(text, format=form, utc=True, errors="coerce")
        if not pd.isna(time):
            return time
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
