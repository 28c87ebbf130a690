"""The bytes of raw log files in pieces of whole lines, as fast as they can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from isal import igzip_lib, isal_zlib

from eks_audit_nb.reading.log_file import LogFile
from eks_audit_nb.reading.unpacking import BOM, gunzipped, trimmed

# What is read or unpacked at one time, and so the size of a block of a case: larger ones are smaller on disk, smaller
# ones quicker to take a line from, and 128 kB is at the knee.
BLOCK_BYTES = 128 * 1024
GZIP_MAGIC = b"\x1f\x8b"
_GZIP_HEADER = 31  # zlib's window bits for gzip


def unpacked(path: LogFile, on_damage: Callable[[], object], at_once: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The bytes of a file, of a gzip file those it holds; where it is cut or damaged, those before that place.

    Args:
        path: The file.
        on_damage: Called where compressed data is cut or damaged.
        at_once: How many bytes are unpacked at one time, and so the most that a piece has.

    Raises:
        OSError: The file cannot be opened or read.
    """
    with path.open("rb", buffering=0) as file:
        first = file.read(BLOCK_BYTES)
        pieces = _rest(first, lambda: file.read(BLOCK_BYTES))
        if not first.startswith(GZIP_MAGIC):
            yield from pieces
            return
        size = 0
        try:
            for found in _gunzipped(pieces, at_once):
                size += len(found)
                yield found
        except (igzip_lib.IsalError, EOFError):  # type: ignore[misc]  # its stub calls it a type
            is_damaged = True
        else:
            is_damaged = False
    if not is_damaged:
        return
    # isal keeps what stands before a damaged place to itself, and gzip gives it, and says what is wrong.
    with path.open("rb") as stream:
        yield from _behind(size, gunzipped(stream, on_damage))


def whole_lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Whole lines, each with its end, and how many; no blank line is among them, and no byte order mark before one."""
    waiting: list[bytes] = []
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if not cut:
            waiting.append(piece)
            continue
        yield from _counted(b"".join([*waiting, piece[:cut]]))
        waiting = [piece[cut:]]
    if last := trimmed(b"".join(waiting)):
        yield last + b"\n", 1


def _counted(data: bytes) -> Iterator[tuple[bytes, int]]:
    signs = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(signs == ord("\n"))
    begins = signs[np.concatenate(([0], ends[:-1] + 1))]
    if ((begins <= ord(" ")) | (begins == BOM[0])).any():  # both are rare, and databases skip them
        lines = [line for each in data.split(b"\n") if (line := trimmed(each))]
        if lines:
            yield b"\n".join(lines) + b"\n", len(lines)
    else:
        yield data, len(ends)


def _rest(first: bytes, read: Callable[[], bytes]) -> Iterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = read()


def _behind(size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What comes after so many bytes."""
    for piece in pieces:
        if size < len(piece):
            yield piece[size:]
        size = max(0, size - len(piece))


def _gunzipped(pieces: Iterable[bytes], at_once: int) -> Iterator[bytes]:
    """What gzip members, one behind the other, hold.

    Raises:
        EOFError: The last one has no end.
        IsalError: One is damaged.
    """
    member = isal_zlib.decompressobj(wbits=_GZIP_HEADER)
    has_begun = False
    for piece in pieces:
        data = piece
        while data:
            found = member.decompress(data, at_once)
            has_begun = True
            if found:
                yield found
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member, has_begun = isal_zlib.decompressobj(wbits=_GZIP_HEADER), False
    if has_begun:
        raise EOFError
