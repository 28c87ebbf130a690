"""The proof: whatever the service does, the rows that are fetched are those of the log, or it is said that not."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eks_audit_nb.engine.store import Event
from eks_audit_nb.errors import EksAuditError
from eks_audit_nb.sources.base import Result
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.window import to_text

from fake_cloudwatch import (
    Behaviour,
    FakeCloudWatch,
    Fault,
    LogGroup,
    Occasions,
    delivered,
    mixed,
    pointed,
)
from pacers import hasty

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
HOUR = 3_600_000
PROD = "/aws/eks/prod/cluster"
START, END = to_text(T), to_text(T + HOUR - 1)
ROWS = "fields @timestamp, @message"
# Texts that mean all rows, or those with a 3 in their id.
TEXTS = (
    *(ROWS, f"{ROWS} | sort @timestamp asc", f"{ROWS} | sort auditID desc, @timestamp asc"),
    f'{ROWS} | filter auditID like "3"',
)


@pytest.fixture(scope="module")
def service() -> Iterator[FakeCloudWatch]:
    """The service, and boto3 pointed at it."""
    with pointed() as fake:
        yield fake


@pytest.fixture(scope="module")
def sources(service: FakeCloudWatch) -> Iterator[dict[int, CloudWatchSource]]:
    """The cluster as a source, by the most rows that it takes a query for."""
    opened = {rows: CloudWatchSource("prod", max_rows=rows, pacer=hasty(queries=3)) for rows in (4, 10, 100_000)}
    yield opened
    for source in opened.values():
        source.close()


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Up to 40 events: spread over the hour, in bursts, and many in one millisecond, from up to three streams."""
    seed = draw(st.integers(0, 2**32))
    dice = random.Random(seed)  # noqa: S311
    events = []
    for _ in range(draw(st.integers(0, 40))):
        kind = dice.random()
        place = dice.randrange(HOUR) if kind < 0.4 else 1_000_000 + dice.randrange(200) if kind < 0.8 else 1_000_100
        events.append((T + place, json.dumps({"auditID": f"id-{len(events)}"}), f"audit-{dice.randrange(3)}"))
    return delivered(sorted(events))


def fetched(source: CloudWatchSource, text: str = ROWS) -> Result | None:
    """The result, or None for an error of ours; anything else is not caught."""
    try:
        return source.run(text, START, END)
    except EksAuditError:
        return None


def check(result: Result | None, events: list[Event], text: str = ROWS) -> None:
    """The rows are those of the log, each once; or the result says that it is not whole, and none is made up."""
    if result is None:
        return
    expected = Counter(event.message for event in events if "filter" not in text or "3" in event.message)
    got = Counter(result.frame["@message"])
    assert not got - expected
    if result.complete:
        assert got == expected
        by, is_descending = ("@message", True) if "sort auditID" in text else ("@timestamp", "asc" not in text)
        values = list(result.frame[by].map(natural) if by == "@message" else result.frame[by])
        assert values == sorted(values, reverse=is_descending)


def natural(message: str) -> int:
    """The number in an event's id, by which the service sorts ids that begin alike."""
    return int(json.loads(message)["auditID"].removeprefix("id-"))


# What is tried again, so that the rows come all the same where it does not happen each time.
_CURED = {
    *(Fault.THROTTLE, Fault.LIMIT, Fault.UNAVAILABLE, Fault.HANG_UP, Fault.FORGET, Fault.CUT, Fault.PENDING),
    *(Fault.GHOST_ROWS, Fault.FAIL, Fault.LOSE_ROW, Fault.REPEAT_PAGE, Fault.REPEAT_TOKEN, Fault.REPLACE_PAGE),
    Fault.TIMEOUT,
}


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_each_misbehaviour(service: FakeCloudWatch, sources: dict[int, CloudWatchSource], fault: Fault) -> None:
    """Under each way to go wrong, seldom, often and always, no row is lost and none comes twice in silence."""
    spread = [(T + 60_000 * number + number % 3, f'{{"auditID":"id-{number}"}}', "audit") for number in range(30)]
    events = delivered(spread)
    for occasions in (Occasions(first=2), Occasions(every=5), Occasions(chance=0.5), Occasions(every=1)):
        service.become(LogGroup(PROD, events), behaviour=Behaviour(faults={fault: occasions}, page_size=3))
        result = fetched(sources[10])
        check(result, events)
        if fault in _CURED and occasions in (Occasions(first=2), Occasions(every=5)):
            assert result is not None
            assert result.complete


_QUICK = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_QUICK
@given(events=logs(), seed=st.integers(0, 2**32), rows=st.sampled_from([4, 10, 100_000]), text=st.sampled_from(TEXTS))
def test_all_misbehaviours_at_random(
    service: FakeCloudWatch, sources: dict[int, CloudWatchSource], events: list[Event], seed: int, rows: int, text: str
) -> None:
    """Under all of them at once no row is lost and none comes twice in silence."""
    service.become(LogGroup(PROD, events), behaviour=mixed(seed, events=len(events)))
    check(fetched(sources[rows], text), events, text)


@pytest.mark.deep
@settings(max_examples=10_000, derandomize=False, suppress_health_check=list(HealthCheck))
@given(events=logs(), seed=st.integers(0, 2**32), rows=st.sampled_from([4, 10, 100_000]), text=st.sampled_from(TEXTS))
def test_all_misbehaviours_often(
    service: FakeCloudWatch, sources: dict[int, CloudWatchSource], events: list[Event], seed: int, rows: int, text: str
) -> None:
    """The same, 10,000 times."""
    service.become(LogGroup(PROD, events), behaviour=mixed(seed, events=len(events)))
    check(fetched(sources[rows], text), events, text)
