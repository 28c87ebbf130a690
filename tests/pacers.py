"""Patience of milliseconds, so that tests of waiting take no time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eks_audit_nb.sources.cloudwatch.pacing import Pacer, Patience

HASTY = Patience(first=0.001, longest=0.004, attempts=5, gives_up_after=0.2, requests_a_second=1_000_000)


def hasty(**changes: Any) -> Pacer:
    """A pacer that waits for milliseconds, with changes to that."""
    return Pacer(replace(HASTY, **changes))
