"""A command that is not taken apart reaches to its own end, whatever it holds."""

from __future__ import annotations

import pytest

from eks_audit_nb.insights import parse, tree
from eks_audit_nb.insights.deferred import masked


@pytest.mark.parametrize(
    "text",
    [
        "appendcols (filter ((a = 1) and (b in [2])) | stats count(*) by abs(ceil(c)))",
        "join left=L right=R where L.a=R.a (fields concat(a, '(', b) | limit 5)",
        "pattern @message # it's",
        "pattern @message # a | b",
        "order by count(*) desc",
        "order by (((a)))",
        "order by `a|b`",
        "search it's",
        'search "a',
        "search a)",
        "search (a",
        "diff /x",
        "relevantfields a where b =~ /(|/",
        "SOURCE logGroups(namePrefix: ['a|b(']) # it's",
    ],
)
def test_what_it_holds_ends_nothing(text: str) -> None:
    """Parentheses of any depth, quotes, comments and regular expressions inside of it do not end the command."""
    (command,) = parse(text).commands
    assert isinstance(command, tree.Unanswered | tree.SourceGroups)
    assert command.span == tree.Span(0, len(text))


@pytest.mark.parametrize(
    "text", ["pattern @message # it's\n| limit 5", "order by count(*) | limit 5", "head 5|limit 5"]
)
def test_the_next_command_is_another_one(text: str) -> None:
    """The pipe behind it ends the command."""
    assert [type(command) for command in parse(text).commands] == [tree.Unanswered, tree.Limit]


def test_a_parenthesis_around_it_ends_it() -> None:
    """In a query in parentheses it ends where the parentheses do."""
    (command,) = parse("filter a in (fields b | order by abs(b)) and c = 1").commands
    assert isinstance(command, tree.Filter)
    assert isinstance(command.condition, tree.AllOf)


@pytest.mark.parametrize(
    "text", ["fields (pattern + 1)", "fields a # pattern (", "filter a = 'x | pattern ('", "fields head | sort tail"]
)
def test_other_text_stays(text: str) -> None:
    """A field of the same name, a comment and quoted text are left as they are."""
    assert masked(text) == text
