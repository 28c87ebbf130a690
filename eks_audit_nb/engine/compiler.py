"""A query's tree to one SQL statement over the table `events`.

The statement is a chain of common table expressions, one a step: the events of the window with the fields that the
query names taken apart, then a step for each command, then the rows in order. Column names are made up here, and every
constant is a bound parameter, so no text of a query becomes SQL.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from eks_audit_nb.engine.expressions import Kind, Scope, Value, compile_expression, text, truth
from eks_audit_nb.engine.fields import MAX_DOTS, pointers
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import order, regex, schema, tree
from eks_audit_nb.window import Window

_SYSTEM_FIELDS = {
    "@timestamp": Value("timestamp_ms", Kind.TIME),
    "@ingestionTime": Value("ingestion_ms", Kind.TIME),
    "@message": Value("message", Kind.TEXT),
    "@logStream": Value("log_stream", Kind.TEXT),
    "@log": Value("log", Kind.TEXT),
    "@ptr": Value("pointer", Kind.TEXT),
}
_EVENT_COLUMNS = "line, timestamp_ms, ingestion_ms, message, log_stream, log, pointer"


@dataclass(frozen=True)
class Statement:
    """SQL that gives one text column a column of the query, in its order."""

    sql: str
    parameters: dict[str, object]
    columns: tuple[schema.Column, ...]
    warnings: tuple[str, ...]


def compile_query(query: tree.Query, window: Window | None) -> Statement:
    """Compile a query for the events of a window; None means all events.

    Raises:
        QueryError: For a name that is not visible, or something that the engine cannot answer.
    """
    effective = order.effective(query)
    chain = _Chain(query)
    for command in effective.steps:
        match command:
            case tree.Fields() | tree.Display():
                chain.select(command.selections)
            case tree.Filter():
                chain.filter(command)
            case tree.Parse():
                chain.parse(command)
            case tree.Stats():
                chain.stats(command)
            case tree.Sort():
                chain.sort(command)
            case tree.Dedup():
                chain.dedup(command)
    columns = schema.columns(query)
    outputs = [chain.output(column.name, query) for column in columns]
    selected = ", ".join(f"{text(value)} AS o{i}" for i, value in enumerate(outputs))
    ordering = ", ".join(chain.order_by(effective.keys))
    tail = f"SELECT {selected} FROM {chain.relation}" + (f" ORDER BY {ordering}" if ordering else "")
    if effective.limit is not None:
        tail += f" LIMIT {chain.bind(effective.limit)}"
    sql = chain.render(tail, window)
    used = set(re.findall(r"\$(p\d+)\b", sql))  # DuckDB refuses a parameter that the statement does not name
    parameters = {name: value for name, value in chain.parameters.items() if name in used}
    return Statement(sql, parameters, columns, effective.warnings)


@dataclass
class _Chain:
    """The steps so far, and what is visible behind the last one."""

    query: tree.Query
    parameters: dict[str, object] = field(default_factory=dict)
    relation: str = "named"
    is_raw: bool = True
    sorted_by: tuple[tree.SortKey, ...] = ()
    _steps: list[str] = field(default_factory=list)
    _visible: dict[str, Value] = field(default_factory=dict)
    _fields: dict[str, str] = field(default_factory=dict)
    _columns: int = 0

    # --- what expressions ask for (engine.expressions.Scope) ---

    def bind(self, value: object) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def field(self, node: tree.Field) -> Value:
        if node.name in self._visible:
            return self._visible[node.name]
        if not self.is_raw:
            near = difflib.get_close_matches(node.name, self._visible, 1)
            names = ", ".join(self._visible)
            raise QueryError(
                f"{node.name!r} is not visible after stats",
                self.query.text,
                node.span.start,
                node.span.end,
                (f"Did you mean {near[0]!r}? " if near else "")
                + f"Behind stats only its own columns are left: {names}.",
            )
        if node.name in _SYSTEM_FIELDS:
            return _SYSTEM_FIELDS[node.name]
        if node.name.count(".") > MAX_DOTS:
            raise QueryError(
                f"A name with more than {MAX_DOTS} dots cannot be looked up",
                self.query.text,
                node.span.start,
                node.span.end,
                "Take it out of the text: parse @message ...",
            )
        # A key that begins with @ is shown as @@key, so that it cannot be taken for a system field.
        name = node.name[1:] if node.name.startswith("@@") else node.name
        return Value(self._fields.setdefault(name, f"f{len(self._fields)}"), Kind.TEXT)

    def named(self, node: tree.Call) -> Value | None:
        if self.is_raw:
            return None
        typed = self.query.source_of(node)
        if typed in self._visible:
            return self._visible[typed]
        wanted = tree.label(typed)
        return next((value for name, value in self._visible.items() if tree.label(name) == wanted), None)

    def inside(self) -> Scope:
        return self

    # --- commands ---

    def select(self, selections: tuple[tree.Selection, ...]) -> None:
        added = []
        for item in selections:
            if not item.is_aliased and isinstance(item.expression, tree.Field):
                self.field(item.expression)  # refuses a name that is not visible
                continue
            value = compile_expression(item.expression, self)
            column = self._new_column()
            added.append(f"{value.sql} AS {column}")
            self._visible[item.name] = Value(column, value.kind)
            if any(isinstance(node, tree.Field) for node in item.expression.walk()):
                self._step(f"SELECT *, {added.pop()} FROM {self.relation}")
        if added:
            self._step(f"SELECT *, {', '.join(added)} FROM {self.relation}")

    def filter(self, command: tree.Filter) -> None:
        self._step(f"SELECT * FROM {self.relation} WHERE {truth(command.condition, self)}")

    def parse(self, command: tree.Parse) -> None:
        subject = text(self.field(command.source))
        if isinstance(command.pattern, tree.Regex):
            found = regex.groups(command.pattern.pattern)
            pattern, numbers = found.pattern, found.numbers
        else:
            pattern = regex.from_glob(command.pattern.value)
            numbers = {name: number for number, name in enumerate(command.names, 1)}
        bound = self.bind(pattern)
        columns = []
        for name in command.names:
            column = self._new_column()
            group = self.bind(numbers[name])
            columns.append(
                f"CASE WHEN regexp_matches({subject}, {bound}) "
                f"THEN regexp_extract({subject}, {bound}, CAST({group} AS INTEGER)) END AS {column}"
            )
            self._visible[name] = Value(column, Kind.TEXT)
        self._step(f"SELECT *, {', '.join(columns)} FROM {self.relation}")

    def stats(self, command: tree.Stats) -> None:
        outputs: dict[str, Value] = {}
        selected: list[tuple[str, str]] = []
        groups_scope = _StatsScope(self.query, self, self, {}, has_columns=True)
        scope = _StatsScope(self.query, self, groups_scope, {}, has_columns=False)
        for item in (*command.groups, *command.aggregates):
            of_item = groups_scope if len(selected) < len(command.groups) else scope
            value = compile_expression(item.expression, of_item)
            column = self._new_column()
            selected.append((column, value.sql))
            outputs[item.name] = Value(column, value.kind)
            of_item.aliases[item.name] = value
        groups = [sql for _, sql in selected[: len(command.groups)]]
        columns = ", ".join(f"{sql} AS {column}" for column, sql in selected)
        grouping = f" GROUP BY {', '.join(str(i + 1) for i in range(len(groups)))}" if groups else ""
        self._step(f"SELECT {columns} FROM {self.relation}{grouping}")
        self._visible, self.is_raw, self.sorted_by = outputs, False, ()

    def sort(self, command: tree.Sort) -> None:
        # The rows are put in order at the end, and by a dedup; an alias is there from here on.
        self.select(
            tuple(
                tree.Selection(key.span, key.expression, key.name, is_aliased=True) for key in command.keys if key.name
            )
        )
        self.sorted_by = command.keys

    def dedup(self, command: tree.Dedup) -> None:
        names = [text(self.field(key)) for key in command.keys]
        ordering = ", ".join(self.order_by(self.sorted_by)) or names[0]
        missing = " OR ".join(f"{name} IS NULL" for name in names)
        self._step(
            f"SELECT * FROM {self.relation} QUALIFY {missing} "
            f"OR row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {ordering}) = 1"
        )

    # --- the result ---

    def output(self, name: str, query: tree.Query) -> Value:
        return self.field(tree.Field(query.span, name))

    def order_by(self, keys: tuple[tree.SortKey, ...]) -> list[str]:
        terms = []
        for key in keys:
            value = compile_expression(key.expression, self)
            # Missing values come first when ascending and last when descending: they have no value to be greater.
            direction = "ASC NULLS FIRST" if key.direction is tree.Direction.ASCENDING else "DESC NULLS LAST"
            if value.kind is Kind.TEXT:
                # Text first, then numbers, 01 before 1; NULL only where the value is missing.
                terms += [
                    f"CASE WHEN {value.sql} IS NOT NULL THEN number_of({value.sql}) IS NOT NULL END {direction}",
                    f"text_sort_key({value.sql}) {direction}",
                    f"number_of({value.sql}) {direction}",
                    f"{value.sql} {direction}",
                ]
            else:
                terms.append(f"{value.sql} {direction}")
        if self.is_raw:
            terms += ["timestamp_ms DESC", "line DESC"]
        else:
            # A result of stats has no order of its own; its columns give one, so that it is the same every time.
            terms += [f"{value.sql} ASC NULLS FIRST" for value in self._visible.values()]
        return terms

    def render(self, tail: str, window: Window | None) -> str:
        wanted: list[str] = []
        named = ["*"]
        for name, column in self._fields.items():
            readings = []
            for pointer in pointers(name):
                wanted.append(pointer)
                readings.append(f"leaf(found[{len(wanted)}], document, {self.bind(pointer)})")
            named.append(f"coalesce({', '.join(readings)}) AS {column}")
        found = f"TRY(json_extract_string(document, {self.bind(wanted)}))" if wanted else "NULL"
        where = ""
        if window is not None:
            where = f" WHERE timestamp_ms BETWEEN {self.bind(window.start_ms)} AND {self.bind(window.end_ms)}"
        extracted = f"SELECT {_EVENT_COLUMNS}, document, {found} AS found FROM events{where}"
        steps = [f"extracted AS ({extracted})", f"named AS (SELECT {', '.join(named)} FROM extracted)", *self._steps]
        return f"WITH {', '.join(steps)} {tail}"

    def _new_column(self) -> str:
        self._columns += 1
        return f"c{self._columns}"

    def _step(self, sql: str) -> None:
        name = f"s{len(self._steps)}"
        self._steps.append(f"{name} AS ({sql})")
        self.relation = name


@dataclass
class _StatsScope:
    """What one part of a `stats` may refer to: the aliases before it in the same command, then what is `outside`.

    The aggregates of a command do not see the columns of an earlier stats by their text: `count(*)` counts anew. Their
    arguments do, and they see no alias of the aggregates beside them: `max(a) as a, min(a) as b`.
    """

    query: tree.Query
    chain: _Chain
    outside: Scope
    aliases: dict[str, Value]
    has_columns: bool

    def bind(self, value: object) -> str:
        return self.chain.bind(value)

    def field(self, node: tree.Field) -> Value:
        return self.aliases.get(node.name) or self.outside.field(node)

    def named(self, node: tree.Call) -> Value | None:
        return self.chain.named(node) if self.has_columns else None

    def inside(self) -> Scope:
        return self.outside
