"""What a refusal by AWS means here, and what to do about it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eks_audit_nb.aws import DENIED, NOT_LOGGED_IN, about_credentials, told
from eks_audit_nb.errors import CloudWatchError, EksAuditError, QueryError, SourceError
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.sources.cloudwatch.log_groups import LogGroups
from eks_audit_nb.window import to_text

_ACTION = re.compile(r"perform: ?(?P<action>[\w-]+:\w+)")
# How a refusal of a window before the log group's creation begins, as AWS's own "large query" example looks for it.
_BEFORE_CREATION = "Query's end date and time"
# Source: IAM User Guide, "Troubleshoot access denied error messages".
_EXPLICIT_DENY = "with an explicit deny"
_PREFIX = "/aws/eks/"
# How many log groups are looked through for a name that is near: pages of 50.
_PAGES = 10


def explained(error: Exception, text: str, groups: LogGroups, session: Any, logs: Any) -> EksAuditError:
    """The error to raise for one of boto3's.

    Args:
        error: A ClientError or another error of botocore.
        text: The query, where the call was StartQuery.
        groups: What was asked.
        session: For what else has to be asked to say what is wrong.
        logs: The client that was refused.
    """
    if said := about_credentials(error):
        return CloudWatchError(said)
    if not isinstance(error, ClientError):
        return CloudWatchError(unreachable(error))
    code, message = str(error.response["Error"]["Code"]), error.response["Error"].get("Message", "")
    if code == "MalformedQueryException" and message.startswith(_BEFORE_CREATION):
        return CloudWatchError(told(error, _creation(groups, logs)))
    if code == "MalformedQueryException" and text:
        details: dict[str, Any] = dict(error.response)
        location = details.get("queryCompileError", {}).get("location", {})
        start = int(location.get("startCharOffset", 0))
        end = int(location.get("endCharOffset", start + 1))
        return QueryError(f"CloudWatch refuses the query: {message}", text, start, end)
    if code == "ResourceNotFoundException":
        advice = _missing(groups, session, logs) if error.operation_name == "StartQuery" else ""
    elif code in DENIED:
        action = missing_action(message, error.operation_name)
        advice = f"The caller's IAM policy lacks {action}. {_POLICY}"
        if _EXPLICIT_DENY in message:
            advice = f"A policy denies {action} whatever others allow; whoever wrote it has to lift that."
    elif code in NOT_LOGGED_IN:
        advice = "The credentials are not valid any more. Log in again, or choose a profile with AWS_PROFILE."
    else:
        advice = {
            "LimitExceededException": "Too many queries run in this account; try again when some have ended.",
            "ServiceUnavailableException": "The trouble is the service's own; try again in a minute.",
            "ThrottlingException": "The account's request rate is used up; try again in a minute.",
        }.get(code, "")
    return CloudWatchError(told(error, advice))


def unreachable(error: Exception) -> str:
    """What is said where no answer came."""
    return f"AWS cannot be reached: {str(error).rstrip('.')}. Check the network and the region, and run it again."


_POLICY = "The README has the least policy for reading."


def missing_action(message: str, operation: str, service: str = "logs") -> str:
    """The IAM action that was refused: AWS's message names it, or the call does."""
    found = _ACTION.search(message)
    return found["action"] if found else f"{service}:{operation}"


def _missing(groups: LogGroups, session: Any, logs: Any) -> str:
    """Which log group is not there, the ones with the nearest names, and whether audit logging is on at all."""
    names = _known_groups(logs)
    missing = [name for name in groups.names if name not in names] if names else list(groups.names)
    named = ", ".join(missing or groups.names)
    which = f"There is no log group {named} in this account and region, or control plane logging was never on."
    said = [which, "Check the cluster's name, AWS_REGION and AWS_PROFILE."]
    near = list(dict.fromkeys(filter(None, (nearest(name, names) for name in missing))))
    if near:
        said.append(f"Did you mean {', '.join(near)}?")
    elif names:
        said.append(f"There are: {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}.")
    return " ".join([*said, *logging_of(groups, session)])


def _known_groups(logs: Any) -> list[str]:
    """The log groups of EKS clusters that the caller may see; none where it may not look."""
    names: list[str] = []
    request: dict[str, Any] = {"logGroupNamePrefix": _PREFIX}
    with suppress(ClientError, BotoCoreError):
        for _ in range(_PAGES):
            page = logs.describe_log_groups(**request)
            names += [str(group["logGroupName"]) for group in page.get("logGroups", [])]
            if not page.get("nextToken"):
                break
            request["nextToken"] = page["nextToken"]
    return names


def logging_of(groups: LogGroups, session: Any) -> list[str]:
    """A sentence for each cluster whose audit logging is off; nothing where it is on, or cannot be asked."""
    from eks_audit_nb.cluster import logging_status

    said = []
    for cluster in groups.clusters:
        with suppress(SourceError):
            status = logging_status(session, cluster)
            if not status.is_audit_on:
                said.append(str(status))
    return said


def _creation(groups: LogGroups, logs: Any) -> str:
    created: list[int] = []
    with suppress(ClientError, BotoCoreError):
        for name in groups.names:
            page = logs.describe_log_groups(logGroupNamePrefix=name)
            created += [int(each["creationTime"]) for each in page.get("logGroups", []) if each["logGroupName"] == name]
    when = f"It was created at {to_text(min(created))} UTC. " if created else ""
    return f"The window lies before the log group's creation. {when}Ask for a later window."
