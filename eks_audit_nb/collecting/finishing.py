"""From what was fetched to a case, and from a case to the same with what came later.

The manifest is what makes a folder a case. A new case is written beside and renamed; a case that gets more is given new
parts under new names, then its manifest is replaced at once, and only then what it no longer names is removed. So
there is a whole case at any moment, the one before or the one after.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from eks_audit_nb.case.blocks import write_blocks
from eks_audit_nb.case.events import manifest_of, write_parts
from eks_audit_nb.case.manifest import BLOCKS, NAME, Collected, Manifest, Part
from eks_audit_nb.case.raw import read_counts, write_counts
from eks_audit_nb.collecting.begun import Begun, Piece
from eks_audit_nb.window import Window


def make_case(
    begun: Begun, out: Path, collected: Collected, counts: dict[int, int] | None, doubts: Sequence[str]
) -> Manifest:
    """Make a case of all that was fetched, in a folder that is not there yet or is empty.

    Args:
        begun: What was fetched, at least one event.
        out: Where the case goes.
        collected: How it came here.
        counts: The service's counts.
        doubts: What may be missing.

    Raises:
        OSError: It cannot be written.
        duckdb.Error: The same, or what was fetched is damaged.
    """
    folder = begun.folder / "case"
    begun.empty(folder)
    parts = write_parts(begun.stretches(), folder)
    write_blocks((), folder / BLOCKS)
    if counts is not None:
        write_counts(counts, folder / collected.counts)
    manifest = manifest_of(folder, parts, begun.source, collected, doubts, {}, _version())
    manifest.write(folder)
    if out.exists():
        out.rmdir()
    folder.rename(out)
    begun.clear()
    return manifest


def held_by(manifest: Manifest, folder: Path) -> list[Piece]:
    """The parts of a case as pieces that are there already."""
    return [Piece(0, Window(part.first_ms, part.last_ms), folder / part.odd, part.lines) for part in manifest.parts]


def mend_case(
    before: Manifest,
    out: Path,
    begun: Begun,
    collected: Collected,
    counts: dict[int, int] | None,
    doubts: Sequence[str],
) -> Manifest:
    """Put what was fetched later into a case.

    Args:
        before: The case as it is.
        out: Where it is.
        begun: What it holds, see `held_by`, and what was fetched beside that.
        collected: How all of it came here.
        counts: The service's counts for the whole window.
        doubts: What may be missing.

    Raises:
        OSError: It cannot be written.
        duckdb.Error: The same, or a file is damaged.
    """
    parts = list(before.parts)
    if begun.added:
        first = min(piece.window.start_ms for piece in begun.added)
        kept = [part for part in parts if part.last_ms < first]
        parts = kept + _new_parts(begun, out, kept, parts, first)
    if counts is not None:
        write_counts(counts, out / collected.counts)
    known = {part.odd: before.sha256[part.odd] for part in parts if part.odd in before.sha256}
    known[BLOCKS] = before.sha256[BLOCKS]
    manifest = manifest_of(out, parts, before.source, collected, doubts, known, _version())
    manifest.write(out)
    remove_strays(manifest, out)
    begun.clear()
    return manifest


def counts_of(manifest: Manifest, folder: Path) -> dict[int, int]:
    """The service's counts that a case keeps; none where there are none."""
    if manifest.collected is None or not manifest.collected.counts:
        return {}
    return read_counts(folder / manifest.collected.counts)


def counts_name(before: Manifest | None = None) -> str:
    """A name for the file of counts that the case does not have yet."""
    number = 1
    while before and f"counts-{number:02}.parquet" in before.sha256:
        number += 1
    return f"counts-{number:02}.parquet"


def remove_strays(manifest: Manifest, folder: Path) -> None:
    """Remove the files of ours that a broken-off run has left in a case."""
    for path in folder.iterdir():
        is_ours = path.suffix in (".parquet", ".new") and path.name.startswith(("part-", "counts-", NAME))
        if is_ours and path.name not in manifest.sha256:
            path.unlink()


def _new_parts(begun: Begun, out: Path, kept: Sequence[Part], before: Sequence[Part], first: int) -> list[Part]:
    """The parts behind those that are kept, written beside the case and moved into it."""
    folder = begun.folder / "parts"
    begun.empty(folder)
    start = kept[-1].last_ms + 1 if kept else min(first, *(part.first_ms for part in before))
    end = max(each.window.end_ms for each in begun.stretches())
    number = max(int(part.name.removeprefix("part-")) for part in before) + 1
    line = kept[-1].first_line + kept[-1].lines if kept else 0
    found = write_parts(begun.stretches(Window(start, end)), folder, first_line=line, first_number=number)
    for part in found:
        (folder / part.odd).rename(out / part.odd)
    return found


def _version() -> str:
    return f"eks-audit-nb {version('eks-audit-nb')}"
