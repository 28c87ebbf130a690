"""The bytes of raw log files in pieces of whole lines, as fast as they can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from isal import igzip_lib, isal_zlib

from eks_audit_nb.case.blocks import BLOCK_BYTES

GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_GZIP_HEADER = 31  # zlib's window bits for gzip
_BLANKS = b" \t\r"


def unpacked(path: Path, on_damage: Callable[[], object]) -> Iterator[bytes]:
    """The bytes of a file, of a gzip file those it holds; where it is cut or damaged, those before that place.

    Raises:
        OSError: The file cannot be opened or read.
    """
    with path.open("rb", buffering=0) as file:
        first = file.read(BLOCK_BYTES)
        compressed = _rest(first, lambda: file.read(BLOCK_BYTES))
        yield from _gunzipped(compressed, on_damage) if first.startswith(GZIP_MAGIC) else compressed


def whole_lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Whole lines, each with its end, and how many; no blank line is among them."""
    waiting: list[bytes] = []
    is_first = True
    for read in pieces:
        piece = read.removeprefix(_BOM) if is_first else read
        is_first = False
        cut = piece.rfind(b"\n") + 1
        if not cut:
            waiting.append(piece)
            continue
        yield from _counted(b"".join([*waiting, piece[:cut]]))
        waiting = [piece[cut:]]
    if last := b"".join(waiting).strip(_BLANKS):
        yield from _counted(last + b"\n")


def _counted(data: bytes) -> Iterator[tuple[bytes, int]]:
    signs = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(signs == ord("\n"))
    begins = np.concatenate(([0], ends[:-1] + 1))
    if (signs[begins] <= ord(" ")).any():  # blank lines are rare, and databases do not count them
        lines = [line for each in data.split(b"\n") if (line := each.strip(_BLANKS))]
        if lines:
            yield b"\n".join(lines) + b"\n", len(lines)
    else:
        yield data, len(ends)


def _rest(first: bytes, read: Callable[[], bytes]) -> Iterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = read()


def _gunzipped(pieces: Iterable[bytes], on_damage: Callable[[], object]) -> Iterator[bytes]:
    """What gzip members, one behind the other, hold."""
    member = isal_zlib.decompressobj(wbits=_GZIP_HEADER)
    has_begun = False
    for piece in pieces:
        data = piece
        while data:
            try:
                found = member.decompress(data, BLOCK_BYTES)
            except igzip_lib.IsalError:  # type: ignore[misc]  # its stub calls it a type
                if has_begun or data.strip(b"\0"):  # members may be padded with zeros
                    on_damage()
                return
            has_begun = True
            if found:
                yield found
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member, has_begun = isal_zlib.decompressobj(wbits=_GZIP_HEADER), False
    if has_begun:
        on_damage()
