"""Lines that cannot count are passed over, and no other ones."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.case import sieve
from eks_audit_nb.case.sieve import DamagedError, Sieved, first_block, rarest_first, sieve_block, sieve_file

from conftest import audit_event
from logs import ODD, audit_lines, go_json

WANTED = [['"get"'], ['"alice"', "secrets"]]


def event(**changes: object) -> bytes:
    """An event that does not count unless the changes make it."""
    return go_json(audit_event(**{"verb": "list", "user": {"username": "bob"}, **changes})).encode()


COUNTS = event(verb="get", user={"username": "alice"})
OTHER = event()


def kept_of(path: Path, literals: list[list[str]], folder: Path) -> tuple[int, int, dict[int, bytes]]:
    """The lines and the bytes of a file, and the kept lines by their number in it."""
    outs = (folder / "first.jsonl", folder / "second.jsonl")
    lines = size = 0
    kept: dict[int, bytes] = {}
    for half, out in zip(sieve_file(path, literals, outs), outs, strict=False):
        texts = out.read_bytes().split(b"\n")
        assert texts.pop() == b""
        assert half.kept == sorted(set(half.kept))
        kept.update(zip((lines + number for number in half.kept), texts, strict=True))
        lines, size = lines + half.lines, size + half.bytes
    return lines, size, kept


EVENT = re.compile(
    rb'\{"kind":"Event","apiVersion":"audit\.k8s\.io/v1","level":"[^"]{0,15}","auditID":".*\}\Z', re.DOTALL
)
BLANKS = b" \t\r"


def may_count(line: bytes, literals: list[list[str]]) -> bool:
    """The rule, line by line: what is no plain event, writes signs in another way, was cut, or has the texts."""
    has_them = all(any(text.encode() in line for text in texts) for texts in literals)
    begins = re.findall(rb'\{"kind":"Event","apiVersion":"audit\.k8s\.io/v1","level":"', line)
    is_event = bool(EVENT.match(line)) and len(begins) == 1
    allowed = line
    for number in (b"003c", b"003e", b"0026"):
        allowed = allowed.replace(b"\\u" + number, b"")
    return has_them or not is_event or b"\\u" in allowed or b"\\/" in line or b"audit.k8s.io/truncated" in line


# --- one line -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        (COUNTS, True),
        (OTHER, False),
        (event(verb="get"), False),
        (event(user={"username": "alice"}), False),
        (event(verb="get", objectRef={"resource": "secrets"}), True),
        (event(requestObject={"a": '"get"', "b": '"alice"'}), False),
        (event(requestObject={"a": "<b> & c"}), False),
        (event(requestObject={"a": 'tab\tquote" back\\slash\n'}), False),
        (event(requestObject={"a": "größe 日本 👍"}), False),
        (event(userAgent="\x01"), True),
        (event(userAgent="@").replace(b"@", rb"\u0061"), True),
        (event(userAgent="@").replace(b"@", rb"\u003C"), True),
        (event(userAgent="@").replace(b"@", rb"\ud83d\ude00"), True),
        (event(userAgent="@").replace(b"@", rb"\u2028"), True),
        (event(userAgent="@").replace(b"@", rb"a\/b"), True),
        (event(annotations={"audit.k8s.io/truncated": "true"}), True),
        (event()[:-200] + b"[Truncated...]", True),
        (event()[:-2], True),
        (event(kind="Pod"), True),
        (json.dumps(json.loads(OTHER)).encode(), True),
        (b" " + OTHER, True),
        (OTHER + b" ", True),
        (OTHER + b"\r", True),
        (b"\xef\xbb\xbf" + OTHER, True),
        (b"", True),
        (b" \t", True),
        (b"no JSON", True),
        (b"}", True),
        (b'{"kind":"Pod"}', True),
        (b"[" + OTHER + b"]", True),
        (OTHER.replace(b"bob", b"\xff\xfe"), False),
    ],
)
@pytest.mark.parametrize("around", [False, True], ids=["alone", "among others"])
def test_one_line(line: bytes, is_kept: bool, around: bool) -> None:
    """A line is passed over only where it is an event as the API server writes it, whole, and lacks the texts."""
    lines = [OTHER, line, OTHER] if around else [line]
    found = sieve_block(b"".join(each + b"\n" for each in lines), WANTED)
    size = sum(len(each.strip(BLANKS)) for each in lines)
    kept = [lines.index(line)] if is_kept else []
    assert found == Sieved(len(lines), size, kept, len(line) + 1 if kept else 0, not line.strip())
    assert may_count(line, WANTED) == is_kept


def test_an_empty_block() -> None:
    """A block without lines has none."""
    assert sieve_block(b"", WANTED) == Sieved()


def test_rarest_first() -> None:
    """The entry that leaves the fewest lines is looked for first."""
    block = b'{"verb":"get"}\n{"verb":"get","x":"rare"}\n{"verb":"get"}\n'
    assert list(rarest_first(block, [['"get"'], ['"rare"'], ['"verb"', '"x"']])) == [
        ['"rare"'],
        ['"get"'],
        ['"verb"', '"x"'],
    ]


# --- files ----------------------------------------------------------------------------------------------------------

LINES = st.one_of(
    audit_lines(go_json).map(str.encode),
    audit_lines(go_json).map(str.encode),
    audit_lines(go_json).map(str.encode),
    audit_lines().map(str.encode),
    st.sampled_from(ODD).map(str.encode),
    st.sampled_from([COUNTS, OTHER, event(requestObject={"data": "x" * 3000}), b"{", b"}", b"\xff"]),
)
TEXTS = st.lists(
    st.lists(
        st.sampled_from(['"get"', '"alice"', "secrets", "ali", '"403"', "日本", "none such"]), min_size=1, max_size=2
    ),
    min_size=1,
    max_size=2,
)


@settings(max_examples=100)
@given(st.lists(LINES, max_size=14), st.booleans(), TEXTS, st.sampled_from([1, 300, 2000, 1 << 20]), st.booleans())
def test_any_file(
    lines: list[bytes], has_end: bool, literals: list[list[str]], block_bytes: int, is_packed: bool
) -> None:
    """Of any file, in blocks of any size, plain or compressed, the lines that may count are kept and no other ones."""
    data = b"\n".join(lines) + (b"\n" if lines and has_end else b"")
    expected = data.removesuffix(b"\n").split(b"\n") if data else []
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "_BLOCK_BYTES", block_bytes)
        path = Path(name, "audit.log")
        path.write_bytes(gzip.compress(data, mtime=0) if is_packed else data)
        count, size, kept = kept_of(path, literals, Path(name))
    assert (count, size) == (len(expected), sum(len(line.strip(BLANKS)) for line in expected))
    if expected and not has_end:
        expected[-1] += b" "  # a line without an end may have been cut, and is never passed over
    assert kept == {number: line for number, line in enumerate(expected) if may_count(line, literals)}


@settings(max_examples=200)
@given(st.binary(max_size=60).map(lambda data: data.replace(b"a", b"\n")), st.integers(1, 70), st.integers(1, 40))
def test_two_parts_of_a_file(data: bytes, middle: int, block_bytes: int) -> None:
    """Wherever a file is parted, the parts hold whole lines, and together all of them in their order."""
    middle = min(middle, max(1, len(data)))
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "_BLOCK_BYTES", block_bytes)
        path = Path(name, "audit.log")
        path.write_bytes(data)
        first, second = (
            b"".join(sieve._between(path, start, end)) for start, end in ((0, middle), (middle, len(data)))
        )
    assert first + second == data
    assert first.endswith(b"\n") or not second
    assert len(first) >= middle or not second  # what begins before the middle is in the first part
    assert b"\n" not in first[middle:-1]


def test_two_processes_sieve_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process sieves a part of a large file, with the same lines kept as by one."""
    lines = [event(auditID=str(number), verb="get" if number % 7 == 0 else "list") for number in range(3000)]
    lines[1600:1600] = [b"no JSON", b"", event(requestObject={"data": "x" * 3_000_000}), COUNTS, b"{"]
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(lines))
    one = kept_of(path, [['"get"'], ["bob", "alice"]], tmp_path)
    monkeypatch.setattr(sieve, "_SHARED_BYTES", 1)
    outs = (tmp_path / "1", tmp_path / "2")
    halves = sieve_file(path, [['"get"'], ["bob", "alice"]], outs)
    assert len(halves) == 2
    assert all(half.lines > 1000 for half in halves)
    assert kept_of(path, [['"get"'], ["bob", "alice"]], tmp_path) == one
    assert one[0] == len(lines)
    assert len(one[2]) == 429 + 5  # those that have the texts, the odd ones, and the last one, which has no end


def test_a_second_process_runs_nothing_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside a log, as attackers may name it, is no module for the second process."""
    path = tmp_path / "audit.log"
    path.write_bytes((COUNTS + b"\n") * 9)
    for name in ("json", "numpy", "eks_audit_nb"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sieve, "_SHARED_BYTES", 1)
    assert len(kept_of(path, WANTED, tmp_path)[2]) == 9


def test_a_second_process_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the second process cannot do its part there is an error, no half of the lines, and nothing printed."""
    path = tmp_path / "audit.log"
    path.write_bytes((OTHER + b"\n") * 9)
    monkeypatch.setattr(sieve, "_SHARED_BYTES", 1)
    with pytest.raises(OSError, match="The second process ended with 1"):
        sieve_file(path, WANTED, (tmp_path / "1", tmp_path / "no folder" / "2"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("part", [-300, 300, 20])
def test_damaged_data(tmp_path: Path, part: int) -> None:
    """Compressed data that is cut is an error, for the reader of everything to say what is missing."""
    path = tmp_path / "audit.log.gz"
    lines = [event(auditID=str(number**9)) for number in range(5000)]
    path.write_bytes(gzip.compress(b"\n".join(lines), mtime=0)[:part])
    with pytest.raises(DamagedError):
        kept_of(path, WANTED, tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is an error of the system."""
    with pytest.raises(FileNotFoundError):
        sieve_file(tmp_path / "none", WANTED, (tmp_path / "1", tmp_path / "2"))
    with pytest.raises(FileNotFoundError):
        first_block(tmp_path / "none")


def test_the_first_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block of a file holds whole lines from its beginning, all of a small one."""
    path = tmp_path / "audit.log"
    path.write_bytes(b"one\ntwo")
    assert first_block(path) == b"one\ntwo \n"
    lines = b"".join(b"%09d\n" % number for number in range(100_000))
    path.write_bytes(lines)
    monkeypatch.setattr(sieve, "_BLOCK_BYTES", 1000)
    block = first_block(path)
    assert lines.startswith(block)
    assert 1000 <= len(block) < len(lines)
    assert len(block) % 10 == 0
    path.write_bytes(b"")
    assert first_block(path) == b""
