"""One call to CloudWatch Logs: paced, repeated while the service only asks for patience, explained when it refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.cloudwatch.pacing import Pacer, Rate, pause
from eks_audit_nb.sources.cloudwatch.refusals import unreachable

# Codes by which the service says that it was one request too many. Source: botocore's standard retry mode, and for the
# last one, one query too many, the errors of StartQuery in the API reference.
_TOO_FAST = {
    *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestThrottled"),
    *(
        "RequestThrottledException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "SlowDown",
        "PriorRequestNotComplete",
    ),
}
_TOO_MANY = "LimitExceededException"
_PASSING = {"InternalFailure", "InternalServerError", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable"}
_ANSWERS = {"StartQuery": "queryId", "GetQueryResults": "status"}


class Caller:
    """Calls for one client; threads may share it."""

    def __init__(self, client: Any, pacer: Pacer, explain: Callable[[Exception, str], Exception]) -> None:
        """Keep what is needed for calls.

        Args:
            client: The client of boto3; it repeats nothing by itself, so that refusals are seen here.
            pacer: Shared by all who ask this account.
            explain: Makes the error to be raised of one that boto3 raised, and the text of the query.
        """
        self._client = client
        self.pacer = pacer
        self._explain = explain

    def start(self, halt: threading.Event, **request: Any) -> str:
        """StartQuery; gives the query's id.

        A request whose answer was lost is sent again. The query that it may have started ends by itself.
        """
        operation = self._client.start_query
        return str(self._paced("StartQuery", operation, request, self.pacer.starts, halt)["queryId"])

    def read(self, halt: threading.Event, **request: Any) -> dict[str, Any]:
        """GetQueryResults; gives one page."""
        return self._paced("GetQueryResults", self._client.get_query_results, request, self.pacer.reads, halt)

    def stop(self, query_id: str) -> None:
        """StopQuery; one that has ended cannot be stopped, and what went wrong before must not be hidden by this."""
        for number in range(3):
            with suppress(BotoCoreError, ResponseParserError):
                try:
                    self._client.stop_query(queryId=query_id)
                except ClientError as error:
                    if not _is_patience_asked(error):
                        return
                else:
                    return
            time.sleep(self.pacer.patience.jittered(number))

    def _paced(
        self, name: str, operation: Callable[..., Any], request: dict[str, Any], rate: Rate, halt: threading.Event
    ) -> dict[str, Any]:
        patience = self.pacer.patience
        failures = refusals = 0
        refused_since = 0.0
        while True:
            rate.take(halt)
            try:
                with self.pacer.reading if name == "GetQueryResults" else nullcontext():
                    answer: dict[str, Any] = operation(**request)
                if _ANSWERS[name] not in answer:  # an answer that was cut off: botocore takes it for an empty one
                    raise ResponseParserError(f"{name} was answered without {_ANSWERS[name]}.")
            except ClientError as error:
                if not _is_patience_asked(error):
                    raise self._explain(error, str(request.get("queryString", ""))) from None
                if _is_passing(error):
                    failures += 1
                else:
                    refusals += 1
                    refused_since = refused_since or time.monotonic()
                    self._slow_down(error, rate)
                is_over = refused_since and time.monotonic() - refused_since > patience.gives_up_after
                if failures >= patience.attempts or is_over:
                    raise self._explain(error, "") from None
            except (HTTPClientError, ResponseParserError) as error:
                failures += 1
                if failures >= patience.attempts:
                    raise CloudWatchError(unreachable(error)) from None
            except BotoCoreError as error:
                raise self._explain(error, "") from None
            else:
                rate.was_answered()
                return answer
            pause(patience.jittered(failures + refusals - 1), halt)

    def _slow_down(self, error: ClientError, rate: Rate) -> None:
        if _code(error) == _TOO_MANY:
            self.pacer.slots.was_refused()
        else:
            rate.was_refused()


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _is_passing(error: ClientError) -> bool:
    """Whether the service had a trouble of its own."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return _code(error) not in _TOO_FAST and (status >= 500 or _code(error) in _PASSING)


def _is_patience_asked(error: ClientError) -> bool:
    return _is_passing(error) or _code(error) in _TOO_FAST or _code(error) == _TOO_MANY
