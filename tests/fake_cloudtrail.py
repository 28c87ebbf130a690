"""CloudTrail's LookupEvents on loopback for real boto3 clients: pages of 50, two requests a second, 90 days.

Source of the shapes and limits: the API model that botocore ships, and the CloudTrail API Reference.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from loopback import Request, aws_error, serve_json

Reply = tuple[int, dict[str, Any]]
POLICY = "arn:aws:eks::aws:cluster-access-policy"


@dataclass
class FakeCloudTrail:
    """The events of one account and region, and what was asked.

    Attributes:
        events: As CloudTrail records them.
        requests_per_second: The quota; more is throttled.
        is_forbidden: Whether the caller may not ask.
        is_repeating: Whether a page leads to itself.
        now: What the 90 days are counted back from.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    requests_per_second: float = 2.0
    is_forbidden: bool = False
    is_repeating: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    requests: list[dict[str, Any]] = field(default_factory=list)
    throttled: int = 0
    _times: list[float] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        """The status and the body for one call."""
        if request.action != "LookupEvents":
            return aws_error(400, "UnknownOperationException", request.action)
        if self.is_forbidden:
            message = "User: alice is not authorized to perform: cloudtrail:LookupEvents"
            return aws_error(400, "AccessDeniedException", message)
        now = time.monotonic()
        self._times = [*(each for each in self._times if each > now - 1), now]
        if len(self._times) > self.requests_per_second + 1:  # a request may be late on its way
            self.throttled += 1
            return aws_error(400, "ThrottlingException", "Rate exceeded")
        self.requests.append(request.body)
        return self._looked_up(request.body)

    def _looked_up(self, asked: dict[str, Any]) -> Reply:
        conditions = asked.get("LookupAttributes", [])
        if len(conditions) > 1:
            return aws_error(400, "InvalidLookupAttributesException", "Only one attribute can be looked up at a time")
        size = asked.get("MaxResults", 50)
        if not 1 <= size <= 50:
            return aws_error(400, "InvalidMaxResultsException", "Max results must be between 1 and 50")
        found = [event for event in self.events if self._fits(event, conditions, asked)]
        found.sort(key=lambda event: str(event["eventTime"]), reverse=True)
        begin = int(asked.get("NextToken", 0))
        body: dict[str, Any] = {"Events": [as_looked_up(event) for event in found[begin : begin + size]]}
        if begin + size < len(found):
            body["NextToken"] = str(begin if self.is_repeating and begin else begin + size)
        return 200, body

    def _fits(self, event: dict[str, Any], conditions: list[dict[str, str]], asked: dict[str, Any]) -> bool:
        moment = datetime.fromisoformat(event["eventTime"])
        if moment < self.now - timedelta(days=90):
            return False
        if not asked.get("StartTime", 0) <= moment.timestamp() <= asked.get("EndTime", 1e12):
            return False
        keys = {"EventName": "eventName", "EventSource": "eventSource", "EventId": "eventID"}
        return all(event[keys[each["AttributeKey"]]] == each["AttributeValue"] for each in conditions)


def as_looked_up(event: dict[str, Any]) -> dict[str, Any]:
    """An event as LookupEvents gives it."""
    return {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "EventSource": event["eventSource"],
        "EventTime": datetime.fromisoformat(event["eventTime"]).timestamp(),
        "ReadOnly": str(event.get("readOnly", False)).lower(),
        "AccessKeyId": event["userIdentity"].get("accessKeyId"),
        "Username": "alice",
        "Resources": [],
        "CloudTrailEvent": json.dumps(event),
    }


def cloudtrail_event(name: str, moment: str | datetime, asked: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """A plausible event of EKS, made in a session of the role Admin; a value of None takes the key out."""
    text = moment if isinstance(moment, str) else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:alice",
            "arn": "arn:aws:sts::111122223333:assumed-role/Admin/alice",
            "accountId": "111122223333",
            "accessKeyId": "ASIAALICE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": "arn:aws:iam::111122223333:role/Admin",
                    "accountId": "111122223333",
                    "userName": "Admin",
                },
                "attributes": {"creationDate": text, "mfaAuthenticated": "true"},
            },
        },
        "eventTime": text,
        "eventSource": "eks.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.21",
        "userAgent": "aws-cli/2.30",
        "requestParameters": asked,
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    event.update(changes)
    return {key: value for key, value in event.items() if value is not None or key in ("requestParameters",)}


def assume_role_event(moment: str, key: str, **changes: Any) -> dict[str, Any]:
    """AssumeRole by the IAM user bob, which issued a session with this access key."""
    event = cloudtrail_event(
        "AssumeRole",
        moment,
        {
            "roleArn": "arn:aws:iam::111122223333:role/Admin",
            "roleSessionName": "bob@example.com",
            "sourceIdentity": "bob",
        },
        eventSource="sts.amazonaws.com",
        userIdentity={
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/bob",
            "accountId": "111122223333",
            "accessKeyId": "AKIABOB",
            "userName": "bob",
        },
        responseElements={
            "credentials": {"accessKeyId": key, "sessionToken": "x", "expiration": "Nov 24, 2026, 11:00:00 PM"},
            "assumedRoleUser": {
                "assumedRoleId": "AROAEXAMPLE:bob@example.com",
                "arn": "arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com",
            },
            "sourceIdentity": "bob",
        },
        readOnly=True,
    )
    return {**event, **changes}


@contextmanager
def serve(service: FakeCloudTrail) -> Iterator[str]:
    """Run the server; gives its address."""
    with serve_json(service.answer) as address:
        yield address
