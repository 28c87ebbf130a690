"""Blocks of lines: any line comes back by its number, and any tool unpacks the whole."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.case.blocks import BlockWriter, lines_of

text = st.binary(min_size=1, max_size=12).map(lambda data: data.replace(b"\n", b".")).filter(bytes.strip)
groups = st.lists(st.lists(text, min_size=1, max_size=6), max_size=6)


def written(path: Path, blocks: list[list[bytes]], first_line: int = 0) -> BlockWriter:
    writer = BlockWriter(path, first_line)
    for lines in blocks:
        writer.write(b"".join(line + b"\n" for line in lines), len(lines))
    writer.close()
    return writer


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that every example writes anew."""
    return tmp_path_factory.mktemp("blocks") / "lines.zst"


@given(groups, st.integers(0, 2**40), st.data())
def test_lines_come_back(path: Path, blocks: list[list[bytes]], first_line: int, data: Any) -> None:
    """Any lines, asked for by their rising numbers, come back as they were but for blanks at their ends."""
    writer = written(path, blocks, first_line)
    lines = dict(enumerate((line for block in blocks for line in block), first_line))
    wanted = sorted(data.draw(st.sets(st.sampled_from(sorted(lines))))) if lines else []
    assert list(lines_of(path, writer.blocks, wanted)) == [(number, lines[number].strip()) for number in wanted]


@given(groups, st.integers(0, 2**40))
def test_blocks_cover_the_file(path: Path, blocks: list[list[bytes]], first_line: int) -> None:
    """Blocks lie one behind the other, in lines and in bytes, and the writer has counted both."""
    writer = written(path, blocks, first_line)
    line, offset = first_line, 0
    for block, lines in zip(writer.blocks, blocks, strict=True):
        assert (block.first_line, block.lines, block.offset) == (line, len(lines), offset)
        line, offset = line + block.lines, offset + block.length
    assert offset == path.stat().st_size
    assert writer.lines == line - first_line
    assert writer.bytes == sum(len(each) for lines in blocks for each in lines)
    assert writer.longest >= max((len(each) for lines in blocks for each in lines), default=0)


@given(groups)
def test_any_reader_of_zstd(path: Path, blocks: list[list[bytes]]) -> None:
    """The whole file unpacks to the lines, each with its end."""
    written(path, blocks)
    with path.open("rb") as file:
        found = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    assert found == b"".join(line + b"\n" for lines in blocks for line in lines)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not there")
def test_the_zstd_command(path: Path) -> None:
    """The command that everybody has unpacks it too, and finds its sums right."""
    written(path, [[b"a", b"b"], [b"c"]])
    assert subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout == b"a\nb\nc\n"
    subprocess.run(["zstd", "-t", "-q", path], check=True)


def test_only_the_blocks_that_are_wanted_are_read(path: Path) -> None:
    """A line is found although other blocks are destroyed; one in a destroyed block is an error."""
    writer = written(path, [[b"a", b"b"], [b"c"], [b"d"]])
    damaged = bytearray(path.read_bytes())
    block = writer.blocks[1]
    damaged[block.offset : block.offset + block.length] = bytes(block.length)
    path.write_bytes(damaged)
    assert list(lines_of(path, writer.blocks, [1, 3])) == [(1, b"b"), (3, b"d")]
    with pytest.raises(zstandard.ZstdError):
        list(lines_of(path, writer.blocks, [2]))


def test_a_changed_line_is_an_error(path: Path) -> None:
    """No line that was changed on the disk is taken for the one that was written."""
    writer = written(path, [[b"who did it: alice"]])
    changed = path.read_bytes().replace(b"alice", b"carol")
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    with pytest.raises(zstandard.ZstdError):
        list(lines_of(path, writer.blocks, [0]))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file of lines that is not there is an error of the system."""
    with pytest.raises(FileNotFoundError):
        list(lines_of(tmp_path / "gone.zst", [], []))
