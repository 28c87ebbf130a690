"""What a reader needs of a file: its bytes and its names. A path has them, and so has an object that lies elsewhere."""

from __future__ import annotations

from io import BufferedReader, FileIO
from pathlib import PurePath
from typing import Literal, Protocol, overload


class LogFile(Protocol):
    """A log's bytes under a name; `str` of it is the whole name, which events have as their log."""

    @property
    def name(self) -> str:
        """The last part of its name."""

    @property
    def parent(self) -> PurePath:
        """The folder that its name has it in."""

    @overload
    def open(self, mode: Literal["rb"], buffering: Literal[0]) -> FileIO: ...

    @overload
    def open(self, mode: Literal["rb"]) -> BufferedReader: ...

    def __str__(self) -> str: ...

    def __hash__(self) -> int: ...
