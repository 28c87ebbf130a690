"""The name that was probably meant by one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# How alike two names are: so much to be offered in an error, which is right to be refused in any case ...
LIKELY = 0.6
# ... and so much where something is said or done because of the likeness alone.
SURE = 0.75


def nearest(name: str, known: Iterable[str], likeness: float = LIKELY) -> str:
    """The known name that is nearest, whatever the case of its letters; "" where none is near."""
    by_lower_case = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, 1, cutoff=likeness)
    return by_lower_case[near[0]] if near else ""
