"""What a refusal by AWS means, in words that say what to do: the missing IAM action is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from eks_audit_nb.errors import SourceError

DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "NotAuthorizedException")
NOT_LOGGED_IN = (
    *("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"),
    *("InvalidAccessKeyId", "InvalidToken"),  # so S3
)
THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "LimitExceededException", "SlowDown")


@contextmanager
def explained(action: str, target: str, error: type[SourceError]) -> Iterator[None]:
    """Turn what boto3 raises into an error of ours.

    Args:
        action: The IAM action of the call, such as "eks:DescribeCluster".
        target: What it is asked about, for people.
        error: The class to raise.
    """
    try:
        yield
    except NoCredentialsError:
        raise error("There are no AWS credentials. Log in, or choose a profile with AWS_PROFILE.") from None
    except BotoCoreError as failure:
        raise error(f"{action} on {target} could not be asked: {failure}") from None
    except ClientError as failure:
        code, message = code_of(failure), failure.response["Error"].get("Message", "")
        raise error(f"{code}: {message} {_advice(code, action, target)}".strip()) from None


def code_of(failure: ClientError) -> str:
    """AWS's name for what went wrong."""
    return str(failure.response["Error"].get("Code", ""))


def _advice(code: str, action: str, target: str) -> str:
    if code in DENIED:
        return f"The caller needs {action} on {target}."
    if code in NOT_LOGGED_IN:
        return "The AWS credentials are no longer valid. Log in again."
    if code in THROTTLED:
        return "The account's request rate is used up; try again in a minute."
    return ""
