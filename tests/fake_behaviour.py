"""How the service in the tests behaves: its bounds and quotas, and each way in which it can go wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# Source: CloudWatch Logs User Guide, "CloudWatch Logs quotas" (2026); FilterLogEvents is 5 to 25 by region.
MAX_CONCURRENT = 100
RATES = {"StartQuery": 10, "GetQueryResults": 10, "FilterLogEvents": 5}
MAX_ROWS = 100_000


class Fault(StrEnum):
    """What can go wrong, each with what happens then."""

    THROTTLE = "the call is refused: ThrottlingException"
    LIMIT = "StartQuery is refused: LimitExceededException"
    UNAVAILABLE = "the call is refused: ServiceUnavailableException, status 503"
    HANG_UP = "the connection is closed, and the call never happened"
    FORGET = "the call happened, and the connection is closed before its answer"
    CUT = "the call happened, and the connection is closed in its answer, which boto3 takes for one without any field"
    PENDING = "the query is Scheduled, Unknown and Running for some calls"
    GHOST_ROWS = "while the query runs there are rows that its result does not have"
    FAIL = "the query ends as Failed, with some rows"
    TIMEOUT = "the query ends as Timeout, with some rows"
    CANCEL = "somebody else stops the query"
    SKIP = "events are skipped, and estimatedRecordsSkipped says so"
    WRONG_COUNT = "resultCount is one more than there are rows"
    LOSE_ROW = "a page comes without its last row"
    REPEAT_PAGE = "a page's token leads to the same page once more"
    REPEAT_TOKEN = "a page carries the token that it was asked with"
    REPLACE_PAGE = "the page before is served in a page's place, so that the count is right"
    EMPTY_PAGE = "a page has a token and no events, as FilterLogEvents is documented to do"


@dataclass(frozen=True)
class Occasions:
    """When a fault happens: at the first calls, at every n-th, by chance; `actions` says at which calls, "" for all."""

    first: int = 0
    every: int = 0
    chance: float = 0.0
    action: str = ""


@dataclass
class Behaviour:
    """How the service behaves."""

    statuses: list[str] = field(default_factory=list)  # of each query, reported before the final one
    final_status: str = "Complete"
    seconds: float = 0.0  # how long a query runs; with 0 it is running until its final status is told
    page_size: int = 10_000
    cap: int = MAX_ROWS
    skipped: int = 0  # said to be skipped, though nothing is
    lost_rows: int = 0  # rows that are counted and not delivered with the last page
    logging: list[dict[str, Any]] = field(default_factory=list)
    refusal: tuple[int, str, str] | None = None  # status, code, message of StartQuery
    forbidden: set[str] = field(default_factory=set)  # calls that the caller may not make
    concurrent_queries: int | None = None  # a query beyond them: LimitExceededException
    rates: Mapping[str, int] = field(default_factory=dict)  # calls a second by action: ThrottlingException beyond
    timeout_above: int | None = None  # a query that reads more events than this ends as Timeout
    timeout_windows: tuple[tuple[int, int], ...] = ()  # and so does one whose window, ms, meets one of these
    is_renaming: bool = False  # whether @ptr is another one in every query
    faults: Mapping[Fault, Occasions] = field(default_factory=dict)
    seed: int = 0  # of the faults that happen by chance
    _seen: Counter[Fault] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311

    def happens(self, fault: Fault, action: str = "") -> bool:
        """Whether the fault happens now; each question counts as one occasion."""
        when = self.faults.get(fault)
        if when is None or when.action not in ("", action):
            return False
        self._seen[fault] += 1
        number = self._seen[fault]
        is_turn = number <= when.first or bool(when.every and number % when.every == 0)
        return is_turn or self._random.random() < when.chance


def with_quotas(**changes: Any) -> Behaviour:
    """The service with AWS's quotas, for holding a client to them."""
    return Behaviour(**{"concurrent_queries": MAX_CONCURRENT, "rates": RATES, **changes})


def mixed(seed: int, *, events: int = 100, strength: float = 0.15) -> Behaviour:
    """All kinds of trouble at random, the same for the same seed: any faults, small caps, pages and quotas.

    Args:
        seed: What is drawn.
        events: About how many events the log has, so that the cap and the time-outs are met.
        strength: The highest chance of a fault; well below one half, a client that tries again gets through.
    """
    draw = random.Random(seed)  # noqa: S311
    chosen = draw.sample(list(Fault), draw.randint(0, len(Fault)))
    return Behaviour(
        page_size=draw.choice([1, 2, 3, 7, 10_000]),
        cap=draw.choice([1, 2, 5, max(1, events // 3), events, events + 1, MAX_ROWS]),
        concurrent_queries=draw.choice([None, None, 1, 3]),
        timeout_above=draw.choice([None, None, max(1, events // 4)]),
        is_renaming=draw.random() < 0.5,
        faults={fault: Occasions(chance=draw.uniform(0, strength)) for fault in chosen},
        seed=seed,
    )
