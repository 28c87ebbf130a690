"""Files asked one question: lines that cannot count are passed over before they are taken apart.

The answer is that of a case of the same files. Where it cannot be had this way, `UnscannableError` says so, and a case
is made: the question has no text to look for, or there are lines that only the reader of everything can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from eks_audit_nb.case.sieve import DamagedError, Literals, Sieved, first_block, rarest_first, sieve_block, sieve_file
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.chain import Context, Events
from eks_audit_nb.engine.compiler import Statement, compile_query
from eks_audit_nb.engine.narrowing import asks_for_clock, literals
from eks_audit_nb.engine.rows import Segment
from eks_audit_nb.engine.store import Scanned, Store, connected, scanned_sql
from eks_audit_nb.insights import tree
from eks_audit_nb.reading.lines import log_stream_name
from eks_audit_nb.window import Window

# Where more of the first lines can count, so many would be kept that a case is quicker.
_MOST = 0.2
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
        super().__init__(connected(folder=folder, memory_limit=_MEMORY), tables)
        try:
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
        for half, out in zip(halves, outs, strict=False):
            if half.kept:
                self._take(half, out, Segment(0, str(path), log_stream_name(path)))
            self._lines += half.lines
            self._bytes += half.bytes

    def _take(self, half: Sieved, out: Path, segment: Segment) -> None:
        read = "read_json_objects($out, format = 'newline_delimited', ignore_errors = true)"
        numbered = f"SELECT row_number() OVER () AS place, CAST(json AS VARCHAR) AS json FROM {read}"
        numbers = "SELECT unnest($kept) AS line, generate_subscripts($kept, 1) AS place"
        lines = f"(SELECT line + $first AS line, json FROM ({numbered}) JOIN ({numbers}) USING (place))"
        sql, parameters = rows.of_relation("scan", lines, [segment])
        made = f"SELECT * EXCLUDE (json), parse_filename(log) || ':' || line AS pointer, json FROM ({sql})"
        is_first = not self._one("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'lines'")[0]
        try:
            self._connection.execute(
                f"{'CREATE TABLE lines AS' if is_first else 'INSERT INTO lines'} {made}",
                {**parameters, "out": str(out), "kept": half.kept, "first": self._lines},
            )
        except duckdb.Error:  # a line beyond all bounds
            raise UnscannableError from None
        self._kept += len(half.kept)

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
        UnscannableError: There are none, too many of the first lines have them, or the answer depends on the window.
    """
    wanted: Literals = literals(query)
    if not wanted or asks_for_clock(query):
        raise UnscannableError
    for number, path in enumerate(files):
        try:
            block = first_block(path)
        except (DamagedError, OSError):
            raise UnscannableError from None
        if number == 0:
            wanted = rarest_first(block, wanted)
        found = sieve_block(block, wanted)
        if not found.lines or len(found.kept) > found.lines * _MOST:
            raise UnscannableError
    return wanted
