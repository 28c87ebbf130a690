"""Files asked one question: lines that cannot count are passed over before they are taken apart.

The rows are those that a case of the same files gives; of a line that is passed over, only its beginning and its end
are looked at, so that a damage inside it is not seen. Where the rows cannot be had this way, `UnscannableError` says
so, and a case is made: the question has no text to look for, or there are lines that only the reader of everything
can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
from eks_audit_nb.engine.chain import Context, Events
from eks_audit_nb.engine.compiler import Statement, compile_query
from eks_audit_nb.engine.narrowing import asks_for_clock, literals, tells_order
from eks_audit_nb.engine.rows import Segment
from eks_audit_nb.engine.store import Scanned, Store, connected, scanned_sql
from eks_audit_nb.insights import tree
from eks_audit_nb.reading.lines import log_stream_name
from eks_audit_nb.window import Window

# Where more of the first lines of the largest files can count, so many would be kept that a case is quicker.
_MOST, _SAMPLED = 0.2, 16
# What is kept goes to disk beyond this, so that memory does not grow with the files.
_MEMORY = "300MB"
_KEPT = "kept"
_NO_LINES = """CREATE TABLE lines (line BIGINT, timestamp_ms BIGINT, ingestion_ms BIGINT, log_stream VARCHAR,
    log VARCHAR, condition VARCHAR, size BIGINT, pointer VARCHAR, json VARCHAR)"""


class UnscannableError(Exception):
    """A question or files for which a case is needed."""


class ScanStore(Store):
    """The events of some files that can count in one query's answer."""

    def __init__(self, files: Sequence[Path], query: tree.Query, tables: Mapping[str, Path] | None = None) -> None:
        """Pass over the files.

        Raises:
            UnscannableError: A case has to be made instead.
            SourceError: A table cannot be read.
        """
        wanted = _worth_it(files, query)
        self._folder = TemporaryDirectory(prefix="eks-audit-")
        self._lines = self._bytes = self._kept = 0
        folder = Path(self._folder.name)
        self._in_order = tells_order(query)
        connection = connected(folder=folder, memory_limit=_MEMORY)
        # Without an order to keep, several threads read one file.
        connection.execute(f"SET preserve_insertion_order = {self._in_order}")
        try:
            super().__init__(connection, tables)
            for path in files:
                self._sieve(path, wanted, (folder / "first.jsonl", folder / "second.jsonl"))
            self._scanned = self._counted()
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
        """The statement over the lines that were kept."""
        events = Events(_KEPT, is_within=True)
        yield compile_query(query, replace(context, events=events))

    def close(self) -> None:
        """Give memory and disk back."""
        super().close()
        self._folder.cleanup()

    def _sieve(self, path: Path, wanted: Literals, outs: tuple[Path, Path]) -> None:
        try:
            halves = sieve_file(path, wanted, outs)
        except (DamagedError, OSError):  # the reader of everything says what is wrong
            raise UnscannableError from None
        # Each half numbers its own lines, so that both are taken at once.
        pieces = []
        parameters: dict[str, object] = {}
        for number, (half, out) in enumerate(zip(halves, outs, strict=False)):
            if half.kept:
                sql, named = self._kept_lines(str(number), half, out, Segment(0, str(path), log_stream_name(path)))
                pieces.append(sql)
                parameters |= named
            self._lines += half.lines
            self._bytes += half.bytes
            self._kept += len(half.kept)
        if pieces:
            self._take(" UNION ALL ".join(pieces), parameters)

    def _kept_lines(self, name: str, half: Sieved, out: Path, segment: Segment) -> tuple[str, dict[str, object]]:
        read = f"read_json_objects($out_{name}, format = 'newline_delimited', ignore_errors = true)"
        if self._in_order:
            numbered = f"SELECT row_number() OVER () AS place, CAST(json AS VARCHAR) AS json FROM {read}"
            numbers = f"SELECT unnest($kept_{name}) AS line, generate_subscripts($kept_{name}, 1) AS place"
            lines = f"(SELECT line + $first_{name} AS line, json FROM ({numbered}) JOIN ({numbers}) USING (place))"
            places = {f"kept_{name}": half.kept, f"first_{name}": self._lines}
        else:
            lines, places = f"(SELECT 0 AS line, CAST(json AS VARCHAR) AS json FROM {read})", {}
        sql, parameters = rows.of_relation(name, lines, [segment])
        parameters |= {f"out_{name}": str(out), **places}
        return f"SELECT * EXCLUDE (json), parse_filename(log) || ':' || line AS pointer, json FROM ({sql})", parameters

    def _take(self, sql: str, parameters: dict[str, object]) -> None:
        is_first = not self._one("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'lines'")[0]
        try:
            self._connection.execute(
                f"{'CREATE TABLE lines AS' if is_first else 'INSERT INTO lines'} {sql}", parameters
            )
        except duckdb.Error:  # a line beyond all bounds
            raise UnscannableError from None

    def _counted(self) -> Scanned:
        if not self._kept:
            self._connection.execute(_NO_LINES)
        self._connection.execute(f"CREATE VIEW {_KEPT} AS SELECT *, json AS message, json AS document FROM lines")
        sql, _ = scanned_sql(_KEPT, None)
        odd = f"SELECT count(*) FROM lines WHERE condition = '{rows.ODD}' OR json IS NULL"
        events, _, unreadable, truncated, foreign, others = self._one(f"SELECT *, ({odd}) FROM ({sql})")
        # Blank lines are no rows, and lines that are no JSON have no text: only the reader of everything has both.
        if others or events != self._kept:
            raise UnscannableError
        return Scanned(self._lines, self._bytes, unreadable, truncated, foreign)


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
