"""Lines in a file of independent zstd frames: any tool reads it whole (`zstdcat`), and a few lines cost a few frames.

Format: RFC 8878, frames one behind the other; each holds whole lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import zstandard

from eks_audit_nb.engine.store import confined, literal

_LEVEL = 1  # a higher one makes little smaller, and costs what building a case costs most


@dataclass(frozen=True)
class Block:
    """One frame: where it lies in its file, and which lines of the case it holds."""

    offset: int
    length: int
    first_line: int
    lines: int


class BlockWriter:
    """Writes whole lines; `blocks` says where they went."""

    def __init__(self, path: Path, first_line: int) -> None:
        self.blocks: list[Block] = []
        self.bytes = 0  # of the lines, without their ends
        self.longest = 0
        self._next_line = first_line
        self._offset = 0
        # With a checksum, so that no reader takes damaged lines for other ones.
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._file: BinaryIO = path.open("wb")

    @property
    def lines(self) -> int:
        """How many lines were written."""
        return sum(block.lines for block in self.blocks)

    def write(self, data: bytes, lines: int) -> None:
        """Add so many lines, each with its end."""
        frame = self._compressor.compress(data)
        self._file.write(frame)
        self.blocks.append(Block(self._offset, len(frame), self._next_line, lines))
        self._offset += len(frame)
        self._next_line += lines
        self.bytes += len(data) - lines
        self.longest = max(self.longest, len(data))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def lines_of(path: Path, blocks: Iterable[Block], wanted: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Some lines by their numbers, which rise; only the blocks that hold them are read.

    Raises:
        OSError: The file is gone.
        zstandard.ZstdError: It is damaged.
    """
    decompressor = zstandard.ZstdDecompressor()
    position = 0
    with path.open("rb") as file:
        for block in blocks:
            here = position
            end = block.first_line + block.lines
            while position < len(wanted) and wanted[position] < end:
                position += 1
            if here == position:
                continue
            file.seek(block.offset)
            lines = decompressor.decompress(file.read(block.length)).split(b"\n")
            for line in wanted[here:position]:
                yield line, lines[line - block.first_line].strip()


def write_blocks(blocks: Sequence[tuple[str, Block]], path: Path) -> None:
    """Write where the lines of each part are as a Parquet file; a case of events has none of these.

    Args:
        blocks: The name of the part, and the frame.
        path: A file in a folder that is there.
    """
    frame = pd.DataFrame(
        [(part, block.offset, block.length, block.first_line, block.lines) for part, block in blocks],
        columns=["part", "start", "length", "first_line", "lines"],
    ).astype({"part": object, "start": "int64", "length": "int64", "first_line": "int64", "lines": "int64"})
    with confined(folder=path.parent.absolute()) as connection:
        connection.register("given", frame)
        connection.execute(f"COPY given TO {literal(str(path.absolute()))} (FORMAT parquet, COMPRESSION zstd)")
