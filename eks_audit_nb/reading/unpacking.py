"""The lines of a file: unpacked where they are compressed, and as far as they can be had where the data is damaged."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, cast

from eks_audit_nb.reading.log_file import LogFile

_GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
# gzip, JSON, base64 of gzip, a time, or the header of a CSV from Logs Insights.
_LOG = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\x1f\x8b|[{\[]|H4sI|\d{4}-\d\d-\d\dT|[^\n]*@(?:timestamp|message)\b)")
# Firehose packs what the subscription has packed already; a file that unpacks to itself is not followed for ever.
_LEVELS = 3
_CHUNK = 8192


def begins_like_a_log(path: LogFile) -> bool:
    """Whether a file's first bytes are those of a log, in any of its forms."""
    try:
        with path.open("rb") as stream:
            return bool(_LOG.match(stream.read(_CHUNK)))
    except OSError:
        return True  # so that it is read, and the error names it


def unpacked_lines(path: LogFile, on_damage: Callable[[], object]) -> Iterator[str]:
    """The lines of a file that are not blank, without what is blank at their ends, and without a byte order mark.

    Args:
        path: The file, plain or compressed, under any name.
        on_damage: Called where compressed data is cut or damaged; what follows is missing then.

    Raises:
        OSError: The file cannot be opened or read.
    """
    with path.open("rb") as raw:
        stream = raw
        for _ in range(_LEVELS):
            if stream.peek(2)[:2] != _GZIP_MAGIC:
                break
            stream = io.BufferedReader(_Pieces(gunzipped(stream, on_damage)))
        for line in _split(_chunks(stream, on_damage)):
            text = line.rstrip()
            if text.lstrip().startswith(BOM):
                text = trimmed(text)
            if text:
                yield text.decode("utf-8", "replace")


def trimmed(line: bytes) -> bytes:
    """A line without what is blank at its ends, and without the byte order mark that a file put behind another has."""
    line = line.strip()
    while line.startswith(BOM):
        line = line.removeprefix(BOM).lstrip()
    return line


def gunzipped(stream: io.BufferedReader, on_damage: Callable[[], object]) -> Iterator[bytes]:
    """What gzip members hold, up to the place where they are damaged."""
    yield from _chunks(cast("io.BufferedReader", gzip.GzipFile(fileobj=stream)), on_damage)


def _chunks(stream: io.BufferedReader, on_damage: Callable[[], object]) -> Iterator[bytes]:
    """The bytes of a file as they can be had: what was unpacked before a damaged place is not lost."""
    while True:
        try:
            chunk = stream.read1(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            on_damage()  # the result will say so
            return
        if not chunk:
            return
        yield chunk


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    for chunk in chunks:
        head, *lines = chunk.split(b"\n")
        pieces.append(head)
        for line in lines:
            yield b"".join(pieces)
            pieces = [line]
    yield b"".join(pieces)


class _Pieces(io.RawIOBase):
    """A file of the bytes that an iterator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._rest or next(self._pieces, b"")
        size = min(len(piece), len(buffer))
        buffer[:size], self._rest = piece[:size], piece[size:]
        return size
