"""A bar for what takes longer than two seconds, where somebody watches it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_DELAY = 2.0


@contextmanager
def progress(total: int | None, label: str) -> Iterator[Any]:
    """A bar on standard error; `update(rows)` moves it on. Nothing is written where nobody watches.

    Args:
        total: How many rows there will be; None where that is not known.
        label: What is fetched.
    """
    from tqdm import tqdm

    with tqdm(
        total=total, desc=label, unit=" rows", unit_scale=True, delay=_DELAY, leave=False, disable=not is_watched()
    ) as bar:
        yield bar


def is_watched() -> bool:
    """Whether standard error is a terminal, or a notebook that is open in Jupyter.

    Jupyter Server sets JPY_SESSION_NAME for the kernels of open notebooks; papermill's kernels, whose output becomes a
    report, do not have it.
    """
    return sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ
