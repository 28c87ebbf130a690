"""What a refusal by AWS means, in words that say what to do: the missing IAM action is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from eks_audit_nb.errors import SourceError

DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "NotAuthorizedException")
NOT_LOGGED_IN = (
    *("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"),
    *("InvalidAccessKeyId", "InvalidToken"),  # so S3
)
# How a profile gets the credentials of a role.
_ROLE_OPERATIONS = ("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetRoleCredentials")
THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "LimitExceededException", "SlowDown")


def account_of(session: Any) -> str:
    """What stands for the account of a boto3 session, so that nothing has to be asked: its access key or its profile.

    A role would be assumed only to tell its key, which is another one each time.

    Raises:
        BotoCoreError: The configuration cannot be read.
    """
    credentials = session.get_credentials()
    if credentials is None or isinstance(credentials, RefreshableCredentials):
        return str(session.profile_name)
    return str(credentials.access_key)


def not_set_up(failure: BotoCoreError) -> str:
    """What is said where boto3 cannot be set up, as with a profile that is not there."""
    text = str(failure).rstrip(" .")
    return about_credentials(failure) or f"boto3 cannot be set up: {text}. Check AWS_PROFILE and the files in ~/.aws."


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
    except (BotoCoreError, ClientError) as failure:
        if said := about_credentials(failure):
            raise error(said) from None
        if not isinstance(failure, ClientError):
            raise error(f"{action} on {target} could not be asked: {failure}") from None
        raise error(told(failure, _advice(code_of(failure), action, target))) from None


def about_credentials(failure: Exception) -> str:
    """What is said where there are no credentials to ask with; "" where that is not what failed."""
    if isinstance(failure, NoCredentialsError):
        return "There are no AWS credentials. Log in, or choose a profile with AWS_PROFILE."
    if isinstance(failure, SSOError | LoginError | TokenRetrievalError | CredentialRetrievalError):
        text = str(failure).rstrip(" .:")
        return f"The AWS credentials cannot be had: {text}. Log in again, or choose a profile with AWS_PROFILE."
    if isinstance(failure, ClientError) and failure.operation_name in _ROLE_OPERATIONS:
        advice = "Log in again, or choose another profile with AWS_PROFILE."
        if code_of(failure) in DENIED:
            advice = f"The caller needs sts:{failure.operation_name}, and the role has to trust the caller."
        return f"The role of the profile cannot be had: {told(failure, advice)}"
    return ""


def told(failure: ClientError, advice: str) -> str:
    """What AWS says, as sentences, with what to do about it behind."""
    message = str(failure.response["Error"].get("Message") or "it gives no reason").strip()
    return f"{code_of(failure)}: {message}{'' if message.endswith(('.', '!', '?')) else '.'} {advice}".strip()


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
