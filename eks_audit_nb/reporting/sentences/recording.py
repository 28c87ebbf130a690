"""The answer of notebook 00: is it recorded, and what is there."""

from __future__ import annotations

import pandas as pd


def setup(state: str, levels: pd.DataFrame) -> str:
    """What the source is, and how much it holds; `levels` is the result of the query `recording_levels`."""
    if levels.empty:
        return f"{state} No audit event lies in this window."
    first, last = levels["first_seen"].min(), levels["last_seen"].max()
    return (
        f"{state} The window holds {int(levels['events'].sum()):,} audit events, from {first:%Y-%m-%d %H:%M:%S} to "
        f"{last:%Y-%m-%d %H:%M:%S} UTC."
    )
