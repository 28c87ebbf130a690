"""Files asked one question: lines that cannot count are passed over before they are taken apart.

The rows are those that a case of the same files gives; of a line that is passed over, only its beginning and its end
are looked at, so that a damage inside it is not seen. Where the rows cannot be had this way, `UnscannableError` says
so, and a case is made: the question has no text to look for, or there are lines that only the reader of everything
can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from eks_audit_nb.case.sieve import (
    DamagedError,
    Literals,
    Sieved,
    begins_with_an_event,
    first_block,
    rarest_first,
    sieve_block,
    sieve_file,
)
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.chain import EVENT_COLUMNS, Context, Events
from eks_audit_nb.engine.columns import columns_of
from eks_audit_nb.engine.compiler import Statement, compile_kept, compile_query, named_in
from eks_audit_nb.engine.narrowing import asks_for_clock, literals, narrowed, tells_order
from eks_audit_nb.engine.rows import NO_COLUMNS, Segment
from eks_audit_nb.engine.store import Scanned, Store, connected, literal
from eks_audit_nb.insights import schema, tree
from eks_audit_nb.reading.lines import log_stream_name
from eks_audit_nb.window import Window

# Where more of the first lines of the largest files can count, so many would be kept that a case is quicker.
_MOST, _SAMPLED = 0.2, 16
# So much waits before it is taken apart: what is kept goes to the disk, so that memory does not grow with the log, and
# many small files are taken at once.
_MOST_BYTES, _MOST_FILES = 400_000, 64
_PARQUET = "(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 2048)"
_MEMORY = "300MB"
# The longest line that the database is told to expect at least.
_SHORTEST_BOUND = 1_000_000
# What is left out where a query does not ask for it.
_OF_THE_LINE = {"@ingestionTime": "ingestion_ms", "@logStream": "log_stream", "@log": "log", "@ptr": "pointer"}
_NOTHING = "(SELECT CAST(NULL AS BIGINT) AS line, CAST(NULL AS VARCHAR) AS json WHERE false)"


class UnscannableError(Exception):
    """A question or files for which a case is needed."""


class ScanStore(Store):
    """The events of some files that can count in one query's answer."""

    def __init__(
        self,
        files: Sequence[Path],
        query: tree.Query,
        tables: Mapping[str, Path] | None = None,
        field_cap: int | None = None,
    ) -> None:
        """Pass over the files.

        Args:
            files: Raw logs.
            query: The only one that will be asked.
            tables: See `Store`.
            field_cap: That under which it will be asked.

        Raises:
            UnscannableError: A case has to be made instead.
            QueryError: The query asks for what the engine cannot answer.
            SourceError: A table cannot be read.
        """
        wanted = _worth_it(files, query)
        self._folder = TemporaryDirectory(prefix="eks-audit-")
        folder = Path(self._folder.name)
        connection = connected(folder=folder, memory_limit=_MEMORY)
        # Without an order to keep, several threads read one file.
        connection.execute(f"SET preserve_insertion_order = {tells_order(query)}")
        try:
            super().__init__(connection, tables)
            self._check_patterns(query)
            self._kept = _Kept(connection, folder, query, Context(Window(0, 0), 0, tables=self._tables), field_cap)
            self._scanned = self._pass_over(files, wanted, folder)
        except BaseException:
            self.close()
            raise

    def span(self) -> Window | None:
        """None: the files are not looked at for their ends, and the answer does not depend on them."""
        return None

    def scanned(self, window: Window | None) -> Scanned:
        """What the files hold; the window is all of them."""
        del window
        return self._scanned

    @contextmanager
    def prepared(self, query: tree.Query, context: Context) -> Iterator[Statement]:
        """The statement over the events that were kept."""
        yield compile_query(query, replace(context, events=self._kept.events))

    def close(self) -> None:
        """Give memory and disk back."""
        super().close()
        self._folder.cleanup()

    def _pass_over(self, files: Sequence[Path], wanted: Literals, folder: Path) -> Scanned:
        lines = size = 0
        for number, path in enumerate(files):
            outs = (folder / f"{number}-first.jsonl", folder / f"{number}-second.jsonl")
            try:
                halves = sieve_file(path, wanted, outs)
            except (DamagedError, OSError):  # the reader of everything says what is wrong
                raise UnscannableError from None
            # A blank line has a number and is no row.
            if any(half.has_blank for half in halves):
                raise UnscannableError
            self._kept.add(path, list(zip(halves, outs, strict=False)), lines)
            lines += sum(half.lines for half in halves)
            size += sum(half.bytes for half in halves)
        return self._kept.counted(lines, size)


@dataclass(frozen=True)
class _Waiting:
    """Lines of a file that can count, or of one of its halves, in a file of their own."""

    path: Path
    out: Path
    half: Sieved
    first_line: int


class _Kept:
    """What is kept of the lines that can count: those that a query's conditions leave, their fields or their text."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        query: tree.Query,
        context: Context,
        field_cap: int | None,
    ) -> None:
        self._connection, self._folder = connection, folder
        self._files: list[str] = []
        self._waiting: list[_Waiting] = []
        keys = compile_query(query, context).fields
        # A cap leaves fields out, of which columns and conditions know nothing.
        self._columns = columns_of(keys) if field_cap is None else NO_COLUMNS
        incoming = replace(context, events=Events("incoming", columns=self._columns.by_field, is_within=True))
        self._has_texts = field_cap is not None or compile_query(query, incoming).reads_documents
        conditions = narrowed(query, keys).conditions if field_cap is None else ()
        named = {node.name for node in query.walk() if isinstance(node, tree.Field)}
        named |= {column.name for column in schema.columns(query)}
        unneeded = {column for name, column in _OF_THE_LINE.items() if name not in named}
        wanted = [f"NULL AS {column}" if column in unneeded else column for column in EVENT_COLUMNS]
        self._statement = compile_kept(query, incoming, conditions, wanted, with_texts=self._has_texts)
        self._is_numbered = tells_order(query)

    @property
    def events(self) -> Events:
        """Where they are."""
        return Events("kept", columns={} if self._has_texts else self._columns.by_field, is_within=True)

    def add(self, path: Path, halves: Sequence[tuple[Sieved, Path]], first_line: int) -> None:
        """Take what a file has, each half of its lines in a file of its own."""
        for half, out in halves:
            if half.kept:
                self._waiting.append(_Waiting(path, out, half, first_line))
            first_line += half.lines
        if len(self._waiting) >= _MOST_FILES or sum(each.out.stat().st_size for each in self._waiting) >= _MOST_BYTES:
            self._take()

    def counted(self, lines: int, size: int) -> Scanned:
        """What the files hold, after the last of them.

        Raises:
            UnscannableError: There are lines that only the reader of everything can read.
        """
        if self._waiting or not self._files:
            self._take()
        files = ", ".join(map(literal, self._files))
        text = ", message AS document" if self._has_texts else ""
        self._connection.execute(f"CREATE VIEW kept AS SELECT *{text} FROM read_parquet([{files}])")
        sql = "SELECT condition, count(*) FROM kept WHERE condition <> '' GROUP BY condition"
        counts = dict(self._connection.execute(sql).fetchall())
        if rows.ODD in counts:
            raise UnscannableError
        return Scanned(lines, size, truncated=counts.get("truncated", 0))

    def _take(self) -> None:
        """Take what the lines that wait have apart, all files at once; it goes to the disk, and they are gone."""
        taken = [self._lines(str(number), each) for number, each in enumerate(self._waiting)]
        taken = taken or [rows.of_relation("none", _NOTHING, [Segment(0, "", "")], columns=self._columns)]
        incoming = " UNION ALL ".join(sql for sql, _ in taken)
        parameters = dict(self._statement.parameters)
        for _, named in taken:
            parameters |= named
        pointer = "parse_filename(log) || ':' || line AS pointer"
        events = f"SELECT *, {pointer}, json AS message, json AS document FROM ({incoming})"
        kept = f"WITH incoming AS ({events}) SELECT * FROM ({self._statement.sql})"
        path = str(self._folder / f"kept-{len(self._files)}.parquet")
        sql = f"COPY ({kept}) TO {literal(path)} {_PARQUET}"
        try:
            self._connection.execute(sql, named_in(sql, parameters))
        # A value beyond what can be computed, of which asking says where it stands, or no room.
        except (duckdb.DataError, duckdb.OperationalError):
            raise UnscannableError from None
        for each in self._waiting:
            each.out.unlink()
        self._waiting.clear()
        self._files.append(path)

    def _lines(self, name: str, waiting: _Waiting) -> tuple[str, dict[str, object]]:
        read = (
            f"read_json_objects($out_{name}, format = 'newline_delimited', ignore_errors = true, "
            f"maximum_object_size = {max(waiting.half.longest, _SHORTEST_BOUND)})"
        )
        if self._is_numbered:
            numbered = f"SELECT row_number() OVER () AS place, CAST(json AS VARCHAR) AS json FROM {read}"
            numbers = f"SELECT unnest($kept_{name}) AS line, generate_subscripts($kept_{name}, 1) AS place"
            lines = f"(SELECT line + $first_{name} AS line, json FROM ({numbered}) JOIN ({numbers}) USING (place))"
            places: dict[str, object] = {f"kept_{name}": waiting.half.kept, f"first_{name}": waiting.first_line}
        else:
            lines, places = f"(SELECT 0 AS line, CAST(json AS VARCHAR) AS json FROM {read})", {}
        segments = [Segment(0, str(waiting.path), log_stream_name(waiting.path))]
        sql, parameters = rows.of_relation(name, lines, segments, columns=self._columns)
        return sql, parameters | {f"out_{name}": str(waiting.out), **places}


def _worth_it(files: Sequence[Path], query: tree.Query) -> Literals:
    """The texts to look for, the rarest first.

    Raises:
        UnscannableError: There are none, a file is not raw, too many lines have them, or the answer depends on the
            window.
    """
    wanted: Literals = literals(query)
    if not wanted or asks_for_clock(query):
        raise UnscannableError
    try:
        if not all(begins_with_an_event(path) for path in files):
            raise UnscannableError
        some = sorted(files, key=lambda path: path.stat().st_size, reverse=True)[:_SAMPLED]
        sizes = [path.stat().st_size for path in some]
        blocks = [first_block(path) for path in some]
    except (DamagedError, OSError):
        raise UnscannableError from None
    wanted = rarest_first(blocks[0], wanted)
    found = [sieve_block(block, wanted) for block in blocks]
    shares = [len(each.kept) / max(each.lines, 1) for each in found]
    if sum(size * share for size, share in zip(sizes, shares, strict=True)) > sum(sizes) * _MOST:
        raise UnscannableError
    return wanted
