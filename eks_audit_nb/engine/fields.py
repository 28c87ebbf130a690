"""Where a dotted name can lie in an event.

Keys of audit events hold dots and slashes themselves, so `annotations.authorization.k8s.io/decision` has several
readings: one key "annotations" over one key "authorization.k8s.io/decision", or four nested keys, and those between.
"""

from __future__ import annotations

# Every reading is tried; one name with n dots has 2**n of them.
MAX_DOTS = 9


def pointers(name: str) -> tuple[str, ...]:
    """The JSON pointers (RFC 6901) of all readings of a name, the most nested one first.

    A part that is a number reads as an array's index or as a key, whichever is there.
    """
    parts = name.split(".")
    readings: list[list[str]] = [[parts[0]]]
    for part in parts[1:]:
        nested = [[*reading, part] for reading in readings]
        joined = [[*reading[:-1], f"{reading[-1]}.{part}"] for reading in readings]
        readings = nested + joined
    readings.sort(key=len, reverse=True)
    return tuple("/" + "/".join(_escape(key) for key in reading) for reading in readings)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
