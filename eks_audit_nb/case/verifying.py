"""Whether a case is what was collected: its files by their hashes, its rows by their counts, its inputs if there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
import zstandard

from eks_audit_nb.case.hashing import sha256
from eks_audit_nb.case.manifest import NAME, Collected, Manifest, read_manifest
from eks_audit_nb.case.raw import Stretch, counts_by_bin, read_counts
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.store import connected
from eks_audit_nb.window import Window

_PIECE = 1024 * 1024
_LEVEL, _STAGE = (f"coalesce({rows.COLUMNS[name]}, '')" for name in ("level", "stage"))
_HELD = f"""SELECT condition, {_LEVEL}, {_STAGE}, count(*), CAST(sum(size) AS BIGINT),
    min(timestamp_ms), max(timestamp_ms) FROM read_parquet($files) WHERE condition <> '{rows.ODD}' GROUP BY ALL"""


class _Held(NamedTuple):
    """Events of one condition, level and stage in a part."""

    condition: str
    level: str
    stage: str
    events: int
    size: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True)
class Verified:
    """What was found: `problems` with the case, and `changes` of its inputs since, which are no problem of the case.

    `manifest_sha256` is to be noted elsewhere: whoever can change a case can write a manifest that fits.
    """

    manifest: Manifest
    manifest_sha256: str
    problems: tuple[str, ...]
    changes: tuple[str, ...]


def verify(folder: Path) -> Verified:
    """Check a case against its manifest.

    Raises:
        SourceError: The folder has no manifest that can be read.
    """
    manifest = read_manifest(folder)
    problems = tuple(_problems(folder, manifest))
    return Verified(manifest, sha256(folder / NAME), problems, tuple(_changes(manifest)))


def _problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    if not manifest.sha256:
        yield "The manifest has no hashes: this is a case from a cache, and not one that was collected."
    for name, wanted in manifest.sha256.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif sha256(path) != wanted:
            yield f"{name} has changed: its SHA-256 is another one."
    known = {*manifest.sha256, NAME}
    yield from (
        f"{path.name} does not belong to the case." for path in sorted(folder.iterdir()) if path.name not in known
    )
    yield from _wrong_counts(folder, manifest)
    if manifest.collected and manifest.collected.counts:
        yield from _wrong_proof(folder, manifest, manifest.collected)


def _wrong_counts(folder: Path, manifest: Manifest) -> Iterator[str]:
    found: list[_Held] = []
    with connected(folder=folder.absolute()) as connection:
        for part in manifest.parts:
            files = [str(folder.absolute() / name) for name in part.tables]
            try:
                held = [_Held(*row) for row in connection.execute(_HELD, {"files": files}).fetchall()]
                texts = _lines_in(folder / part.texts) if part.segments else part.lines
            except (duckdb.Error, OSError, zstandard.ZstdError) as error:
                yield f"{part.name} cannot be read: {str(error).splitlines()[0]}"
                continue
            found += held
            count = sum(each.events for each in held)
            if count != part.lines or texts != part.lines:
                yield f"{part.name} has {count:,} rows and {texts:,} lines; the manifest says {part.lines:,}."
            elif _span(held) != (part.first_ms, part.last_ms):
                yield f"{part.name} has events of other times than the manifest says."
    counts: dict[str, Counter[str]] = {"conditions": Counter(), "levels": Counter(), "stages": Counter()}
    for each in found:
        for counted, value in zip(counts.values(), (each.condition, each.level, each.stage), strict=True):
            counted[value] += each.events
    size, events = sum(each.size for each in found), sum(each.events for each in found)
    if events != manifest.events:
        yield f"The case holds {events:,} events; the manifest says {manifest.events:,}."
        return
    said = {"conditions": manifest.conditions, "levels": manifest.levels, "stages": manifest.stages}
    others = [name for name, counted in counts.items() if counted != said[name]]
    others += ["sizes"] if size != manifest.bytes else []
    others += ["times"] if _span(found) != (manifest.first_ms, manifest.last_ms) else []
    if others:
        yield f"The case holds events of other {', '.join(others)} than the manifest says."


def _wrong_proof(folder: Path, manifest: Manifest, collected: Collected) -> Iterator[str]:
    """Whether the rows by bin agree with the service's counts in as many bins as the manifest says."""
    stretches = [Stretch(Window(part.first_ms, part.last_ms), folder / part.odd) for part in manifest.parts]
    try:
        counted = read_counts(folder / collected.counts)
        held = counts_by_bin(stretches, collected.bin_ms)
    except duckdb.Error as error:
        yield f"The counts by bin cannot be read: {str(error).splitlines()[0]}"
        return
    bins = counted.keys() | held.keys()
    agreed = sum(counted.get(each, 0) == held.get(each, 0) for each in bins)
    if (len(bins), agreed) != (collected.bins, collected.agreed):
        yield (
            f"{agreed:,} of {len(bins):,} bins have as many events as the service counted; "
            f"the manifest says {collected.agreed:,} of {collected.bins:,}."
        )


def _span(held: Sequence[_Held]) -> tuple[int | None, int | None]:
    return min((each.first_ms for each in held), default=None), max((each.last_ms for each in held), default=None)


def _lines_in(path: Path) -> int:
    lines = 0
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        while piece := reader.read(_PIECE):
            lines += piece.count(b"\n")
    return lines


def _changes(manifest: Manifest) -> Iterator[str]:
    remote = [given for given in manifest.inputs if given.is_in_s3]
    if remote:
        yield f"objects in S3, which were not looked at again: {len(remote):,}"
    for given in manifest.inputs:
        if given.is_in_s3:
            continue
        path = Path(given.path)
        if not path.is_file():
            yield f"{path} is not there any more."
        elif path.stat().st_size != given.size or (given.sha256 and sha256(path) != given.sha256):
            yield f"{path} has changed since."
