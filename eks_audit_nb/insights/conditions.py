"""What stands where a condition is needed and is none: `verb = "get" or "list"` asks nothing about "list"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import tree

_AS_IN = 'A condition compares something, as in verb = "get" or verb in ["get", "list"].'


def check(query: tree.Query) -> None:
    """Refuse a number, quoted text, `true` or `false` where a condition has to stand.

    Raises:
        QueryError: At the first one, with the comparison that was probably meant.
    """
    for command in query.commands:
        for node in command.walk():
            for part in _conditions(node):
                if is_constant(part):
                    raise _refusal(query, part, _meant(query, node, part))
            if isinstance(node, tree.Compared) and isinstance(node.right, tree.AnyOf):
                terms = node.right.terms
                if all(isinstance(term, tree.String | tree.Number) for term in terms):  # verb = ("get" or "list")
                    raise _refusal(query, terms[0], _listed(query, node, terms))


def is_constant(node: tree.Node) -> bool:
    """Whether a node is a number, quoted text, `true` or `false`."""
    match node:
        case tree.String() | tree.Number():
            return True
        case tree.Minus(operand=operand):
            return isinstance(operand, tree.Number)
        case tree.Field(name=name):
            return name in ("true", "false")
        case _:
            return False


def _conditions(node: tree.Node) -> Sequence[tree.Node]:
    """The parts of a node that have to be conditions."""
    match node:
        case tree.Filter(condition=condition):
            return (condition,)
        case tree.Not(operand=operand):
            return (operand,)
        case tree.AllOf(terms=terms) | tree.AnyOf(terms=terms):
            return terms
        case tree.Call(name=name, arguments=arguments) if name.lower() == "if":
            return arguments[:1]
        case tree.Call(name=name, arguments=arguments) if name.lower() == "case":
            return arguments[: len(arguments) // 2 * 2 : 2]  # the last one of an odd number is the default
        case _:
            return ()


def _refusal(query: tree.Query, node: tree.Node, hint: str) -> QueryError:
    return QueryError(
        f"{query.source_of(node)} alone is no condition", query.text, node.span.start, node.span.end, hint
    )


def _meant(query: tree.Query, node: tree.Node, part: tree.Node) -> str:
    """The comparison that is beside a constant, with the constant in it."""
    if isinstance(node, tree.Filter) and isinstance(part, tree.String):
        return f"{_AS_IN} The whole text is searched with: filter @message like {query.source_of(part)}"
    if isinstance(node, tree.Call) and node.name.lower() == "case":
        return f"{_AS_IN} What case gives where no condition holds is its last argument."
    if not isinstance(node, tree.AllOf | tree.AnyOf) or isinstance(part, tree.Field):
        return _AS_IN
    before = list(_comparisons(node.terms[: node.terms.index(part)]))
    beside = before[-1] if before else next(_comparisons(node.terms), None)
    constants = [term for term in node.terms if is_constant(term) and not isinstance(term, tree.Field)]
    match beside:
        case tree.Compared(operator="=") if isinstance(node, tree.AnyOf):
            return _listed(query, beside, constants)
        case tree.Compared(operator="!="):
            return _listed(query, beside, constants)
        case tree.Compared(operator=operator, left=left):
            return f"Write the comparison out again: {query.source_of(left)} {operator} {query.source_of(part)}"
        case tree.Like(operand=operand, is_negated=is_negated):
            word = "not like" if is_negated else "like"
            return f"Write the comparison out again: {query.source_of(operand)} {word} {query.source_of(part)}"
        case tree.In(members=[*_, _]):
            return f"Put it into the list: {query.source_of(beside)[:-1]}, {query.source_of(part)}]"
        case _:
            return _AS_IN


def _comparisons(terms: Sequence[tree.Node]) -> Iterator[tree.Compared | tree.Like | tree.In]:
    return (term for term in terms if isinstance(term, tree.Compared | tree.Like | tree.In))


def _listed(query: tree.Query, compared: tree.Compared, constants: Sequence[tree.Node]) -> str:
    """`verb in ["get", "list"]`."""
    word = "not in" if compared.operator == "!=" else "in"
    members = [compared.right, *constants] if is_constant(compared.right) else list(constants)
    listed = ", ".join(dict.fromkeys(map(query.source_of, members)))
    return f"Write: {query.source_of(compared.left)} {word} [{listed}]"
