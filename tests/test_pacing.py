"""Pacing: quotas are kept by all threads together, refusals make everyone slower, and waiting can be ended."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from eks_audit_nb.sources.cloudwatch.pacing import HaltedError, Pacer, Patience, Rate, Slots, pause, shared


def test_no_more_than_the_quota_in_any_second() -> None:
    """However many threads ask, no stretch of a period holds more turns than its quota."""
    rate, halt = Rate(5), threading.Event()
    rate._period = 0.1
    taken: list[float] = []

    def take() -> None:
        rate.take(halt)
        taken.append(time.monotonic())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(23):
            pool.submit(take)
    taken.sort()
    assert len(taken) == 23
    assert taken[-1] - taken[0] >= 0.39
    # A thread that wakes late is late itself; the turns that it was given were right.
    assert all(later - earlier > 0.06 for earlier, later in zip(taken, taken[5:], strict=False))


def test_the_first_second_is_not_waited_for() -> None:
    """As many requests as a second allows go at once."""
    rate, began = Rate(10), time.monotonic()
    for _ in range(10):
        rate.take(threading.Event())
    assert time.monotonic() - began < 0.5


def test_a_refusal_slows_down_and_answers_speed_up() -> None:
    """After refusals fewer go, never none, and after answers as many as before."""
    rate = Rate(10)
    for _ in range(100):
        rate.was_refused()
    assert rate.period == 20
    for _ in range(200):
        rate.was_answered()
    assert rate.period == 1


def test_slots() -> None:
    """No more queries run at once than there are slots, and all get their turn."""
    slots, halt, lock = Slots(3), threading.Event(), threading.Lock()
    running, most = 0, 0

    def hold() -> None:
        nonlocal running, most
        with slots.held(halt):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.002)
            with lock:
                running -= 1

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(hold) for _ in range(20)]
    assert not [future.exception() for future in futures if future.exception()]
    assert most == 3


def test_slots_shrink_and_grow() -> None:
    """When the account runs too many queries half as many run here, at least one, and later all again."""
    slots, halt = Slots(8), threading.Event()
    with slots.held(halt), slots.held(halt), slots.held(halt), slots.held(halt):
        slots.was_refused()
        assert slots.limit == 2
    for _ in range(5):
        slots.was_refused()
    assert slots.limit == 1
    for _ in range(100):
        slots.was_answered()
    assert slots.limit == 8


def test_waiting_ends_with_the_run() -> None:
    """A thread that waits for its turn, for a slot or for a query leaves as soon as the run is ended."""
    halt, slots, rate = threading.Event(), Slots(1), Rate(1)
    rate.take(halt)

    def wait_for_a_slot() -> None:
        with slots.held(halt):
            pass

    with slots.held(threading.Event()), ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(wait_for_a_slot), pool.submit(rate.take, halt), pool.submit(pause, 60, halt)]
        time.sleep(0.02)
        halt.set()
        assert all(isinstance(future.exception(timeout=5), HaltedError) for future in waiting)
    with pytest.raises(HaltedError):
        pause(0, halt)


def test_pauses() -> None:
    """Pauses grow to the longest, and those behind a refusal differ."""
    patience = Patience()
    assert [patience.pause(number) for number in (0, 1, 2, 8, 10_000)] == pytest.approx([0.2, 0.3, 0.45, 5.0, 5.0])
    several = {patience.jittered(3) for _ in range(20)}
    assert len(several) > 1
    assert all(patience.pause(3) / 2 <= each <= patience.pause(3) for each in several)


def test_one_pacer_an_account() -> None:
    """All sources of one account and region share a pacer, below AWS's quotas; another account has its own."""
    one = shared("https://logs.eu-west-1.amazonaws.com", "AKIA1")
    assert one is shared("https://logs.eu-west-1.amazonaws.com", "AKIA1")
    assert one is not shared("https://logs.us-east-1.amazonaws.com", "AKIA1")
    assert (one.patience.requests_a_second, one.patience.queries) == (10, 8)
    assert isinstance(one, Pacer)
