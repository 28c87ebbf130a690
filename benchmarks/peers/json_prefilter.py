"""Python's json, for those lines only that hold a text which every line that counts must hold.

With `isal` as the last argument a gzipped file is unpacked by isal, in a thread of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, cast

from peers.common import Question, Row, counted, main, open_log

CHUNK = 8 << 20

if sys.argv[-1] == "isal":
    from isal import igzip_threaded  # type: ignore[import-not-found, unused-ignore]  # where it is not installed


def answer(path: str, question: Question) -> Iterable[Row]:
    """The rows of the answer."""
    return counted(question, _rows(path, question))


def _rows(path: str, question: Question) -> Iterator[Row]:
    opener: Callable[[str], BinaryIO] = _with_isal if sys.argv[-1] == "isal" else open_log
    with opener(path) as stream:
        lines = lines_with(stream, question.literal) if question.literal else (line.rstrip(b"\n") for line in stream)
        for line in lines:
            if (row := question.row(json.loads(line), line)) is not None:
                yield row


def _with_isal(path: str) -> BinaryIO:
    opener: Any = igzip_threaded.open
    return cast(BinaryIO, opener(path, "rb", threads=1))


def lines_with(stream: BinaryIO, literal: bytes) -> Iterator[bytes]:
    """The lines that hold a text, each once."""
    rest = b""
    while chunk := stream.read(CHUNK):
        block = rest + chunk
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        yield from _found(block, literal, end)
    yield from _found(rest + b"\n", literal, len(rest) + 1)


def _found(block: bytes, literal: bytes, end: int) -> Iterator[bytes]:
    place = block.find(literal, 0, end)
    while place >= 0:
        stop = block.find(b"\n", place)
        yield block[block.rfind(b"\n", 0, place) + 1 : stop]
        place = block.find(literal, stop, end)


if __name__ == "__main__":
    main(answer)
