"""Patterns of dates: Java's letters for reading, strftime's for writing."""

from __future__ import annotations

import pytest

from eks_audit_nb.engine.dates import strftime_pattern, strptime_pattern


@pytest.mark.parametrize(
    ("java", "expected"),
    [
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS", "%Y-%m-%dT%H:%M:%S.%g"),
        ("yyyy-MM-dd HH:mm:ss.SSSSSS", "%Y-%m-%d %H:%M:%S.%f"),
        ("dd/MMM/yyyy:HH:mm:ss Z", "%d/%b/%Y:%H:%M:%S %z"),
        ("EEE, d MMMM uuuu h:m:s a", "%a, %-d %B %Y %-I:%-M:%-S %p"),
        ("yy'%'MM", "%y%%%m"),
        ("yyyy''MM", "%Y'%m"),
        ("'o''clock' HH", "o'clock %H"),
    ],
)
def test_patterns_of_java(java: str, expected: str) -> None:
    """Each letter of Java's becomes the one that reads the same, and quoted text stays as it is."""
    assert strptime_pattern(java) == expected


@pytest.mark.parametrize("java", ["", "QQ", "yyyyy", "G", "yyyy 'open", "VV", "SS"])
def test_what_cannot_be_read(java: str) -> None:
    """A pattern with a letter that has no counterpart, or with an open quote, is none."""
    assert strptime_pattern(java) is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%Y-%m-%d", "%Y-%m-%d"),
        ("%F %T", "%Y-%m-%d %H:%M:%S"),
        ("%D %R %h", "%m/%d/%y %H:%M %b"),
        ("%-d. %B, 100%%", "%-d. %B, 100%%"),
        ("no letters\n", "no letters\n"),
    ],
)
def test_patterns_of_strftime(pattern: str, expected: str) -> None:
    """Letters that stand for several others are spelled out, everything else stays."""
    assert strftime_pattern(pattern) == expected


@pytest.mark.parametrize("pattern", ["", "%", "%q", "%Q %Y", "50% %", "%-"])
def test_what_cannot_be_written(pattern: str) -> None:
    """A pattern with an unknown letter, or with nothing behind its sign, is none."""
    assert strftime_pattern(pattern) is None
