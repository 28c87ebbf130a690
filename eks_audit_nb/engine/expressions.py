"""One expression of a query to one SQL expression; every constant is a bound parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, tree

_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_WHITE_SPACE = " \t\n\r\f\v"
# Comparisons and periods mention their operands several times; nested in each other they would grow without end.
_MAX_SQL = 2_000_000


class Kind(Enum):
    """What an SQL expression yields."""

    TEXT = auto()  # VARCHAR; a field of an event
    NUMBER = auto()  # DOUBLE or BIGINT
    BOOLEAN = auto()  # BOOLEAN, never NULL
    TIME = auto()  # BIGINT, milliseconds since 1970


@dataclass(frozen=True)
class Value:
    """An SQL expression and what it yields."""

    sql: str
    kind: Kind


class Scope(Protocol):
    """What an expression may refer to at one place of a query."""

    query: tree.Query

    def bind(self, value: object) -> str:
        """Add a parameter and give its placeholder."""

    def field(self, node: tree.Field) -> Value:
        """The value of a name."""

    def named(self, node: tree.Call) -> Value | None:
        """The column that a call names by its text after `stats`, such as `count(*)`; None where there is none."""

    def inside(self) -> Scope:
        """What the arguments of an aggregate may refer to."""


def text(value: Value) -> str:
    """The value as the service prints it."""
    match value.kind:
        case Kind.TEXT:
            return value.sql
        case Kind.NUMBER:
            return f"number_text({value.sql})"
        case Kind.BOOLEAN:
            return f"CASE WHEN {value.sql} THEN '1' ELSE '0' END"
        case Kind.TIME:
            return f"time_text({value.sql})"


def number(value: Value) -> str:
    """The value as a number; NULL where it is none."""
    match value.kind:
        case Kind.TEXT:
            return f"number_of({value.sql})"
        case Kind.BOOLEAN:
            return f"CAST({value.sql} AS DOUBLE)"
        case _:
            return f"CAST({value.sql} AS DOUBLE)"


def truth(node: tree.Node, scope: Scope) -> str:
    """The expression as a condition: true or false, never NULL."""
    value = compile_expression(node, scope)
    match value.kind:
        case Kind.BOOLEAN:
            return value.sql
        case Kind.TEXT:
            return f"is_true({value.sql})"
        case _:
            return f"coalesce({value.sql} <> 0, false)"


def compile_expression(node: tree.Node, scope: Scope) -> Value:
    """The SQL of an expression.

    Raises:
        QueryError: For a name that is not visible, or an argument that the function cannot take.
    """
    value = _compile(node, scope)
    if len(value.sql) > _MAX_SQL:
        raise _refusal(scope, node, "This expression is too large", "Split it over several fields commands.")
    return value


def _compile(node: tree.Node, scope: Scope) -> Value:
    match node:
        case tree.Field():
            return scope.field(node)
        case tree.String(value=value):
            return Value(f"CAST({scope.bind(value)} AS VARCHAR)", Kind.TEXT)
        case tree.Number(value=number_value):
            return Value(f"CAST({scope.bind(number_value)} AS DOUBLE)", Kind.NUMBER)
        case tree.Minus(operand=operand):
            return Value(f"(- {number(compile_expression(operand, scope))})", Kind.NUMBER)
        case tree.Arithmetic():
            return _arithmetic(node, scope)
        case tree.Compared():
            return _compared(node, scope)
        case tree.Like():
            return _like(node, scope)
        case tree.In():
            return _in(node, scope)
        case tree.Not(operand=operand):
            return Value(f"(NOT {truth(operand, scope)})", Kind.BOOLEAN)
        case tree.AllOf(terms=terms):
            return Value(f"({' AND '.join(truth(term, scope) for term in terms)})", Kind.BOOLEAN)
        case tree.AnyOf(terms=terms):
            return Value(f"({' OR '.join(truth(term, scope) for term in terms)})", Kind.BOOLEAN)
        case tree.Call():
            return scope.named(node) or _call(node, scope)
        case _:
            raise _refusal(scope, node, "This cannot be computed", "")


def _arithmetic(node: tree.Arithmetic, scope: Scope) -> Value:
    left = number(compile_expression(node.left, scope))
    right = number(compile_expression(node.right, scope))
    if node.operator == "^":
        return Value(f"finite(pow({left}, {right}))", Kind.NUMBER)
    return Value(f"finite({left} {node.operator} {right})", Kind.NUMBER)


def _compared(node: tree.Compared, scope: Scope) -> Value:
    """As numbers where both sides read as numbers, as text otherwise; only `!=` holds where a side is missing."""
    left, right = _side(node.left, scope), _side(node.right, scope)
    operator = {"!=": "="}.get(node.operator, node.operator)
    as_text = f"{text(left)} {operator} {text(right)}"
    as_number = f"{number(left)} {operator} {number(right)}"
    if any(isinstance(side, tree.String) and not is_number(side.value) for side in (node.left, node.right)):
        sql = as_text
    elif left.kind is not Kind.TEXT and right.kind is not Kind.TEXT:
        sql = as_number
    elif left.kind is Kind.TIME or right.kind is Kind.TIME:
        sql = as_text
    else:
        sql = f"coalesce({as_number}, {as_text})"
    sql = f"coalesce({sql}, false)"
    return Value(f"(NOT {sql})" if node.operator == "!=" else sql, Kind.BOOLEAN)


def _side(node: tree.Node, scope: Scope) -> Value:
    # Without quotes true and false can only mean JSON's: no audit event has fields of these names.
    if isinstance(node, tree.Field) and node.name in ("true", "false"):
        return Value("1" if node.name == "true" else "0", Kind.NUMBER)
    return compile_expression(node, scope)


def _like(node: tree.Like, scope: Scope) -> Value:
    subject = text(compile_expression(node.operand, scope))
    if isinstance(node.pattern, tree.Regex):
        sql = f"regexp_matches({subject}, {scope.bind(regex.groups(node.pattern.pattern).pattern)})"
    else:
        sql = f"contains({subject}, {scope.bind(node.pattern.value)})"
    sql = f"coalesce({sql}, false)"
    return Value(f"(NOT {sql})" if node.is_negated else sql, Kind.BOOLEAN)


def _in(node: tree.In, scope: Scope) -> Value:
    operand = compile_expression(node.operand, scope)
    words: list[str] = []
    numbers: list[float] = []
    for member in node.members:
        match member:
            case tree.String(value=value):
                words.append(value)
                if is_number(value):
                    numbers.append(float(value))
            case tree.Number(value=value):
                numbers.append(value)
            case tree.Minus(operand=tree.Number(value=value)):
                numbers.append(-value)
            case _:
                raise _refusal(
                    scope, member, "A list holds quoted text and numbers", 'As in verb in ["create", "get"].'
                )
    parts = []
    if words:
        parts.append(f"{text(operand)} IN ({', '.join(scope.bind(word) for word in words)})")
    if numbers:
        parts.append(f"{number(operand)} IN ({', '.join(scope.bind(each) for each in numbers)})")
    sql = " OR ".join(f"coalesce({part}, false)" for part in parts) or "1 = 0"
    return Value(f"(NOT ({sql}))" if node.is_negated else f"({sql})", Kind.BOOLEAN)


def is_number(value: str) -> bool:
    """Whether a constant reads as a number, by the rule of the macro `number_of`."""
    body = value[1:] if value[:1] in ("+", "-") else value
    if not body or body[0] not in "0123456789." or not body.isascii() or not set(body) <= set("0123456789.eE+-"):
        return False
    try:
        return abs(float(value)) < float("inf") and not body.endswith(".") and ".e" not in body.lower()
    except ValueError:
        return False


# --- functions ------------------------------------------------------------------------------------------------------

_Build = Callable[[Sequence[tree.Node], Scope], Value]


def _call(node: tree.Call, scope: Scope) -> Value:
    name = functions.of(node).name
    arguments = list(node.arguments)
    if name in ("bin", "datefloor", "dateceil"):
        return _period_call(name, arguments, scope)
    if name in _AGGREGATES:
        return _AGGREGATES[name](arguments, scope.inside())
    return _FUNCTIONS[name](arguments, scope)


def _values(arguments: Sequence[tree.Node], scope: Scope) -> list[Value]:
    return [compile_expression(argument, scope) for argument in arguments]


def _of_numbers(sql: str) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        numbers = [number(value) for value in _values(arguments, scope)]
        return Value(f"finite({sql.format(*numbers, all=', '.join(numbers))})", Kind.NUMBER)

    return build


def _of_texts(sql: str, kind: Kind) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        texts = [text(value) for value in _values(arguments, scope)]
        return Value(sql.format(*texts, all=", ".join(texts)), kind)

    return build


def _trim(sql: str) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        texts = [text(value) for value in _values(arguments, scope)]
        if len(texts) == 1:  # DuckDB's own default is blanks only
            texts.append(scope.bind(_WHITE_SPACE))
        return Value(f"{sql}({', '.join(texts)})", Kind.TEXT)

    return build


def _substr(arguments: Sequence[tree.Node], scope: Scope) -> Value:
    subject, *positions = _values(arguments, scope)
    start, *length = (f"position_of({number(position)})" for position in positions)
    return Value(f"substring({', '.join([text(subject), f'{start} + 1', *length])})", Kind.TEXT)


def _from_milliseconds(arguments: Sequence[tree.Node], scope: Scope) -> Value:
    (value,) = _values(arguments, scope)
    return Value(f"time_of({number(value)})", Kind.TIME)


def _to_milliseconds(arguments: Sequence[tree.Node], scope: Scope) -> Value:
    (value,) = _values(arguments, scope)
    return Value(_instant(value), Kind.NUMBER)


def _instant(value: Value) -> str:
    """The value as milliseconds since 1970: a number is that already, text is ISO 8601, UTC where it has no zone."""
    match value.kind:
        case Kind.TIME:
            return value.sql
        case Kind.TEXT:
            return f"time_of(epoch_ms(TRY_CAST({value.sql} AS TIMESTAMPTZ)))"
        case _:
            return f"time_of({number(value)})"


def _coalesce(arguments: Sequence[tree.Node], scope: Scope) -> Value:
    values = _values(arguments, scope)
    kinds = {value.kind for value in values}
    if len(kinds) == 1 and kinds != {Kind.BOOLEAN}:
        return Value(f"coalesce({', '.join(value.sql for value in values)})", kinds.pop())
    return Value(f"coalesce({', '.join(text(value) for value in values)})", Kind.TEXT)


_FUNCTIONS: dict[str, _Build] = {
    "abs": _of_numbers("abs({0})"),
    "ceil": _of_numbers("ceil({0})"),
    "floor": _of_numbers("floor({0})"),
    "greatest": _of_numbers("greatest({all})"),
    "least": _of_numbers("least({all})"),
    "log": _of_numbers("log_of({0})"),
    "sqrt": _of_numbers("root_of({0})"),
    "fromMillis": _from_milliseconds,
    "toMillis": _to_milliseconds,
    "ispresent": _of_texts("({0} IS NOT NULL)", Kind.BOOLEAN),
    "coalesce": _coalesce,
    "isempty": _of_texts("(coalesce({0}, '') = '')", Kind.BOOLEAN),
    "isblank": _of_texts(r"regexp_full_match(coalesce({0}, ''), '\s*')", Kind.BOOLEAN),
    "concat": _of_texts("concat({all})", Kind.TEXT),
    "ltrim": _trim("ltrim"),
    "rtrim": _trim("rtrim"),
    "trim": _trim("trim"),
    "strlen": _of_texts("length({0})", Kind.NUMBER),
    "toupper": _of_texts("upper({0})", Kind.TEXT),
    "tolower": _of_texts("lower({0})", Kind.TEXT),
    "substr": _substr,
    "replace": _of_texts("replace({0}, {1}, {2})", Kind.TEXT),
    "strcontains": _of_texts("coalesce(contains({0}, {1}), false)", Kind.BOOLEAN),
}


# --- periods --------------------------------------------------------------------------------------------------------


def _period_call(name: str, arguments: Sequence[tree.Node], scope: Scope) -> Value:
    *subject, last = arguments
    assert isinstance(last, tree.Period)  # noqa: S101  # `functions.check` has seen to it
    source = compile_expression(subject[0], scope) if subject else scope.field(tree.Field(last.span, "@timestamp"))
    instant = _instant(source)
    count = functions.capped(last)
    if last.unit in _MILLISECONDS:
        width = scope.bind(count * _MILLISECONDS[last.unit])
        bins = f"CAST(floor(CAST({instant} AS DOUBLE) / {width}) AS BIGINT)"
        step = f"CASE WHEN {bins} * {width} < {instant} THEN {bins} + 1 ELSE {bins} END" if name == "dateceil" else bins
        return Value(f"time_of(({step}) * {width})", Kind.TIME)
    width = scope.bind(count * _MONTHS[last.unit])
    months = f"(floor(datediff('month', TIMESTAMP '1970-01-01', epoch_ms({instant})) / {width}) * {width})"
    floor = f"epoch_ms(TIMESTAMP '1970-01-01' + to_months(CAST({months} AS INTEGER)))"
    if name != "dateceil":
        return Value(floor, Kind.TIME)
    above = f"epoch_ms(TIMESTAMP '1970-01-01' + to_months(CAST({months} + {width} AS INTEGER)))"
    return Value(f"time_of(CASE WHEN {floor} < {instant} THEN {above} ELSE {floor} END)", Kind.TIME)


# --- aggregates -----------------------------------------------------------------------------------------------------


def _count(arguments: Sequence[tree.Node], scope: Scope) -> Value:
    if not arguments or isinstance(arguments[0], tree.Star):
        return Value("count(*)", Kind.NUMBER)
    return Value(f"count({text(compile_expression(arguments[0], scope))})", Kind.NUMBER)


def _aggregate(sql: str) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        return Value(sql.format(number(compile_expression(arguments[0], scope))), Kind.NUMBER)

    return build


def _extreme(sql: str) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        value = compile_expression(arguments[0], scope)
        if value.kind is Kind.TIME:
            return Value(f"{sql}({value.sql})", Kind.TIME)
        if value.kind is Kind.TEXT:  # of ISO 8601 times the first and the last
            numbers, texts = f"{sql}({number(value)})", f"{sql}({value.sql})"
            return Value(f"coalesce(number_text({numbers}), {texts})", Kind.TEXT)
        return Value(f"{sql}({number(value)})", Kind.NUMBER)

    return build


def _percentile(arguments: Sequence[tree.Node], scope: Scope) -> Value:
    subject, share = arguments
    if not isinstance(share, tree.Number) or not 0 <= share.value <= 100:
        raise _refusal(scope, share, "pct() takes a percentage from 0 to 100", "As in pct(duration, 95).")
    value = number(compile_expression(subject, scope))
    return Value(f"finite(quantile_cont({value}, {scope.bind(share.value / 100)}::DOUBLE))", Kind.NUMBER)


def _by_time(sql: str) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        value = compile_expression(arguments[0], scope)
        instant = scope.field(tree.Field(arguments[0].span, "@timestamp")).sql
        return Value(f"{sql}({value.sql}, {instant}) FILTER (WHERE {value.sql} IS NOT NULL)", value.kind)

    return build


def _by_order(sql: str) -> _Build:
    def build(arguments: Sequence[tree.Node], scope: Scope) -> Value:
        subject = text(compile_expression(arguments[0], scope))
        key = f"(number_of({subject}) IS NOT NULL, text_sort_key({subject}), number_of({subject}))"
        return Value(f"{sql}({subject}, {key}) FILTER (WHERE {subject} IS NOT NULL)", Kind.TEXT)

    return build


_AGGREGATES: dict[str, _Build] = {
    "count": _count,
    "count_distinct": lambda arguments, scope: Value(
        f"count(DISTINCT {text(compile_expression(arguments[0], scope))})", Kind.NUMBER
    ),
    "sum": _aggregate("finite(sum({}))"),
    "avg": _aggregate("finite(avg({}))"),
    "min": _extreme("min"),
    "max": _extreme("max"),
    "pct": _percentile,
    # Population or sample is not documented for stddev; variance is documented as the population's.
    "stddev": _aggregate("finite(stddev_pop({}))"),
    "earliest": _by_time("arg_min"),
    "latest": _by_time("arg_max"),
    "sortsFirst": _by_order("arg_min"),
    "sortsLast": _by_order("arg_max"),
}

COMPUTED = frozenset({*_FUNCTIONS, *_AGGREGATES, "bin", "datefloor", "dateceil"})


def _refusal(scope: Scope, node: tree.Node, message: str, hint: str) -> QueryError:
    return QueryError(message, scope.query.text, node.span.start, node.span.end, hint)
