"""Fields of events as columns: which columns there are, and where in an event each field can lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick

from eks_audit_nb.engine.fields import pointers

# Below it keys are anyone's, and hold dots themselves.
_OF_ANYONE = "/annotations/"
_ESCAPE = b"\\u00"


@dataclass(frozen=True)
class Columns:
    """Columns by the names of their fields, and the readings of each name that are tried."""

    by_field: Mapping[str, str]
    readings: Mapping[str, tuple[str, ...]]

    @property
    def pointers(self) -> list[str]:
        """All readings, each once: one list for one call, since each call parses the event again."""
        return list(dict.fromkeys(pointer for found in self.readings.values() for pointer in found))

    def sql(self, json: str, found: str, pointers: Sequence[str]) -> str:
        """The columns, each with the value that a query would see.

        Args:
            json: The event.
            found: A list with what lies in the event at each of the pointers.
            pointers: At least those of these columns.
        """
        made = []
        for name, column in self.by_field.items():
            places = ((pointers.index(pointer) + 1, pointer) for pointer in self.readings[name])
            values = [f"leaf({found}[{place}], {json}, '{_quoted(pointer)}')" for place, pointer in places]
            made.append(f"coalesce({', '.join(values)}) AS {column}")
        return ", ".join(made)

    def without_joined(self) -> Columns:
        """The same for events that have no key which joins names; see `JoinedKeys`."""
        kept = {name: tuple(each for each in found if not _joined(each)) for name, found in self.readings.items()}
        return Columns(self.by_field, kept)


def columns_of(fields: Iterable[str], prefix: str = "h") -> Columns:
    """A column for each field, with every reading of its name."""
    names = list(dict.fromkeys(fields))
    by_field = {name: f"{prefix}{number}" for number, name in enumerate(names)}
    return Columns(by_field, {name: pointers(name) for name in names})


class JoinedKeys:
    """Tells whether lines can hold a key such as "user.username", which the API server never writes.

    Without such a key, a dotted name has few readings, and an event is taken apart in two thirds of the time.
    """

    def __init__(self, columns: Columns) -> None:
        self._before: dict[bytes, set[bytes]] = {}
        for pointer in columns.pointers:
            if key := _joined(pointer):
                first, second, *others = key.split(".")
                end = b"." if others else b'"'
                self._before.setdefault(b"." + second.encode() + end, set()).add(b'"' + first.encode())
        # They begin with one of two signs, which is what makes the search quick.
        self._search = BytesAhoCorasick([*self._before, _ESCAPE])

    def can_be_in(self, lines: bytes) -> bool:
        """Whether one of the keys can be in there; a sign of a key that is written by its number counts as one."""
        return any(
            self._counts(lines, start, lines[start:end])
            for _, start, end in self._search.find_matches_as_indexes(lines)
        )

    def _counts(self, lines: bytes, start: int, found: bytes) -> bool:
        if found == _ESCAPE:
            # Controls and what is no ASCII are in no key; Go's encoder escapes < > & so.
            return lines[start + 4 : start + 5] in b"234567" and lines[start + 4 : start + 6] not in b"3c 3e 26"
        return any(lines[start - len(first) : start] == first for first in self._before[found])


def _joined(pointer: str) -> str:
    """The first key of a reading that joins names, "" where none does."""
    if pointer.startswith(_OF_ANYONE):
        return ""
    return next((key for key in pointer.split("/") if "." in key), "")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
