"""What is on disk of a case that is not whole yet: a plan, and the rows of each window that was fetched.

A folder beside the case, `.begun-CASE`. A piece counts once its `.json` is there, which is written after its rows, and
at once; so whatever ends the run, nothing half is ever taken for whole. Later pieces replace what earlier ones hold in
the same window.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from eks_audit_nb.case.hashing import sha256
from eks_audit_nb.case.raw import Stretch, counts_by_bin, write_raw
from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.cloudwatch.planning import Planned, gaps
from eks_audit_nb.window import Window

_PLAN = "plan.json"
# Raised whenever a later version would misread what an earlier one has begun.
_FORMAT = 1


@dataclass(frozen=True)
class Asked:
    """What was asked, and how it was planned.

    Attributes:
        source: What the user called it.
        region: Where it is.
        start: What the user gave as the start.
        end: The same for the end.
        window: What that meant.
        bin_ms: The width of the bins.
        windows: What has to be fetched, in the order of time.
        counts: The service's counts by bin; None without a count.
        bytes_scanned: By the count.
        asked_ms: When, before the count.
    """

    source: str
    region: str
    start: str
    end: str
    window: Window
    bin_ms: int
    windows: tuple[Planned, ...]
    counts: dict[int, int] | None
    bytes_scanned: int
    asked_ms: int


@dataclass(frozen=True)
class Piece:
    """The rows of one window; without a file there are none."""

    number: int
    window: Window
    path: Path | None
    rows: int = 0
    bytes_scanned: int = 0
    reasons: tuple[str, ...] = ()


class Begun:
    """The folder, and what is in it."""

    def __init__(self, out: Path, base: Sequence[Piece] = ()) -> None:
        """Look at what is there.

        Args:
            out: The case that it is for.
            base: What is held already, elsewhere.
        """
        self.folder = out.parent / f".begun-{out.name}"
        self.base = tuple(base)
        self.asked = self._read_plan()
        self.pieces = [*base, *self._read_pieces()]

    @property
    def added(self) -> list[Piece]:
        """The pieces that were fetched."""
        return self.pieces[len(self.base) :]

    @property
    def bytes_scanned(self) -> int:
        """By the plan and for the pieces."""
        return (self.asked.bytes_scanned if self.asked else 0) + sum(piece.bytes_scanned for piece in self.added)

    @property
    def source(self) -> str:
        """What the user called the source."""
        return self.asked.source if self.asked else ""

    def empty(self, folder: Path) -> None:
        """Make an empty folder in this one."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def plan(self, asked: Asked) -> None:
        """Begin with a plan."""
        self.clear()
        self.folder.mkdir(parents=True)
        content = asdict(asked) | {"format": _FORMAT, "counts": asked.counts and sorted(asked.counts.items())}
        _write(self.folder / _PLAN, content)
        self.asked = asked

    def left(self) -> list[Planned]:
        """The windows of the plan that are not there yet."""
        assert self.asked  # noqa: S101  # there is none before a plan
        last = max((piece.window.end_ms for piece in self.pieces), default=-1)
        # They came in the order of time.
        return [part for part in self.asked.windows if part.window.start_ms > last]

    def add(self, window: Window, frame: pd.DataFrame, bytes_scanned: int, reasons: Sequence[str] = ()) -> None:
        """Keep the rows of a window, the newest first, in the columns that `write_raw` takes."""
        if frame["@timestamp"].isna().any():
            raise CloudWatchError(f"The service gave events of {window} without a time that can be read.")
        number = max((piece.number for piece in self.pieces), default=0) + 1
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"piece-{number:06}.parquet" if len(frame) else None
        if path:
            write_raw(frame, path)
        piece = Piece(number, window, path, len(frame), bytes_scanned, tuple(reasons))
        content = asdict(piece) | {"path": path.name if path else "", "sha256": sha256(path) if path else ""}
        _write(self.folder / f"piece-{number:06}.json", content)
        self.pieces.append(piece)

    def stretches(self, within: Window | None = None) -> list[Stretch]:
        """What is held, in the order of time; `within` a window or all of it."""
        found = []
        for place, piece in enumerate(self.pieces):
            later = [other.window for other in self.pieces[place + 1 :] if _meets(other.window, piece.window)]
            if piece.path:
                found += [Stretch(window, piece.path) for window in gaps(piece.window, later)]
        if within:
            found = [
                Stretch(
                    Window(max(each.window.start_ms, within.start_ms), min(each.window.end_ms, within.end_ms)),
                    each.path,
                )
                for each in found
                if _meets(each.window, within)
            ]
        return sorted(found, key=lambda each: each.window.start_ms)

    def counts(self, window: Window, bin_ms: int) -> dict[int, int]:
        """How many rows are held by the beginning of their bin."""
        return counts_by_bin(self.stretches(window), bin_ms)

    def clear(self) -> None:
        """Forget everything but what is held elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.asked, self.pieces = None, list(self.base)

    def _read_plan(self) -> Asked | None:
        try:
            content: dict[str, Any] = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                return None
            content["window"] = Window(**content["window"])
            content["windows"] = tuple(Planned(Window(**each["window"]), each["rows"]) for each in content["windows"])
            content["counts"] = None if content["counts"] is None else dict(content["counts"])
            return Asked(**content)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _read_pieces(self) -> list[Piece]:
        """The pieces that are whole; what a damaged one held is missing then, and the proof finds that."""
        found: list[Piece] = []
        for file in sorted(self.folder.glob("piece-*.json")) if self.asked else []:
            try:
                content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                path = self.folder / content["path"] if content["path"] else None
                if path and sha256(path) != content["sha256"]:
                    continue
                window = Window(**content["window"])
                found.append(
                    Piece(
                        content["number"],
                        window,
                        path,
                        content["rows"],
                        content["bytes_scanned"],
                        tuple(content["reasons"]),
                    )
                )
            except (OSError, ValueError, TypeError, KeyError):
                continue
        return found


def _meets(one: Window, other: Window) -> bool:
    return one.start_ms <= other.end_ms and other.start_ms <= one.end_ms


def _write(path: Path, content: dict[str, Any]) -> None:
    begun = path.with_suffix(".new")
    begun.write_text(json.dumps(content), encoding="utf-8")
    begun.replace(path)
