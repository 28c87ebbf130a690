"""One expression of a query to one SQL expression; every constant is a bound parameter."""

from __future__ import annotations

from eks_audit_nb.engine.aggregates import AGGREGATES
from eks_audit_nb.engine.calls import FUNCTIONS
from eks_audit_nb.engine.fields import MAX_DOTS, pointers
from eks_audit_nb.engine.values import Arguments, Kind, Scope, Value, condition, number, refusal, structure, text
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, tree

# Comparisons and periods mention their operands several times; nested in each other they would grow without end.
_MAX_SQL = 2_000_000

COMPUTED = frozenset({*FUNCTIONS, *AGGREGATES})


def truth(node: tree.Node, scope: Scope) -> str:
    """The expression as a condition: true or false, never NULL."""
    return condition(compile_expression(node, scope))


def compile_expression(node: tree.Node, scope: Scope) -> Value:
    """The SQL of an expression.

    Raises:
        QueryError: For a name that is not visible, or an argument that the function cannot take.
    """
    value = _compile(node, scope)
    if len(value.sql) > _MAX_SQL:
        raise refusal(scope, node, "This expression is too large", "Split it over several fields commands.")
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
        case tree.InQuery():
            return _in_query(node, scope)
        case tree.Not(operand=operand):
            return Value(f"(NOT {truth(operand, scope)})", Kind.BOOLEAN)
        case tree.AllOf(terms=terms):
            return Value(f"({' AND '.join(truth(term, scope) for term in terms)})", Kind.BOOLEAN)
        case tree.AnyOf(terms=terms):
            return Value(f"({' OR '.join(truth(term, scope) for term in terms)})", Kind.BOOLEAN)
        case tree.Access():
            return accessed(compile_expression(node.operand, scope), node.path, scope)
        case tree.Call():
            return scope.named(node) or _call(node, scope)
        case _:
            raise refusal(scope, node, "This cannot be computed", "")


def _arithmetic(node: tree.Arithmetic, scope: Scope) -> Value:
    left = number(compile_expression(node.left, scope))
    right = number(compile_expression(node.right, scope))
    if node.operator == "^":
        return Value(f"finite(pow({left}, {right}))", Kind.NUMBER)
    return Value(f"finite({left} {node.operator} {right})", Kind.NUMBER)


def _compared(node: tree.Compared, scope: Scope) -> Value:
    """As numbers where both sides read as numbers, as text otherwise; only `!=` holds where a side is missing."""
    left, right = _side(node.left, scope), _side(node.right, scope)
    sql = _held(node, left, right)
    if node.operator == "!=":  # a map or a list compares with nothing, not even as different
        held = [side.sql if side.kind is Kind.STRUCTURE else side.branch for side in (left, right)]
        sql = f"(NOT {sql}{''.join(f' AND {each} IS NULL' for each in held if each)})"
    return Value(sql, Kind.BOOLEAN)


def _held(node: tree.Compared, left: Value, right: Value) -> str:
    """Whether a comparison holds, `=` in the place of `!=`; never NULL."""
    operator = {"!=": "="}.get(node.operator, node.operator)
    as_text = f"{text(left)} {operator} {text(right)}"
    as_number = f"{number(left)} {operator} {number(right)}"
    if Kind.STRUCTURE in (left.kind, right.kind):
        sql = "(1 = 0)"  # a map or a list compares with nothing
    elif any(isinstance(side, tree.String) and not is_number(side.value) for side in (node.left, node.right)):
        sql = as_text
    elif left.kind is not Kind.TEXT and right.kind is not Kind.TEXT:
        sql = as_number
    elif left.kind is Kind.TIME or right.kind is Kind.TIME:
        sql = as_text
    else:
        sql = f"coalesce({as_number}, {as_text})"
    sql = f"coalesce({sql}, false)"
    if operator == "=":  # annotations hold the texts "true" and "false"
        for word, other in ((_truth_word(node.left), right), (_truth_word(node.right), left)):
            if word and other.kind is Kind.TEXT:
                sql = f"({sql} OR coalesce({other.sql} = '{word}', false))"
    return sql


def _truth_word(node: tree.Node) -> str:
    """`true` or `false` where a node is one without quotes, else ""."""
    return node.name if isinstance(node, tree.Field) and node.name in ("true", "false") else ""


def _side(node: tree.Node, scope: Scope) -> Value:
    # Without quotes true and false can only mean JSON's: no audit event has fields of these names.
    if word := _truth_word(node):
        return Value("1" if word == "true" else "0", Kind.NUMBER)
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
                raise refusal(scope, member, "A list holds quoted text and numbers", 'As in verb in ["create", "get"].')
    parts = []
    if words:
        parts.append(f"{text(operand)} IN ({', '.join(scope.bind(word) for word in words)})")
    if numbers:
        parts.append(f"{number(operand)} IN ({', '.join(scope.bind(each) for each in numbers)})")
    sql = " OR ".join(f"coalesce({part}, false)" for part in parts) or "1 = 0"
    return Value(f"(NOT ({sql}))" if node.is_negated else f"({sql})", Kind.BOOLEAN)


def _in_query(node: tree.InQuery, scope: Scope) -> Value:
    operand = compile_expression(node.operand, scope)
    found = scope.subquery(node.query)
    as_text = f"coalesce({text(operand)} IN (SELECT o0 FROM {found} WHERE o0 IS NOT NULL), false)"
    as_number = (
        f"coalesce({number(operand)} IN (SELECT number_of(o0) FROM {found} WHERE number_of(o0) IS NOT NULL), false)"
    )
    sql = f"({as_text} OR {as_number})"
    return Value(f"(NOT {sql})" if node.is_negated else sql, Kind.BOOLEAN)


def is_number(value: str) -> bool:
    """Whether a constant reads as a number, by the rule of the macro `number_of`."""
    body = value[1:] if value[:1] in ("+", "-") else value
    if not body or body[0] not in "0123456789." or not body.isascii() or not set(body) <= set("0123456789.eE+-"):
        return False
    try:
        return abs(float(value)) < float("inf") and not body.endswith(".") and ".e" not in body.lower()
    except ValueError:
        return False


def accessed(value: Value, path: str, scope: Scope) -> Value:
    """What lies in a map or a list at a path such as `users.1.action`: a text, a map or a list; missing elsewhere."""
    if path.count(".") > MAX_DOTS:
        raise QueryError(
            f"A path with more than {MAX_DOTS} dots cannot be looked up",
            scope.query.text,
            scope.query.span.start,
            scope.query.span.end,
            "Take it in two steps, each with a shorter path.",
        )
    root = structure(value)
    readings = [scope.bind(pointer) for pointer in pointers(path)]
    texts = [f"leaf_at({root}, {pointer})" for pointer in readings]
    branches = [f"branch_at({root}, {pointer})" for pointer in readings]
    return Value(f"coalesce({', '.join(texts)})", Kind.TEXT, f"coalesce({', '.join(branches)})")


def _call(node: tree.Call, scope: Scope) -> Value:
    name = functions.of(node).name
    is_aggregate = name in AGGREGATES
    inner = scope.inside() if is_aggregate else scope
    values = tuple(
        compile_expression(argument, inner)
        for argument in node.arguments
        if not isinstance(argument, tree.Period | tree.Star)
    )
    build = AGGREGATES[name] if is_aggregate else FUNCTIONS[name]
    return build(Arguments(node.arguments, values, inner))
