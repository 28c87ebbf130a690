"""Files of audit logs to a case: the database takes plain lines apart itself, `sources.lines` reads everything else.

The lines go to disk while the database works on the part before them, so that both processors have something to do.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, BinaryIO

from eks_audit_nb.case.blocks import Block, BlockWriter, lines_of, write_blocks
from eks_audit_nb.case.contents import contents
from eks_audit_nb.case.event_rows import GIVEN, timed, write_events
from eks_audit_nb.case.hashing import sha256
from eks_audit_nb.case.manifest import BLOCKS, Input, Manifest, Part
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.columns import Peculiar, Peculiarities
from eks_audit_nb.engine.rows import Segment
from eks_audit_nb.engine.store import TEMPORARY, Event, connected, literal
from eks_audit_nb.errors import SourceError
from eks_audit_nb.events import parse_event
from eks_audit_nb.reading import lines as reader
from eks_audit_nb.reading.lines import Tally, log_stream_name
from eks_audit_nb.reading.log_file import LogFile
from eks_audit_nb.reading.pieces import unpacked, whole_lines
from eks_audit_nb.window import Window

# A part is what is worked on at one time.
_PART_BYTES = 128 * 1024 * 1024
_PART_FILES = 64
_AT_ONCE = 2
# Beyond so many files that begin like raw ones and are none, all are taken for such: each costs reading all again.
_MOST_UNFIT = 4
_EVENTS_AT_ONCE = 20_000
_PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 3000, ROW_GROUP_SIZE 30720)"
_MEMORY = "1GB"
# Where the lines of a part are while its columns are made.
_PLAIN = "plain"


class _UnfitError(Exception):
    """A raw file with lines that are several events or none: it is read as an envelope instead."""

    def __init__(self, file: LogFile) -> None:
        self.name = str(file)
        super().__init__(self.name)


@dataclass
class _Draft:
    """A part that is being written."""

    name: str
    first_line: int
    texts: BlockWriter
    lines: BinaryIO  # the same as they are, for the database, which is quicker with them
    segments: list[Segment] = field(default_factory=list)
    peculiar: Peculiar = field(default_factory=Peculiar)
    files: list[LogFile] = field(default_factory=list)

    def begin(self, path: LogFile, line: int) -> None:
        """From this line on the lines are those of a file."""
        self.segments.append(Segment(line, str(path), log_stream_name(path)))
        self.files.append(path)

    def part(self) -> Part:
        """What is known of it before its columns are there."""
        texts = self.texts
        return Part(self.name, self.first_line, texts.lines, 0, 0, texts.longest, tuple(self.segments))

    def path_of(self, line: int) -> LogFile:
        """The file that a line came from."""
        begun = zip(reversed(self.segments), reversed(self.files), strict=True)
        return next(path for segment, path in begun if segment.first_line <= line)


def write_case(
    files: Collection[LogFile],
    folder: Path,
    source: str,
    *,
    with_hashes: bool,
    made_by: str = "",
    window: Window | None = None,
    describe: Callable[[LogFile], Input] | None = None,
) -> Manifest:
    """Read files into an empty folder, which is a case then.

    Each file is asked for when the one before it has been read, and is not opened again; only where a raw file turns
    out to be none are they all read once more, a few times at most.

    Args:
        files: In the order in which their lines count.
        folder: An empty folder.
        source: What the user called the files.
        with_hashes: Whether the manifest has the SHA-256 of every input and of every file of the case.
        made_by: Which version wrote it.
        window: What the case holds the events of; None for all. Lines keep the numbers that they have in the whole.
        describe: What the manifest says about a file that was read; it is a path where this is not given.

    Raises:
        SourceError: A file that cannot be read, no audit event in any of them, or none in the window.
    """
    envelopes: set[str] = set()
    while True:
        is_any_raw = window is None and len(envelopes) < _MOST_UNFIT
        writer = _Writer(folder, with_hashes, window, envelopes if is_any_raw else None)
        try:
            return writer.write(files, source, made_by, describe)
        except _UnfitError as error:
            envelopes.add(error.name)
            for left in folder.iterdir():
                left.unlink()


class _Writer:
    def __init__(
        self, folder: Path, with_hashes: bool, window: Window | None, envelopes: Collection[str] | None
    ) -> None:
        """Begin a case; `envelopes` names the files that begin like raw ones and are none, None takes all for such."""
        self._folder = folder
        self._with_hashes = with_hashes
        self._window = window
        self._envelopes = envelopes
        self._files: list[LogFile] = []
        self._outside: Window | None = None
        self._left_out = 0
        self._tally = Tally()
        self._peculiarities = Peculiarities(rows.EVERY_READING)
        self._lines = 0
        self._parts: list[Part] = []
        self._blocks: list[tuple[str, Block]] = []
        self._texts: BlockWriter | None = None
        self._plain: BinaryIO | None = None
        self._last_ms: int | None = None
        self._connection = connected(folder=folder, memory_limit=_MEMORY)
        self._workers = ThreadPoolExecutor(_AT_ONCE)
        self._working: deque[tuple[_Draft, Future[None]]] = deque()

    def write(
        self,
        files: Collection[LogFile],
        source: str,
        made_by: str,
        describe: Callable[[LogFile], Input] | None,
    ) -> Manifest:
        try:
            for is_raw, group in groupby(self._given(files), key=self._is_raw):
                if is_raw:
                    self._add_raw(group)
                else:
                    self._finish_parts()
                    self._add_events(group)
            self._finish_parts()
            self._refuse_nothing()
            write_blocks(self._blocks, self._folder / BLOCKS)
            inputs = tuple(map(describe or self._input, self._files))
            return self._manifest(inputs, source, made_by)
        finally:
            for file in (self._texts, self._plain):
                if file is not None:
                    file.close()
            self._workers.shutdown()
            self._connection.close()
            for name in (TEMPORARY, _PLAIN):
                shutil.rmtree(self._folder / name, ignore_errors=True)

    def _given(self, files: Collection[LogFile]) -> Iterator[LogFile]:
        """The files, one when the one before it has been read; the first time of all is known before any of them is."""
        rest = iter(files)
        looked_at = list(islice(rest, 1))
        # One envelope alone is not looked at: it may be a large document, and the reader knows what to do.
        if len(files) > 1 or any(map(self._is_raw, looked_at)):
            first = chain(tuple(looked_at), _remembered(rest, looked_at))
            self._last_ms = reader.first_time(first)  # which the events before it get
        for file in chain(looked_at, rest):
            self._files.append(file)
            yield file

    def _is_raw(self, file: LogFile) -> bool:
        return self._envelopes is not None and str(file) not in self._envelopes and _is_raw(file)

    # --- raw files ---

    def _add_raw(self, files: Iterable[LogFile]) -> None:
        draft: _Draft | None = None
        for path in files:
            draft = draft or self._draft()
            draft.begin(path, self._lines)
            found = 0
            for data, count in self._whole_lines(path):
                if draft.texts.bytes >= _PART_BYTES:
                    self._submit(draft)
                    draft = self._draft()
                    draft.begin(path, self._lines)
                draft.texts.write(data, count)
                draft.lines.write(data)
                self._peculiarities.add(data, draft.peculiar)
                self._lines += count
                found += count
            if not found:
                self._tally.without_events[path] = 0
            if len(draft.segments) >= _PART_FILES:
                self._submit(draft)
                draft = None
        if draft is not None:
            self._submit(draft)

    def _whole_lines(self, path: LogFile) -> Iterator[tuple[bytes, int]]:
        def on_damage() -> None:
            self._tally.broken_files += (str(path),)

        try:
            yield from whole_lines(unpacked(path, on_damage))
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None

    def _draft(self) -> _Draft:
        name = f"part-{len(self._parts) + len(self._working) + 1:05}"
        self._texts = BlockWriter(self._folder / f"{name}.jsonl.zst", self._lines)
        (self._folder / _PLAIN).mkdir(exist_ok=True)
        self._plain = (self._folder / _PLAIN / name).open("wb")
        return _Draft(name, self._lines, self._texts, self._plain)

    def _submit(self, draft: _Draft) -> None:
        draft.texts.close()
        draft.lines.close()
        if not draft.texts.lines:
            (self._folder / f"{draft.name}.jsonl.zst").unlink()
            return
        while len(self._working) >= _AT_ONCE:
            self._finish()
        self._working.append((draft, self._workers.submit(self._take_apart, draft.part(), draft.peculiar)))

    def _finish_parts(self) -> None:
        while self._working:
            self._finish()

    def _take_apart(self, part: Part, peculiar: Peculiar) -> None:
        """Make the columns of a part; several parts at once."""
        lines = self._folder / _PLAIN / part.name
        sql, parameters = rows.of_lines(
            "part",
            str(lines),
            part.first_line,
            part.longest,
            part.segments,
            columns=rows.EVERY_READING if peculiar.has_joined_keys else rows.NESTED,
            has_surrogates=peculiar.has_surrogates,
        )
        nothing = ", ".join(f"CAST(NULL AS VARCHAR) AS {name}" for name in ("pointer", "message", "document"))
        given = f"SELECT {GIVEN}, {', '.join(rows.COLUMNS.values())} FROM (SELECT *, {nothing} FROM ({sql}))"
        with self._connection.cursor() as own:
            own.execute("SET TimeZone = 'UTC'")
            own.execute(f"COPY ({given}) TO {literal(str(self._folder / part.columns))} {_PARQUET}", parameters)
        lines.unlink()

    def _finish(self) -> None:
        """Look at the columns of the next part, and read its odd lines; one part after the other."""
        draft, future = self._working.popleft()
        future.result()
        part = draft.part()
        count, odd = self._one(
            f"SELECT count(*), count(*) FILTER (condition = '{rows.ODD}') FROM read_parquet($path)",
            {"path": str(self._folder / part.columns)},
        )
        if count != part.lines:
            raise _UnfitError(draft.path_of(part.first_line))
        self._blocks += [(draft.name, block) for block in draft.texts.blocks]
        if odd:
            self._keep_odd(draft, part)
        first, last = self._bounds(part)
        self._parts.append(replace(part, first_ms=first, last_ms=last, has_odd=bool(odd)))

    def _bounds(self, part: Part) -> tuple[int, int]:
        """The first and the last time of a part; the time of its last line is remembered for what follows."""
        paths = [str(path) for name in (part.columns, part.odd) if (path := self._folder / name).exists()]
        first, last, self._last_ms = self._one(
            "SELECT min(timestamp_ms), max(timestamp_ms), arg_max(timestamp_ms, line) FROM read_parquet($paths) "
            f"WHERE condition <> '{rows.ODD}'",
            {"paths": paths},
        )
        return first, last

    def _keep_odd(self, draft: _Draft, part: Part) -> None:
        """The lines that SQL could not read, read by the reader of everything, with what they hold beside them."""
        path = self._folder / part.columns
        found = self._connection.execute(
            "SELECT o.line, plain.line, plain.timestamp_ms "
            f"FROM (SELECT line FROM read_parquet($path) WHERE condition = '{rows.ODD}') o ASOF LEFT JOIN "
            f"(SELECT line, timestamp_ms FROM read_parquet($path) WHERE condition <> '{rows.ODD}') plain "
            "ON o.line > plain.line ORDER BY o.line",
            {"path": str(path)},
        ).fetchall()
        lines = [line for line, *_ in found]
        events = []
        for line, data in lines_of(self._folder / part.texts, draft.texts.blocks, lines):
            source = draft.path_of(line)
            read = reader.line_event(data.decode("utf-8", "replace"), line, source)
            if read is None:
                raise _UnfitError(source)
            events.append(read)
        before = [(-1 if line is None else line, self._last_ms if time is None else time) for _, line, time in found]
        write_events(self._connection, list(timed(events, before)), self._folder / part.odd)

    # --- everything else ---

    def _add_events(self, files: Iterable[LogFile]) -> None:
        batch: list[Event] = []
        for event in reader.read_events(
            files, self._tally, first_line=self._lines, last_ms=self._last_ms, is_whole=False
        ):
            if self._window is not None and not self._is_inside(event.timestamp_ms, self._window):
                continue
            batch.append(event)
            if len(batch) >= _EVENTS_AT_ONCE:
                self._add_batch(batch)
                batch = []
        self._add_batch(batch)

    def _is_inside(self, timestamp_ms: int, window: Window) -> bool:
        if window.start_ms <= timestamp_ms <= window.end_ms:
            return True
        self._left_out += 1
        outside = self._outside or Window(timestamp_ms, timestamp_ms)
        self._outside = Window(min(outside.start_ms, timestamp_ms), max(outside.end_ms, timestamp_ms))
        return False

    def _add_batch(self, batch: list[Event]) -> None:
        if not batch:
            return
        times = [event.timestamp_ms for event in batch]
        part = Part(f"part-{len(self._parts) + 1:05}", batch[0].line, len(batch), min(times), max(times))
        write_events(self._connection, batch, self._folder / part.odd)
        self._lines = batch[-1].line + 1
        self._last_ms = times[-1]
        self._parts.append(part)

    # --- the end ---

    def _refuse_nothing(self) -> None:
        if len(self._tally.without_events) == len(self._files):
            reader.refuse_nothing(self._tally)
        if self._outside is not None and not self._parts:
            raise SourceError(
                f"No event lies in the window {self._window}; they reach from {self._outside}. Give another window."
            )

    def _manifest(self, inputs: tuple[Input, ...], source: str, made_by: str) -> Manifest:
        paths = [str(path) for path in sorted(self._folder.glob("*.parquet")) if path.name != BLOCKS]
        found = contents(self._connection, paths)
        manifest = Manifest(
            source=source,
            inputs=inputs,
            parts=tuple(self._parts),
            events=found.events,
            bytes=found.bytes,
            first_ms=found.first_ms,
            last_ms=found.last_ms,
            conditions=found.conditions,
            levels=found.levels,
            stages=found.stages,
            broken_files=self._tally.broken_files,
            without_events={str(path): lines for path, lines in self._tally.without_events.items()},
            doubts=tuple(self._tally.doubts),
            left_out=(f"{self._left_out:,} events outside of {self._window}.",) if self._left_out else (),
            sha256={path.name: sha256(path) for path in sorted(self._folder.glob("*.*"))} if self._with_hashes else {},
            made_by=made_by,
        )
        manifest.write(self._folder)
        return manifest

    def _input(self, file: LogFile) -> Input:
        path = Path(str(file))
        facts = path.stat()
        return Input(str(path), facts.st_size, facts.st_mtime_ns, sha256(path) if self._with_hashes else "")

    def _one(self, sql: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(self._connection.execute(sql, parameters).fetchall()[0])


def _remembered(files: Iterable[LogFile], seen: list[LogFile]) -> Iterator[LogFile]:
    for file in files:
        seen.append(file)
        yield file


def _is_raw(path: LogFile) -> bool:
    """Whether a file's first line is an event as the API server writes it."""
    try:
        first = next(whole_lines(unpacked(path, lambda: None)), None)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None
    if first is None:
        return False
    line = first[0].split(b"\n", 1)[0].strip()
    return line.startswith(b"{") and isinstance(parse_event(line.decode("utf-8", "replace")).get("auditID"), str)
