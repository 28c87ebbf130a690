"""What sentences are made of."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def count(number: int, one: str, many: str = "") -> str:
    """Such as "1 request" and "2 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def by(requests: pd.DataFrame, column: str = "username") -> str:
    """Who it was, the most frequent first, in parentheses; "" for no row."""
    return f" ({listed(_by_frequency(requests, column))})" if len(requests) else ""


def a(name: str) -> str:
    """Such as "a username" and "an OIDC user"."""
    return f"an {name}" if name.startswith((*"aeioAEIO", "un")) else f"a {name}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _by_frequency(requests: pd.DataFrame, column: str) -> list[str]:
    return [str(name) for name in requests[column].fillna(f"no {column}").value_counts().index]
