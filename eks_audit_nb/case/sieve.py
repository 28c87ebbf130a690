"""A log's lines sieved for texts before any is taken apart; of a large file a second process sieves a half.

A line is passed over only where it is, by its beginning and its end, an event as the API server writes it, was not cut,
lacks what every event that counts must hold, and writes no sign in a roundabout way.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from ahocorasick_rs import BytesAhoCorasick

from eks_audit_nb.engine.rows import TRUNCATED
from eks_audit_nb.reading.pieces import GZIP_MAGIC, unpacked

Literals = Sequence[Sequence[str]]

_BLOCK_BYTES = 1024 * 1024
# Below this a second process is not worth its start, for which it gets a smaller part.
_SHARED_BYTES, _OWN_SHARE = 200_000_000, 0.53
_PIECES_AHEAD = 4
_BEGINNING = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"'
_AUDIT_ID = np.frombuffer(b'","auditID":"', dtype=np.uint8)
# Where the auditID begins, by the audit level before it, the most frequent first.
_LEVELS = ("Metadata", "RequestResponse", "Request")
_WITHIN = [len(_BEGINNING) + len(level) + np.arange(len(_AUDIT_ID)) for level in _LEVELS]
_BLANKS = b" \t\r\n"
_SLASH, _NUMBER = b"\\/", b"\\u"
# What Go's encoder escapes by number: < > &
_BY_NUMBER = (b"u003c", b"u003e", b"u0026")


class DamagedError(Exception):
    """Compressed data that is cut or damaged."""


@dataclass
class Sieved:
    """What was met: lines and their bytes without the ends; of the kept lines the numbers, from 0, and the longest."""

    lines: int = 0
    bytes: int = 0
    kept: list[int] = field(default_factory=list)
    longest: int = 0
    has_blank: bool = False


def sieve_file(path: Path, literals: Literals, outs: tuple[Path, Path]) -> list[Sieved]:
    """Write the lines of a file that can count, in their order, into one new file or two.

    Args:
        path: A raw log, plain or compressed.
        literals: A line is kept if it holds at least one text of each entry; the first entry should be the rarest.
        outs: Where the kept lines go, those of the second half of a large file into the second one.

    Raises:
        DamagedError: The compressed data is cut or damaged.
        OSError: The file cannot be read, or an output not written.
    """
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
    size = path.stat().st_size
    if is_gzip:
        return [_sieve(_ahead(unpacked(path, _damaged, _BLOCK_BYTES)), literals, outs[0])]
    if size < _SHARED_BYTES:
        return [_sieve(_between(path, 0, size), literals, outs[0])]
    middle = int(size * _OWN_SHARE)
    given = json.dumps([str(path), middle, size, literals, str(outs[1])])
    # The other process finds modules where this one does, and not first of all in the folder in which it is started.
    command = [sys.executable, "-P", "-m", __name__]
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # What goes wrong there is found out by its end, and a case made instead.
    with subprocess.Popen(  # noqa: S603
        command, env=known, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as other:
        assert other.stdin is not None  # noqa: S101  # a pipe, as asked
        other.stdin.write(given.encode())
        other.stdin.close()
        first = _sieve(_between(path, 0, middle), literals, outs[0])
        assert other.stdout is not None  # noqa: S101
        answer = other.stdout.read()
    if other.returncode:
        raise OSError(f"The second process ended with {other.returncode}")
    return [first, Sieved(**json.loads(answer))]


def begins_with_an_event(path: Path) -> bool:
    """Whether a file begins as the API server writes events.

    Raises:
        DamagedError: The compressed data is cut or damaged there.
        OSError: The file cannot be read.
    """
    return next(unpacked(path, _damaged), b"").lstrip(b" \t\r\n").startswith(_BEGINNING)


def first_block(path: Path) -> bytes:
    """The first lines of a file.

    Raises:
        DamagedError: The compressed data is cut or damaged there.
        OSError: The file cannot be read.
    """
    block, end = next(_whole_blocks(unpacked(path, _damaged)), (b"", 0))
    return block[:end]


def sieve_block(block: bytes, literals: Literals) -> Sieved:
    """What would be kept of one block of whole lines."""
    total = Sieved()
    _Sieve(literals)(block, len(block), total, io.BytesIO())
    return total


def rarest_first(block: bytes, literals: Literals) -> Literals:
    """The entries in the order in which they leave fewer lines of a block."""
    return sorted(literals, key=lambda texts: sum(block.count(text.encode()) for text in texts))


def _sieve(pieces: Iterable[bytes], literals: Literals, out: Path) -> Sieved:
    sieve = _Sieve(literals)
    total = Sieved()
    with out.open("wb") as kept:
        for block, end in _whole_blocks(pieces):
            sieve(block, end, total, kept)
    return total


class _Sieve:
    def __init__(self, literals: Literals) -> None:
        first, *others = ([text.encode() for text in texts] for texts in literals)
        self._others = others
        # One search a text: the library is fastest by far where it looks for a single one.
        self._first = [BytesAhoCorasick([text]) for text in first]
        self._events = BytesAhoCorasick([_BEGINNING])
        self._truncated, self._escapes = BytesAhoCorasick([TRUNCATED]), BytesAhoCorasick([_SLASH, _NUMBER])

    def __call__(self, block: bytes, end: int, total: Sieved, out: BinaryIO) -> None:
        """Count the lines of a block before its end, and write those that can count."""
        signs = np.frombuffer(block, dtype=np.uint8, count=end)
        is_end = signs == ord("\n")
        lines = int(np.count_nonzero(is_end))
        begins = _places(self._events, block, end)
        is_plain = len(begins) == lines and _are_events(block, signs, begins)
        ends = [*(begin - 1 for begin in begins[1:]), end - 1] if is_plain else np.flatnonzero(is_end).tolist()
        kept = {
            line: text
            for line in {bisect_left(ends, place) for search in self._first for place in _places(search, block, end)}
            for text in [_text(block, ends, line)]
            if all(any(each in text for each in some) for some in self._others)
        }
        escapes = (at for at in _places(self._escapes, block, end) if block[at + 1 : at + 6] not in _BY_NUMBER)
        doubtful = [*_places(self._truncated, block, end), *escapes]
        kept |= {line: _text(block, ends, line) for line in {bisect_left(ends, place) for place in doubtful}}
        if not is_plain:
            every = {line: _text(block, ends, line) for line in range(lines)}
            kept |= {line: text for line, text in every.items() if not _is_event(text)}
            total.has_blank |= not all(text.strip() for text in every.values())
            total.bytes -= sum(len(text) - 1 - len(text.strip(_BLANKS)) for text in every.values())
        order = sorted(kept)
        total.kept += [total.lines + line for line in order]
        out.write(b"".join([kept[line] for line in order]))
        total.longest = max(total.longest, *map(len, kept.values()), 0)
        total.lines += lines
        total.bytes += end - lines


def _places(search: BytesAhoCorasick, block: bytes, end: int) -> list[int]:
    return [start for _, start, _ in search.find_matches_as_indexes(block) if start < end]


def _text(block: bytes, ends: Sequence[int], line: int) -> bytes:
    """A line with its end."""
    return block[ends[line - 1] + 1 if line else 0 : ends[line] + 1]


def _are_events(block: bytes, signs: npt.NDArray[np.uint8], begins: Sequence[int]) -> bool:
    """Whether lines begin at these places, and are events by their beginnings and ends."""
    if not block.startswith(_BEGINNING) or len(signs) < len(_BEGINNING) + 2:
        return False
    starts = np.array(begins)
    behind = np.array([*begins[1:], len(signs)])
    if not ((signs[behind - 2] == ord("}")) & (signs[behind - 1] == ord("\n"))).all():
        return False
    for within in _WITHIN:
        # Beyond the end stands the last sign again, which is that of no auditID.
        found = signs.take(starts[:, None] + within, mode="clip")
        starts = starts[(found != _AUDIT_ID).any(axis=1)]
    return not starts.size


def _is_event(line: bytes) -> bool:
    """Whether a line is one event by its beginning and its end."""
    has_another = line.find(_BEGINNING, 1) > 0
    return not has_another and _are_events(line, np.frombuffer(line, dtype=np.uint8), [0])


def _whole_blocks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Blocks, and where the whole lines in each end; the last line gets an end where it has none.

    What follows the whole lines of a block begins the next one, so that nothing is copied twice.
    """
    waiting: list[bytes] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held >= _BLOCK_BYTES and (cut := piece.rfind(b"\n") + 1):
            block = b"".join(waiting)
            yield block, len(block) - len(piece) + cut
            waiting = [piece[cut:]]
            held = len(piece) - cut
    if last := b"".join(waiting):
        # A line without an end may be cut: with a blank before its end it is none that is passed over.
        last = last if last.endswith(b"\n") else last + b" \n"
        yield last, len(last)


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same, made by another thread while the last ones are worked on."""
    with ThreadPoolExecutor(1) as reader:
        waiting = deque(reader.submit(next, pieces, b"") for _ in range(_PIECES_AHEAD))
        while piece := waiting.popleft().result():
            waiting.append(reader.submit(next, pieces, b""))
            yield piece


def _between(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The lines of a file that begin at or behind one place and before another."""
    with path.open("rb", buffering=0) as file:
        position = max(0, start - 1)
        file.seek(position)
        is_inside = start == 0
        while piece := file.read(_BLOCK_BYTES):
            begin, position = position, position + len(piece)
            if not is_inside:
                cut = piece.find(b"\n") + 1
                if not cut:
                    continue
                if begin + cut >= end:
                    return
                piece, begin, is_inside = piece[cut:], begin + cut, True
            if position >= end:
                cut = piece.find(b"\n", max(0, end - 1 - begin)) + 1
                if cut:
                    yield piece[:cut]
                    return
            yield piece


def _damaged() -> None:
    raise DamagedError


if __name__ == "__main__":
    _path, _start, _end, _literals, _out = json.loads(sys.stdin.read())
    print(json.dumps(asdict(_sieve(_between(Path(_path), _start, _end), _literals, Path(_out)))))
