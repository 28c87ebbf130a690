"""Fields of events as columns: which columns there are, and where in an event each field can lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick

from eks_audit_nb.engine.fields import pointers

# Below it keys are anyone's, and hold dots themselves.
_OF_ANYONE = "/annotations/"
_ESCAPE = b"\\u00"
_SURROGATES = (b"\\ud", b"\\uD")


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
        """The same for events that have no key which joins names; see `Peculiar`."""
        kept = {name: tuple(each for each in found if not _joined(each)) for name, found in self.readings.items()}
        return Columns(self.by_field, kept)


def columns_of(fields: Iterable[str], prefix: str = "h") -> Columns:
    """A column for each field, with every reading of its name."""
    names = list(dict.fromkeys(fields))
    by_field = {name: f"{prefix}{number}" for number, name in enumerate(names)}
    return Columns(by_field, {name: pointers(name) for name in names})


@dataclass
class Peculiar:
    """What some lines can hold that events of the API server hardly ever do.

    A key that joins names, such as "user.username": without one a dotted name has few readings, and an event is taken
    apart in two thirds of the time. An escaped surrogate, half of which is no character.
    """

    has_joined_keys: bool = False
    has_surrogates: bool = False


class Peculiarities:
    """Looks for what is peculiar in lines."""

    def __init__(self, columns: Columns) -> None:
        self._before: dict[bytes, set[bytes]] = {}
        for pointer in columns.pointers:
            if key := _joined(pointer):
                first, second, *others = key.split(".")
                end = b"." if others else b'"'
                self._before.setdefault(b"." + second.encode() + end, set()).add(b'"' + first.encode())
        # They begin with one of two signs, which is what makes the search quick.
        self._search = BytesAhoCorasick([*self._before, _ESCAPE, *_SURROGATES])

    def add(self, lines: bytes, known: Peculiar) -> None:
        """Note what is in some lines beside what is known; a key that is written by its signs' numbers counts too."""
        if known.has_joined_keys and known.has_surrogates:
            return
        for _, start, end in self._search.find_matches_as_indexes(lines):
            found = lines[start:end]
            if found in _SURROGATES:
                known.has_surrogates = True
            elif found == _ESCAPE:
                # Controls and what is no ASCII are in no key; Go's encoder escapes < > & so.
                number = lines[end : end + 2]
                known.has_joined_keys |= number[:1] in b"234567" and number not in b"3c 3e 26"
            else:
                known.has_joined_keys |= any(lines[start - len(each) : start] == each for each in self._before[found])


def _joined(pointer: str) -> str:
    """The first key of a reading that joins names, "" where none does."""
    if pointer.startswith(_OF_ANYONE):
        return ""
    return next((key for key in pointer.split("/") if "." in key), "")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
