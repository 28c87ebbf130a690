"""The steps of one query: what each command adds to the SQL, and which names are visible behind it.

A statement is a chain of common table expressions, one a step: the events of the window, the fields that the query
names taken apart, then a step for each command. Column names are made up here, and every constant is a bound
parameter, so no text of a query becomes SQL.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from eks_audit_nb.engine.calls import milliseconds
from eks_audit_nb.engine.expressions import accessed, compile_expression, truth
from eks_audit_nb.engine.fields import MAX_DOTS, pointers
from eks_audit_nb.engine.values import Kind, Scope, Value, printed, refusal, structure, text
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import order, regex, schema, tree
from eks_audit_nb.insights.commands import UNANSWERED
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
class LookupTable:
    """A table that `lookup` names: its relation, in which columns are `k0`, `k1` and so on, and their real names."""

    relation: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """What a query is asked under.

    `field_cap` is how many fields of an event are discovered, None for all; `is_strict` refuses what the documentation
    calls invalid.
    """

    window: Window
    now_ms: int
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
    field_cap: int | None = None
    is_strict: bool = False


@dataclass
class Chain:
    """The steps so far, and what is visible behind the last one."""

    query: tree.Query
    context: Context
    parameters: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    relation: str = "named"
    is_raw: bool = True
    sorted_by: tuple[tree.SortKey, ...] = ()
    _steps: list[str] = field(default_factory=list)
    _visible: dict[str, Value] = field(default_factory=dict)
    _fields: dict[str, str] = field(default_factory=dict)
    _ranks: list[str] = field(default_factory=list)  # columns that number the rows made of one event
    _columns: int = 0

    # --- what expressions ask for (engine.expressions.Scope) ---

    def bind(self, value: object) -> str:
        """Add a parameter and give its placeholder."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def field(self, node: tree.Field) -> Value:
        """The value of a name: an alias, a column of stats, a system field or a field of the event."""
        if node.name in self._visible:
            return self._visible[node.name]
        if (inside := self._inside(node.name)) is not None:
            return inside
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
        return Value(self._fields.setdefault(_key(node.name), f"f{len(self._fields)}"), Kind.TEXT)

    def _inside(self, name: str) -> Value | None:
        """What lies in a map or a list that an alias names: `message.user.name` with the alias `message`."""
        parts = name.split(".")
        for count in range(len(parts) - 1, 0, -1):
            value = self._visible.get(".".join(parts[:count]))
            if value is not None and (value.kind is Kind.STRUCTURE or value.branch):
                return accessed(value, ".".join(parts[count:]), self)
        return None

    def moment(self, name: str) -> int:
        """The query's own times."""
        window = self.context.window
        return {"now": self.context.now_ms, "start": window.start_ms, "end": window.end_ms}[name]

    def subquery(self, query: tree.Query) -> str:
        """The SQL of a query in a list."""
        nested = next((n for c in query.commands for n in c.walk() if isinstance(n, tree.InQuery)), None)
        if nested is not None:
            raise refusal(self, nested, "A query in a query cannot hold another one", "Filter in the outer query.")
        inner = Chain(query, self.context, self.parameters)
        sql, columns = inner.statement()
        if len(columns) != 1:
            names = ", ".join(column.name for column in columns)
            raise refusal(self, query, f"A query in a list gives one column, not {names}", "End it with: fields NAME")
        self.warnings += inner.warnings
        return sql

    def named(self, node: tree.Call) -> Value | None:
        """The column of stats that a call names by its text."""
        if self.is_raw:
            return None
        typed = self.query.source_of(node)
        if typed in self._visible:
            return self._visible[typed]
        wanted = tree.label(typed)
        return next((value for name, value in self._visible.items() if tree.label(name) == wanted), None)

    def inside(self) -> Scope:
        """What the arguments of an aggregate may refer to: the same."""
        return self

    def places(self) -> list[str]:
        """What tells rows of one time apart, the earlier first: the line, then the place among an event's rows."""
        return ["line", *self._ranks] if self.is_raw else list(self._ranks)

    # --- commands ---

    def statement(self) -> tuple[str, tuple[schema.Column, ...]]:
        """The SQL of the whole query, one column `o0`, `o1` and so on a column of the result."""
        effective = order.effective(self.query, is_strict=self.context.is_strict)
        self.warnings += effective.warnings
        for command in effective.steps:
            self.apply(command)
        columns = schema.columns(self.query)
        outputs = [self.field(tree.Field(self.query.span, column.name)) for column in columns]
        selected = ", ".join(f"{printed(value)} AS o{i}" for i, value in enumerate(outputs))
        ordering = ", ".join(self.order_by(effective.keys))
        tail = f"SELECT {selected} FROM {self.relation}" + (f" ORDER BY {ordering}" if ordering else "")
        if effective.limit is not None:
            tail += f" LIMIT {self.bind(effective.limit)}"
        return self.render(tail), columns

    def apply(self, command: tree.Command) -> None:
        """Add one command as a step."""
        match command:
            case tree.Fields() | tree.Display():
                self.select(command.selections)
            case tree.Filter():
                self.filter(command)
            case tree.Parse():
                self.parse(command)
            case tree.ParseCsv() | tree.ParseLogfmt() | tree.ParseJson():
                self.parse_format(command)
            case tree.Stats():
                self.stats(command)
            case tree.Sort():
                self.sort(command)
            case tree.Dedup():
                self.dedup(command)
            case tree.Unnest() | tree.Expand():
                self.unnest(command)
            case tree.Lookup() | tree.CidrLookup():
                self.lookup(command)
            case tree.Estimate():
                # All events of the window are read, whatever a filter keeps of them.
                self._step("SELECT coalesce(sum(strlen(message)), 0) AS c0 FROM windowed")
                self._visible, self.is_raw = {schema.ESTIMATE: Value("c0", Kind.NUMBER)}, False
                self.sorted_by, self._ranks = (), []
            case tree.SourceGroups():
                self.warnings.append("SOURCE is left out: the source that is asked is the one that was named.")
            case tree.Unanswered():
                hint = f"Run it on CloudWatch, or instead: {UNANSWERED[command.name.lower()]}"
                raise refusal(self, command, f"{command.name} is not answered here", hint)

    def select(self, selections: tuple[tree.Selection, ...]) -> None:
        """Name values and keep those that are computed."""
        for item in selections:
            if not item.is_aliased and isinstance(item.expression, tree.Field):
                self.field(item.expression)  # refuses a name that is not visible
            else:
                self._add(item.name, compile_expression(item.expression, self))

    def filter(self, command: tree.Filter) -> None:
        """Keep the rows for which the condition holds."""
        if command.is_index:
            self.warnings.append(
                "filterIndex is taken as filter: a file has no field index, so all its events are read."
            )
        self._step(f"SELECT * FROM {self.relation} WHERE {truth(command.condition, self)}")

    def parse(self, command: tree.Parse) -> None:
        """Take fields out of a text."""
        subject = text(self.field(command.source))
        numbers = {name: number for number, name in enumerate(command.names, 1)}
        if isinstance(command.pattern, tree.Regex):
            found = regex.groups(command.pattern.pattern)
            pattern = found.pattern
            if command.names == tuple(found.numbers):  # names behind `as` go by the groups' order, over their own names
                numbers = found.numbers
        else:
            pattern = regex.from_glob(command.pattern.value)
        bound = self.bind(pattern)
        if command.is_multi:
            self._parse_all(command, subject, bound, numbers)
            return
        groups = ", ".join(f"'g{number}'" for number in range(1, max(numbers.values()) + 1))
        found_in = (
            f"CASE WHEN regexp_matches({subject}, {bound}) THEN regexp_extract({subject}, {bound}, [{groups}]) END"
        )
        match = self._new_column()
        self._step(f"SELECT *, {found_in} AS {match} FROM {self.relation}")
        columns = []
        for name in command.names:
            column = self._new_column()
            columns.append(f"{match}.g{numbers[name]} AS {column}")
            self._visible[name] = Value(column, Kind.TEXT)
        self._step(f"SELECT *, {', '.join(columns)} FROM {self.relation}")

    def _parse_all(self, command: tree.Parse, subject: str, bound: str, numbers: dict[str, int]) -> None:
        """One row for each match; an event without one stays as it is."""
        columns = []
        rank = self._new_column()
        for name in command.names:
            column = self._new_column()
            group = f"CAST({self.bind(numbers[name])} AS INTEGER)"
            matches = f"regexp_extract_all({subject}, {bound}, {group})"
            # A group that takes no part in a match is empty, as regexp_extract has it.
            texts = f"list_transform({matches}, lambda found: coalesce(found, ''))"
            every = f"CASE WHEN len({matches}) > 0 THEN {texts} ELSE [NULL] END"
            columns.append(f"unnest({every}) AS {column}")
            self._visible[name] = Value(column, Kind.TEXT)
        columns.append(f"generate_subscripts({every}, 1) AS {rank}")
        self._ranks.append(rank)
        self._step(f"SELECT *, {', '.join(columns)} FROM {self.relation}")

    def parse_format(self, command: tree.ParseCsv | tree.ParseLogfmt | tree.ParseJson) -> None:
        """Take fields out of CSV, logfmt or JSON."""
        value = self.field(command.source)
        match command:
            case tree.ParseLogfmt(name=name):
                self._add(name, Value(f"logfmt_map({text(value)})", Kind.STRUCTURE))
            case tree.ParseCsv(names=names):
                line = self._new_column()
                self._step(f"SELECT *, csv_fields({text(value)}) AS {line} FROM {self.relation}")
                for index, name in enumerate(names, 1):
                    self._add(name, Value(f"{line}[{index}]", Kind.TEXT))
            case tree.ParseJson(paths=paths):
                root = self._held(command.source)
                for path in paths:
                    self._add(path.name, accessed(Value(root, Kind.STRUCTURE), path.path, self))

    def unnest(self, command: tree.Unnest | tree.Expand) -> None:
        """One row for each item of a list; anything else is a list of one."""
        if isinstance(command, tree.Expand):
            source: tree.Node = command.source
            name = command.source.name
        else:
            source, name = command.expression, command.name
        value = compile_expression(source, self)
        held = self._held(source) if isinstance(source, tree.Field) else structure(value)
        items, item, rank = (self._new_column() for _ in range(3))
        self._step(f"SELECT *, items_of({held}, {text(value)}) AS {items} FROM {self.relation}")
        unnested = f"unnest({items}) AS {item}, generate_subscripts({items}, 1) AS {rank}"
        self._step(f"SELECT *, {unnested} FROM {self.relation}")
        self._ranks.append(rank)
        root = f"CAST({item} AS VARCHAR)"
        self._add(name, Value(f"leaf_at({root}, '$')", Kind.TEXT, f"branch_at({root}, '$')"))

    def lookup(self, command: tree.Lookup | tree.CidrLookup) -> None:
        """Add columns of a table: of the row with equal keys, or of the narrowest block that holds an address."""
        table = self._table(command)
        wanted = [(self._table_column(table, output, output.column), output.name) for output in command.outputs]
        if isinstance(command, tree.Lookup):
            pairs = [(self._table_column(table, command, column), self.field(name)) for column, name in command.keys]
            keys = ", ".join(column for column, _ in pairs)
            on = " AND ".join(f"t.{column} = {text(value)}" for column, value in pairs)
            matches = f"SELECT * FROM {table.relation} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY row) = 1"
        else:
            address = text(self.field(command.address))
            block = self._table_column(table, command, command.column or table.columns[0])
            on = f"t.address = {address}"
            width = f"TRY_CAST(split_part({block}, '/', 2) AS INTEGER)"
            matches = (
                f"SELECT * FROM (SELECT DISTINCT {address} AS address FROM {self.relation}) "
                f"JOIN {table.relation} ON coalesce(ip_in_subnet(address, {block}), false) "
                f"QUALIFY row_number() OVER (PARTITION BY address ORDER BY {width} DESC NULLS FIRST, row) = 1"
            )
        added = []
        for column, name in wanted:
            has_before = command.keeps and (self.is_raw or name in self._visible)
            before = f"coalesce({text(self.field(tree.Field(command.span, name)))}, " if has_before else "("
            new = self._new_column()
            added.append((name, new, f"{before}t.{column}) AS {new}"))
        columns = ", ".join(sql for _, _, sql in added)
        self._step(f"SELECT s.*, {columns} FROM {self.relation} s LEFT JOIN ({matches}) t ON {on}")
        self._visible.update({name: Value(new, Kind.TEXT) for name, new, _ in added})

    def _table(self, command: tree.Lookup | tree.CidrLookup) -> LookupTable:
        table = self.context.tables.get(command.table)
        if table is None:
            known = ", ".join(self.context.tables) or "none"
            hint = (
                f"Known: {known}. Name a CSV file: connect(source, tables={{'NAME': 'file.csv'}}) or --table NAME FILE."
            )
            raise refusal(self, command, f"There is no lookup table {command.table!r}", hint)
        return table

    def _table_column(self, table: LookupTable, node: tree.Node, column: str) -> str:
        if column not in table.columns:
            raise refusal(self, node, f"The table has no column {column!r}", f"It has: {', '.join(table.columns)}.")
        return f"k{table.columns.index(column)}"

    def _held(self, node: tree.Field) -> str:
        """The JSON of the map or list that a field holds: in the event, in its text, or under an alias."""
        value = self.field(node)
        if not self.is_raw or node.name in self._visible or node.name in _SYSTEM_FIELDS:
            return structure(value)
        places = [f"branch_at(document, {self.bind(pointer)})" for pointer in pointers(_key(node.name))]
        return f"coalesce({', '.join(places)}, {structure(value)})"

    def _add(self, name: str, value: Value) -> None:
        """Keep a value as a column of its own, under a name."""
        column = self._new_column()
        added = f"{value.sql} AS {column}"
        branch = ""
        if value.branch:
            branch = self._new_column()
            added += f", {value.branch} AS {branch}"
        self._step(f"SELECT *, {added} FROM {self.relation}")
        self._visible[name] = Value(column, value.kind, branch)

    def stats(self, command: tree.Stats) -> None:
        """Aggregate; behind it only its own columns are visible."""
        outputs: dict[str, Value] = {}
        selected: list[tuple[str, str]] = []
        groups_scope = _StatsScope(self.query, self, self, {}, has_columns=True)
        scope = _StatsScope(self.query, self, groups_scope, {}, has_columns=False)
        for item in (*command.groups, *command.aggregates):
            of_item = groups_scope if len(selected) < len(command.groups) else scope
            value = compile_expression(item.expression, of_item)
            if command.offset is not None and value.kind is Kind.TIME and len(selected) < len(command.groups):
                value = Value(f"({value.sql} + {self.bind(self._shift(command.offset))})", Kind.TIME)
            column = self._new_column()
            selected.append((column, value.sql))
            outputs[item.name] = Value(column, value.kind)
            of_item.aliases[item.name] = value
        groups = [sql for _, sql in selected[: len(command.groups)]]
        columns = ", ".join(f"{sql} AS {column}" for column, sql in selected)
        # Without groups there is one row, also where no aggregate is left in the SQL, as in `topk(1, verb) * 2`.
        grouping = (
            f" GROUP BY {', '.join(str(i + 1) for i in range(len(groups)))}" if groups else " HAVING count(*) >= 0"
        )
        self._step(f"SELECT {columns} FROM {self.relation}{grouping}")
        self._visible, self.is_raw, self.sorted_by = outputs, False, ()
        self._ranks = []

    def _shift(self, offset: tree.Period) -> int:
        length = milliseconds(offset)
        if length is None:
            raise refusal(self, offset, "An offset is a period up to weeks", "As in by bin(5m) offset 1h.")
        return length

    def sort(self, command: tree.Sort) -> None:
        """Remember an order, and name its aliases."""
        # The rows are put in order at the end, and by a dedup; an alias is there from here on.
        self.select(
            tuple(
                tree.Selection(key.span, key.expression, key.name, is_aliased=True) for key in command.keys if key.name
            )
        )
        self.sorted_by = command.keys

    def dedup(self, command: tree.Dedup) -> None:
        """Keep the first row of each combination of values; rows that lack one are all kept."""
        names = [text(self.field(key)) for key in command.keys]
        ordering = ", ".join(self.order_by(self.sorted_by)) or names[0]
        missing = " OR ".join(f"{name} IS NULL" for name in names)
        self._step(
            f"SELECT * FROM {self.relation} QUALIFY {missing} "
            f"OR row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {ordering}) = 1"
        )

    # --- the result ---

    def order_by(self, keys: tuple[tree.SortKey, ...]) -> list[str]:
        """The terms of an ORDER BY: the keys, then what makes the order the same every time."""
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
            terms += ["timestamp_ms DESC", "line DESC", *self._ranks]
        else:
            # A result of stats has no order of its own; its columns give one, so that it is the same every time.
            terms += [f"{value.sql} ASC NULLS FIRST" for value in self._visible.values()]
            terms += self._ranks
        return terms

    def render(self, tail: str) -> str:
        """The chain of steps with its last SELECT."""
        window, cap = self.context.window, self.context.field_cap
        document = (
            "document" if cap is None else f"first_fields(document, CAST({self.bind(cap)} AS INTEGER)) AS document"
        )
        where = f"timestamp_ms BETWEEN {self.bind(window.start_ms)} AND {self.bind(window.end_ms)}"
        wanted: list[str] = []
        named = ["*"]
        for name, column in self._fields.items():
            readings = []
            for pointer in pointers(name):
                wanted.append(pointer)
                readings.append(f"leaf(found[{len(wanted)}], document, {self.bind(pointer)})")
            named.append(f"coalesce({', '.join(readings)}) AS {column}")
        found = f"TRY(json_extract_string(document, {self.bind(wanted)}))" if wanted else "NULL"
        steps = [
            f"windowed AS (SELECT {_EVENT_COLUMNS}, {document} FROM events WHERE {where})",
            f"extracted AS (SELECT *, {found} AS found FROM windowed)",
            f"named AS (SELECT {', '.join(named)} FROM extracted)",
            *self._steps,
        ]
        return f"WITH {', '.join(steps)} {tail}"

    def _new_column(self) -> str:
        self._columns += 1
        return f"c{self._columns}"

    def _step(self, sql: str) -> None:
        name = f"s{len(self._steps)}"
        self._steps.append(f"{name} AS ({sql})")
        self.relation = name


def _key(name: str) -> str:
    """A key that begins with @ is shown as @@key, so that it cannot be taken for a system field."""
    return name[1:] if name.startswith("@@") else name


@dataclass
class _StatsScope:
    """What one part of a `stats` may refer to: the aliases before it in the same command, then what is `outside`.

    The aggregates of a command do not see the columns of an earlier stats by their text: `count(*)` counts anew. Their
    arguments do, and they see no alias of the aggregates beside them: `max(a) as a, min(a) as b`.
    """

    query: tree.Query
    chain: Chain
    outside: Scope
    aliases: dict[str, Value]
    has_columns: bool

    def bind(self, value: object) -> str:
        """See `Scope`."""
        return self.chain.bind(value)

    def field(self, node: tree.Field) -> Value:
        """See `Scope`."""
        return self.aliases.get(node.name) or self.outside.field(node)

    def named(self, node: tree.Call) -> Value | None:
        """See `Scope`."""
        return self.chain.named(node) if self.has_columns else None

    def inside(self) -> Scope:
        """See `Scope`."""
        return self.outside

    def places(self) -> list[str]:
        """See `Scope`."""
        return self.chain.places()

    def moment(self, name: str) -> int:
        """See `Scope`."""
        return self.chain.moment(name)

    def subquery(self, query: tree.Query) -> str:
        """See `Scope`."""
        return self.chain.subquery(query)
