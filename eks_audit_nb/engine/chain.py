"""The steps of one query: what each command adds to the SQL, and which names are visible behind it.

A statement is a chain of common table expressions, one a step: the events of the window, the fields that the query
names taken apart, then a step for each command. Column names are made up here, and every constant is a bound
parameter, so no text of a query becomes SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eks_audit_nb.engine import extractions, grouping, lookups
from eks_audit_nb.engine.expressions import accessed, compile_expression, truth
from eks_audit_nb.engine.fields import MAX_DOTS, pointers
from eks_audit_nb.engine.lookups import LookupTable
from eks_audit_nb.engine.values import Kind, Scope, Value, printed, refusal, structure, text
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import order, schema, tree
from eks_audit_nb.insights.commands import UNANSWERED
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.window import Window

_SYSTEM_FIELDS = {
    "@timestamp": Value("timestamp_ms", Kind.TIME),
    "@ingestionTime": Value("ingestion_ms", Kind.TIME),
    "@message": Value("message", Kind.TEXT),
    "@logStream": Value("log_stream", Kind.TEXT),
    "@log": Value("log", Kind.TEXT),
    "@ptr": Value("pointer", Kind.TEXT),
}
# What a step over events starts from; `message` and `document` only where the query asks for them.
EVENT_COLUMNS = ("line", "timestamp_ms", "ingestion_ms", "log_stream", "log", "pointer", "condition", "size")


@dataclass(frozen=True)
class Events:
    """Where the events of a query are: a relation, one row an event.

    Its columns are line, timestamp_ms, ingestion_ms, log_stream, log, pointer, condition and size (bytes of the
    message), message and document (the message where it is JSON that can be taken apart), and one for each of the
    fields that were taken apart before, by name in `columns`. `parameters` are those that its SQL names;
    `is_within` says that all events lie in the window, so that no time has to be looked at.
    """

    sql: str = "events"
    parameters: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    is_within: bool = False


@dataclass(frozen=True)
class Context:
    """What a query is asked under.

    `field_cap` is how many fields of an event are discovered, None for all; `is_strict` refuses what the documentation
    calls invalid.
    """

    window: Window
    now_ms: int
    events: Events = field(default_factory=Events)
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
    _subqueries: list[str] = field(default_factory=list)
    visible: dict[str, Value] = field(default_factory=dict)
    _fields: dict[str, str] = field(default_factory=dict)
    ranks: list[str] = field(default_factory=list)  # columns that number the rows made of one event
    _columns: int = 0
    reads_documents: bool = False  # whether the text of events is needed, beyond the columns that are taken apart

    def __post_init__(self) -> None:
        self.parameters.update(self.context.events.parameters)
        # What no column was made for has to be looked up in the text.
        self.reads_documents = self.context.field_cap is not None

    # --- what expressions ask for (engine.expressions.Scope) ---

    def bind(self, value: object) -> str:
        """Add a parameter and give its placeholder."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def field(self, node: tree.Field) -> Value:
        """The value of a name: an alias, a column of stats, a system field or a field of the event."""
        if node.name in self.visible:
            return self.visible[node.name]
        if (inside := self._inside(node.name)) is not None:
            return inside
        if not self.is_raw:
            near = nearest(node.name, self.visible)
            names = ", ".join(self.visible)
            raise QueryError(
                f"{node.name!r} is not visible after stats",
                self.query.text,
                node.span.start,
                node.span.end,
                (f"Did you mean {near!r}? " if near else "")
                + f"Behind stats only its own columns are left: {names}. A filter of events stands before stats.",
            )
        if node.name in _SYSTEM_FIELDS:
            self.reads_documents |= node.name == "@message"
            return _SYSTEM_FIELDS[node.name]
        if node.name.count(".") > MAX_DOTS:
            raise QueryError(
                f"A name with more than {MAX_DOTS} dots cannot be looked up",
                self.query.text,
                node.span.start,
                node.span.end,
                "Take it out of the text: parse @message ...",
            )
        key = _key(node.name)
        self.reads_documents |= key not in self.context.events.columns
        return Value(self.column(key), Kind.TEXT)

    def column(self, key: str) -> str:
        """The column of a key of events."""
        return self._fields.setdefault(key, f"f{len(self._fields)}")

    def _inside(self, name: str) -> Value | None:
        """What lies in a map or a list that an alias names: `message.user.name` with the alias `message`."""
        parts = name.split(".")
        for count in range(len(parts) - 1, 0, -1):
            value = self.visible.get(".".join(parts[:count]))
            if value is not None and (value.kind is Kind.STRUCTURE or value.branch):
                return accessed(value, ".".join(parts[count:]), self)
        return None

    def moment(self, name: str) -> int:
        """The query's own times."""
        window = self.context.window
        return {"now": self.context.now_ms, "start": window.start_ms, "end": window.end_ms}[name]

    def subquery(self, query: tree.Query) -> str:
        """The relation of a query in parentheses."""
        nested = next((n for c in query.commands for n in c.walk() if isinstance(n, tree.InQuery)), None)
        if nested is not None:
            raise refusal(self, nested, "A query in a query cannot hold another one", "Filter in the outer query.")
        inner = Chain(query, self.context, self.parameters)
        sql, columns = inner.statement()
        if len(columns) != 1:
            names = ", ".join(column.name for column in columns)
            raise refusal(self, query, f"A query in a list gives one column, not {names}", "End it with: display NAME")
        self.warnings += inner.warnings
        self.reads_documents |= inner.reads_documents
        name = f"q{len(self._subqueries)}"
        self._subqueries.append(f"{name} AS MATERIALIZED ({sql})")
        return name

    def named(self, node: tree.Call) -> Value | None:
        """The column of stats that a call names by its text."""
        if self.is_raw:
            return None
        typed = self.query.source_of(node)
        if typed in self.visible:
            return self.visible[typed]
        wanted = tree.label(typed)
        return next((value for name, value in self.visible.items() if tree.label(name) == wanted), None)

    def inside(self) -> Scope:
        """What the arguments of an aggregate may refer to: the same."""
        return self

    def places(self) -> list[str]:
        """What tells rows of one time apart, the earlier first: the line, then the place among an event's rows."""
        return ["line", *self.ranks] if self.is_raw else list(self.ranks)

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
                extractions.parse(self, command)
            case tree.ParseCsv() | tree.ParseLogfmt() | tree.ParseJson():
                extractions.parse_format(self, command)
            case tree.Stats():
                grouping.stats(self, command)
            case tree.Sort():
                self.sort(command)
            case tree.Dedup():
                self.dedup(command)
            case tree.Unnest() | tree.Expand():
                extractions.unnest(self, command)
            case tree.Lookup() | tree.CidrLookup():
                lookups.lookup(self, command)
            case tree.Estimate():
                # All events of the window are read, whatever a filter keeps of them.
                self.step("SELECT coalesce(sum(size), 0) AS c0 FROM windowed")
                self.visible, self.is_raw = {schema.ESTIMATE: Value("c0", Kind.NUMBER)}, False
                self.sorted_by, self.ranks = (), []
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
                self.add(item.name, compile_expression(item.expression, self))

    def filter(self, command: tree.Filter) -> None:
        """Keep the rows for which the condition holds."""
        if command.is_index:
            self.warnings.append(
                "filterIndex is taken as filter: a file has no field index, so all its events are read."
            )
        self.step(f"SELECT * FROM {self.relation} WHERE {truth(command.condition, self)}")

    @property
    def fields(self) -> tuple[str, ...]:
        """The keys of events that were asked for so far."""
        return tuple(self._fields)

    def held(self, node: tree.Field) -> str:
        """The JSON of the map or list that a field holds: in the event, in its text, or under an alias."""
        value = self.field(node)
        if not self.is_raw or node.name in self.visible or node.name in _SYSTEM_FIELDS:
            return structure(value)
        self.reads_documents = True
        places = [f"branch_at(document, {self.bind(pointer)})" for pointer in pointers(_key(node.name))]
        return f"coalesce({', '.join(places)}, {structure(value)})"

    def add(self, name: str, value: Value) -> None:
        """Keep a value as a column of its own, under a name."""
        column = self.new_column()
        added = f"{value.sql} AS {column}"
        branch = ""
        if value.branch:
            branch = self.new_column()
            added += f", {value.branch} AS {branch}"
        self.step(f"SELECT *, {added} FROM {self.relation}")
        self.visible[name] = Value(column, value.kind, branch)

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
        names = [text(self.whole(key, "dedup")) for key in command.keys]
        ordering = ", ".join(self.order_by(self.sorted_by)) or names[0]
        missing = " OR ".join(f"{name} IS NULL" for name in names)
        self.step(
            f"SELECT * FROM {self.relation} QUALIFY {missing} "
            f"OR row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {ordering}) = 1"
        )

    def whole(self, node: tree.Node, command: str, scope: Scope | None = None) -> Value:
        """What a command goes by, which should be one value and no map or list.

        Source: CloudWatch Logs User Guide, "JSON functions": maps and lists are unsupported in dedup, sort and stats.
        """
        value = compile_expression(node, scope or self)
        if value.kind is Kind.STRUCTURE:
            named = self.query.source_of(node)
            if self.context.is_strict:
                hint = f"Take a value out of it first, as in {named}.name or {named}[0]."
                raise refusal(self, node, f"{command} takes no map and no list", hint)
            self.warnings.append(f"{named} is a map or a list, which {command} does not take on CloudWatch.")
        return value

    # --- the result ---

    def order_by(self, keys: tuple[tree.SortKey, ...]) -> list[str]:
        """The terms of an ORDER BY: the keys, then what makes the order the same every time."""
        terms = []
        for key in keys:
            value = self.whole(key.expression, "sort")
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
            terms += ["timestamp_ms DESC", "line DESC", *self.ranks]
        else:
            # A result of stats has no order of its own; its columns give one, so that it is the same every time.
            terms += [f"{value.sql} ASC NULLS FIRST" for value in self.visible.values()]
            terms += self.ranks
        return terms

    def render(self, tail: str) -> str:
        """The chain of steps with its last SELECT."""
        window, cap, events = self.context.window, self.context.field_cap, self.context.events
        taken = events.columns if cap is None else {}
        document = (
            "document" if cap is None else f"first_fields(document, CAST({self.bind(cap)} AS INTEGER)) AS document"
        )
        where = f" WHERE timestamp_ms BETWEEN {self.bind(window.start_ms)} AND {self.bind(window.end_ms)}"
        wanted: list[str] = []
        named = ["*"]
        for name, column in self._fields.items():
            if name in taken:
                named.append(f"{taken[name]} AS {column}")
                continue
            readings = []
            for pointer in pointers(name):
                wanted.append(pointer)
                readings.append(f"leaf(found[{len(wanted)}], document, {self.bind(pointer)})")
            named.append(f"coalesce({', '.join(readings)}) AS {column}")
        found = f"TRY(json_extract_string(document, {self.bind(wanted)}))" if wanted else "NULL"
        columns = [*EVENT_COLUMNS, *(taken[name] for name in self._fields if name in taken)]
        columns += ["message", document] if self.reads_documents else []
        steps = [
            f"windowed AS (SELECT {', '.join(columns)} FROM {events.sql}{'' if events.is_within else where})",
            f"extracted AS (SELECT *, {found} AS found FROM windowed)",
            f"named AS (SELECT {', '.join(named)} FROM extracted)",
            *self._subqueries,
            *self._steps,
        ]
        return f"WITH {', '.join(steps)} {tail}"

    def new_column(self) -> str:
        """A column name that no step has used."""
        self._columns += 1
        return f"c{self._columns}"

    def step(self, sql: str) -> None:
        """Add a SELECT over the last relation."""
        name = f"s{len(self._steps)}"
        self._steps.append(f"{name} AS ({sql})")
        self.relation = name


def _key(name: str) -> str:
    """A key that begins with @ is shown as @@key, so that it cannot be taken for a system field."""
    return name[1:] if name.startswith("@@") else name
