"""Raw log files come in pieces of whole lines: no byte of a line is lost, and what is damaged is told."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eks_audit_nb.reading import pieces
from eks_audit_nb.reading.pieces import unpacked, whole_lines
from eks_audit_nb.reading.unpacking import gunzipped, unpacked_lines

BOM = b"\xef\xbb\xbf"
BEFORE = re.compile(rb"^(?:\xef\xbb\xbf|[ \t\r\v\f])+")  # what is dropped before a line
TEXT = "\n".join(f"line {number} {number**7}" for number in range(9000)).encode()
RANDOM = Random(7).randbytes(400_000)  # noqa: S311  # what cannot be compressed


def packed(*members: bytes) -> bytes:
    return b"".join(gzip.compress(member, mtime=0) for member in members)


def read(path: Path, content: bytes) -> tuple[bytes, int]:
    """What a file of that content gives, and how often damage was told."""
    path.write_bytes(content)
    damages: list[bool] = []
    return b"".join(unpacked(path, lambda: damages.append(True))), len(damages)


def lines_in(given: Sequence[bytes]) -> list[bytes]:
    """The lines of some pieces, and with them the rules that hold for every piece."""
    found = []
    for data, count in whole_lines(given):
        assert data.endswith(b"\n")
        lines = data[:-1].split(b"\n")
        assert len(lines) == count
        assert all(line.strip() for line in lines)
        found += lines
    return found


# --- bytes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b""),
        (TEXT, TEXT),
        (b"\x1f", b"\x1f"),
        (packed(TEXT), TEXT),
        (packed(b""), b""),
        (packed(TEXT, b"", TEXT, b"x"), TEXT + TEXT + b"x"),
        (packed(bytes(5_000_000)), bytes(5_000_000)),
        (packed(RANDOM), RANDOM),
        (packed(TEXT) + bytes(999), TEXT),
        (packed(TEXT) + bytes(400_000) + packed(b"x"), TEXT + b"x"),
        (packed(packed(TEXT)), packed(TEXT)),
    ],
    ids=[
        *("empty", "plain", "half a mark", "gzip", "gzip of nothing", "members", "zeros", "random"),
        *("padded", "padded between", "packed twice"),
    ],
)
def test_unpacked(tmp_path: Path, content: bytes, expected: bytes) -> None:
    """A file gives its bytes, and a gzip file those of all its members, whatever it is padded with."""
    assert read(tmp_path / "log", content) == (expected, 0)


@pytest.mark.parametrize("piece", [1, 7, 100, 4096])
def test_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """How much is read at once changes nothing, even where the parts of a gzip member fall into different pieces."""
    monkeypatch.setattr(pieces, "BLOCK_BYTES", max(piece, 2))
    content = TEXT[:2000] + bytes(2000)
    assert read(tmp_path / "log", packed(content, b"", content)) == (content + content, 0)


@pytest.mark.parametrize("content", [TEXT, RANDOM, bytes(3_000_000)], ids=["text", "random", "zeros"])
@pytest.mark.parametrize("place", [2, 9, 10, 11, 0.3, 0.7, -9, -8, -1])
def test_a_cut_file(tmp_path: Path, content: bytes, place: float) -> None:
    """Of a gzip file that is cut anywhere, all that stands before the cut is given, and the damage is told once."""
    whole = packed(content)
    cut = whole[: int(place * len(whole)) if isinstance(place, float) else place]
    expected = b"".join(gunzipped(io.BufferedReader(io.BytesIO(cut)), lambda: None))
    assert read(tmp_path / "log", cut) == (expected, 1)
    assert content.startswith(expected)
    assert len(expected) >= len(content) * (place if isinstance(place, float) else int(place < 0)) * 0.9


@pytest.mark.parametrize("content", [b"two\nlines\n", TEXT], ids=["short", "long"])
@pytest.mark.parametrize("damage", ["sum", "size", "text behind", "half a member behind"])
def test_damage_at_the_end(tmp_path: Path, content: bytes, damage: str) -> None:
    """A wrong sum or something behind the end is told, and costs nothing of what stands before."""
    whole = bytearray(packed(content))
    if damage in ("sum", "size"):
        whole[-6 if damage == "sum" else -2] ^= 0xFF
    else:
        whole += b"text" if damage == "text behind" else packed(content)[:9]
    assert read(tmp_path / "log", bytes(whole)) == (content, 1)


def test_damage_in_the_middle(tmp_path: Path) -> None:
    """What stands before a damaged place is given but for a few kilobytes right before it."""
    whole = bytearray(packed(TEXT))
    middle = len(whole) // 2
    whole[middle : middle + 40] = bytes(40)
    found, damages = read(tmp_path / "log", bytes(whole))
    assert damages == 1
    assert TEXT[: len(TEXT) // 3] == found[: len(TEXT) // 3]


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that cannot be opened raises when its first piece is asked for."""
    with pytest.raises(FileNotFoundError):
        list(unpacked(tmp_path / "gone", lambda: None))


# --- lines ----------------------------------------------------------------------------------------------------------

signs = st.sampled_from(
    [b"\n", b"\n", b"\r", b" ", b"\t", b"\v", b"\f", b"\0", b"\x1c", b"{}", b"a", b"\xff", "ä ".encode(), BOM]
)


@given(st.lists(signs, max_size=40).map(b"".join), st.lists(st.integers(0, 60), max_size=6))
@example(b"\n", [])
@example(BOM + b"a", [1, 2])
@example(b"a \n b\n" + BOM + b" " + BOM + b"c", [])
def test_lines(content: bytes, cuts: list[int]) -> None:
    """Every line that is not blank is given, wherever the pieces were cut, without byte order marks before it."""
    ends = sorted(cuts)
    given = [content[start:end] for start, end in zip([0, *ends], [*ends, len(content)], strict=True)]
    expected = [BEFORE.sub(b"", line).rstrip() for line in content.split(b"\n")]
    assert [line.strip() for line in lines_in(given)] == [line for line in expected if line]


@given(st.lists(signs, max_size=40).map(b"".join))
def test_lines_are_those_of_the_other_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """The lines are the same as those that are read one by one, so that they have the same numbers."""
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(content)
    expected = [line.lstrip(" \t\r\v\f") for line in unpacked_lines(path, lambda: None)]
    found = lines_in(list(unpacked(path, lambda: None)))
    assert [line.strip().decode("utf-8", "replace") for line in found] == expected


def test_clean_lines_are_not_touched() -> None:
    """Lines that begin with a sign go on as they came, with what stands at their ends."""
    assert list(whole_lines([b"a \r\nb\t\nc", b" \nd"])) == [(b"a \r\nb\t\n", 2), (b"c \n", 1), (b"d\n", 1)]
