"""CloudTrail's events as flat columns: one row an event.

Field names: AWS CloudTrail User Guide, "CloudTrail record contents"; parameters of EKS and STS: their API models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import pandas as pd

EKS = "eks.amazonaws.com"
# The operations of EKS that let somebody into a cluster, keep somebody out, or switch its logs off.
ACCESS_OPERATIONS = (
    *(
        "CreateAccessEntry",
        "UpdateAccessEntry",
        "DeleteAccessEntry",
        "AssociateAccessPolicy",
        "DisassociateAccessPolicy",
    ),
    *("CreateCluster", "UpdateClusterConfig", "AssociateIdentityProviderConfig", "DisassociateIdentityProviderConfig"),
    *("CreatePodIdentityAssociation", "UpdatePodIdentityAssociation", "DeletePodIdentityAssociation"),
    *("CreateCapability", "UpdateCapability", "DeleteCapability"),
)
# Every column of `cloudtrail_frame`, in order, with its dtype.
COLUMNS = {
    "time": "datetime64[us, UTC]",  # eventTime: when the request was made, to the second
    "event_id": "string",
    "event_name": "string",  # such as CreateAccessEntry, AssumeRole
    "event_source": "string",  # such as eks.amazonaws.com, sts.amazonaws.com
    "region": "string",
    "account": "string",  # where the event was recorded
    "user_type": "string",  # IAMUser, AssumedRole, SAMLUser, WebIdentityUser, AWSService, Root, ...
    "arn": "string",  # who asked: of a role, the STS ARN with the session
    "principal_id": "string",
    "user_name": "string",
    "session_issuer": "string",  # the ARN of the role that the session comes from
    "source_identity": "string",  # set when the role was assumed, and kept through further roles
    "access_key": "string",  # what the request was signed with
    "invoked_by": "string",  # the AWS service that asked on somebody's behalf
    "source_ip": "string",  # or the name of an AWS service
    "user_agent": "string",  # what the client claims
    # Of EKS.
    "cluster": "string",
    "entry_principal": "string",  # whose access entry it is: the ARN, percent-decoded
    "policy_arn": "string",
    "scope": "string",  # "cluster", or "namespace: a, b"
    # Of STS: what AssumeRole, AssumeRoleWithSAML and AssumeRoleWithWebIdentity asked for and issued.
    "role_arn": "string",
    "role_session_name": "string",
    "assumed_arn": "string",  # the STS ARN of the session
    "issued_access_key": "string",  # `access_key` of an audit event made with this session
    "subject": "string",  # of a web identity or SAML, such as system:serviceaccount:NS:SA
    "error_code": "string",  # missing where the request succeeded
    "error_message": "string",
    "is_read_only": "boolean",
    "raw": "string",  # the event as JSON
}


def cloudtrail_frame(events: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Take CloudTrail's events apart: one row an event, in the order of time, each event once.

    Args:
        events: Each event, as `events.parse_event` reads it.

    Returns:
        The columns of `COLUMNS`. Trails of several regions and accounts can hold one event twice; the eventID tells.
    """
    rows = [_row(event) for event in events]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601", errors="coerce")
    frame = frame.astype(COLUMNS)
    repeated = frame.duplicated("event_id") & frame["event_id"].notna()
    return frame[~repeated].sort_values("time", kind="stable").reset_index(drop=True)


def is_cloudtrail_event(record: object) -> bool:
    """Whether a piece of JSON is an event of CloudTrail."""
    return isinstance(record, dict) and "eventName" in record and "eventSource" in record


def _row(event: Mapping[str, Any]) -> dict[str, Any]:
    identity = mapping(event.get("userIdentity"))
    session = mapping(identity.get("sessionContext"))
    issuer = mapping(session.get("sessionIssuer"))
    asked = mapping(event.get("requestParameters"))
    given = mapping(event.get("responseElements"))
    of_eks = _of_eks(asked, given) if event.get("eventSource") == EKS else {}
    texts = {
        "time": event.get("eventTime"),
        "event_id": event.get("eventID"),
        "event_name": event.get("eventName"),
        "event_source": event.get("eventSource"),
        "region": event.get("awsRegion"),
        "account": event.get("recipientAccountId") or identity.get("accountId"),
        "user_type": identity.get("type"),
        "arn": identity.get("arn"),
        "principal_id": identity.get("principalId"),
        "user_name": identity.get("userName") or issuer.get("userName"),
        "session_issuer": issuer.get("arn"),
        "source_identity": asked.get("sourceIdentity") or session.get("sourceIdentity") or given.get("sourceIdentity"),
        "access_key": identity.get("accessKeyId"),
        "invoked_by": identity.get("invokedBy"),
        "source_ip": event.get("sourceIPAddress"),
        "user_agent": event.get("userAgent"),
        **of_eks,
        "role_arn": asked.get("roleArn") if not of_eks else None,
        "role_session_name": asked.get("roleSessionName"),
        "assumed_arn": mapping(given.get("assumedRoleUser")).get("arn"),
        "issued_access_key": mapping(given.get("credentials")).get("accessKeyId"),
        "subject": given.get("subjectFromWebIdentityToken") or given.get("subject"),
        "error_code": event.get("errorCode"),
        "error_message": event.get("errorMessage"),
        "raw": _text(event),
    }
    read_only = event.get("readOnly")
    return {
        **{name: value if isinstance(value, str) and value else None for name, value in texts.items()},
        "is_read_only": read_only if isinstance(read_only, bool) else None,
    }


def _text(event: Mapping[str, Any]) -> str:
    try:
        return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:  # deeper than anything that AWS records; what is not nested is kept
        flat = {name: value for name, value in event.items() if not isinstance(value, dict | list)}
        return json.dumps(flat, ensure_ascii=False, separators=(",", ":"))


def _of_eks(asked: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    entry = mapping(given.get("accessEntry"))
    scope = mapping(asked.get("accessScope"))
    namespaces = ", ".join(map(str, items(scope.get("namespaces"))))
    return {
        "cluster": decoded(asked.get("name") or asked.get("clusterName") or mapping(given.get("cluster")).get("name")),
        # What stands in the path of a request is recorded percent-encoded.
        "entry_principal": decoded(asked.get("principalArn") or entry.get("principalArn")),
        "policy_arn": decoded(asked.get("policyArn")),
        "scope": f"{scope.get('type')}: {namespaces}" if namespaces else scope.get("type"),
    }


def decoded(value: object) -> str | None:
    """Text that may be percent-encoded; None for anything else."""
    return unquote(value) if isinstance(value, str) else None


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The value where it is a list; else an empty one."""
    return value if isinstance(value, list) else []
