"""How fast the service is asked: what an account may do is shared by all threads, and a refusal makes everyone slower.

Quotas of an account and region (CloudWatch Logs User Guide, "CloudWatch Logs quotas", 2026): 10 StartQuery and 10
GetQueryResults a second, 100 queries at once, dashboards and scheduled queries among them. They cannot be raised. Other
processes ask too and are not seen from here, so that what is allowed is found out by being refused.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class HaltedError(Exception):
    """The run was ended while a thread of it waited; its own error is told elsewhere."""


@dataclass(frozen=True)
class Patience:
    """How long things take, in seconds, and how often they are tried.

    Attributes:
        first: The pause before the second look at a running query; short queries answer soon ...
        longest: ... and long ones are not pestered.
        growth: How much longer each pause is than the one before.
        attempts: How often a request without an answer is sent, and a query that failed is started.
        gives_up_after: How long in a row a request may be refused for being one too many.
        waits_at_most: For one query; the service itself ends it after 60 minutes, those in its queue not counted.
        requests_a_second: Of each kind.
        queries: How many run at once, at most.
    """

    first: float = 0.2
    longest: float = 5.0
    growth: float = 1.5
    attempts: int = 5
    gives_up_after: float = 600.0
    waits_at_most: float = 7200.0
    requests_a_second: int = 10
    queries: int = 8

    def pause(self, number: int) -> float:
        """The pause behind the attempt of that number, from 0 on."""
        return float(min(self.first * self.growth ** min(number, 50), self.longest))

    def jittered(self, number: int) -> float:
        """The same, up to half shorter, so that those who were refused together do not come back together."""
        return self.pause(number) * random.uniform(0.5, 1)  # noqa: S311  # no secret


def pause(seconds: float, halt: threading.Event) -> None:
    """Wait, unless the run is ended.

    Raises:
        HaltedError: It was.
    """
    if halt.wait(seconds) if seconds > 0 else halt.is_set():
        raise HaltedError


class Rate:
    """At most so many requests in any second, and fewer for a while after a refusal."""

    _SLOWER, _FASTER, _SLOWEST = 1.5, 0.97, 20.0

    def __init__(self, a_second: int) -> None:
        """Start at full speed."""
        self._period = 1.0
        self._sent: deque[float] = deque(maxlen=a_second)
        self._lock = threading.Lock()

    @property
    def period(self) -> float:
        """In how many seconds the number of a second may be sent now."""
        return self._period

    def take(self, halt: threading.Event) -> None:
        """Wait for one's turn."""
        with self._lock:
            now = time.monotonic()
            is_full = len(self._sent) == self._sent.maxlen
            turn = max(now, self._sent[0] + self._period) if is_full else now
            self._sent.append(turn)
        pause(turn - now, halt)

    def was_refused(self) -> None:
        """Go slower."""
        with self._lock:
            self._period = min(self._period * self._SLOWER, self._SLOWEST)

    def was_answered(self) -> None:
        """Go a little faster again."""
        with self._lock:
            self._period = max(self._period * self._FASTER, 1.0)


class Slots:
    """At most so many queries at once, and fewer for a while after a refusal."""

    def __init__(self, most: int) -> None:
        """Start with all of them free."""
        self._most = self._limit = most
        self._taken = self._answered = 0
        self._free = threading.Condition()

    @property
    def limit(self) -> int:
        """How many queries may run now."""
        return self._limit

    @contextmanager
    def held(self, halt: threading.Event) -> Iterator[None]:
        """Hold one while a query runs."""
        with self._free:
            while self._taken >= self._limit:
                if halt.is_set():
                    raise HaltedError
                self._free.wait(0.1)
            self._taken += 1
        try:
            yield
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify()

    def was_refused(self) -> None:
        """Run half as many: the account's other queries need the rest."""
        with self._free:
            self._limit, self._answered = max(1, min(self._limit, self._taken) // 2), 0

    def was_answered(self) -> None:
        """Run one more when as many have ended well as may run."""
        with self._free:
            self._answered += 1
            if self._answered >= self._limit < self._most:
                self._limit, self._answered = self._limit + 1, 0
                self._free.notify()


class Pacer:
    """What all threads that ask one account in one region share."""

    def __init__(self, patience: Patience | None = None) -> None:
        """Start at full speed."""
        self.patience = patience or Patience()
        self.starts = Rate(self.patience.requests_a_second)
        self.reads = Rate(self.patience.requests_a_second)
        self.slots = Slots(self.patience.queries)
        # A page is up to 10,000 rows, tens of megabytes while boto3 takes it apart, which it does one at a time.
        self.reading = threading.BoundedSemaphore(2)


_pacers: dict[tuple[str, ...], Pacer] = {}
_lock = threading.Lock()


def shared(*account: str) -> Pacer:
    """The pacer of this process for an account and region, as far as they can be told: endpoint, and key or profile."""
    with _lock:
        return _pacers.setdefault(account, Pacer())
