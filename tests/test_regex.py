"""Regular expressions with named groups, and globs as regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.insights.regex import from_glob, groups


@pytest.mark.parametrize(
    ("pattern", "expected", "numbers"),
    [
        ("abc", "abc", {}),
        ("(?<user>a)", "(a)", {"user": 1}),
        ("(?P<user>a)", "(a)", {"user": 1}),
        ("(a)(?<b>b)(c)(?<d>d)", "(a)(b)(c)(d)", {"b": 2, "d": 4}),
        ("(?<@user>a)", "(a)", {"@user": 1}),
        ("(?<outer>a(?<inner>b))", "(a(b))", {"outer": 1, "inner": 2}),
        ("(?i)(?:a)(?<b>b)", "(?i)(?:a)(b)", {"b": 1}),
        (r"\((?<b>b)", r"\((b)", {"b": 1}),
        (r"\\(?<b>b)", r"\\(b)", {"b": 1}),
        (r"\(?<b>b", r"\(?<b>b", {}),
        ("[(](?<b>b)", "[(](b)", {"b": 1}),
        ("[^](](?<b>b)", "[^](](b)", {"b": 1}),
        ("[](](?<b>b)", "[](](b)", {"b": 1}),
        (r"[\](](?<b>b)", r"[\](](b)", {"b": 1}),
        ("[[:alpha:](](?<b>b)", "[[:alpha:](](b)", {"b": 1}),
        (r"\Q((\E(?<b>b)", r"\Q((\E(b)", {"b": 1}),
        ("(?<b>b)(?<b>c)", "(b)(c)", {"b": 1}),
        ("(?<=a)b", "(?<=a)b", {}),
        ("(?<!a)b", "(?<!a)b", {}),
    ],
)
def test_named_groups_become_numbered(pattern: str, expected: str, numbers: dict[str, int]) -> None:
    """Names leave the pattern and keep the number of their group; what only looks like a group is left alone."""
    found = groups(pattern)
    assert (found.pattern, found.numbers) == (expected, numbers)


PARTS = st.sampled_from(["(?<{}>a+)", "(?P<{}>b)", "(c)", "(?:d)", "e", r"\(", "[(f]", r"\\", "(?i)", "[^)]"])


@given(st.lists(PARTS, max_size=12))
@settings(max_examples=100, deadline=None)
def test_numbers_are_those_of_the_engine(parts: list[str]) -> None:
    """Whatever groups a pattern has, a name's number is the one that a regular expression engine counts."""
    pattern = "(?:)".join(part.format(f"n{i}") for i, part in enumerate(parts)).replace("(?i)", "")
    found = groups(pattern)
    compiled = re.compile(re.sub(r"\(\?<(n\d+)>", r"(?P<\1>", pattern))
    assert found.numbers == dict(compiled.groupindex)
    assert re.compile(found.pattern).groups == compiled.groups


@pytest.mark.parametrize(
    ("glob", "text", "found"),
    [
        ("user=*, id=*", "user=alice, id=7 rest", ("alice", "7 rest")),
        ("*@*", "alice@example.com@x", ("alice", "example.com@x")),
        ("[*] (*)", "x [1.2] (a|b)", ("1.2", "a|b")),
        ("*", "all\nof it", ("all\nof it",)),
        ("a*", "xab", ("b",)),
        ("*b", "aab", ("aa",)),
        ("a*b", "a b b", (" ",)),
        ("a*b", "ab", ("",)),
        ("a*b", "no", None),
        (r"\d*$", r"\d5$", ("5",)),
    ],
)
def test_globs(glob: str, text: str, found: tuple[str, ...] | None) -> None:
    """A star takes as little as it can, the last one at the end the rest, and all other signs stand for themselves."""
    match = re.search(from_glob(glob), text)
    assert (match and match.groups()) == found


@given(
    st.lists(st.text(st.sampled_from('a.(["\\ $^|?+\n'), min_size=1, max_size=4), min_size=1, max_size=4),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_a_glob_gives_back_what_was_put_in(separators: list[str], data: st.DataObject) -> None:
    """Values that hold no separator come back from between the separators."""
    values = [data.draw(st.text(st.sampled_from("xyz-=5"), max_size=5)) for _ in separators]
    text = "".join(f"{separator}{value}" for separator, value in zip(separators, values, strict=True))
    match = re.search(from_glob("".join(f"{separator}*" for separator in separators)), text)
    assert match is not None
    assert list(match.groups()) == values
