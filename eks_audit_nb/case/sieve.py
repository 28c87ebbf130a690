"""A log's lines sieved for texts before any is taken apart; of a large file a second process sieves a half.

A line is passed over only where it is, by its beginning and its end, an event as the API server writes it, was not cut,
lacks what every event that counts must hold, and writes no sign in a roundabout way.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
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
_PIECES_AHEAD = 32
_BEGINNING = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"'
_SLASH, _NUMBER = b"\\/", b"\\u"
# What Go's encoder escapes by number: < > &
_BY_NUMBER = (b"003c", b"003e", b"0026")


class DamagedError(Exception):
    """Compressed data that is cut or damaged."""


@dataclass
class Sieved:
    """What was met: lines, their bytes without the ends, and the numbers of the kept lines, counted from 0."""

    lines: int = 0
    bytes: int = 0
    kept: list[int] = field(default_factory=list)


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
        return [_sieve(_ahead(unpacked(path, _damaged)), literals, outs[0])]
    if size < _SHARED_BYTES:
        return [_sieve(_between(path, 0, size), literals, outs[0])]
    middle = int(size * _OWN_SHARE)
    given = json.dumps([str(path), middle, size, literals, str(outs[1])])
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603
        assert other.stdin is not None  # noqa: S101  # a pipe, as asked
        other.stdin.write(given.encode())
        other.stdin.close()
        first = _sieve(_between(path, 0, middle), literals, outs[0])
        assert other.stdout is not None  # noqa: S101
        answer = other.stdout.read()
    if other.returncode:
        raise OSError(f"The second process ended with {other.returncode}")
    return [first, Sieved(**json.loads(answer))]


def first_block(path: Path) -> bytes:
    """The first lines of a file.

    Raises:
        DamagedError: The compressed data is cut or damaged there.
        OSError: The file cannot be read.
    """
    return next(_whole_blocks(unpacked(path, _damaged)), b"")


def sieve_block(block: bytes, literals: Literals) -> Sieved:
    """What would be kept of one block of whole lines."""
    total = Sieved()
    _Sieve(literals)(block, total, io.BytesIO())
    return total


def rarest_first(block: bytes, literals: Literals) -> Literals:
    """The entries in the order in which they leave fewer lines of a block."""
    return sorted(literals, key=lambda texts: sum(block.count(text.encode()) for text in texts))


def _sieve(pieces: Iterable[bytes], literals: Literals, out: Path) -> Sieved:
    sieve = _Sieve(literals)
    total = Sieved()
    with out.open("wb") as kept:
        for block in _whole_blocks(pieces):
            sieve(block, total, kept)
    return total


class _Sieve:
    def __init__(self, literals: Literals) -> None:
        first, *others = ([text.encode() for text in texts] for texts in literals)
        self._others = others
        # One search a text: the library is fastest by far where it looks for a single one.
        self._first = [BytesAhoCorasick([text]) for text in first]
        self._events = BytesAhoCorasick([b"}\n" + _BEGINNING])
        self._truncated, self._slash, self._number = (BytesAhoCorasick([each]) for each in (TRUNCATED, _SLASH, _NUMBER))

    def __call__(self, block: bytes, total: Sieved, out: BinaryIO) -> None:
        """Count a block's lines, and write those that can count."""
        signs = np.frombuffer(block, dtype=np.uint8)
        is_end = signs == ord("\n")
        lines = int(np.count_nonzero(is_end))
        wanted = [place for search in self._first for place in _places(search, block)]
        doubtful = [*_places(self._truncated, block), *_places(self._slash, block)]
        doubtful += [at for at in _places(self._number, block) if block[at + 2 : at + 6] not in _BY_NUMBER]
        is_plain = (
            block.startswith(_BEGINNING)
            and block.endswith(b"}\n")
            and len(self._events.find_matches_as_indexes(block)) == lines - 1
        )
        if wanted or doubtful or not is_plain:
            ends = np.flatnonzero(is_end)
            texts = {line: _text(block, ends, line) for line in _lines(ends, wanted)}
            kept = {
                line: text
                for line, text in texts.items()
                if all(any(each in text for each in some) for some in self._others)
            }
            kept |= {line: _text(block, ends, line) for line in _lines(ends, doubtful)}
            if not is_plain:
                every = {line: _text(block, ends, line) for line in range(lines)}
                kept |= {line: text for line, text in every.items() if not _is_like_an_event(text)}
            total.kept += [total.lines + line for line in sorted(kept)]
            out.write(b"".join(kept[line] for line in sorted(kept)))
        total.lines += lines
        total.bytes += len(block) - lines


def _places(search: BytesAhoCorasick, block: bytes) -> list[int]:
    return [start for _, start, _ in search.find_matches_as_indexes(block)]


def _lines(ends: npt.NDArray[np.int64], places: Sequence[int]) -> list[int]:
    """The lines that places lie in."""
    found: list[int] = np.unique(np.searchsorted(ends, np.array(places, dtype=np.int64))).tolist()
    return found


def _text(block: bytes, ends: npt.NDArray[np.int64], line: int) -> bytes:
    """A line with its end."""
    return block[ends[line - 1] + 1 if line else 0 : ends[line] + 1]


def _is_like_an_event(text: bytes) -> bool:
    return text.startswith(_BEGINNING) and text.endswith(b"}\n")


def _whole_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines; the last line gets an end where it has none."""
    waiting: list[bytes] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held >= _BLOCK_BYTES and (cut := piece.rfind(b"\n") + 1):
            waiting[-1] = piece[:cut]
            yield b"".join(waiting)
            waiting = [piece[cut:]]
            held = len(piece) - cut
    if last := b"".join(waiting):
        yield last if last.endswith(b"\n") else last + b"\n"


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
