"""A bar for what takes longer than two seconds, where somebody watches it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_DELAY = 2.0


@contextmanager
def progress(total: int | None, label: str) -> Iterator[Callable[[int], object]]:
    """A bar on standard error, moved on by so many rows at each call; nothing is written where nobody watches.

    Args:
        total: How many rows there will be; None where that is not known.
        label: What is fetched.
    """
    if not is_watched():
        yield lambda _rows: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit=" rows", unit_scale=True, delay=_DELAY, leave=False) as bar:
        yield bar.update


def is_watched() -> bool:
    """Whether standard error is a terminal, or a notebook that is open in Jupyter.

    Jupyter Server sets JPY_SESSION_NAME for the kernels of open notebooks; papermill's kernels, whose output becomes a
    report, do not have it.
    """
    return sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ
