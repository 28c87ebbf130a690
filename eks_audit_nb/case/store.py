"""A case asked with the embedded engine: what the columns can tell is told by them, and few lines cost few blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import duckdb
import zstandard

from eks_audit_nb.case.blocks import Block, lines_of
from eks_audit_nb.case.manifest import BLOCKS, Manifest, Part, read_manifest
from eks_audit_nb.engine import rows
from eks_audit_nb.engine.chain import Context, Events
from eks_audit_nb.engine.compiler import Statement, compile_narrowed, compile_query
from eks_audit_nb.engine.narrowing import Narrowed, literals, narrowed
from eks_audit_nb.engine.store import Scanned, Store, connected, scanned_sql
from eks_audit_nb.errors import SourceError
from eks_audit_nb.insights import tree
from eks_audit_nb.window import Window

# Beyond these it is quicker to read all lines than to pick some, and they would not fit into memory.
_MOST_PICKED, _MOST_PICKED_BYTES = 20_000, 64 * 1024 * 1024
_ROWS_AT_ONCE = 2_000
_EVENT = ("line", "timestamp_ms", "ingestion_ms", "log_stream", "log", "condition", "size")
_PICKED = "picked"


class CaseStore(Store):
    """The events of a case."""

    def __init__(self, folder: Path, tables: Mapping[str, Path] | None = None) -> None:
        """Open a case.

        Args:
            folder: What `writer.write_case` filled.
            tables: See `Store`.

        Raises:
            SourceError: The folder is no case, or a table cannot be read.
        """
        self.folder = folder.absolute()
        self.manifest: Manifest = read_manifest(folder)
        self._blocks: list[tuple[Part, list[Block]]] | None = None
        super().__init__(connected(folder=self.folder), tables)

    def span(self) -> Window | None:
        """From the first event to the last one; None without events."""
        first, last = self.manifest.first_ms, self.manifest.last_ms
        return None if first is None or last is None else Window(first, last)

    def scanned(self, window: Window | None) -> Scanned:
        """What a window holds; None means everything."""
        if window is None or window == self.span():
            counts = self.manifest.conditions
            return Scanned(
                self.manifest.events,
                self.manifest.bytes,
                *(counts.get(name, 0) for name in ("unreadable", "truncated", "foreign")),
            )
        columns = self._columns(self.manifest.parts)
        sql, parameters = scanned_sql(columns.sql, window)
        with self._reading():
            return Scanned(*self._one(sql, {**parameters, **columns.parameters}))

    @contextmanager
    def prepared(self, query: tree.Query, context: Context) -> Iterator[Statement]:
        """The statement that answers a query, over the columns alone, over lines picked by them, or over all lines."""
        with self._reading():
            yield self._statement(query, context)

    def _statement(self, query: tree.Query, context: Context) -> Statement:
        every = self.manifest.parts
        parts = [part for part in every if _overlaps(part, context.window)] or every[:1]
        over_columns = replace(context, events=self._columns(parts))
        statement = compile_query(query, over_columns)
        if not statement.reads_documents:
            return statement
        if self._pick(query, over_columns):
            return compile_query(query, replace(context, events=Events(_PICKED)))
        return compile_query(query, replace(context, events=self._lines(parts, context.window, literals(query))))

    def _pick(self, query: tree.Query, context: Context) -> bool:
        """Put the events that can count into a table of their own, where they are few."""
        # The columns know nothing of a cap: which fields it leaves, the text tells.
        only = narrowed(query, rows.COLUMNS if context.field_cap is None else ())
        if only == Narrowed():
            return False
        statement = compile_narrowed(query, context, only, _MOST_PICKED + 1)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {_PICKED} AS {statement.sql}", statement.parameters)
        count, size = self._one(f"SELECT count(*), coalesce(sum(size), 0) FROM {_PICKED}")
        if count > _MOST_PICKED or size > _MOST_PICKED_BYTES:
            return False
        sql = f"SELECT line FROM {_PICKED} WHERE message IS NULL ORDER BY line"
        texts = list(self._texts([line for (line,) in self._connection.execute(sql).fetchall()]))
        self._connection.execute("CREATE OR REPLACE TEMP TABLE texts (line BIGINT, text VARCHAR)")
        for begin in range(0, len(texts), _ROWS_AT_ONCE):
            lines, found = zip(*texts[begin : begin + _ROWS_AT_ONCE], strict=True)
            given = {"lines": list(lines), "texts": list(found)}
            self._connection.execute("INSERT INTO texts SELECT unnest($lines), unnest($texts)", given)
        self._connection.execute(
            f"UPDATE {_PICKED} SET message = t.text, document = t.text FROM texts t WHERE {_PICKED}.line = t.line"
        )
        return True

    def _texts(self, lines: Sequence[int]) -> Iterator[tuple[int, str]]:
        for part, blocks in self._read_blocks():
            first = bisect_right(lines, part.first_line - 1)
            last = bisect_right(lines, part.first_line + part.lines - 1)
            if first < last:
                for line, text in lines_of(self.folder / part.texts, blocks, lines[first:last]):
                    # What is no UTF-8 is no plain line, and has its text in the columns.
                    yield line, text.decode("utf-8", "replace")

    def _read_blocks(self) -> list[tuple[Part, list[Block]]]:
        if self._blocks is None:
            sql = "SELECT part, start, length, first_line, lines FROM read_parquet($path) ORDER BY first_line"
            found = self._connection.execute(sql, {"path": str(self.folder / BLOCKS)}).fetchall()
            by_name = {part.name: part for part in self.manifest.parts}
            self._blocks = [
                (by_name[name], [Block(*block) for _, *block in blocks])
                for name, blocks in groupby(found, key=lambda row: str(row[0]))
            ]
        return self._blocks

    def _columns(self, parts: Sequence[Part]) -> Events:
        """The columns of some parts; `message` and `document` are there for the rows that are no plain lines."""
        paths = [str(self.folder / name) for part in parts for name in part.tables]
        pointer = "coalesce(pointer, parse_filename(log) || ':' || line) AS pointer"
        columns = ", ".join((*_EVENT, pointer, *rows.COLUMNS.values(), "message", "document"))
        sql = f"(SELECT {columns} FROM read_parquet($files) WHERE condition <> '{rows.ODD}')"
        return Events(sql, {"files": paths}, rows.COLUMNS)

    def _lines(self, parts: Sequence[Part], window: Window, wanted: Sequence[Sequence[str]]) -> Events:
        """The lines of some parts that can hold the wanted texts."""
        pieces = []
        parameters: dict[str, object] = {}
        self._check_sizes(parts)
        for part in parts:
            if part.segments:
                name, path = part.name.replace("-", "_"), str(self.folder / part.texts)
                sql, named = rows.of_lines(name, path, part.first_line, part.longest, part.segments, literals=wanted)
                plain = f" WHERE condition <> '{rows.ODD}'" if part.has_odd else ""
                columns = ", ".join((*_EVENT, "parse_filename(log) || ':' || line AS pointer"))
                pieces.append(f"SELECT {columns}, json AS message, json AS document FROM ({sql}){plain}")
                parameters |= named
        if kept := [str(self.folder / part.odd) for part in parts if part.has_odd or not part.segments]:
            pieces.append(f"SELECT {', '.join(_EVENT)}, pointer, message, document FROM read_parquet($kept)")
            parameters["kept"] = kept
        is_within = all(window.start_ms <= part.first_ms and part.last_ms <= window.end_ms for part in parts)
        return Events(f"({' UNION ALL '.join(pieces)})", parameters, is_within=is_within)

    def _check_sizes(self, parts: Sequence[Part]) -> None:
        """Refuse a file of lines that breaks off: the database would take its end for the end of the lines."""
        for part, blocks in self._read_blocks():
            if part in parts and (self.folder / part.texts).stat().st_size != blocks[-1].offset + blocks[-1].length:
                raise OSError(f"{part.texts} has another size than when it was written")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, zstandard.ZstdError, duckdb.Error) as error:
            if isinstance(error, duckdb.Error) and not _is_damage(error):
                raise
            reason = str(error).partition("\n")[0]
            raise SourceError(
                f"The case {self.folder} cannot be read: {reason}. "
                "Check one that was collected with eks-audit verify; delete one in the cache, and it is made anew."
            ) from None


def _is_damage(error: duckdb.Error) -> bool:
    """Whether DuckDB says so of a file that is missing or damaged; some of that has no class of its own."""
    return type(error) is duckdb.Error or isinstance(
        error, duckdb.IOException | duckdb.InvalidInputException | duckdb.PermissionException
    )


def _overlaps(part: Part, window: Window) -> bool:
    return part.first_ms <= window.end_ms and part.last_ms >= window.start_ms
