"""One bucket asked through boto3: what passes is tried again, what does not is said in words that help."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError

from eks_audit_nb.aws import THROTTLED, code_of, explained, not_set_up
from eks_audit_nb.errors import S3Error
from eks_audit_nb.sources.base import S3

# Pauses between tries that bring nothing, seconds; each is twice the one before it.
FIRST_PAUSE = 0.2
_PAUSES = 6
CONNECTIONS = 10
_CONNECT_SECONDS, _READ_SECONDS = 10, 30
_PASSING = (*THROTTLED, "RequestTimeout", "InternalError", "ServiceUnavailable")

T = TypeVar("T")


class OddAnswerError(Exception):
    """An answer that cannot be what the service sent: boto3 takes one whose connection was lost for an empty one."""


class StoppedError(Exception):
    """What was being done is not wanted any more."""


class Bucket:
    """One bucket. Its calls may be made from several threads at once."""

    def __init__(self, name: str, *, first_pause: float = FIRST_PAUSE) -> None:
        """Set up the client; nothing is asked yet.

        Args:
            name: The bucket's name, or the alias of an access point.
            first_pause: How long the first try again waits, seconds.

        Raises:
            S3Error: boto3 cannot be set up, as with a profile that is not there.
        """
        self.name = name
        self.stopping = threading.Event()
        self._pauses = [first_pause * 2**number for number in range(_PAUSES)]
        # The calls are tried again here and not by boto3, which cannot be stopped while it waits.
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=CONNECTIONS,
        )
        try:
            session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
            self.client: Any = session.client("s3", config=config)
        except BotoCoreError as error:
            raise S3Error(not_set_up(error)) from None

    def uri(self, key: str) -> str:
        """The whole name of an object, or of a prefix."""
        return f"{S3}{self.name}/{key}"

    def ask(self, call: Callable[[], T], action: str, key: str, progress: Callable[[], int] = lambda: 0) -> T:
        """Call until it is answered; a try that made progress counts for none.

        Args:
            call: What is called, again where the service or the connection failed for the moment.
            action: Its IAM action.
            key: The object or the prefix that it is about.
            progress: How far the calls have come.

        Raises:
            S3Error: What does not pass, or did not for all tries.
            StoppedError: `stopping` was set meanwhile.
        """
        failed, reached = 0, progress()
        while True:
            if self.stopping.is_set():
                raise StoppedError
            try:
                return call()
            except (BotoCoreError, ClientError, ResponseParserError, OddAnswerError) as failure:
                failed, reached = (failed + 1, reached) if progress() == reached else (1, progress())
                if failed > len(self._pauses) or not _is_passing(failure):
                    self._explain(failure, action, key)
                    raise
            self.stopping.wait(self._pauses[failed - 1])

    def _explain(self, failure: Exception, action: str, key: str) -> None:
        """Raise what a failure means."""
        uri = self.uri(key)
        if isinstance(failure, ClientError) and (meaning := _MEANINGS.get(code_of(failure))):
            raise S3Error(meaning.format(uri=uri, bucket=self.name, key=key)) from None
        is_throttled = isinstance(failure, ClientError) and code_of(failure) in THROTTLED
        if _is_passing(failure) and not (is_throttled or isinstance(failure, BotoCoreError)):
            raise S3Error(f"{action} on {uri} failed, again and again: {failure}") from None
        with explained(action, uri, S3Error):
            raise failure


_MEANINGS = {
    "NoSuchBucket": "There is no bucket {bucket!r}. `aws s3 ls` shows the buckets of your account.",
    "NoSuchKey": "{uri} was removed after it was listed. Collect again.",
    "PreconditionFailed": "{uri} was replaced while it was being read. Collect again.",
    "InvalidObjectState": (
        "{uri} is archived and cannot be read at once. Restore it, wait until it is there, and collect again: "
        "aws s3api restore-object --bucket {bucket} --key {key} --restore-request Days=7"
    ),
}


def _is_passing(failure: Exception) -> bool:
    """Whether what failed may go well when it is tried again."""
    if isinstance(failure, ClientError):
        status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or code_of(failure) in _PASSING
    lost = (HTTPClientError, IncompleteReadError, FlexibleChecksumError, ResponseParserError, OddAnswerError)
    return isinstance(failure, lost)
