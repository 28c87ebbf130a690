"""Files give their lines, plain or packed several times, and as many of them as damage leaves."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.reading import unpacking
from eks_audit_nb.reading.unpacking import begins_like_a_log, unpacked_lines


def packed(content: bytes, times: int) -> bytes:
    for _ in range(times):
        content = gzip.compress(content, mtime=0)
    return content


def lines_of(path: Path, content: bytes) -> tuple[list[str], int]:
    """The lines of a file of that content, and how often damage was told."""
    path.write_bytes(content)
    damages: list[bool] = []
    return list(unpacked_lines(path, lambda: damages.append(True))), len(damages)


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_packed_several_times(tmp_path: Path, times: int) -> None:
    """What was packed up to three times, as Firehose and S3 do, gives its lines."""
    content = b"\xef\xbb\xbfone \r\n\n \xef\xbb\xbf\n  two\v\n\xff\n" + b"x" * 100_000
    assert lines_of(tmp_path / "log", packed(content, times)) == (["one", "  two", "\ufffd", "x" * 100_000], 0)


def test_packed_too_often(tmp_path: Path) -> None:
    """A file is not followed for ever: what is packed four times is lines of compressed data."""
    lines, _ = lines_of(tmp_path / "log", packed(b"text", 4))
    assert "text" not in lines


@pytest.mark.parametrize("times", [1, 2])
def test_damage(tmp_path: Path, times: int) -> None:
    """Where compressed data breaks off, the lines before that place are given and each packing tells its damage."""
    content = "\n".join(str(number**5) for number in range(50_000)).encode()
    whole = packed(content, times)
    lines, damages = lines_of(tmp_path / "log", whole[: len(whole) // 2])
    assert damages == times
    assert 10_000 < len(lines) < 50_000
    assert lines[:-1] == content.decode().split("\n")[: len(lines) - 1]


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b" ", "ä".encode(), b"\x1c"]), max_size=30).map(b"".join))
def test_chunks_of_any_size(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Lines are the same however much is read at once."""
    path = tmp_path_factory.getbasetemp() / "chunks"
    whole, _ = lines_of(path, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "_CHUNK", 1)
        assert lines_of(path, content) == (whole, 0)
    assert whole == [line.rstrip().decode() for line in content.split(b"\n") if line.strip()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"auditID":"x"}', True),
        (b" \n[{", True),
        (b"\xef\xbb\xbf{", True),
        (b"\x1f\x8b\x08", True),
        (b"H4sIAAAA", True),
        (b"2026-11-24T22:30:00.123Z text", True),
        (b'"@timestamp","@message"', True),
        (b"login,@timestamps", False),
        (b"2026-11-24 22:30", False),
        (b"text", False),
        (b"", False),
    ],
)
def test_begins_like_a_log(tmp_path: Path, content: bytes, expected: bool) -> None:
    """A log in any of its forms is told by its first bytes."""
    (tmp_path / "log").write_bytes(content)
    assert begins_like_a_log(tmp_path / "log") == expected


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A file that cannot be opened counts as a log, so that reading it says why, and reading it raises."""
    assert begins_like_a_log(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        list(unpacked_lines(tmp_path / "gone", lambda: None))
