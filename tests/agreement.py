"""The engine and the oracle asked the same, and the one rule by which their answers agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from eks_audit_nb.engine.store import Event, EventStore
from eks_audit_nb.errors import QueryError
from eks_audit_nb.events import parse_event
from eks_audit_nb.insights import parse

from oracle import LOG, Answered, RawEvent, answer

_SHOWN = 10  # events in the message of a difference


def stored(events: Sequence[RawEvent], first_line: int = 0) -> Iterator[Event]:
    """Events as the engine holds them; their lines count from `first_line`."""
    for line, (ms, stream, text) in enumerate(events, first_line):
        yield Event(line, ms, ms, text, text if parse_event(text) else None, stream, LOG, f"{LOG}:{line}", "")


def engine_says(text: str, store: EventStore) -> Answered | QueryError:
    """The engine's rows, or its refusal."""
    try:
        found = store.ask(parse(text), None)
    except QueryError as error:
        return error
    names = tuple(column.name for column in found.columns)
    return Answered(names, list(zip(*(found.values[name] for name in names), strict=True)))


def oracle_says(text: str, events: Sequence[RawEvent], tables: Mapping[str, Path]) -> Answered | QueryError:
    """The oracle's rows, or its refusal."""
    try:
        return answer(text, events, tables)
    except QueryError as error:
        return error


def is_same(one: str | None, other: str | None) -> bool:
    """Whether two cells say the same: numbers may differ in their last digits."""
    if one == other or one is None or other is None:
        return one == other
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-12)
    except ValueError:
        return False


def assert_agree(text: str, events: Sequence[RawEvent], store: EventStore, tables: Mapping[str, Path]) -> int | None:
    """Both answer with the same rows in the same order, whose number is given, or both refuse."""
    engine, oracle = engine_says(text, store), oracle_says(text, events, tables)
    asked = f"{text}\n{events if len(events) <= _SHOWN else f'{len(events)} events'}"
    if isinstance(engine, QueryError) or isinstance(oracle, QueryError):
        assert isinstance(engine, QueryError), f"{asked}\nonly the oracle refuses: {oracle}"
        assert isinstance(oracle, QueryError), f"{asked}\nonly the engine refuses: {engine}"
        return None
    assert engine.columns == oracle.columns, asked
    rows = zip_longest(engine.rows, oracle.rows, fillvalue=())
    different = [(one, other) for one, other in rows if len(one) != len(other) or not all(map(is_same, one, other))]
    assert not different, f"{asked}\nengine and oracle: {different[0]}"
    return len(engine.rows)
