"""What a case says about itself: where it came from, what it holds, and how its files can be checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from eks_audit_nb.engine.rows import Segment
from eks_audit_nb.errors import SourceError
from eks_audit_nb.window import Window, from_milliseconds, to_text

NAME = "manifest.json"
# Which blocks of which part hold which lines.
BLOCKS = "blocks.parquet"
# Raised whenever a reader of the earlier format would misread the new one; a cached case is made anew then.
FORMAT = 1
# Which values a field of each type can have.
_FITS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int,
    "int | None": lambda value: value is None or type(value) is int,
    "tuple[str, ...]": lambda value: all(isinstance(each, str) for each in value),
    "dict[str, str]": lambda value: isinstance(value, dict) and all(isinstance(each, str) for each in value.values()),
    "dict[str, int]": lambda value: isinstance(value, dict) and all(type(each) is int for each in value.values()),
}


@dataclass(frozen=True)
class Input:
    """One file that was read; `sha256` is "" in a cache, where size and time of change are enough.

    An object in S3 has its URI for a path, the time at which it was written, its entity tag, and its version where the
    bucket keeps versions.
    """

    path: str
    size: int
    modified_ns: int
    sha256: str = ""
    etag: str = ""
    version_id: str = ""

    @property
    def is_in_s3(self) -> bool:
        """Whether it was an object, and no file."""
        return self.path.startswith("s3://")


@dataclass(frozen=True)
class Part:
    """Some lines of a case: the columns in one file, the lines in another.

    A part without `segments` has no lines of its own: its rows hold their messages, as those of envelopes do.
    """

    name: str
    first_line: int
    lines: int
    first_ms: int
    last_ms: int
    longest: int = 0
    segments: tuple[Segment, ...] = ()
    has_odd: bool = False

    @property
    def columns(self) -> str:
        """The file of the columns."""
        return f"{self.name}.parquet"

    @property
    def odd(self) -> str:
        """The file of the rows that were not plain lines; it is there where there are such."""
        return f"{self.name}.odd.parquet"

    @property
    def tables(self) -> tuple[str, ...]:
        """The files of its rows."""
        columns = (self.columns,) if self.segments else ()
        return (*columns, self.odd) if self.has_odd or not self.segments else columns

    @property
    def texts(self) -> str:
        """The file of the lines."""
        return f"{self.name}.jsonl.zst"


@dataclass(frozen=True)
class Collected:
    """How a case came out of CloudWatch Logs.

    Attributes:
        start: What the user gave as the start, "" for nothing.
        end: The same for the end.
        start_ms: The window that was meant, both ends inclusive.
        end_ms: Its last millisecond.
        region: Of the log groups.
        account: Their account; "" where no event told it.
        log_groups: Their ARNs, or their names where there is no account.
        query: What was asked for the rows.
        bin_ms: The width of the bins by which the service counted.
        bins: How many bins with events there are, by the service's count and the case's.
        agreed: In how many of them both count the same; all of them are the proof that no event is missing.
        counts: The file with the service's counts: columns beginning_ms and counted, both BIGINT. "" without a count.
        asked: When the counts were asked, the last ones, ISO 8601.
        unsettled_ms: From when on events could still come when that was asked; None where none could.
        bytes_scanned: What the service scanned for all of it, as far as is known.
        dollars: What that cost.
    """

    start: str
    end: str
    start_ms: int
    end_ms: int
    region: str
    account: str
    log_groups: tuple[str, ...]
    query: str
    bin_ms: int
    bins: int
    agreed: int
    counts: str
    asked: str
    unsettled_ms: int | None
    bytes_scanned: int
    dollars: float

    @property
    def window(self) -> Window:
        """The window that was asked for."""
        return Window(self.start_ms, self.end_ms)

    def unsettled(self) -> str:
        """From when on events may be missing because they come late, in a sentence; "" where none can."""
        if self.unsettled_ms is None:
            return ""
        asked = self.asked[:19].replace("T", " ")
        return f"Events from {to_text(self.unsettled_ms)} UTC on may have come after it was asked at {asked} UTC."

    def described(self) -> dict[str, str]:
        """The lines of a summary."""
        of = f"{self.agreed:,} of {self.bins:,} bins of {self.bin_ms / 1000:g} s"
        counted = f"{of} have as many events as CloudWatch counts"
        lines = {
            "Asked for": str(self.window),
            "Log groups": ", ".join(self.log_groups),
            "Counted": counted if self.counts else "no: the service gave no count",
            "Cost": f"{self.bytes_scanned / 1e9:,.3f} GB scanned, ${self.dollars:.4f}",
        }
        if self.unsettled_ms is not None:
            lines["Unsettled"] = f"{self.unsettled()} The same command again asks for them."
        return lines


@dataclass(frozen=True)
class Manifest:
    """The whole of a case.

    `conditions` counts the events that are "unreadable", "truncated" or "foreign" and the others under ""; `levels`
    and `stages` count what the audit policy recorded; `broken_files` are inputs whose compressed data is cut or
    damaged; `without_events` are inputs without an audit event, with their number of lines; `doubts` are sentences
    about what may be missing, `left_out` about what was passed over and is not missed; `sha256` is that of each file of
    the case, by name, and empty in a cache; `collected` is there for a case from CloudWatch.
    """

    source: str
    inputs: tuple[Input, ...]
    parts: tuple[Part, ...]
    events: int
    bytes: int
    first_ms: int | None
    last_ms: int | None
    conditions: dict[str, int]
    levels: dict[str, int]
    stages: dict[str, int]
    broken_files: tuple[str, ...] = ()
    without_events: dict[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT
    made_by: str = ""
    collected: Collected | None = None

    def write(self, folder: Path) -> None:
        """Write it into the case's folder, at once: the case is the one of before, or this one."""
        content = asdict(self)
        if self.collected is None:
            del content["collected"]
        begun = folder / f"{NAME}.new"
        begun.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        begun.replace(folder / NAME)


def is_case(folder: Path) -> bool:
    """Whether a folder is a case."""
    return (folder / NAME).is_file()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a case.

    Raises:
        SourceError: It is missing, damaged, or of a format that this version does not know.
    """
    path = folder / NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise SourceError(
                f"{folder} is a case of format {content['format']}, and this version of eks-audit reads {FORMAT}. "
                "Collect it again from its source."
            )
        content["inputs"] = tuple(Input(**each) for each in content["inputs"])
        content["parts"] = tuple(_part(each) for each in content["parts"])
        for name in ("broken_files", "doubts", "left_out"):
            content[name] = tuple(content.get(name, ()))
        if collected := content.get("collected"):
            content["collected"] = Collected(**collected | {"log_groups": tuple(collected["log_groups"])})
        manifest = Manifest(**content)
        for read in (manifest, *manifest.inputs, *manifest.parts):
            _check_types(read)
        if manifest.collected:
            _check_types(manifest.collected)
        for segment in (each for part in manifest.parts for each in part.segments):
            _check_types(segment)
        for milliseconds in (manifest.first_ms, manifest.last_ms):
            from_milliseconds(milliseconds or 0)
        return manifest
    except FileNotFoundError:
        raise SourceError(f"{folder} is no case: there is no {NAME} in it. Make one with: eks-audit collect") from None
    except NotADirectoryError:
        raise SourceError(f"{folder} is no case: a case is a folder, as eks-audit collect makes one.") from None
    except OSError as error:
        raise SourceError(f"The case {folder} cannot be read: {path.name}: {error.strerror or error}.") from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise SourceError(
            f"The case {folder} is damaged: {path.name} is no manifest ({error}). Collect it again from its source."
        ) from None


def described(manifest: Manifest) -> dict[str, str]:
    """What a case is, a line each."""
    first, last = manifest.first_ms, manifest.last_ms
    others = [f"{count:,} {name}" for name, count in manifest.conditions.items() if name]
    lines = {
        "Source": manifest.source + ("" if manifest.collected else f" ({len(manifest.inputs):,} files)"),
        "Window": str(Window(first, last)) if first is not None and last is not None else "no events",
        "Events": f"{manifest.events:,}, {manifest.bytes / 1e6:,.1f} MB of text"
        + "".join(f", {each}" for each in others),
        "Levels": _counts(manifest.levels),
        "Stages": _counts(manifest.stages),
        **(manifest.collected.described() if manifest.collected else {}),
    }
    missing = [
        f"The compressed data of {name} is cut or damaged; what follows is missing." for name in manifest.broken_files
    ]
    if doubts := [*missing, *manifest.doubts]:
        lines["Incomplete"] = " ".join(doubts)
    if manifest.left_out:
        lines["Left out"] = " ".join(manifest.left_out)
    return lines


def doubts_of(manifest: Manifest) -> list[str]:
    """Sentences about what is missing in the whole of a log, or may be."""
    broken = manifest.broken_files
    return [
        *(f"The compressed data of {name} is cut or damaged; what follows is missing." for name in broken),
        *manifest.doubts,
    ]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name or 'none'} {count:,}" for name, count in counts.items())


def _check_types(read: Any) -> None:
    """Raise TypeError where a value is of another type than its field: JSON holds anything."""
    for each in fields(read):
        value = getattr(read, each.name)
        fits = _FITS.get(str(each.type))
        if fits and not fits(value):
            raise TypeError(f"{each.name} is {value!r:.40} and no {each.type}")


def _part(content: dict[str, Any]) -> Part:
    return Part(**content | {"segments": tuple(Segment(**each) for each in content["segments"])})
